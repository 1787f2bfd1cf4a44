//! What the user says about the cluster by flags, and what it decides: where a kubeconfig
//! contradicts itself or does not identify a cloud, a flag decides.

use crate::cloud::aks::{self, AksClaim, AksWanted};
use crate::cloud::eks::{self, EksClaim};
use crate::cloud::evidence::{self, Cloud, CloudClaim, CloudEvidence, Source, cloud_of};
use crate::cloud::gke::{self, GkeClaim};
use crate::cloud::kubeconfig_entry::Entry;
use crate::cloud::verdict::{self, Contradiction, Verdict};

/// `--cloud-cluster`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterId {
    /// An ARN.
    Eks(EksClaim),
    /// ARM's resource id.
    Aks(AksClaim),
    /// `projects/<project>/locations/<location>/clusters/<name>`
    Gke(GkeClaim),
    /// A name alone, in the cloud that the rest points to.
    Name(String),
}

impl ClusterId {
    /// Reads what was typed; whatever is no full id of a cloud is a name.
    pub fn read(typed: &str) -> Self {
        let full = eks::arn(typed).map(Self::Eks).or_else(|| aks::resource_id(typed).map(Self::Aks));
        full.or_else(|| gke::resource(typed).map(Self::Gke)).unwrap_or_else(|| Self::Name(typed.to_owned()))
    }

    fn cloud(&self) -> Option<Cloud> {
        match self {
            Self::Eks(_) => Some(Cloud::Eks),
            Self::Aks(_) => Some(Cloud::Aks),
            Self::Gke(_) => Some(Cloud::Gke),
            Self::Name(_) => None,
        }
    }
}

/// The flags that say which cluster of which cloud it is, and the credentials for the cloud
/// query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudOverrides {
    /// `--cloud`
    pub cloud: Option<Cloud>,
    /// `--cloud-cluster`
    pub cluster: Option<ClusterId>,
    /// `--aws-region`
    pub aws_region: Option<String>,
    /// `--aws-profile`
    pub aws_profile: Option<String>,
    /// `--azure-subscription`
    pub azure_subscription: Option<String>,
    /// `--azure-resource-group`
    pub azure_resource_group: Option<String>,
}

/// What is known about a cluster before any request.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Every piece, the strongest first.
    pub evidence: Vec<CloudEvidence>,
    /// What follows from them.
    pub verdict: Result<Verdict, Box<Contradiction>>,
}

/// Collects what the kubeconfig and the flags say, and decides.
pub fn identify(entry: &Entry, given: &CloudOverrides) -> Identity {
    let mut evidence = evidence::collect(entry);
    let decided = given.cloud.or_else(|| given.cluster.as_ref().and_then(ClusterId::cloud));
    let verdict = match decided {
        Some(Cloud::Generic) => Ok(Verdict::Generic),
        Some(cloud) => {
            evidence.retain(|piece| cloud_of(&piece.claim).is_none_or(|of| of == cloud));
            evidence.insert(0, given.piece(cloud));
            verdict::decide(&evidence)
        }
        None => match verdict::cloud(&evidence) {
            Ok(Some(cloud)) if given.says_more_of(cloud) => {
                evidence.insert(0, given.piece(cloud));
                verdict::decide(&evidence)
            }
            _ => verdict::decide(&evidence),
        },
    };
    Identity { evidence, verdict: verdict.map(|verdict| given.narrow(verdict)) }
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
                let mut claim = match &self.cluster {
                    Some(ClusterId::Aks(claim)) => claim.clone(),
                    _ => AksClaim::default(),
                };
                says("--cloud-cluster", &name.or_else(|| claim.names.first().map(|n| n.name.clone())));
                says("--azure-subscription", &self.azure_subscription);
                says("--azure-resource-group", &self.azure_resource_group);
                claim.subscription = self.azure_subscription.clone().or(claim.subscription);
                CloudClaim::Aks(claim)
            }
            Cloud::Gke => {
                let claim = match &self.cluster {
                    Some(ClusterId::Gke(claim)) => claim.clone(),
                    _ => GkeClaim { name, ..GkeClaim::default() },
                };
                says("--cloud-cluster", &claim.name);
                CloudClaim::Gke(claim)
            }
            Cloud::Eks | Cloud::Generic => {
                let mut claim = match &self.cluster {
                    Some(ClusterId::Eks(claim)) => claim.clone(),
                    _ => EksClaim { name, ..EksClaim::default() },
                };
                says("--cloud-cluster", &claim.name);
                says("--aws-region", &self.aws_region);
                says("--aws-profile", &self.aws_profile);
                claim.region = self.aws_region.clone().or(claim.region);
                claim.profile = self.aws_profile.clone();
                claim.profile_is_argument = claim.profile.is_some();
                CloudClaim::Eks(claim)
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
            Some(ClusterId::Aks(claim)) => claim.names.first().cloned().map(|n| (n.resource_group, n.name)).unzip(),
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
