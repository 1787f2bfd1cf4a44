//! Owns the running servers of a test: [`Cluster`] (an API server, or several: [`ApiServerTwin`]),
//! a [`Node`] that runs pods, [`VaultServer`] ([`PooledVault`]), [`VaultPair`] and [`VaultTrio`] (Vault or `OpenBao`), [`ManyClusters`] (a
//! stand-in for more API servers than a machine can run), and the proxies that
//! stand in front of them ([`DelayingProxy`], [`GatedProxy`], [`SwitchingProxy`],
//! [`ConnectProxy`]). Of the clouds: AWS's API by [`Moto`], Azure's by [`ArmStub`] and [`FakeAz`],
//! the sites of issuers by [`OidcSite`]. A folder of files is on a [`FileSite`].

mod access;
mod arm;
mod az;
mod cluster;
mod connect;
mod control_plane;
mod copy;
mod etcd;
mod files;
mod gate;
mod kubeconfig;
mod listener;
mod many;
mod member;
mod moto;
mod node;
mod pair;
mod product;
mod proxy;
mod ready;
mod relay;
mod relay_answers;
mod rotation;
mod script;
mod scripted;
mod shared_clusters;
mod site;
mod switch;
mod token_review;
mod trio;
mod twin;
mod vault;
mod vault_config;
mod vault_pool;
mod wire;

pub use arm::{ArmCluster, ArmStub};
pub use az::FakeAz;
pub use cluster::{Cluster, ClusterOptions, Issuer};
pub use connect::ConnectProxy;
pub use copy::CopyOptions;
pub use files::FileSite;
pub use gate::{Gate, Point};
pub use kubeconfig::Credentials;
pub use many::{ManyClusters, ManyIssuers, ManyOptions};
pub use moto::{EksCluster, Moto};
pub use node::Node;
pub use pair::VaultPair;
pub use product::Product;
pub use proxy::{DelayingProxy, GatedProxy};
pub use relay::{Presented, Relay};
pub use relay_answers::{Honest, Published, RelayOptions, Tokens};
pub use shared_clusters::shared_cluster;
pub use site::OidcSite;
pub use switch::SwitchingProxy;
pub use trio::VaultTrio;
pub use twin::{ApiServerKeys, ApiServerTwin};
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
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A certificate.
    #[error("test certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A request without an answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It ended instead of serving.
    #[error("{name} ended at once ({status}); its last lines:\n{tail}")]
    Ended {
        /// The server.
        name: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        tail: String,
    },
    /// It runs, but never became ready.
    #[error("{name} was not ready after {seconds} s ({last}); its last lines:\n{tail}")]
    NotReady {
        /// The server.
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
    Refused {
        /// What was asked.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// A program of the harness (kubectl) failed.
    #[error("{command} failed: {stderr}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        stderr: String,
    },
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
