//! Owns what is typed and what stands in the environment, and makes typed
//! settings of it. Flags beat the environment; `BAO_X` beats `VAULT_X`.

use crate::address::{Address, AddressError};
use crate::jwt_file;
use crate::tls::TlsSettings;
use crate::token_file::{self, FileMode};
use crate::vault::Target;
use lexopt::{Arg, Parser, ValueExt};
use shared::duration;
use shared::env::{self, CaSource, EnvError, Lookup, VaultEnv};
use shared::mount::MountPath;
use shared::text::one_line;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// What `--help` prints.
pub const HELP: &str = include_str!("help.txt");
/// What `--version` prints.
pub const VERSION: &str = concat!("vault-jwt-login ", env!("CARGO_PKG_VERSION"), "\n");

/// Bound on one request when `VAULT_CLIENT_TIMEOUT` is not given. Vault's own client takes 60 s;
/// within the two minutes of a login, a server that hangs should be told and asked again sooner.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print a text: the help or the version.
    Print(&'static str),
    /// Log in once.
    Login(Box<Settings>),
}

/// Everything a login needs to know.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where and as what to log in.
    pub target: Target,
    /// Where the JWT is.
    pub jwt_file: PathBuf,
    /// Where the Vault token goes.
    pub token_file: PathBuf,
    /// With which mode.
    pub mode: FileMode,
    /// Bound on everything together.
    pub timeout: Duration,
    /// Bound on one request; `None` is only the bound above.
    pub request_timeout: Option<Duration>,
    /// Whom to trust, and how to be trusted.
    pub tls: TlsSettings,
    /// `VAULT_PROXY_ADDR`: for every request, whatever the other proxy variables say.
    pub proxy: Option<String>,
    /// Whether to say nothing unless it fails.
    pub quiet: bool,
}

/// A wrong call.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum UsageError {
    /// A flag or argument that is not known, or has no value.
    #[error("{0}")]
    Arguments(String),
    /// A value that cannot be used.
    #[error("could not read {name}: {why}")]
    Value {
        /// The flag or variable.
        name: String,
        /// What is wrong with its value.
        why: String,
    },
    /// A variable of the Vault client.
    #[error(transparent)]
    Environment(#[from] EnvError),
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Half of a client certificate.
    #[error("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are only of use together")]
    HalfAPair,
}

impl UsageError {
    /// An argument nobody knows.
    pub fn unknown(argument: &str) -> Self {
        Self::Arguments(format!("unknown argument \"{}\"", one_line(argument)))
    }

    /// What to change.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => error.hint(),
            Self::HalfAPair => Some("give both, or unset both".to_owned()),
            Self::Arguments(_) | Self::Value { .. } | Self::Environment(_) => {
                Some("run: vault-jwt-login --help".to_owned())
            }
        }
    }
}

/// The flags as typed.
#[derive(Default)]
struct Flags {
    jwt_file: Option<OsString>,
    role: Option<String>,
    mount: Option<String>,
    token_file: Option<OsString>,
    mode: Option<String>,
    timeout: Option<String>,
    vault_addr: Option<String>,
    vault_namespace: Option<String>,
    vault_ca_cert: Option<String>,
    vault_tls_server_name: Option<String>,
    vault_skip_verify: Option<bool>,
    quiet: bool,
}

/// Reads the arguments (without the program's name) and the environment.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, UsageError> {
    let mut flags = Flags::default();
    let mut parser = Parser::from_args(arguments);
    let mut seen_command = false;
    while let Some(argument) = parser.next().map_err(arguments_error)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP)),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Print(VERSION)),
            Arg::Short('q') | Arg::Long("quiet") => flags.quiet = true,
            Arg::Long("jwt-file") => flags.jwt_file = Some(value(&mut parser, "--jwt-file")?),
            Arg::Long("role") => flags.role = Some(text(&mut parser, "--role")?),
            Arg::Long("mount") => flags.mount = Some(text(&mut parser, "--mount")?),
            Arg::Long("token-file") => flags.token_file = Some(value(&mut parser, "--token-file")?),
            Arg::Long("mode") => flags.mode = Some(text(&mut parser, "--mode")?),
            Arg::Long("timeout") => flags.timeout = Some(text(&mut parser, "--timeout")?),
            Arg::Long("vault-addr") => flags.vault_addr = Some(text(&mut parser, "--vault-addr")?),
            Arg::Long("vault-namespace") => flags.vault_namespace = Some(text(&mut parser, "--vault-namespace")?),
            Arg::Long("vault-ca-cert") => flags.vault_ca_cert = Some(text(&mut parser, "--vault-ca-cert")?),
            Arg::Long("vault-tls-server-name") => {
                flags.vault_tls_server_name = Some(text(&mut parser, "--vault-tls-server-name")?);
            }
            Arg::Long("vault-skip-verify") => {
                flags.vault_skip_verify = Some(match parser.optional_value() {
                    None => true,
                    Some(typed) => {
                        let typed = typed.to_string_lossy();
                        env::parse_bool(&typed).ok_or_else(|| {
                            bad("--vault-skip-verify", format!("\"{}\" is neither true nor false", one_line(&typed)))
                        })?
                    }
                });
            }
            Arg::Value(command) if command == "login" && !seen_command => seen_command = true,
            Arg::Value(other) => return Err(UsageError::unknown(&other.to_string_lossy())),
            Arg::Long(name) => return Err(UsageError::Arguments(format!("unknown flag \"--{}\"", one_line(name)))),
            Arg::Short(name) => {
                return Err(UsageError::Arguments(format!("unknown flag \"-{}\"", one_line(&name.to_string()))));
            }
        }
    }
    settings(flags, environment).map(|settings| Command::Login(Box::new(settings)))
}

