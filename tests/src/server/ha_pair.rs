//! A Vault or `OpenBao` cluster of two nodes on integrated storage: one active, one standby.
//!
//! The standby of Vault forwards every request. The one of `OpenBao` answers
//! reads itself (`disable_standby_reads` is off by default), from a state that
//! may be older than the last write.

use serde_json::json;

use super::vault_config::VaultOptions;
use super::{Product, ServerError, VaultServer, ready, success, with_free_ports};
use crate::certificates::Authority;
use crate::peers;
use crate::process::locked;

/// Two nodes of one cluster. Which is which stays as it is while both run:
/// without a majority neither of them would serve.
#[derive(Debug)]
pub struct HaPair {
    // Stops first, so that the active one has nobody to look for.
    standby: VaultServer,
    active: VaultServer,
}

impl HaPair {
    /// Starts both, with TLS, and waits until the standby answers for the two.
    ///
    /// # Errors
    /// The peer is missing, or a node does not become ready.
    pub fn start(product: Product) -> Result<Self, ServerError> {
        let options = VaultOptions::new(product);
        let program = peers::locate(product.peer())?;
        let authority = Authority::new("test Vault")?;
        let active = VaultServer::start_signed(options.clone(), &authority)?;
        let mut standby = with_free_ports(|| VaultServer::start_once(&options, &program, &authority, "second"))?;
        standby.root_token = active.root_token.clone();
        standby.unseal_key = active.unseal_key.clone();
        standby.join(&active, &authority)?;
        Ok(Self { standby, active })
    }

    /// The node that serves, and that the other one forwards to.
    pub fn active(&self) -> &VaultServer {
        &self.active
    }

    /// The other node. Its root token and its authority are the active one's.
    pub fn standby(&self) -> &VaultServer {
        &self.standby
    }
}

impl VaultServer {
    /// Becomes a standby of `active`.
    pub(super) fn join(&self, active: &Self, authority: &Authority) -> Result<(), ServerError> {
        let leader = json!({"leader_api_addr": active.address(), "leader_ca_cert": authority.pem()});
        success("joining", self.http.send("POST", "/v1/sys/storage/raft/join", &[], Some(&leader))?)?;
        let key = self.unseal_key.as_ref().map(shared::Secret::expose).unwrap_or_default();
        let key = json!({ "key": key });
        success("unsealing the standby", self.http.send("PUT", "/v1/sys/unseal", &[], Some(&key))?)?;
        let server = locked(&self.server);
        let Some(server) = server.as_ref() else { return Err(self.is_stopped()) };
        // The node's own word is not enough: it says that it is a standby
        // before it can reach the active one. OpenBao's standbys then begin to
        // answer reads themselves; told not to forward, they show it.
        let mut headers = vec![("X-Vault-Token", self.root_token.expose())];
        if self.product() == Product::OpenBao {
            headers.push(("X-Vault-No-Request-Forwarding", "true"));
        }
        ready::wait(server, || {
            let leader = self.http.send("GET", "/v1/sys/leader", &[], None).map_err(|error| error.to_string())?;
            let of_the_other = leader.json()["leader_address"] == active.address();
            match self.http.send("GET", "/v1/auth/token/lookup-self", &headers, None) {
                Ok(answer) if answer.is_success() && of_the_other => Ok(()),
                Ok(answer) => Err(format!("lookup-self: HTTP {}: {}", answer.status, answer.text.trim())),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}
