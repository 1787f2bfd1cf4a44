//! Owns why `sync` fails: as a whole, or for one cluster.

use crate::cluster::ClusterError;
use crate::command::chain::ChainError;
use crate::command::chain::error::about_mount;
use crate::command::proof::Unproven;
use crate::issuer::{IssuerError, Lag};
use crate::vault::VaultError;
use crate::vault::config::ConfigConflict;
use crate::vault::rewrite::RewriteError;
use shared::mount::MountPath;
use shared::text::one_line;
use std::time::Duration;

/// Why nothing could be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nothing is mounted at the path.
    #[error("there is no auth mount \"{mount}/\"")]
    NoMount {
        /// The path.
        mount: MountPath,
        /// Vault's answer: it names the namespace.
        source: Box<VaultError>,
    },
    /// The mount's configuration could not be changed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// The mount's configuration forbids it.
    #[error("the keys on auth mount \"{mount}/\" cannot be refreshed: {source}")]
    Config {
        /// The path.
        mount: MountPath,
        /// Why.
        source: ConfigConflict,
    },
}

impl SyncError {
    /// What a failed read of the configuration says about the mount.
    pub(super) fn of_read(mount: &MountPath, error: VaultError) -> Self {
        if error.names_no_mount() {
            return Self::NoMount { mount: mount.clone(), source: Box::new(error) };
        }
        error.into()
    }

    /// The one thing to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Vault(e) => e.hint(),
            Self::NoMount { source, .. } => source.hint(),
            Self::Rewrite(e) => e.hint(),
            Self::Config { source: ConfigConflict::OtherSource { .. }, .. } => {
                Some("nothing to refresh: Vault fetches the keys of that mount itself".to_owned())
            }
            Self::Config { mount, .. } => Some(format!("look at it: vault read auth/{mount}/config")),
        }
    }
}

/// `sync` failed; once it wrote, with a report of what stands.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: SyncError,
    /// What was there before, for an undo; `None` where nothing was written.
    pub report: Option<Box<super::SyncReport>>,
}

impl<E: Into<SyncError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), report: None }
    }
}

/// Why one cluster's keys were not refreshed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The kubeconfig, or the API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Issuer and keys.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The proof of issuer.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// Keys would be dropped without knowing which one signs.
    #[error("which key signs is not known, because no token could be created{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    BlindPrune {
        /// The first reason.
        why: Option<ClusterError>,
    },
    /// The issuer's URL lacks a key of the cluster.
    #[error("{0}")]
    SiteLags(Lag),
    /// Keys of the issuer's URL wait, because nothing shows whose they are.
    #[error("keys at \"{}\" are not added, because the API server's key set could not be read: {why}", one_line(.url))]
    NotCompared {
        /// The URL of the key set.
        url: String,
        /// Why not.
        why: String,
    },
    /// The mount.
    #[error("{}", about_mount(mount, "its keys", source))]
    Chain {
        /// The path.
        mount: MountPath,
        /// Why.
        source: ChainError,
    },
}

impl MemberError {
    /// How long the cluster asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Cluster(e)
            | Self::Issuer(IssuerError::Cluster(e) | IssuerError::Uid(e))
            | Self::Unproven(Unproven::Cluster(e)) => e.retry_after(),
            _ => None,
        }
    }

    /// The one thing to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(e) => e.hint(),
            Self::Issuer(e) => e.hint(),
            Self::Unproven(e) => e.hint(),
            Self::BlindPrune { .. } => Some("leave --prune out: keys leave after the grace then".to_owned()),
            Self::NotCompared { .. } => Some(
                "bind the ClusterRole system:service-account-issuer-discovery to the user, or let it create tokens of service account kube-system/default"
                    .to_owned(),
            ),
            Self::SiteLags(lag) => Some(lag.hint()),
            Self::Chain { mount, source } => source.hint(mount),
        }
    }
}
