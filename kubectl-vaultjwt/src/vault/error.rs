//! Every error between this program and Vault: the texts, and what to do about each
//! (`refusal` has the refusals).

use crate::vault::refusal::{self, Refused};
use crate::vault::settings::SettingsError;
use shared::text::one_line;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The settings cannot be used; nothing was sent.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("could not prepare the connection to Vault at \"{}\": {}", one_line(address), one_line(cause))]
    Client { address: String, cause: String },
    /// No connection; nothing was sent.
    #[error("could not reach Vault at \"{}\": {}", one_line(address), one_line(cause))]
    Unreachable { address: String, cause: String },
    #[error("the certificate of Vault at \"{}\" is from an authority that is not trusted", one_line(address))]
    UnknownAuthority { address: String },
    #[error(
        "the certificate of Vault at \"{}\" is not for \"{}\" but for {}",
        one_line(address),
        one_line(host),
        listed(names)
    )]
    WrongName { address: String, host: String, names: Vec<String> },
    #[error("no TLS connection with Vault at \"{}\": {}", one_line(address), one_line(cause))]
    Tls { address: String, cause: String },
    #[error("Vault at \"{}\" speaks plain http, not https", one_line(address))]
    SpeaksHttp { address: String },
    #[error("Vault at \"{}\" speaks https, not plain http", one_line(address))]
    SpeaksHttps { address: String },
    /// The connection broke; whether a write took effect is not known.
    #[error("no answer from Vault at \"{}\" to {}: {}", one_line(address), one_line(request), one_line(cause))]
    NoAnswer {
        address: String,
        /// Method and path, here and below.
        request: String,
        cause: String,
    },
    /// Time ran out; whether a write took effect is not known.
    #[error("no answer from Vault at \"{}\" to {} within {}", one_line(address), one_line(request), limit)]
    Timeout {
        address: String,
        request: String,
        /// The bound, ready to show.
        limit: String,
    },
    #[error("Vault at \"{}\" is sealed", one_line(address))]
    Sealed { address: String },
    /// A namespace is set, and Vault answers as if none were.
    #[error("Vault at \"{}\" has no namespaces and passes over \"{}\"", one_line(address), one_line(namespace))]
    NoNamespaces { address: String, namespace: String },
    #[error("{0}")]
    Refused(Box<Refused>),
    #[error("the answer of \"{}\" to {} is not Vault's: {}", one_line(address), one_line(request), one_line(why))]
    NotVault { address: String, request: String, why: String },
    #[error("the answer of \"{}\" to {} is larger than 8 MiB", one_line(address), one_line(request))]
    TooLarge { address: String, request: String },
    #[error(
        "the redirect of \"{}\" for {}{} is not followed: {why}",
        one_line(address),
        one_line(request),
        to(location)
    )]
    Redirect { address: String, request: String, location: Option<String>, why: &'static str },
    /// A role name that a URL would bend.
    #[error("\"{}\" is not a name for a role", one_line(.0))]
    RoleName(String),
}

impl VaultError {
    pub fn refusal(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Whether nothing is mounted at the path of the request.
    pub fn names_no_mount(&self) -> bool {
        self.refusal().is_some_and(|refused| refused.status == 404 && refused.says("no handler for route"))
    }

    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Settings(error) => return error.hint(),
            Self::Refused(refused) => return refusal::of_refusal(refused),
            Self::Client { .. } => return None,
            Self::Unreachable { address, .. } | Self::Tls { address, .. } => {
                format!("try: vault status -address={}", one_line(address))
            }
            Self::UnknownAuthority { .. } => {
                "give the authority that signed it with --vault-ca-cert FILE or VAULT_CACERT".to_owned()
            }
            Self::WrongName { names, .. } => {
                let name = names.iter().find(|name| !name.contains(['*', '('])).map_or("NAME", String::as_str);
                format!("use an address with that name, or pass --vault-tls-server-name {}", one_line(name))
            }
            Self::SpeaksHttp { address } => {
                format!("if TLS is really off there, write {}", one_line(&address.replacen("https://", "http://", 1)))
            }
            Self::SpeaksHttps { address } => {
                format!("write {}", one_line(&address.replacen("http://", "https://", 1)))
            }
            Self::NoAnswer { .. } => "run the same command again: it goes on from what is there".to_owned(),
            Self::Timeout { .. } => "allow more time with --vault-timeout, for example --vault-timeout 2m".to_owned(),
            Self::Sealed { address } => format!("unseal it: vault operator unseal -address={}", one_line(address)),
            Self::NoNamespaces { .. } => {
                "leave out --vault-namespace, and: unset VAULT_NAMESPACE BAO_NAMESPACE".to_owned()
            }
            Self::NotVault { .. } | Self::TooLarge { .. } => {
                "check that the address is Vault's own, not that of a login page or another service".to_owned()
            }
            Self::Redirect { .. } => "give the address of Vault's active node with --vault-addr".to_owned(),
            Self::RoleName(_) => "use letters, digits, '-', '_' and '.'".to_owned(),
        })
    }
}

fn to(location: &Option<String>) -> String {
    location.as_ref().map_or_else(String::new, |l| format!(" to \"{}\"", one_line(l)))
}

/// A certificate can bear hundreds of names.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    if names.is_empty() {
        return "no name at all".to_owned();
    }
    let mut shown = names.iter().take(SHOWN).map(|n| one_line(n)).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        shown.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    shown
}

#[cfg(test)]
mod tests;
