//! What `sync` was asked for, resolved: no flags, no files, no clock.

use crate::cluster::Clusters;
use crate::command::Progress;
use crate::command::mount::MountOptions;
use crate::issuer::Sources;
use crate::issuer::request::IssuerOverrides;
use crate::vault::Vault;
use jiff::Timestamp;
use shared::mount::MountPath;

/// Everything `sync` decides from, besides what it observes.
#[derive(Clone, Debug)]
pub struct SyncInput {
    pub mount: MountPath,
    /// Whose keys are refreshed.
    pub scope: Scope,
    pub overrides: IssuerOverrides,
    /// Whether clusters that are not on the mount are put on it.
    pub enroll: bool,
    /// Whether an issuer that is not verified is accepted.
    pub trust_issuer: bool,
    pub options: MountOptions,
    /// Whether the configuration is written even if nothing changes.
    pub rewrite: bool,
    /// Whether to stop after the plan.
    pub dry_run: bool,
    /// Time of the run by the local clock; Vault's takes precedence where it sends it.
    pub now: Timestamp,
    /// A random audience, new for each run.
    pub nonce: String,
}

/// Whose keys are refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The cluster that flags and kubeconfig choose, and the name of its
    /// context where it has one.
    Current(Option<String>),
    /// These contexts: one that is not on the mount is an error.
    Named(Vec<String>),
    /// All contexts of the kubeconfig: those that are not on the mount are ignored.
    All(Vec<String>),
}

impl Scope {
    /// The contexts by name; `None` is the cluster that flags and kubeconfig choose.
    pub fn contexts(&self) -> Vec<Option<String>> {
        match self {
            Self::Current(_) => vec![None],
            Self::Named(names) | Self::All(names) => names.iter().cloned().map(Some).collect(),
        }
    }

    /// The name of the current context, where it alone is refreshed.
    pub fn current(&self) -> Option<String> {
        match self {
            Self::Current(name) => name.clone(),
            Self::Named(_) | Self::All(_) => None,
        }
    }
}

#[derive(Clone, Copy)]
pub struct SyncPorts<'a> {
    pub clusters: &'a dyn Clusters,
    pub sources: Sources<'a>,
    pub vault: &'a dyn Vault,
    pub progress: &'a dyn Progress,
}
