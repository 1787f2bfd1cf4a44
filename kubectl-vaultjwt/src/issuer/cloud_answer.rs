//! What a cluster's cloud says about it, compared with the address in the kubeconfig.

use crate::cloud_api::{CloudError, ClusterDescription};
use crate::issuer::endpoint_mismatch::EndpointMismatch;

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
    /// The cluster that it described.
    pub fn described(&self) -> Option<&ClusterDescription> {
        match self {
            Self::Confirmed(described) | Self::Unconfirmed(described, _) => Some(described),
            Self::NotAsked | Self::NoCloud | Self::Failed(_) => None,
        }
    }
}
