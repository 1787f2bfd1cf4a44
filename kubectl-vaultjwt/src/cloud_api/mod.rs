//! What a cloud's own API says about one cluster: which issuer it has, and at which hosts
//! its API server answers.
//!
//! `Clouds` is the port, `clients` its implementations: over the clouds that this build can
//! query (a cargo feature each), `eks` by AWS's SDK, `aks` by a typed read of Azure's
//! management API, and one that queries once for each cluster. `error` says why a query failed.

#[cfg(feature = "aks")]
mod aks;
mod clients;
#[cfg(feature = "eks")]
mod eks;
pub mod error;

pub use clients::{CachedClouds, CloudClients};
pub use error::{CloudError, CloudErrorKind};

use crate::cloud::Verdict;
use async_trait::async_trait;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its full id in that cloud: an ARN, a resource id.
    pub id: String,
    /// The issuer of its tokens, byte for byte.
    pub issuer: Option<String>,
    /// Why it has no issuer, and what gives it one.
    pub no_issuer: Option<String>,
    /// Hosts of its API server, in lower case.
    pub hosts: Vec<String>,
    /// The authority of its API server's certificate, DER, where the cloud returns it.
    pub authority: Option<Vec<u8>>,
}

impl ClusterDescription {
    pub fn answers_at(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether a client that trusts `authorities` can be talking to its API server. A proxy
    /// that ends TLS has an authority of its own, and no API server has one of the system's.
    pub fn can_be_known_by(&self, authorities: &[Vec<u8>]) -> bool {
        match &self.authority {
            Some(authority) => authorities == std::slice::from_ref(authority),
            None => !authorities.is_empty(),
        }
    }
}

#[async_trait]
pub trait Clouds: Send + Sync {
    /// What the cloud says about the cluster; `None` where there is no cloud to query: another
    /// kind of cluster, or a build without that cloud.
    async fn describe(&self, cluster: &Verdict) -> Result<Option<ClusterDescription>, CloudError>;
}
