//! What a cloud's own API says about one cluster: which issuer it has, and at
//! which hosts its API server answers.
//!
//! `Clouds` is the port, `apis` its implementation over the clouds that this
//! build can ask (a cargo feature each): `eks` by AWS's SDK, `aks` by a typed
//! read of Azure's management API. `error` says why one could not be asked,
//! `kept` asks about each cluster once.

#[cfg(feature = "aks")]
mod aks;
mod apis;
#[cfg(feature = "eks")]
mod eks;
pub mod error;
mod kept;

pub use apis::{Apis, Credentials};
pub use error::{CloudError, Trouble};
pub use kept::Kept;

use crate::cloud::Verdict;
use async_trait::async_trait;

/// A cluster, as its cloud describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its full id in that cloud: an ARN, a resource id.
    pub id: String,
    /// The issuer of its tokens, byte for byte.
    pub issuer: Option<String>,
    /// Why it has no issuer, and what gives it one.
    pub no_issuer: Option<String>,
    /// Hosts of its API server, in lower case.
    pub hosts: Vec<String>,
    /// The authority of its API server's certificate, DER, where the cloud
    /// tells it.
    pub authority: Option<Vec<u8>>,
}

impl Described {
    /// Whether its API server is at `host`.
    pub fn answers_at(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether nothing speaks against it that somebody who trusts `authorities`
    /// speaks with its API server. A proxy that opens connections has an
    /// authority of its own, and the system's are nobody's API server's.
    pub fn can_be_known_by(&self, authorities: &[Vec<u8>]) -> bool {
        match &self.authority {
            Some(authority) => authorities == std::slice::from_ref(authority),
            None => !authorities.is_empty(),
        }
    }
}

/// The port to the clouds.
#[async_trait]
pub trait Clouds: Send + Sync {
    /// What the cloud says about the cluster; `None` where there is nobody to
    /// ask: another kind of cluster, or a build without that cloud.
    async fn describe(&self, cluster: &Verdict) -> Result<Option<Described>, CloudError>;
}
