//! Resolves how Vault is reached and with which credentials: the flags over the environment
//! over the files in the home folder, resolved once. What lies outside the program is
//! passed in (`host`).

pub mod address;
pub mod host;
pub mod operator_token;
pub mod token_helper;
pub mod vault_cli_config;

use crate::vault::settings::address::{AddressError, VaultAddress};
use crate::vault::settings::host::HostEnvironment;
use crate::vault::settings::operator_token::TokenError;
use shared::Secret;
use shared::env::{CaSource, DEFAULT_TIMEOUT, EnvError, Lookup, VaultEnv};
use shared::text::one_line;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the user sets over the environment and the files of the vault CLI: each value replaces
/// the environment variable in its comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultOverrides {
    /// `VAULT_ADDR`
    pub addr: Option<String>,
    /// `VAULT_NAMESPACE`
    pub namespace: Option<String>,
    /// `VAULT_CACERT`
    pub ca_cert: Option<String>,
    /// `VAULT_CAPATH`
    pub ca_path: Option<String>,
    /// `VAULT_SKIP_VERIFY`
    pub skip_verify: Option<bool>,
    /// `VAULT_TLS_SERVER_NAME`
    pub tls_server_name: Option<String>,
    /// `VAULT_CLIENT_TIMEOUT`; zero for no limit.
    pub timeout: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// `VAULT_CLIENT_CERT`: the certificate with its chain.
    pub certificate: Pem,
    /// `VAULT_CLIENT_KEY`: where the key came from, and the key.
    pub key: (String, Secret),
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub address: VaultAddress,
    /// The namespace, without slashes at its ends.
    pub namespace: Option<String>,
    pub trust: Trust,
    /// Whether Vault's certificate is taken as it comes.
    pub skip_verify: bool,
    /// The name to send and to verify in place of the address's host.
    pub server_name: Option<String>,
    /// Bound on one request with its retries; `None` for no bound.
    pub timeout: Option<Duration>,
    pub identity: Option<ClientIdentity>,
    /// The operator's token; `None` where the program logs in itself.
    pub token: Option<Secret>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Environment(#[from] EnvError),
    #[error("the Vault namespace \"{}\" has blanks or control characters", one_line(.0))]
    Namespace(String),
    #[error("the TLS server name \"{}\" is not a host name", one_line(.0))]
    ServerName(String),
    #[error("{0} is set, but {1} is not")]
    HalfIdentity(String, String),
    #[error("could not read {what} \"{}\": {}", one_line(file), one_line(why))]
    Unreadable {
        /// What the file is, for example `the CA certificate file`.
        what: &'static str,
        file: String,
        why: String,
    },
    #[error("{source_name} holds no {what} in PEM form")]
    NoPem {
        /// The file or variable, ready to show.
        source_name: String,
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

pub fn find_token(flags: &VaultOverrides, around: &dyn HostEnvironment) -> Result<Secret, SettingsError> {
    let env = VaultEnv::read(|name| around.var(name))?;
    // The address as typed: it is by this text that helpers find a token.
    Ok(operator_token::find(typed_address(flags, &env), around)?)
}

/// Reads the certificate authorities. Every file must hold one, as with the
/// vault CLI: a file that is passed over is a trust that is missing.
fn trust(ca: Option<CaSource>, around: &dyn HostEnvironment) -> Result<Trust, SettingsError> {
    let file = |path: &Path| certificates(read("the CA certificate file", path, around)?);
    let pems = match ca {
        None => return Ok(Trust::System),
        Some(CaSource::Bytes(text)) => {
            vec![certificates(Pem { source: "VAULT_CACERT_BYTES".to_owned(), text: text.into_bytes() })?]
        }
        Some(CaSource::File(path)) => vec![file(Path::new(&path))?],
        Some(CaSource::Directory(path)) => {
            let what = "the CA certificate directory";
            let directory = Path::new(&path);
            let files = around.files(directory).map_err(|error| unreadable(what, directory, &error))?;
            if files.is_empty() {
                return Err(SettingsError::NoPem { source_name: named(what, directory), what: "certificate" });
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
    let certificate = certificates(read("the client certificate file", &certificate, around)?)?;
    let key = holding("private key", |tag| tag.ends_with("PRIVATE KEY"), read("the client key file", &key, around)?)?;
    let key = (key.source, Secret::new(String::from_utf8_lossy(&key.text)));
    Ok(Some(ClientIdentity { certificate, key }))
}

fn named(what: &str, path: &Path) -> String {
    format!("{what} \"{}\"", one_line(&path.display().to_string()))
}

fn unreadable(what: &'static str, path: &Path, error: &std::io::Error) -> SettingsError {
    SettingsError::Unreadable { what, file: path.display().to_string(), why: shared::text::os_cause(error) }
}

fn read(what: &'static str, file: &Path, around: &dyn HostEnvironment) -> Result<Pem, SettingsError> {
    let text = around.read(file).map_err(|error| unreadable(what, file, &error))?;
    Ok(Pem { source: named(what, file), text })
}

/// `pem` itself, if it holds a certificate.
fn certificates(pem: Pem) -> Result<Pem, SettingsError> {
    holding("certificate", |tag| tag == "CERTIFICATE", pem)
}

/// `pem` itself, if one of its blocks has such a tag.
fn holding(what: &'static str, tag: impl Fn(&str) -> bool, pem: Pem) -> Result<Pem, SettingsError> {
    match pem::parse_many(&pem.text) {
        Ok(all) if all.iter().any(|block| tag(block.tag())) => Ok(pem),
        _ => Err(SettingsError::NoPem { source_name: pem.source, what }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
