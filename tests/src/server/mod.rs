//! Starts and stops the servers of a test.
//!
//! - clusters: [`Cluster`] (a real API server, or several: [`SecondApiServer`]), [`Node`] (runs
//!   pods), [`FakeApiServers`] (stands for more API servers than a machine can run)
//! - Vault and `OpenBao`: [`VaultServer`], [`PooledVault`], [`HaPair`], [`RaftOfThree`]
//! - proxies: [`DelayingProxy`], [`InterceptingProxy`], [`AddressSwitch`], [`ConnectProxy`]
//! - clouds: AWS's API ([`Moto`]), Azure's ([`ArmStub`], [`FakeAz`]), issuer URLs ([`OidcSite`])
//! - files: [`FileSite`]

mod access;
mod address_switch;
mod arm;
mod az;
mod cluster;
mod connect;
mod control_plane;
mod copy;
mod etcd;
mod fake_api_servers;
mod files;
mod ha_pair;
mod held_request;
mod kubeconfig;
mod listener;
mod member;
mod moto;
mod node;
mod product;
mod proxy;
mod raft_of_three;
mod raw_http;
mod ready;
mod relay;
mod relay_answers;
mod rotation;
mod script;
mod scripted;
mod second_api_server;
mod shared_clusters;
mod site;
mod token_review;
mod vault;
mod vault_config;
mod vault_pool;

pub use address_switch::AddressSwitch;
pub use arm::{ArmCluster, ArmStub};
pub use az::FakeAz;
pub use cluster::{Cluster, ClusterOptions, Issuer};
pub use connect::ConnectProxy;
pub use copy::CopyOptions;
pub use fake_api_servers::{FakeApiServers, FakeApiServersOptions, FakeIssuers};
pub use files::FileSite;
pub use ha_pair::HaPair;
pub use held_request::{HeldRequest, Point};
pub use kubeconfig::Credentials;
pub use moto::{EksCluster, Moto};
pub use node::Node;
pub use product::Product;
pub use proxy::{DelayingProxy, InterceptingProxy};
pub use raft_of_three::RaftOfThree;
pub use relay::{Presented, Relay};
pub use relay_answers::{Honest, Published, RelayOptions, Tokens};
pub use second_api_server::{ApiServerKeys, SecondApiServer};
pub use shared_clusters::shared_cluster;
pub use site::OidcSite;
pub use vault::{AuditRequest, VaultServer};
pub use vault_config::{Storage, VaultOptions};
pub use vault_pool::PooledVault;

use std::io;
use std::path::PathBuf;

use crate::http::{Answer, HttpError};
use crate::keys::KeyError;
use crate::peers::PeerError;

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its program is missing.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A file or process.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("test certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A request without an answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It ended instead of serving.
    #[error("{name} ended at once ({status}); its last lines:\n{tail}")]
    Ended {
        name: String,
        status: String,
        /// The last lines of its log.
        tail: String,
    },
    /// It runs, but never became ready.
    #[error("{name} was not ready after {seconds} s ({last}); its last lines:\n{tail}")]
    NotReady {
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// What the last question was answered with.
        last: String,
        /// The last lines of its log.
        tail: String,
    },
    /// It serves, but refuses what the harness needs.
    #[error("{what}: HTTP {status}: {body}")]
    Refused { what: String, status: u16, body: String },
    /// A program of the harness (kubectl) failed.
    #[error("{command} failed: {stderr}")]
    Command { command: String, stderr: String },
}

impl ServerError {
    /// The one thing to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Peer(error) => error.hint(),
            _ => None,
        }
    }

    /// Another process took a port between its choice and its use.
    fn is_port_taken(&self) -> bool {
        matches!(self, Self::Ended { tail, .. } if tail.to_ascii_lowercase().contains("address already in use"))
    }

    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// How often a start is tried when a port was taken meanwhile.
const STARTS: u32 = 3;

/// Starts with new ports until none of them is taken.
fn with_free_ports<T>(mut start: impl FnMut() -> Result<T, ServerError>) -> Result<T, ServerError> {
    let mut left = STARTS;
    loop {
        left -= 1;
        match start() {
            Err(error) if error.is_port_taken() && left > 0 => (),
            done => return done,
        }
    }
}

/// The answer, if it is a success.
fn success(what: impl Into<String>, answer: Answer) -> Result<Answer, ServerError> {
    if answer.is_success() {
        return Ok(answer);
    }
    Err(ServerError::Refused { what: what.into(), status: answer.status, body: answer.text })
}

/// A path as text for configuration files; the harness only makes paths that are.
fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// A temporary file's path and a plain text, for callers that write both.
type Written = Result<PathBuf, ServerError>;
