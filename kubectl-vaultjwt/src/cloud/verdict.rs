//! What follows from the evidence: one cluster of one cloud, or two pieces of evidence that
//! cannot both be true.

use crate::cloud::aks::{AksClaim, AksName, AksWanted, AzureCloud};
use crate::cloud::eks::EksClaim;
use crate::cloud::evidence::{Cloud, CloudClaim, CloudEvidence, Source, cloud_of};
use crate::cloud::gke::GkeClaim;
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
                [only] => {
                    let (name, group) = (one_line(&only.name), one_line(&only.resource_group));
                    write!(f, "AKS cluster \"{name}\" in resource group \"{group}\"")
                }
                [first, ..] => {
                    let (name, group) = (one_line(&first.name), one_line(&first.resource_group));
                    write!(f, "AKS cluster, perhaps \"{name}\" in resource group \"{group}\"")
                }
            },
            Self::Gke(gke) => {
                write!(f, "GKE cluster {}{}", or(&gke.name, "of unknown name"), of("in", &gke.location))?;
                write!(f, "{}", of("of project", &gke.project))
            }
            Self::Generic => f.write_str("none of EKS, AKS and GKE, as far as the kubeconfig shows"),
        }
    }
}

/// An EKS cluster, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EksCluster {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: Option<String>,
    pub region: Option<String>,
    pub account: Option<String>,
    /// The name, or the id of a local cluster on Outposts; without either, it is
    /// looked for by its endpoint.
    pub name: Option<String>,
    /// Host of its endpoint, where the kubeconfig leads there directly.
    pub endpoint: Option<String>,
    /// The role that tokens are asked for with.
    pub role: Option<String>,
    /// The profile that the kubeconfig names.
    pub profile: Option<String>,
    /// Whether as an argument: it goes before keys in the environment then.
    #[serde(skip)]
    pub profile_is_argument: bool,
}

/// An AKS cluster, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AksCluster {
    pub cloud: AzureCloud,
    /// The API server's name.
    pub fqdn: Option<String>,
    pub subscription: Option<String>,
    pub tenant: Option<String>,
    /// What resource group and name can be, the likeliest first; where there is
    /// none, it is looked for by its fqdn.
    pub names: Vec<AksName>,
    /// What flags say of resource group and name: no other cluster is meant.
    #[serde(skip)]
    pub wanted: AksWanted,
    /// The folder of az's configuration that the kubeconfig names.
    #[serde(skip)]
    pub config_dir: Option<String>,
}

/// A GKE cluster, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GkeCluster {
    pub project: Option<String>,
    /// The zone or region.
    pub location: Option<String>,
    pub name: Option<String>,
}

impl GkeCluster {
    /// The issuer that GKE gives the cluster, where all of it is known
    /// (`projects.locations.clusters.well-known` of Google's API).
    pub fn issuer(&self) -> Option<String> {
        let (project, location, name) = (self.project.as_ref()?, self.location.as_ref()?, self.name.as_ref()?);
        Some(format!("https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{name}"))
    }
}

/// Two pieces that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub first: CloudEvidence,
    pub second: CloudEvidence,
    /// What they differ in.
    pub about: &'static str,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let piece = |evidence: &CloudEvidence| {
            format!("the {} \"{}\" ({})", evidence.source.words(), one_line(&evidence.found), evidence.claim.words())
        };
        write!(f, "{} and {} differ in the {}", piece(&self.first), piece(&self.second), self.about)
    }
}

impl std::error::Error for Contradiction {}

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
    let Some(first) = first(evidence)? else { return Ok(Verdict::Generic) };
    let same = |other: &&CloudEvidence| other.claim.words() == first.claim.words();
    let (strong, named): (Vec<&CloudEvidence>, Vec<&CloudEvidence>) =
        evidence.iter().filter(same).partition(|piece| !piece.source.is_a_name());
    let all: Vec<&CloudEvidence> = strong.into_iter().chain(named).collect();
    match &first.claim {
        CloudClaim::Eks(_) => eks(&all).map(Verdict::Eks),
        CloudClaim::Aks(_) => aks(&all).map(Verdict::Aks),
        CloudClaim::Gke(_) => gke(&all).map(Verdict::Gke),
        CloudClaim::Other(_) => Ok(Verdict::Generic),
    }
}

/// The cloud that the evidence points to, where it points to one.
pub(super) fn cloud(evidence: &[CloudEvidence]) -> Result<Option<Cloud>, Box<Contradiction>> {
    Ok(first(evidence)?.and_then(|piece| cloud_of(&piece.claim)))
}

