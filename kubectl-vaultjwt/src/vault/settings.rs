//! Owns how one Vault is reached and as whom: the flags over the environment
//! over the files in the home folder, resolved once. What lies outside the
//! program is passed in.

use super::address::{self, Address, AddressError};
use super::token::{self, TokenError};
use super::token_helper::{self, HelperError};
use crate::cli::vault::VaultFlags;
use shared::Secret;
use shared::env::{CaSource, DEFAULT_TIMEOUT, EnvError, Lookup, VaultEnv};
use shared::text::one_line;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What lies outside the program, as far as settings come from there.
pub trait Surroundings {
    /// An environment variable.
    fn var(&self, name: &str) -> Option<String>;
    /// The home folder.
    fn home(&self) -> Option<PathBuf>;
    /// Content of a file.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    /// Every file under a directory, however deep, in a stable order. Links
    /// to directories are passed over: volumes of ConfigMaps have one
    /// (`..data`), and its files are also found without it.
    fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
    /// What a token helper writes when it is asked for the token of the Vault
    /// at `address`.
    fn token_helper(&self, helper: &Path, address: &str) -> Result<Vec<u8>, HelperError>;
}

/// The real surroundings of this process.
#[derive(Clone, Copy, Debug)]
pub struct Process;

impl Surroundings for Process {
    fn var(&self, name: &str) -> Option<String> {
        // What is not Unicode stays visible as wrong instead of counting as unset.
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(file)
    }

    fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![directory.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    open.push(entry.path());
                } else if !(kind.is_symlink() && entry.path().is_dir()) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn token_helper(&self, helper: &Path, address: &str) -> Result<Vec<u8>, HelperError> {
        token_helper::get(helper, address, token_helper::TIME_LIMIT)
    }
}

/// Which certificate authorities may speak for Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those of the system.
    System,
    /// Only these.
    Only(Vec<Pem>),
}

/// PEM text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// The file or variable, for messages.
    pub source: String,
    /// The text.
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
    pub address: Address,
    /// The namespace, without slashes at its ends.
    pub namespace: Option<String>,
    /// Who may speak for Vault.
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

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is missing or wrong.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// There is no usable token.
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
        /// Its path.
        file: String,
        /// The cause.
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
    /// The one thing to do next.
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
    pub fn resolve(flags: &VaultFlags, around: &dyn Surroundings) -> Result<Self, SettingsError> {
        // The address is looked at first: without it, a token is no use.
        let settings = Self::resolve_for_login(flags, around)?;
        Ok(Self { token: Some(find_token(flags, around)?), ..settings })
    }

    /// The same for a program that logs in itself: no token of a person is
    /// looked for, and one in `VAULT_TOKEN` was put there for it.
    pub fn resolve_for_login(flags: &VaultFlags, around: &dyn Surroundings) -> Result<Self, SettingsError> {
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
            token: token::of_variable(around)?,
        })
    }
}

fn typed_address<'a>(flags: &'a VaultFlags, env: &'a VaultEnv) -> &'a str {
    flags.addr.as_deref().or(env.address.as_deref()).unwrap_or_default()
}

/// The token as it can be found now.
pub fn find_token(flags: &VaultFlags, around: &dyn Surroundings) -> Result<Secret, SettingsError> {
    let env = VaultEnv::read(|name| around.var(name))?;
    // The address as typed: it is by this text that helpers find a token.
    Ok(token::find(typed_address(flags, &env), around)?)
}

/// Reads the certificate authorities. Every file must hold one, as with the
/// vault CLI: a file that is passed over is a trust that is missing.
fn trust(ca: Option<CaSource>, around: &dyn Surroundings) -> Result<Trust, SettingsError> {
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
fn identity(around: &dyn Surroundings) -> Result<Option<ClientIdentity>, SettingsError> {
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

fn read(what: &'static str, file: &Path, around: &dyn Surroundings) -> Result<Vec<u8>, SettingsError> {
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
#[path = "settings_tests.rs"]
pub(in crate::vault) mod tests;
