//! What follows from the evidence: one cluster of one cloud, or two pieces of evidence that
//! cannot both be true.

use crate::cloud::aks::{AksCluster, AksWanted, AzureCloud};
use crate::cloud::eks::EksCluster;
use crate::cloud::evidence::{CloudClaim, CloudEvidence, Source};
use crate::cloud::gke::GkeCluster;
use serde::Serialize;
use shared::text::one_line;
use std::fmt;

/// Whose a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Verdict {
    Eks(EksCluster),
    Aks(AksCluster),
    Gke(GkeCluster),
    Generic,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |value: &Option<String>, otherwise: &str| {
            value.as_ref().map_or_else(|| otherwise.to_owned(), |value| format!("\"{}\"", one_line(value)))
        };
        let of = |what: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(" {what} {}", one_line(value)))
        };
        match self {
            Self::Eks(eks) => {
                write!(f, "EKS cluster {}{}", or(&eks.name, "of unknown name"), of("in", &eks.region))?;
                write!(f, "{}", of("of account", &eks.account))
            }
            Self::Aks(aks) => match aks.names.as_slice() {
                [] => write!(f, "AKS cluster at {}", or(&aks.fqdn, "an unknown address")),
                [only] => write!(f, "AKS cluster {only}"),
                [first, ..] => write!(f, "AKS cluster, perhaps {first}"),
            },
            Self::Gke(gke) => {
                write!(f, "GKE cluster {}{}", or(&gke.name, "of unknown name"), of("in", &gke.location))?;
                write!(f, "{}", of("of project", &gke.project))
            }
            Self::Generic => f.write_str("none of EKS, AKS and GKE, as far as the kubeconfig shows"),
        }
    }
}

/// Two pieces that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{first} and {second} differ in the {about}")]
pub struct Contradiction {
    pub first: CloudEvidence,
    pub second: CloudEvidence,
    pub about: &'static str,
}

impl Contradiction {
    /// The flag that decides, where one can.
    pub fn flag(&self) -> Option<&'static str> {
        match self.about {
            "region" => Some("--aws-region"),
            "profile" => Some("--aws-profile"),
            "subscription" => Some("--azure-subscription"),
            "cluster name" | "partition" | "account" | "project" | "location" => Some("--cloud-cluster"),
            "cloud" => Some("--cloud"),
            _ => None,
        }
    }

    pub fn hint(&self) -> String {
        let look = "kubectl config view --minify";
        match (self.flag(), self.second.source) {
            (Some(flag), _) => format!("say which is right with {flag}, or correct the entry: {look}"),
            (None, Source::TlsServerName) => format!("correct the entry's server or tls-server-name: {look}"),
            (None, Source::ExecPlugin) if self.about == AZURE_CLOUD => {
                format!("correct --environment of the entry's exec plugin: {look}")
            }
            (None, _) => format!("correct the entry: {look}"),
        }
    }
}

/// Which of Azure's own: no flag tells them apart.
const AZURE_CLOUD: &str = "Azure cloud";

/// Decides on what was collected, the strongest first.
pub fn decide(evidence: &[CloudEvidence]) -> Result<Verdict, Box<Contradiction>> {
    match deciding(evidence)? {
        Some(CloudClaim::Eks(_)) => eks(evidence).map(Verdict::Eks),
        Some(CloudClaim::Aks(_)) => aks(evidence).map(Verdict::Aks),
        Some(CloudClaim::Gke(_)) => gke(evidence).map(Verdict::Gke),
        Some(CloudClaim::Other(_)) | None => Ok(Verdict::Generic),
    }
}

/// The claim that decides on the cloud. Names, which come last, do only where nothing
/// better exists: people copy and change them.
pub(super) fn deciding(evidence: &[CloudEvidence]) -> Result<Option<&CloudClaim>, Box<Contradiction>> {
    let mut pieces = evidence.iter().filter(|piece| piece.claim.cloud().is_some());
    let Some(first) = pieces.next() else { return Ok(None) };
    match pieces.find(|other| !other.source.is_a_name() && other.claim.cloud() != first.claim.cloud()) {
        Some(other) => Err(contradiction(first, other, "cloud")),
        None => Ok(Some(&first.claim)),
    }
}

