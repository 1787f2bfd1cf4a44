//! Flags that identify a cluster at its cloud provider, and the credentials used to query
//! the provider.

use crate::cli::values::text_if;
use crate::cloud::evidence::Cloud;
use crate::cloud::overrides::{CloudOverrides, ClusterId};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

/// The cluster's cloud, where the kubeconfig is silent or contradicts itself.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cloud")]
pub struct CloudFlags {
    /// Whose cluster it is, where the kubeconfig points to two clouds or to none. One of: (eks, aks, gke, generic)
    #[arg(long, value_name = "CLOUD", value_enum, hide_possible_values = true)]
    pub cloud: Option<Cloud>,

    /// The cluster in its cloud: an EKS ARN, an Azure resource id, projects/P/locations/L/clusters/C of GKE, or a name
    #[arg(long, value_name = "ID", value_parser = parse_text)]
    pub cloud_cluster: Option<String>,

    /// Region of the EKS cluster
    #[arg(long, value_name = "REGION", value_parser = parse_text)]
    pub aws_region: Option<String>,

    /// Profile to ask EKS with; goes before credentials in the environment, as with aws
    #[arg(long, value_name = "NAME", value_parser = parse_text)]
    pub aws_profile: Option<String>,

    /// Subscription of the AKS cluster
    #[arg(long, value_name = "ID", value_parser = parse_text)]
    pub azure_subscription: Option<String>,

    /// Resource group of the AKS cluster
    #[arg(long, value_name = "NAME", value_parser = parse_text)]
    pub azure_resource_group: Option<String>,
}

impl ValueEnum for Cloud {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Eks, Self::Aks, Self::Gke, Self::Generic]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Eks => ("eks", "Amazon EKS"),
            Self::Aks => ("aks", "Azure AKS"),
            Self::Gke => ("gke", "Google GKE"),
            Self::Generic => ("generic", "None of them: the API server alone says who the issuer is"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl CloudFlags {
    /// Whether a flag is given that can be true of one cluster only.
    pub fn names_one_cluster(&self) -> bool {
        self.cloud.is_some() || self.cloud_cluster.is_some() || self.azure_resource_group.is_some()
    }

    /// What they say about the cluster.
    pub fn given(&self) -> CloudOverrides {
        CloudOverrides {
            cloud: self.cloud,
            cluster: self.cloud_cluster.as_deref().map(ClusterId::read),
            aws_region: self.aws_region.clone(),
            aws_profile: self.aws_profile.clone(),
            azure_subscription: self.azure_subscription.clone(),
            azure_resource_group: self.azure_resource_group.clone(),
        }
    }
}

/// Never empty: `--aws-profile "$PROFILE"` without one must not pass for none.
fn parse_text(typed: &str) -> Result<String, String> {
    text_if(!typed.trim().is_empty(), typed, "it is empty")
}
