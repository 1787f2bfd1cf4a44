//! Owns what `sync` was asked for, resolved: no flags, no files, no clock.

use crate::command::chain::Terms;
use crate::issuer::resolve::Wishes;
use jiff::Timestamp;
use shared::mount::MountPath;

/// Everything `sync` decides from, besides what it observes.
#[derive(Clone, Debug)]
pub struct SyncInput {
    /// The auth mount.
    pub mount: MountPath,
    /// Whose keys are refreshed.
    pub scope: Scope,
    /// Issuer and UID given by hand.
    pub wishes: Wishes,
    /// Whether clusters that are not on the mount are put on it.
    pub enroll: bool,
    /// Whether an unproven issuer is believed.
    pub trust_issuer: bool,
    /// What holds for the keys and for sharing the mount.
    pub terms: Terms,
    /// Whether the configuration is written even if nothing changes.
    pub rewrite: bool,
    /// Whether to stop after the plan.
    pub dry_run: bool,
    /// Time of the run by the local clock; Vault's counts where it tells it.
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
    /// All contexts of the kubeconfig: those that are not on the mount are
    /// none of its business.
    All(Vec<String>),
}

impl Scope {
    /// The name of the current context, where it alone is refreshed.
    pub fn current(&self) -> Option<String> {
        match self {
            Self::Current(name) => name.clone(),
            Self::Named(_) | Self::All(_) => None,
        }
    }
}
