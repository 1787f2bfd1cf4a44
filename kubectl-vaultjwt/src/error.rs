//! Every way the program can fail, as one type with one way to print it: `error: …`, then
//! `hint: …`.

use crate::cluster::ClusterError;
use crate::command::issuer::FindError;
use crate::command::remove::RemoveError;
use crate::command::setup::SetupError;
use crate::command::status::StatusError;
use crate::command::sync::SyncError;
use crate::issuer::SiteError;
use crate::vault::VaultError;
use shared::text::one_line;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the program ends with an exit code other than 0.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// `diff` stopped: its exit code 1 means differences.
    #[error(transparent)]
    Diff(Box<Error>),
    #[error(transparent)]
    Status(#[from] StatusError),
    #[error(transparent)]
    Remove(#[from] RemoveError),
    /// `issuer` found nothing, or a contradiction.
    #[error(transparent)]
    Issuer(#[from] FindError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The file of `--keys-from`.
    #[error("could not read keys from file \"{}\": {why}", one_line(&.path.display().to_string()))]
    KeyFile { path: PathBuf, why: String },
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A report that cannot be written.
    #[error("could not write to stdout: {0}")]
    Output(#[from] std::io::Error),
    /// Flags that exclude each other in a way clap cannot say.
    #[error("{why}")]
    Usage { command: &'static str, why: String },
    /// Ctrl-C or TERM.
    #[error("interrupted; what was written until now stands, and running the command again completes it")]
    Interrupted,
}

impl Error {
    pub fn usage(command: &'static str, why: &str) -> Self {
        Self::Usage { command, why: why.to_owned() }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Setup(e) => e.hint(),
            Self::Sync(e) => e.hint(),
            Self::Diff(e) => e.hint(),
            Self::Status(e) => e.hint(),
            Self::Remove(e) => e.hint(),
            Self::Issuer(e) => e.hint(),
            Self::Cluster(e) => e.hint(),
            Self::Vault(e) => e.hint(),
            Self::Site(_) | Self::Output(_) | Self::Interrupted => None,
            Self::KeyFile { .. } => Some(
                "give a JWKS, as 'kubectl get --raw /openid/v1/jwks' prints it, or PEM blocks \"PUBLIC KEY\""
                    .to_owned(),
            ),
            Self::Listen(_) => Some("give another address with --metrics-addr".to_owned()),
            Self::Usage { command, .. } => Some(format!("see: kubectl vaultjwt {command} --help")),
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::Interrupted => 130,
            Self::Diff(_) => 3,
            _ => 1,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address} for metrics: {}", shared::text::os_cause(source))]
pub struct ListenError {
    pub address: SocketAddr,
    pub source: std::io::Error,
}