fn contradiction(first: &CloudEvidence, second: &CloudEvidence, about: &'static str) -> Box<Contradiction> {
    Box::new(Contradiction { first: first.clone(), second: second.clone(), about })
}

/// The pieces about the cloud that was decided on, each with what it says of the cluster.
fn about_one_cloud<C>(evidence: &[CloudEvidence], of: impl Fn(&CloudClaim) -> Option<&C>) -> Vec<(&C, &CloudEvidence)> {
    evidence.iter().filter_map(|piece| Some((of(&piece.claim)?, piece))).collect()
}

/// The strongest piece's word on one thing. Another strong piece that says
/// something else contradicts; a name is passed over.
fn agreed<C, T: PartialEq>(
    pieces: &[(&C, &CloudEvidence)],
    about: &'static str,
    of: impl Fn(&C) -> Option<T>,
) -> Result<Option<T>, Box<Contradiction>> {
    let mut said = pieces.iter().filter_map(|(cluster, piece)| Some((of(cluster)?, *piece)));
    let Some((value, first)) = said.next() else { return Ok(None) };
    // A flag has the word, and a name has none.
    match said.find(|(other, piece)| *other != value && first.source != Source::Flag && !piece.source.is_a_name()) {
        Some((_, other)) => Err(contradiction(first, other, about)),
        None => Ok(Some(value)),
    }
}

fn eks(evidence: &[CloudEvidence]) -> Result<EksCluster, Box<Contradiction>> {
    let pieces = about_one_cloud(evidence, |claim| match claim {
        CloudClaim::Eks(eks) => Some(eks),
        _ => None,
    });
    let host = pieces.iter().find(|(_, piece)| matches!(piece.source, Source::Server | Source::TlsServerName));
    // Of the piece whose profile counts.
    let with_profile = pieces.iter().find(|(eks, _)| eks.profile.is_some());
    Ok(EksCluster {
        partition: agreed(&pieces, "partition", |eks| eks.partition.clone())?,
        region: agreed(&pieces, "region", |eks| eks.region.clone())?,
        account: agreed(&pieces, "account", |eks| eks.account.clone())?,
        name: agreed(&pieces, "cluster name", |eks| eks.name.clone())?,
        endpoint: host.map(|(_, piece)| piece.found.clone()),
        role: agreed(&pieces, "role", |eks| eks.role.clone())?,
        profile: agreed(&pieces, "profile", |eks| eks.profile.clone())?,
        profile_is_argument: with_profile.is_some_and(|(eks, _)| eks.profile_is_argument),
    })
}

fn aks(evidence: &[CloudEvidence]) -> Result<AksCluster, Box<Contradiction>> {
    let pieces = about_one_cloud(evidence, |claim| match claim {
        CloudClaim::Aks(aks) => Some(aks),
        _ => None,
    });
    let with_names = pieces.iter().find(|(aks, _)| !aks.names.is_empty());
    Ok(AksCluster {
        cloud: agreed(&pieces, AZURE_CLOUD, |aks| aks.cloud)?.or(Some(AzureCloud::Public)),
        fqdn: agreed(&pieces, "API server", |aks| aks.fqdn.clone())?,
        subscription: agreed(&pieces, "subscription", |aks| aks.subscription.clone())?,
        tenant: agreed(&pieces, "tenant", |aks| aks.tenant.clone())?,
        names: with_names.map(|(aks, _)| aks.names.clone()).unwrap_or_default(),
        wanted: AksWanted::default(),
        config_dir: agreed(&pieces, "az configuration", |aks| aks.config_dir.clone())?,
    })
}

fn gke(evidence: &[CloudEvidence]) -> Result<GkeCluster, Box<Contradiction>> {
    let pieces = about_one_cloud(evidence, |claim| match claim {
        CloudClaim::Gke(gke) => Some(gke),
        _ => None,
    });
    Ok(GkeCluster {
        project: agreed(&pieces, "project", |gke| gke.project.clone())?,
        location: agreed(&pieces, "location", |gke| gke.location.clone())?,
        name: agreed(&pieces, "cluster name", |gke| gke.name.clone())?,
    })
}
