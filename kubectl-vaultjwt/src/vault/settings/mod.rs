//! Resolves how Vault is reached and with which credentials: the flags over the environment
//! over the files in the home folder, resolved once. What lies outside the program is
//! passed in (`host`).

pub mod address;
pub mod host;
pub mod operator_token;
pub mod overrides;
pub mod token_helper;
pub mod vault_cli_config;

use crate::vault::settings::address::{AddressError, VaultAddress};
use crate::vault::settings::host::HostEnvironment;
use crate::vault::settings::operator_token::TokenError;
use crate::vault::settings::overrides::VaultOverrides;
use shared::Secret;
use shared::env::{CaSource, DEFAULT_TIMEOUT, EnvError, Lookup, VaultEnv};
use shared::text::one_line;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which certificate authorities may speak for Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those of the system.
    System,
    Only(Vec<Pem>),
}

/// PEM text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// The file or variable, for messages.
    pub source: String,
    pub text: Vec<u8>,
}

/// A client certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// `VAULT_CLIENT_CERT`: the certificate with its chain.
    pub certificate: Pem,
    /// `VAULT_CLIENT_KEY`: where the key came from, and the key.
    pub key: (String, Secret),
}

/// Everything a client needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where requests go.
    pub address: VaultAddress,
    /// The namespace, without slashes at its ends.
    pub namespace: Option<String>,
    /// The authorities that verify Vault's certificate.
    pub trust: Trust,
    /// Whether Vault's certificate is taken as it comes.
    pub skip_verify: bool,
    /// The name to send and to verify in place of the address's host.
    pub server_name: Option<String>,
    /// Bound on one request with its retries; `None` for no bound.
    pub timeout: Option<Duration>,
    /// The client certificate, where one is given.
    pub identity: Option<ClientIdentity>,
    /// The operator's token; `None` where the program logs in itself.
    pub token: Option<Secret>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is missing or wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An environment variable has a value that means nothing.
    #[error(transparent)]
    Environment(#[from] EnvError),
    /// The namespace has characters that cannot travel in a header.
    #[error("the Vault namespace \"{}\" has blanks or control characters", one_line(.0))]
    Namespace(String),
    /// The TLS server name is no host name.
    #[error("the TLS server name \"{}\" is not a host name", one_line(.0))]
    ServerName(String),
    /// Only one half of the client certificate is given.
    #[error("{0} is set, but {1} is not")]
    HalfIdentity(String, String),
    /// A file with certificates or a key cannot be read.
    #[error("could not read {what} \"{}\": {}", one_line(file), one_line(why))]
    Unreadable {
        /// What the file is, for example `the CA certificate file`.
        what: &'static str,
        file: String,
        why: String,
    },
    /// A file without what it should hold.
    #[error("{source_name} holds no {what} in PEM form")]
    NoPem {
        /// The file or variable, ready to show.
        source_name: String,
        /// `certificate`.
        what: &'static str,
    },
}

impl SettingsError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => error.hint(),
            Self::Token(error) => error.hint(),
            Self::Environment(error) => Some(format!("correct {0}, or unset it: unset {0}", error.variable)),
            Self::Namespace(_) => Some("give it as 'vault namespace list' shows it, to --vault-namespace".to_owned()),
            Self::ServerName(_) => {
                Some("give a DNS name that Vault's certificate bears to --vault-tls-server-name".to_owned())
            }
            Self::HalfIdentity(given, missing) => Some(format!("set {missing} too, or unset the other: unset {given}")),
            Self::Unreadable { .. } | Self::NoPem { .. } => None,
        }
    }
}

impl Settings {
    /// Flags over environment over files.
    pub fn resolve(flags: &VaultOverrides, around: &dyn HostEnvironment) -> Result<Self, SettingsError> {
        // The address is looked at first: without it, a token is no use.
        let settings = Self::resolve_for_login(flags, around)?;
        Ok(Self { token: Some(find_token(flags, around)?), ..settings })
    }

    /// The same for a program that logs in itself: the user's token is not read, but one in
    /// `VAULT_TOKEN` was set for it.
    pub fn resolve_for_login(flags: &VaultOverrides, around: &dyn HostEnvironment) -> Result<Self, SettingsError> {
        let env = VaultEnv::read(|name| around.var(name))?;
        let address = address::parse(typed_address(flags, &env))?;
        let namespace = match &flags.namespace {
            Some(typed) => shared::env::namespace(typed),
            None => env.namespace,
        };
        if let Some(bad) = namespace.as_ref().filter(|n| n.chars().any(|c| c.is_control() || c.is_whitespace())) {
            return Err(SettingsError::Namespace(bad.clone()));
        }
        let ca = (flags.ca_cert.clone().map(CaSource::File))
            .or_else(|| flags.ca_path.clone().map(CaSource::Directory))
            .or(env.ca);
        let server_name = flags.tls_server_name.clone().filter(|n| !n.is_empty()).or(env.tls_server_name);
        if let Some(name) = &server_name
            && !matches!(url::Host::parse(name), Ok(url::Host::Domain(_)))
        {
            return Err(SettingsError::ServerName(name.clone()));
        }
        Ok(Self {
            address,
            namespace,
            trust: trust(ca, around)?,
            skip_verify: flags.skip_verify.or(env.skip_verify).unwrap_or(false),
            server_name,
            timeout: Some(flags.timeout.or(env.timeout).unwrap_or(DEFAULT_TIMEOUT)).filter(|t| !t.is_zero()),
            identity: identity(around)?,
            token: operator_token::of_variable(around)?,
        })
    }
}

