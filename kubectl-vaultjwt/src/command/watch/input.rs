//! Owns what `sync --watch` was asked for, resolved, and its ways out.

use super::event::Journal;
use super::schedule::Pace;
use super::stats::StatsCell;
use crate::command::sync::{self, SyncInput};
use crate::vault::own_token::{Credentials, OwnToken};
use async_trait::async_trait;
use shared::Secret;
use shared::mount::MountPath;
use std::fmt;
use std::path::PathBuf;

/// Everything a run that goes on decides from, besides what it observes.
#[derive(Clone, Debug)]
pub struct WatchInput {
    /// What each poll is; its time and scope are set anew for each.
    pub sync: SyncInput,
    /// How often keys are read.
    pub pace: Pace,
    /// How a token is had when there is none, in the order to try.
    pub logins: Vec<Login>,
    /// The command with which a person refreshes the same keys.
    pub by_hand: String,
}

/// A way to log in. Files are read at each login: the kubelet and others
/// replace them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// With a service account token.
    Jwt {
        /// The auth mount.
        mount: MountPath,
        /// The role.
        role: String,
        /// The file with the token.
        file: PathBuf,
    },
    /// With `AppRole`.
    AppRole {
        /// The auth mount.
        mount: MountPath,
        /// The file with the role id.
        role_id_file: PathBuf,
        /// The file with the secret id, where the role binds one.
        secret_id_file: Option<PathBuf>,
    },
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwt { mount, role, .. } => write!(f, "role \"{role}\" of auth mount \"{mount}/\""),
            Self::AppRole { mount, .. } => write!(f, "AppRole of auth mount \"{mount}/\""),
        }
    }
}

/// Why there is nothing to log in with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct NoCredentials {
    /// Why.
    pub text: String,
    /// The one thing to do about it.
    pub hint: Option<String>,
}

/// The port to files and variables that hold what one logs in with.
#[async_trait]
pub trait Keyring: Send + Sync {
    /// What a login needs, as it stands now.
    fn credentials(&self, login: &Login) -> Result<Credentials, NoCredentials>;

    /// The token where the operator keeps one, as it stands now. A token helper
    /// may take its time.
    async fn token(&self) -> Result<Secret, NoCredentials>;
}

/// The ways out of the program that a run which goes on uses.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Those of each poll.
    pub sync: sync::Ports<'a>,
    /// Its own token.
    pub token: &'a dyn OwnToken,
    /// What it logs in with.
    pub keyring: &'a dyn Keyring,
    /// Where changes are told.
    pub journal: &'a dyn Journal,
    /// Where figures are kept.
    pub stats: &'a StatsCell,
}
