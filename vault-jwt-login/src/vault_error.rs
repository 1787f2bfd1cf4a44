//! Why a request to Vault brought nothing. Every text names the address.

use crate::address::{Address, RedirectError};
use crate::error::about;
use crate::refused::Refused;
use crate::token::Denied;
use std::time::Duration;
use thiserror::Error;

/// Why there was no login. Every text names the address.
#[derive(Debug, Error)]
pub enum VaultError {
    /// No connection, or one that broke.
    #[error("could not reach Vault at \"{address}\": {why}")]
    Unreachable {
        /// Where.
        address: Address,
        /// When it broke.
        broke: Broke,
        /// What went wrong.
        why: String,
    },
    /// The request was sent, and there was no response in time. Vault may still grant it.
    #[error("Vault at \"{address}\" did not respond within {}", shown(*.within))]
    Unanswered {
        /// Where.
        address: Address,
        /// The bound.
        within: Duration,
    },
    /// The connection cannot be trusted or agreed on; time does not mend it.
    #[error("could not connect securely to Vault at \"{address}\": {why}")]
    Tls {
        /// Where.
        address: Address,
        /// What is wrong.
        why: String,
        /// What to change.
        hint: Option<String>,
    },
    /// A redirect that is not followed.
    #[error("Vault at \"{address}\" answered with {why}")]
    Redirect {
        /// Where.
        address: Address,
        /// What is wrong with it.
        #[source]
        why: RedirectError,
        /// Whether it may not be there the next time: a standby of Vault answers with 307 while
        /// it cannot forward to the leader.
        temporary: bool,
    },
    /// An answer that is not one of Vault's.
    #[error("\"{address}\" did not answer the login as Vault does: {why}")]
    NotVault {
        /// Where.
        address: Address,
        /// What it answered.
        why: String,
    },
    /// A login, but the token is in a wrapping token.
    #[error("Vault at \"{address}\" answered with a wrapped token, which was not asked for")]
    Wrapped {
        /// Where.
        address: Address,
    },
    /// Vault said no to a login, or not now.
    #[error(transparent)]
    Refused(Box<Refused>),
    /// The same for a call about a token.
    #[error(transparent)]
    Denied(Box<Denied>),
}

impl VaultError {
    /// What to change.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unanswered { .. } => {
                Some("check the load of Vault; if many pods start at once, set --splay".to_owned())
            }
            Self::Unreachable { address, .. } if address.socket().is_some() => Some(
                "check that --vault-addr (VAULT_ADDR) names the socket, and that a server listens on it".to_owned(),
            ),
            Self::Unreachable { .. } => {
                Some("check --vault-addr (VAULT_ADDR) and that no network policy blocks the connection".to_owned())
            }
            Self::Tls { hint, .. } => hint.clone(),
            Self::Redirect { why: RedirectError::OtherServer(to), .. } => {
                Some(format!("if that is where Vault is, set VAULT_ADDR to \"{to}\""))
            }
            Self::Redirect { .. } | Self::NotVault { .. } => {
                Some("look whether --vault-addr or VAULT_ADDR leads to Vault itself".to_owned())
            }
            Self::Wrapped { .. } => {
                Some("look for a proxy or Vault Agent in between that adds the header X-Vault-Wrap-TTL".to_owned())
            }
            Self::Refused(refused) => refused.hint(),
            Self::Denied(denied) => Some(denied.hint()),
        }
    }
}

/// When there was an end to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broke {
    /// It was refused or reset before the request: nothing listens there, or it stops.
    AtOnce,
    /// It was not made, for another reason.
    Before,
    /// After the request was sent: Vault may have granted it.
    After,
    /// The same after so long that it is a timeout of something between here and Vault.
    Late,
}

/// A bound as a person reads it; less than a second in milliseconds.
pub fn shown(bound: Duration) -> String {
    if bound < Duration::from_secs(1) { format!("{}ms", bound.as_millis()) } else { about(bound) }
}
