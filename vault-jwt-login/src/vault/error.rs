//! Why a request to Vault failed. Every text names the address.

use crate::connection::address::{Address, RedirectError};
use crate::files::jwt_claims::DecodedJwt;
use crate::vault::login_refusal::LoginRefusal;
use crate::vault::login_response::NoLogin;
use crate::vault::target::Target;
use crate::vault::token_self::{NotRevoked, TokenCallRefusal};
use shared::duration::about;
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum VaultError {
    #[error("could not reach Vault at \"{address}\": {why}")]
    Unreachable { address: Address, stage: FailureStage, why: String },
    /// The request was sent, and there was no response in time. Vault may still grant it.
    #[error("Vault at \"{address}\" did not respond within {}", shown(*.within))]
    Unanswered { address: Address, within: Duration },
    /// The connection cannot be trusted or agreed on; a retry does not fix it.
    #[error("could not connect securely to Vault at \"{address}\": {why}")]
    Tls { address: Address, why: String, hint: Option<String> },
    #[error("Vault at \"{address}\" answered with {why}")]
    Redirect {
        address: Address,
        #[source]
        why: RedirectError,
        /// Whether it may not be there the next time: a standby of Vault answers with 307 while
        /// it cannot forward to the leader.
        temporary: bool,
    },
    #[error("\"{address}\" did not answer the login as Vault does: {why}")]
    NotVault { address: Address, why: String },
    #[error("Vault at \"{address}\" answered with a wrapped token, which was not asked for")]
    Wrapped { address: Address },
    #[error(transparent)]
    LoginRefused(Box<LoginRefusal>),
    #[error(transparent)]
    TokenCallRefused(Box<TokenCallRefusal>),
    #[error(transparent)]
    NotRevoked(Box<NotRevoked>),
}

impl VaultError {
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
            Self::LoginRefused(refused) => refused.hint(),
            Self::TokenCallRefused(denied) => Some(denied.hint()),
            Self::NotRevoked(error) => Some(error.hint()),
        }
    }
}

impl NoLogin {
    /// The same with what is known of the login: where it went, the response's
    /// status, `Retry-After` and time, and what the JWT says about itself.
    pub fn into_error(
        self,
        target: &Target,
        status: u16,
        retry_after: Option<Duration>,
        took: Duration,
        decoded: &DecodedJwt,
    ) -> VaultError {
        match self {
            Self::NotVault(why) => VaultError::NotVault { address: target.address.clone(), why },
            Self::Wrapped => VaultError::Wrapped { address: target.address.clone() },
            Self::Refused { words, class } => VaultError::LoginRefused(Box::new(LoginRefusal {
                target: target.clone(),
                status,
                words,
                class,
                retry_after,
                took,
                decoded: decoded.clone(),
            })),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureStage {
    /// It was refused or reset before the request: nothing listens there, or it stops.
    ConnectRefused,
    /// It was not made, for another reason.
    BeforeRequest,
    /// After the request was sent: Vault may have granted it.
    AfterRequest,
    /// The same after so long that it is a timeout of something between here and Vault.
    AfterLongWait,
}

/// A bound as a person reads it; less than a second in milliseconds.
pub fn shown(bound: Duration) -> String {
    if bound < Duration::from_secs(1) { format!("{}ms", bound.as_millis()) } else { about(bound) }
}
