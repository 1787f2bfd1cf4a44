//! Why `sync` fails: as a whole, or for one cluster.

use crate::cluster::ClusterError;
use crate::command::mount::EnrollmentError;
use crate::command::mount::error::about_mount;
use crate::command::prove_issuer::IssuerProofError;
use crate::issuer::{IssuerError, Lag};
use crate::vault::VaultError;
use crate::vault::mount::config::ConfigConflict;
use crate::vault::mount::rewrite::RewriteError;
use shared::mount::MountPath;
use shared::text::one_line;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("there is no auth mount \"{mount}/\"")]
    NoMount {
        mount: MountPath,
        /// Vault's answer: it names the namespace.
        source: Box<VaultError>,
    },
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error("the keys on auth mount \"{mount}/\" cannot be refreshed: {source}")]
    Config { mount: MountPath, source: ConfigConflict },
}

impl SyncError {
    /// What a failed read of the configuration says about the mount.
    pub(super) fn of_read(mount: &MountPath, error: VaultError) -> Self {
        if error.names_no_mount() {
            return Self::NoMount { mount: mount.clone(), source: Box::new(error) };
        }
        error.into()
    }

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

/// Why one cluster's keys were not refreshed.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The kubeconfig, or the API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    IssuerProof(#[from] IssuerProofError),
    /// Keys would be dropped without knowing which one signs.
    #[error("which key signs is not known, because no token could be created{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    BlindPrune { why: Option<ClusterError> },
    /// The issuer's URL lacks a key of the cluster.
    #[error("{0}")]
    SiteLags(Lag),
    /// Keys of the issuer's URL wait, because nothing shows whose they are.
    #[error("keys at \"{}\" are not added, because the API server's key set could not be read: {why}", one_line(.url))]
    NotCompared { url: String, why: String },
    #[error("{}", about_mount(mount, "its keys", source))]
    Chain { mount: MountPath, source: EnrollmentError },
}

impl MemberError {
    /// How long the cluster asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Cluster(e)
            | Self::Issuer(IssuerError::Cluster(e) | IssuerError::Uid(e))
            | Self::IssuerProof(IssuerProofError::Cluster(e)) => e.retry_after(),
            _ => None,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(e) => e.hint(),
            Self::Issuer(e) => e.hint(),
            Self::IssuerProof(e) => e.hint(),
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
