//! What the user says about the cluster by flags, and what it decides: where a kubeconfig
//! contradicts itself or does not identify a cloud, a flag decides.

use crate::cloud::aks::{self, AksCluster, AksWanted};
use crate::cloud::eks::{self, EksCluster};
use crate::cloud::evidence::{self, Cloud, CloudClaim, CloudEvidence, Source};
use crate::cloud::gke::{self, GkeCluster};
use crate::cloud::kubeconfig_entry::Entry;
use crate::cloud::verdict::{self, Contradiction, Verdict};

/// `--cloud-cluster`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterId {
    /// A full id: an ARN, ARM's resource id, or
    /// `projects/<project>/locations/<location>/clusters/<name>`.
    Full(CloudClaim),
    /// A name alone, in the cloud that the rest points to.
    Name(String),
}

impl ClusterId {
    /// Reads what was typed; whatever is no full id of a cloud is a name.
    pub fn read(typed: &str) -> Self {
        let full = (eks::arn(typed).map(CloudClaim::Eks))
            .or_else(|| aks::resource_id(typed).map(CloudClaim::Aks))
            .or_else(|| gke::resource(typed).map(CloudClaim::Gke));
        full.map_or_else(|| Self::Name(typed.to_owned()), Self::Full)
    }
}

/// The flags that say which cluster of which cloud it is, and the credentials for the cloud
/// query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudOverrides {
    pub cloud: Option<Cloud>,
    /// `--cloud-cluster`
    pub cluster: Option<ClusterId>,
    pub aws_region: Option<String>,
    pub aws_profile: Option<String>,
    pub azure_subscription: Option<String>,
    pub azure_resource_group: Option<String>,
}

/// What is known about a cluster before any request.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Every piece, the strongest first.
    pub evidence: Vec<CloudEvidence>,
    pub verdict: Result<Verdict, Box<Contradiction>>,
}

/// Collects what the kubeconfig and the flags say, and decides.
pub fn identify(entry: &Entry, given: &CloudOverrides) -> Identity {
    let mut evidence = evidence::collect(entry);
    let by_id = match &given.cluster {
        Some(ClusterId::Full(claim)) => claim.cloud(),
        _ => None,
    };
    let flagged = match given.cloud.or(by_id) {
        Some(Cloud::Generic) => return Identity { evidence, verdict: Ok(Verdict::Generic) },
        Some(cloud) => {
            evidence.retain(|piece| piece.claim.cloud().is_none_or(|of| of == cloud));
            Some(cloud)
        }
        None => {
            let cloud = verdict::deciding(&evidence).ok().flatten().and_then(CloudClaim::cloud);
            cloud.filter(|cloud| given.says_more_of(*cloud))
        }
    };
    evidence.splice(..0, flagged.map(|cloud| given.piece(cloud)));
    let verdict = verdict::decide(&evidence).map(|verdict| given.narrow(verdict));
    Identity { evidence, verdict }
}

impl CloudOverrides {
    /// Whether a flag says anything about a cluster of `cloud`.
    fn says_more_of(&self, cloud: Cloud) -> bool {
        let named = self.cluster.is_some();
        match cloud {
            Cloud::Eks => named || self.aws_region.is_some() || self.aws_profile.is_some(),
            Cloud::Aks => named || self.azure_subscription.is_some(),
            Cloud::Gke => named,
            Cloud::Generic => false,
        }
    }

    /// The flags as one piece of evidence about a cluster of `cloud`.
    fn piece(&self, cloud: Cloud) -> CloudEvidence {
        let name = match &self.cluster {
            Some(ClusterId::Name(name)) => Some(name.clone()),
            _ => None,
        };
        let mut found: Vec<String> = Vec::new();
        let mut says = |flag: &str, value: &Option<String>| {
            found.extend(value.as_ref().map(|value| format!("{flag} {value}")));
        };
        let claim = match cloud {
            Cloud::Aks => {
                let mut aks = match &self.cluster {
                    Some(ClusterId::Full(CloudClaim::Aks(aks))) => aks.clone(),
                    _ => AksCluster::default(),
                };
                says("--cloud-cluster", &name.or_else(|| aks.names.first().map(|n| n.name.clone())));
                says("--azure-subscription", &self.azure_subscription);
                says("--azure-resource-group", &self.azure_resource_group);
                aks.subscription = self.azure_subscription.clone().or(aks.subscription);
                CloudClaim::Aks(aks)
            }
            Cloud::Gke => {
                let gke = match &self.cluster {
                    Some(ClusterId::Full(CloudClaim::Gke(gke))) => gke.clone(),
                    _ => GkeCluster { name, ..GkeCluster::default() },
                };
                says("--cloud-cluster", &gke.name);
                CloudClaim::Gke(gke)
            }
            Cloud::Eks | Cloud::Generic => {
                let mut eks = match &self.cluster {
                    Some(ClusterId::Full(CloudClaim::Eks(eks))) => eks.clone(),
                    _ => EksCluster { name, ..EksCluster::default() },
                };
                says("--cloud-cluster", &eks.name);
                says("--aws-region", &self.aws_region);
                says("--aws-profile", &self.aws_profile);
                eks.region = self.aws_region.clone().or(eks.region);
                eks.profile = self.aws_profile.clone();
                eks.profile_is_argument = eks.profile.is_some();
                CloudClaim::Eks(eks)
            }
        };
        if found.is_empty() {
            found.push(format!("--cloud {}", claim.words().to_lowercase()));
        }
        CloudEvidence { source: Source::Flag, found: found.join(" "), claim }
    }

    /// The resource group and name that flags give select among what the kubeconfig's names can
    /// mean, or are used alone.
    fn narrow(&self, verdict: Verdict) -> Verdict {
        let Verdict::Aks(mut aks) = verdict else { return verdict };
        let (group, name) = match &self.cluster {
            Some(ClusterId::Name(name)) => (None, Some(name.clone())),
            Some(ClusterId::Full(CloudClaim::Aks(aks))) => {
                aks.names.first().cloned().map(|n| (n.resource_group, n.name)).unzip()
            }
            _ => (None, None),
        };
        aks.wanted = AksWanted { resource_group: self.azure_resource_group.clone().or(group), name };
        match aks.wanted.whole() {
            Some(name) => aks.names = vec![name],
            None => aks.names.retain(|found| aks.wanted.takes(found)),
        }
        Verdict::Aks(aks)
    }
}
