//! A Vault or `OpenBao` cluster of three nodes on integrated storage, which works without one of them.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::ready::AT_MOST;
use super::vault_config::VaultOptions;
use super::{Product, ServerError, VaultServer, success, with_free_ports};
use crate::certificates::Authority;
use crate::peers;

/// Three nodes of one cluster. Any one of them may go.
#[derive(Debug)]
pub struct RaftOfThree {
    // The active one of the start stops last.
    nodes: [VaultServer; 3],
}

impl RaftOfThree {
    /// Starts all three, with TLS, and waits until the standbys answer for
    /// them and have a vote. The third one is the active one.
    ///
    /// # Errors
    /// The peer is missing, or a node does not become ready.
    pub fn start(product: Product) -> Result<Self, ServerError> {
        let options = VaultOptions::new(product);
        let program = peers::locate(product.peer())?;
        let authority = Authority::new("test Vault")?;
        let active = VaultServer::start_signed(options.clone(), &authority)?;
        // Else a node has no vote for ten seconds after it came.
        let quickly = json!({"server_stabilization_time": "1s"});
        active.ok("POST", "sys/storage/raft/autopilot/configuration", Some(&quickly))?;
        let standby = |node: &str| {
            let mut standby = with_free_ports(|| VaultServer::start_once(&options, &program, &authority, node))?;
            standby.root_token = active.root_token.clone();
            standby.unseal_key = active.unseal_key.clone();
            standby.join(&active, &authority)?;
            Ok::<_, ServerError>(standby)
        };
        let (first, second) = (standby("second")?, standby("third")?);
        let raft = Self { nodes: [first, second, active] };
        raft.wait_for_votes()?;
        Ok(raft)
    }

    fn wait_for_votes(&self) -> Result<(), ServerError> {
        let start = Instant::now();
        loop {
            let found = self.nodes[2].ok("GET", "sys/storage/raft/configuration", None)?;
            let servers = found["data"]["config"]["servers"].as_array().cloned().unwrap_or_default();
            if servers.iter().filter(|server| server["voter"] == true).count() == 3 {
                return Ok(());
            }
            if start.elapsed() > AT_MOST {
                return Err(ServerError::io("waiting for three votes")(std::io::ErrorKind::TimedOut.into()));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// One of the nodes.
    ///
    /// # Panics
    /// There are three.
    pub fn node(&self, number: usize) -> &VaultServer {
        &self.nodes[number]
    }

    /// Which node is active now, if one is.
    pub fn active(&self) -> Option<usize> {
        let active = |node: &VaultServer| node.http.send("GET", "/v1/sys/health", &[], None);
        self.nodes.iter().position(|node| active(node).is_ok_and(|answer| answer.status == 200))
    }

    /// Waits for an active node.
    ///
    /// # Errors
    /// There is none in time.
    pub fn wait_active(&self, within: Duration) -> Result<usize, ServerError> {
        let start = Instant::now();
        loop {
            if let Some(active) = self.active() {
                return Ok(active);
            }
            if start.elapsed() > within {
                return Err(ServerError::io("waiting for an active node")(std::io::ErrorKind::TimedOut.into()));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The active node gives its place up.
    ///
    /// # Errors
    /// There is none, or it refuses.
    pub fn step_down(&self) -> Result<(), ServerError> {
        let active = self.wait_active(Duration::from_secs(30))?;
        let node = self.node(active);
        let token = [("X-Vault-Token", node.root_token.expose())];
        success("stepping down", node.http.send("PUT", "/v1/sys/step-down", &token, None)?).map(drop)
    }
}
