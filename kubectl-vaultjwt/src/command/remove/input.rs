//! The input and the ports of `remove`.

use crate::cluster::Cluster;
use crate::command::{Confirm, Progress};
use crate::issuer::Sources;
use crate::vault::Vault;
use jiff::Timestamp;
use shared::mount::MountPath;

/// What `remove` was asked for, resolved.
#[derive(Clone, Debug)]
pub struct RemoveInput {
    pub mount: MountPath,
    /// `--issuer`; without it the cluster names it.
    pub issuer: Option<String>,
    pub cluster_uid: Option<Uid>,
    /// Whether the owner's roles are deleted too.
    pub roles: bool,
    /// Whether it is done without asking.
    pub yes: bool,
    pub dry_run: bool,
    /// Time of the run by the local clock.
    pub now: Timestamp,
    /// A random audience, new for each run.
    pub nonce: String,
}

/// Which of several owners with one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uid {
    /// The one that is known by its issuer alone: its site was read.
    None,
    Of(String),
}

impl Uid {
    /// As owners have it.
    pub fn wanted(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Of(uid) => Some(uid),
        }
    }
}

/// The cluster, where it is asked.
#[derive(Clone, Copy)]
pub struct ClusterPorts<'a> {
    pub cluster: &'a dyn Cluster,
    pub sources: Sources<'a>,
}

/// The ways out of the program that `remove` uses.
#[derive(Clone, Copy)]
pub struct RemovePorts<'a> {
    /// `None` where the issuer was given.
    pub cluster: Option<ClusterPorts<'a>>,
    pub vault: &'a dyn Vault,
    pub progress: &'a dyn Progress,
    pub confirm: &'a dyn Confirm,
}
