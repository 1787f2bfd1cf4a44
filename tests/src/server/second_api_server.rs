//! A second API server of a cluster: same etcd, same certificates and issuers, but its own
//! keys, as during a rolling upgrade or a rotation without downtime.

use super::control_plane::Differing;
use super::{Cluster, ServerError, with_free_ports};
use crate::keys::SigningKey;
use crate::peers::{self, Peer};
use crate::process::{self, Supervised};

#[derive(Debug, Clone)]
pub struct ApiServerKeys {
    /// Those whose tokens it accepts, and which it publishes.
    pub published: Vec<SigningKey>,
    /// The one that it signs with; one of `published`.
    pub signs: SigningKey,
}

/// A further API server of a cluster, which must outlive it. Dropped, it is gone.
#[derive(Debug)]
pub struct SecondApiServer {
    port: u16,
    _server: Supervised,
}

impl SecondApiServer {
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }
}

impl Cluster {
    /// Starts a further API server of this cluster and waits until it serves.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn another_api_server(&self, keys: &ApiServerKeys) -> Result<SecondApiServer, ServerError> {
        let program = peers::locate(Peer::KubeApiserver)?;
        with_free_ports(|| {
            let port = process::port().map_err(ServerError::io("choosing a port"))?;
            let of = Differing { port, published: &keys.published, signs: &keys.signs };
            let http = self.http_at(&format!("https://127.0.0.1:{port}"))?;
            Ok(SecondApiServer { port, _server: self.launch(&program, &of, &http)? })
        })
    }
}