/// The piece that decides on the cloud. Names alone do only where nothing
/// better exists: people copy and change them.
fn first(evidence: &[CloudEvidence]) -> Result<Option<&CloudEvidence>, Box<Contradiction>> {
    let (strong, named): (Vec<&CloudEvidence>, Vec<&CloudEvidence>) =
        evidence.iter().filter(|piece| is_cloud(piece)).partition(|piece| !piece.source.is_a_name());
    let first = strong.first().or(named.first()).copied();
    match (first, strong.iter().find(|other| first.is_some_and(|first| first.claim.words() != other.claim.words()))) {
        (Some(first), Some(other)) => Err(contradiction(first, other, "cloud")),
        _ => Ok(first),
    }
}

fn is_cloud(evidence: &CloudEvidence) -> bool {
    !matches!(evidence.claim, CloudClaim::Other(_))
}

fn contradiction(first: &CloudEvidence, second: &CloudEvidence, about: &'static str) -> Box<Contradiction> {
    Box::new(Contradiction { first: first.clone(), second: second.clone(), about })
}

/// The strongest piece's word on one thing. Another strong piece that says
/// something else contradicts; a name is passed over.
fn agreed<T: PartialEq>(
    evidence: &[&CloudEvidence],
    of: impl Fn(&CloudClaim) -> Option<T>,
    about: &'static str,
) -> Result<Option<T>, Box<Contradiction>> {
    let mut found: Option<(T, &CloudEvidence)> = None;
    for piece in evidence {
        let Some(value) = of(&piece.claim) else { continue };
        match &found {
            None => found = Some((value, piece)),
            // A flag has the word, and a name has none.
            Some((first, said)) if *first != value && said.source != Source::Flag && !piece.source.is_a_name() => {
                return Err(contradiction(said, piece, about));
            }
            Some(_) => {}
        }
    }
    Ok(found.map(|(value, _)| value))
}

fn eks(evidence: &[&CloudEvidence]) -> Result<EksCluster, Box<Contradiction>> {
    let of = |field: fn(&EksClaim) -> Option<String>| {
        move |claim: &CloudClaim| match claim {
            CloudClaim::Eks(claim) => field(claim),
            _ => None,
        }
    };
    let host = evidence.iter().find(|e| matches!(e.source, Source::Server | Source::TlsServerName));
    // Of the piece whose profile counts.
    let by_argument = |claim: &CloudClaim| match claim {
        CloudClaim::Eks(claim) => claim.profile.as_ref().map(|_| claim.profile_is_argument),
        _ => None,
    };
    Ok(EksCluster {
        partition: agreed(evidence, of(|c| c.partition.clone()), "partition")?,
        region: agreed(evidence, of(|c| c.region.clone()), "region")?,
        account: agreed(evidence, of(|c| c.account.clone()), "account")?,
        name: agreed(evidence, of(|c| c.id.clone().or_else(|| c.name.clone())), "cluster name")?,
        endpoint: host.map(|host| host.found.clone()),
        role: agreed(evidence, of(|c| c.role.clone()), "role")?,
        profile: agreed(evidence, of(|c| c.profile.clone()), "profile")?,
        profile_is_argument: evidence.iter().find_map(|e| by_argument(&e.claim)).unwrap_or_default(),
    })
}

fn aks(evidence: &[&CloudEvidence]) -> Result<AksCluster, Box<Contradiction>> {
    fn of<T>(field: impl Fn(&AksClaim) -> Option<T>) -> impl Fn(&CloudClaim) -> Option<T> {
        move |claim| match claim {
            CloudClaim::Aks(claim) => field(claim),
            _ => None,
        }
    }
    let names = of(|c| Some(c.names.clone()).filter(|names| !names.is_empty()));
    Ok(AksCluster {
        cloud: agreed(evidence, of(|c| c.cloud), AZURE_CLOUD)?.unwrap_or(AzureCloud::Public),
        fqdn: agreed(evidence, of(|c| c.fqdn.clone()), "API server")?,
        subscription: agreed(evidence, of(|c| c.subscription.clone()), "subscription")?,
        tenant: agreed(evidence, of(|c| c.tenant.clone()), "tenant")?,
        names: evidence.iter().find_map(|e| names(&e.claim)).unwrap_or_default(),
        wanted: AksWanted::default(),
        config_dir: agreed(evidence, of(|c| c.config_dir.clone()), "az configuration")?,
    })
}

fn gke(evidence: &[&CloudEvidence]) -> Result<GkeCluster, Box<Contradiction>> {
    let of = |field: fn(&GkeClaim) -> Option<String>| {
        move |claim: &CloudClaim| match claim {
            CloudClaim::Gke(claim) => field(claim),
            _ => None,
        }
    };
    Ok(GkeCluster {
        project: agreed(evidence, of(|c| c.project.clone()), "project")?,
        location: agreed(evidence, of(|c| c.location.clone()), "location")?,
        name: agreed(evidence, of(|c| c.name.clone()), "cluster name")?,
    })
}