fn typed_address<'a>(flags: &'a VaultOverrides, env: &'a VaultEnv) -> &'a str {
    flags.addr.as_deref().or(env.address.as_deref()).unwrap_or_default()
}

/// The token as it can be found now.
pub fn find_token(flags: &VaultOverrides, around: &dyn HostEnvironment) -> Result<Secret, SettingsError> {
    let env = VaultEnv::read(|name| around.var(name))?;
    // The address as typed: it is by this text that helpers find a token.
    Ok(operator_token::find(typed_address(flags, &env), around)?)
}

/// Reads the certificate authorities. Every file must hold one, as with the
/// vault CLI: a file that is passed over is a trust that is missing.
fn trust(ca: Option<CaSource>, around: &dyn HostEnvironment) -> Result<Trust, SettingsError> {
    let file = |path: &Path| {
        let text = read("the CA certificate file", path, around)?;
        certificates(Pem { source: format!("the CA certificate file \"{}\"", shown(path)), text })
    };
    let pems = match ca {
        None => return Ok(Trust::System),
        Some(CaSource::Bytes(text)) => {
            vec![certificates(Pem { source: "VAULT_CACERT_BYTES".to_owned(), text: text.into_bytes() })?]
        }
        Some(CaSource::File(path)) => vec![file(Path::new(&path))?],
        Some(CaSource::Directory(path)) => {
            let files = around.files(Path::new(&path)).map_err(|e| SettingsError::Unreadable {
                what: "the CA certificate directory",
                file: path.clone(),
                why: shared::text::os_cause(&e),
            })?;
            if files.is_empty() {
                let source_name = format!("the CA certificate directory \"{}\"", one_line(&path));
                return Err(SettingsError::NoPem { source_name, what: "certificate" });
            }
            files.iter().map(|path| file(path)).collect::<Result<_, _>>()?
        }
    };
    Ok(Trust::Only(pems))
}

/// Reads the client certificate and its key; both or neither must be given.
fn identity(around: &dyn HostEnvironment) -> Result<Option<ClientIdentity>, SettingsError> {
    let env = Lookup(|name: &str| around.var(name));
    // What is missing is named as its other half is: BAO_… or VAULT_….
    let half = |given: String, from: &str, to: &str| {
        let missing = given.replace(from, to);
        Err(SettingsError::HalfIdentity(given, missing))
    };
    let (certificate, key) = match (env.named("CLIENT_CERT"), env.named("CLIENT_KEY")) {
        (None, None) => return Ok(None),
        (Some((given, _)), None) => return half(given, "CERT", "KEY"),
        (None, Some((given, _))) => return half(given, "KEY", "CERT"),
        (Some((_, certificate)), Some((_, key))) => (PathBuf::from(certificate), PathBuf::from(key)),
    };
    let text = read("the client certificate file", &certificate, around)?;
    let certificate =
        certificates(Pem { source: format!("the client certificate file \"{}\"", shown(&certificate)), text })?;
    let source = format!("the client key file \"{}\"", shown(&key));
    let text = read("the client key file", &key, around)?;
    if !pem::parse_many(&text).is_ok_and(|all| all.iter().any(|p| p.tag().ends_with("PRIVATE KEY"))) {
        return Err(SettingsError::NoPem { source_name: source, what: "private key" });
    }
    let key = (source, Secret::new(String::from_utf8_lossy(&text)));
    Ok(Some(ClientIdentity { certificate, key }))
}

fn read(what: &'static str, file: &Path, around: &dyn HostEnvironment) -> Result<Vec<u8>, SettingsError> {
    around.read(file).map_err(|e| SettingsError::Unreadable {
        what,
        file: file.display().to_string(),
        why: shared::text::os_cause(&e),
    })
}

/// `pem` itself, if it holds a certificate.
fn certificates(pem: Pem) -> Result<Pem, SettingsError> {
    match pem::parse_many(&pem.text) {
        Ok(all) if all.iter().any(|p| p.tag() == "CERTIFICATE") => Ok(pem),
        _ => Err(SettingsError::NoPem { source_name: pem.source, what: "certificate" }),
    }
}

fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

#[cfg(test)]
pub(crate) mod tests;
