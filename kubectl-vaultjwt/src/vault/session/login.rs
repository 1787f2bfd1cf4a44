//! The ways in which a watcher logs in to Vault.

use crate::vault::session::session_token::LoginCredentials;
use async_trait::async_trait;
use shared::Secret;
use shared::mount::MountPath;
use std::fmt;
use std::path::PathBuf;

/// A way to log in. Files are read at each login: the kubelet and others
/// replace them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    Jwt {
        mount: MountPath,
        role: String,
        file: PathBuf,
    },
    AppRole {
        mount: MountPath,
        role_id_file: PathBuf,
        /// Where the role binds one.
        secret_id_file: Option<PathBuf>,
    },
}

impl fmt::Display for LoginMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwt { mount, role, .. } => write!(f, "role \"{role}\" of auth mount \"{mount}/\""),
            Self::AppRole { mount, .. } => write!(f, "AppRole of auth mount \"{mount}/\""),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct NoCredentials {
    pub text: String,
    pub hint: Option<String>,
}

/// The port to files and variables that hold what one logs in with.
#[async_trait]
pub trait LoginFiles: Send + Sync {
    /// What a login needs, read now.
    fn credentials(&self, login: &LoginMethod) -> Result<LoginCredentials, NoCredentials>;

    /// The token where the operator keeps one, read now. A token helper
    /// may take its time.
    async fn token(&self) -> Result<Secret, NoCredentials>;
}