fn settings(flags: Flags, environment: impl Fn(&str) -> Option<String>) -> Result<Settings, UsageError> {
    let Flags {
        jwt_file,
        role,
        mount,
        token_file,
        mode,
        timeout,
        vault_addr,
        vault_namespace,
        vault_ca_cert,
        vault_tls_server_name,
        vault_skip_verify,
        quiet,
    } = flags;
    let vault = VaultEnv::read(&environment)?;
    let system_file = environment("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let lookup = Lookup(environment);
    let either = |flag: Option<String>, name: &str, variable: &str| {
        flag.map(|value| (name.to_owned(), value)).or_else(|| lookup.named(variable))
    };

    let mount = either(mount, "--mount", "AUTH_MOUNT").or_else(|| lookup.named("AUTH_MOUNT_PATH"));
    let mount = mount.unwrap_or_else(|| ("--mount".to_owned(), "jwt".to_owned()));
    let mount = MountPath::parse(&mount.1).map_err(|e| bad(&mount.0, e.to_string()))?;
    let mode = match either(mode, "--mode", "TOKEN_FILE_MODE") {
        None => FileMode::PRIVATE,
        Some((name, typed)) => FileMode::parse(&typed).ok_or_else(|| {
            let typed = one_line(&typed);
            bad(&name, format!("\"{typed}\" is not an octal mode with a leading zero, from 0000 to 0777, such as 0640"))
        })?,
    };
    let timeout = match either(timeout, "--timeout", "LOGIN_TIMEOUT") {
        None => Duration::from_secs(120),
        Some((name, typed)) => match duration::parse(&typed).map_err(|e| bad(&name, e.to_string()))? {
            Duration::ZERO => return Err(bad(&name, "there is no login without time".to_owned())),
            timeout => timeout,
        },
    };
    let namespace = vault_namespace.as_deref().map_or(vault.namespace, env::namespace);
    if let Some(name) = namespace.as_deref().filter(|name| !name.bytes().all(|b| b.is_ascii_graphic() || b == b' ')) {
        let why = format!("\"{}\" holds characters that cannot be sent", one_line(name));
        return Err(bad("--vault-namespace or VAULT_NAMESPACE", why));
    }
    let client = match (vault.client_cert, vault.client_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err(UsageError::HalfAPair),
    };
    let path = |flag: Option<OsString>, variable: &str, default: &str| {
        flag.or_else(|| lookup.value(variable).map(OsString::from)).unwrap_or_else(|| default.into())
    };
    let jwt_file = path(jwt_file, "JWT_FILE", jwt_file::PROJECTED);

    // In the order in which VaultEnv takes them.
    let ca_variable = || ["CACERT", "CACERT_BYTES", "CAPATH"].iter().find_map(|name| lookup.named(name));
    let ca_given_by = match &vault_ca_cert {
        Some(_) => "--vault-ca-cert".to_owned(),
        None => ca_variable().map(|(name, _)| name).unwrap_or_default(),
    };

    Ok(Settings {
        target: Target {
            address: Address::parse(&vault_addr.or(vault.address).unwrap_or_else(|| env::DEFAULT_ADDRESS.to_owned()))?,
            namespace,
            mount,
            role: role.or_else(|| lookup.value("ROLE")),
        },
        jwt_file: if jwt_file == "default" { jwt_file::STANDARD.into() } else { jwt_file.into() },
        token_file: path(token_file, "TOKEN_FILE", token_file::DEFAULT).into(),
        mode,
        timeout,
        request_timeout: match vault.timeout {
            Some(Duration::ZERO) => None,
            given => Some(given.unwrap_or(REQUEST_TIMEOUT)),
        },
        tls: TlsSettings {
            ca: vault_ca_cert.map(CaSource::File).or(vault.ca),
            ca_given_by,
            system_file,
            client,
            server_name: vault_tls_server_name.or(vault.tls_server_name),
            skip_verify: vault_skip_verify.or(vault.skip_verify).unwrap_or_default(),
        },
        proxy: lookup.value("PROXY_ADDR").or_else(|| lookup.value("HTTP_PROXY")),
        quiet,
    })
}

fn bad(name: &str, why: String) -> UsageError {
    UsageError::Value { name: name.to_owned(), why }
}

/// A flag's value, never empty: `--role=$(ROLE)` with ROLE empty is a slip.
fn value(parser: &mut Parser, flag: &str) -> Result<OsString, UsageError> {
    let value = parser.value().map_err(arguments_error)?;
    if value.is_empty() { Err(UsageError::Arguments(format!("flag \"{flag}\" needs a value"))) } else { Ok(value) }
}

fn text(parser: &mut Parser, flag: &str) -> Result<String, UsageError> {
    value(parser, flag)?.string().map_err(|_| bad(flag, "it is not UTF-8".to_owned()))
}

fn arguments_error(error: lexopt::Error) -> UsageError {
    UsageError::Arguments(match error {
        lexopt::Error::MissingValue { option: Some(flag) } => format!("flag \"{}\" needs a value", one_line(&flag)),
        lexopt::Error::UnexpectedValue { option, .. } => format!("flag \"{}\" takes no value", one_line(&option)),
        other => one_line(&other.to_string()),
    })
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
