//! Why a mount's keys cannot be shown, and what to do about it.

use crate::vault::VaultError;
use shared::mount::MountPath;

#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("there is no auth mount \"{mount}/\"")]
    NoMount {
        mount: MountPath,
        /// Vault's answer: it names the namespace.
        source: Box<VaultError>,
    },
    #[error("auth mount \"{mount}/\" is not of type \"jwt\"")]
    NotJwt { mount: MountPath },
    #[error(
        "the configuration of auth mount \"{mount}/\" cannot be read: its jwt_validation_pubkeys is not a list of texts"
    )]
    Shape { mount: MountPath },
}

impl StatusError {
    /// What a failed read of the configuration says about the mount.
    pub(super) fn of_read(mount: &MountPath, error: VaultError) -> Self {
        if error.names_no_mount() {
            return Self::NoMount { mount: mount.clone(), source: Box::new(error) };
        }
        // What a method without this path answers: "unsupported path".
        if error.refusal().is_some_and(|refused| refused.status == 404 && refused.says("unsupported")) {
            return Self::NotJwt { mount: mount.clone() };
        }
        error.into()
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Vault(e) => e.hint(),
            Self::NoMount { source, .. } => source.hint(),
            Self::NotJwt { .. } => Some("choose another path with --mount (vault auth list)".to_owned()),
            Self::Shape { mount } => Some(format!("look at it: vault read auth/{mount}/config")),
        }
    }
}
