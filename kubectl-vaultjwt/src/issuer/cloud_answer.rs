//! What a cluster's cloud says about it, and what lies between that and the kubeconfig, or
//! the pod: why the server that answers may be another one. Pure.

use crate::cloud::Entry;
use crate::cloud_api::{CloudError, ClusterDescription};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CloudAnswer {
    #[default]
    NotAsked,
    /// There is no cloud to query.
    NoCloud,
    /// It knows the cluster, and the kubeconfig leads straight to it, over a
    /// connection whose other end is checked.
    Confirmed(ClusterDescription),
    /// It knows the cluster; what the kubeconfig leads to may be something else,
    /// and a token has to prove what it is.
    Unconfirmed(ClusterDescription, EndpointMismatch),
    Failed(CloudError),
}

impl CloudAnswer {
    pub fn described(&self) -> Option<&ClusterDescription> {
        match self {
            Self::Confirmed(described) | Self::Unconfirmed(described, _) => Some(described),
            Self::NotAsked | Self::NoCloud | Self::Failed(_) => None,
        }
    }
}

/// Why an API server may not be that of the cluster that its cloud describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointMismatch {
    /// The entry leads to a tunnel or a proxy, or to an unknown place.
    Elsewhere,
    /// The certificate is checked for another server's name.
    OtherName,
    /// The certificate is checked against another authority.
    OtherAuthority,
    /// There is no kubeconfig, and the pod's authority does not show it.
    Pod,
}

impl EndpointMismatch {
    /// The widest one; `at_its_host` is whether the entry names one of the
    /// cluster's hosts.
    pub(super) fn between(entry: &Entry, at_its_host: bool, described: &ClusterDescription) -> Option<Self> {
        // A pod reaches its cluster at an address inside. The kubelet gives it the
        // cluster's authority, which is as good as a name if the cloud returns the same.
        if entry.in_pod && !at_its_host {
            let shown = described.authority.is_some() && described.can_be_known_by(&entry.authorities);
            return (!shown).then_some(Self::Pod);
        }
        let name = entry.tls_server_name.as_deref().map(|name| name.trim_end_matches('.'));
        if !at_its_host {
            Some(Self::Elsewhere)
        } else if name.is_some_and(|name| !described.answers_at(name)) {
            Some(Self::OtherName)
        } else if !described.can_be_known_by(&entry.authorities) {
            Some(Self::OtherAuthority)
        } else {
            None
        }
    }

    pub fn about(self, cluster: &str) -> String {
        match self {
            Self::Elsewhere => format!("the kubeconfig does not lead straight to {cluster}"),
            Self::OtherName => format!(
                "the kubeconfig leads to {cluster}, but has its certificate checked for another name (tls-server-name)"
            ),
            Self::Pod => format!("nothing shows that this pod runs in {cluster}"),
            Self::OtherAuthority => format!(
                "the kubeconfig leads to {cluster}, but trusts a certificate authority that is not the cluster's"
            ),
        }
    }
}
