//! Flags and variables that cannot be used.

use crate::connection::address::AddressError;
use crate::connection::proxy::ProxyError;
use shared::env::EnvError;
use shared::text::one_line;
use thiserror::Error;

#[derive(Debug, PartialEq, Eq, Error)]
pub enum UsageError {
    /// A flag or argument that is not known, or has no value.
    #[error("{0}")]
    Arguments(String),
    #[error("could not read {name}: {why}")]
    Value { name: String, why: String },
    #[error(transparent)]
    Environment(#[from] EnvError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are only of use together")]
    HalfAPair,
}

impl UsageError {
    pub fn unknown(argument: &str) -> Self {
        Self::Arguments(format!("unknown argument \"{}\"", one_line(argument)))
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => error.hint(),
            Self::HalfAPair => Some("give both, or unset both".to_owned()),
            Self::Arguments(_) | Self::Value { .. } | Self::Environment(_) | Self::Proxy(_) => {
                Some("run: vault-jwt-login --help".to_owned())
            }
        }
    }
}

pub(crate) fn bad(name: &str, why: String) -> UsageError {
    UsageError::Value { name: name.to_owned(), why }
}
