//! The settings of a run: from flags, else the environment, else the defaults. `BAO_X`
//! takes precedence over `VAULT_X`.

use crate::cli::flags::Flags;
use crate::cli::usage_error::{UsageError, bad};
use crate::connection::address::Address;
use crate::connection::proxy;
use crate::connection::tls::TlsSettings;
use crate::files::jwt_file;
use crate::files::token_file::{self, FileMode, FilePermissions};
use crate::log::Format;
use crate::process::exec::ExecCommand;
use crate::vault::target::Target;
use shared::Secret;
use shared::duration;
use shared::env::{self, CaSource, Lookup, VaultEnv};
use shared::mount::MountPath;
use shared::text::one_line;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    pub target: Target,
    pub jwt_file: PathBuf,
    /// Where the Vault token goes; `None` only where a command gets it.
    pub token_file: Option<PathBuf>,
    /// Where what is known about the token goes.
    pub info_file: Option<PathBuf>,
    pub permissions: FilePermissions,
    pub command: Option<ExecCommand>,
    /// At most how long to wait before the first attempt, at random.
    pub splay: Option<Duration>,
    pub timeout: Duration,
    /// Bound on one request (`VAULT_CLIENT_TIMEOUT`); `None` is only the bound above.
    pub request_timeout: Option<Duration>,
    pub tls: TlsSettings,
    pub proxy: Option<proxy::ProxySetting>,
    pub quiet: bool,
    pub log_format: Format,
    /// Whether the token ends with the program that keeps it.
    pub revoke_on_exit: bool,
}

pub(crate) fn settings(flags: &Flags, environment: impl Fn(&str) -> Option<String>) -> Result<Settings, UsageError> {
    let vault = VaultEnv::read(&environment)?;
    let system_file = environment("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let lookup = Lookup(environment);
    let either = |flag: &str, variable: &str| {
        flags.text(flag).map(|value| (flag.to_owned(), value)).or_else(|| lookup.named(variable))
    };

    let mount = either("--mount", "AUTH_MOUNT").or_else(|| lookup.named("AUTH_MOUNT_PATH"));
    let mount = mount.unwrap_or_else(|| ("--mount".to_owned(), "jwt".to_owned()));
    let mount = MountPath::parse(&mount.1).map_err(|e| bad(&mount.0, e.to_string()))?;
    let mode = parsed(either("--mode", "TOKEN_FILE_MODE"), |typed| {
        let wrong = "is not an octal mode with a leading zero, from 0000 to 0777, such as 0640";
        FileMode::parse(typed).ok_or_else(|| format!("\"{}\" {wrong}", one_line(typed)))
    })?;
    let duration = |typed: &str| duration::parse(typed).map_err(|error| error.to_string());
    let timeout = parsed(either("--timeout", "LOGIN_TIMEOUT"), |typed| match duration(typed)? {
        Duration::ZERO => Err("there is no login without time".to_owned()),
        timeout => Ok(timeout),
    })?;
    let timeout = timeout.unwrap_or(Duration::from_secs(120));
    let splay = parsed(either("--splay", "LOGIN_SPLAY"), |typed| match duration(typed)? {
        splay if splay >= timeout => {
            Err(format!("it leaves no time for the login within {}", duration::short(timeout)))
        }
        splay => Ok(splay),
    })?;
    let log_format = parsed(either("--log-format", "LOG_FORMAT"), |typed| {
        Format::parse(typed).ok_or_else(|| format!("\"{}\" is neither text nor json", one_line(typed)))
    })?;
    let id = |typed: &str| {
        let id = typed.parse().ok().filter(|id| *id != u32::MAX);
        id.ok_or_else(|| format!("\"{}\" is not a numeric id", one_line(typed)))
    };
    let permissions = FilePermissions {
        mode: mode.unwrap_or(FileMode::PRIVATE),
        owner: parsed(either("--owner", "TOKEN_FILE_OWNER"), id)?,
        group: parsed(either("--group", "TOKEN_FILE_GROUP"), id)?,
    };
    let command = match &flags.command {
        None if flags.no_env => {
            return Err(UsageError::Arguments("flag \"--no-env\" needs a command after \"--\"".to_owned()));
        }
        None => None,
        Some(command) => {
            let mut words = command.iter().cloned();
            let program = words.next().filter(|program| !program.is_empty());
            let program = program.ok_or_else(|| UsageError::Arguments("\"--\" needs a command after it".to_owned()))?;
            Some(ExecCommand { program, arguments: words.collect(), environment: !flags.no_env })
        }
    };
    let namespace = flags.text("--vault-namespace").as_deref().map_or(vault.namespace, env::namespace);
    if let Some(name) = namespace.as_deref().filter(|name| !name.bytes().all(|b| b.is_ascii_graphic() || b == b' ')) {
        let why = format!("\"{}\" holds characters that cannot be sent", one_line(name));
        return Err(bad("--vault-namespace or VAULT_NAMESPACE", why));
    }
    let client = match (vault.client_cert, vault.client_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err(UsageError::HalfAPair),
    };
    let given = |flag: &str, variable: &str| flags.path(flag).or_else(|| lookup.value(variable).map(OsString::from));
    // As manifests of other login programs have it.
    let other = |variable: &str| (lookup.0)(variable).filter(|value| !value.is_empty()).map(OsString::from);
    let jwt_file = given("--jwt-file", "JWT_FILE").or_else(|| other("SERVICE_ACCOUNT_TOKEN_PATH"));
    let jwt_file = jwt_file.unwrap_or_else(|| jwt_file::PROJECTED.into());
    let token_file = given("--token-file", "TOKEN_FILE").or_else(|| other("TOKEN_DEST_PATH"));
    // A command that has the token in its environment needs no file.
    let needed = command.as_ref().is_none_or(|command| !command.environment);
    let token_file = token_file.or_else(|| needed.then(|| token_file::DEFAULT.into()));

    // In the order in which VaultEnv takes them.
    let ca_variable = || ["CACERT", "CACERT_BYTES", "CAPATH"].iter().find_map(|name| lookup.named(name));
    let ca_given_by = match flags.text("--vault-ca-cert") {
        Some(_) => "--vault-ca-cert".to_owned(),
        None => ca_variable().map(|(name, _)| name).unwrap_or_default(),
    };

    let address = Address::parse(
        &flags.text("--vault-addr").or(vault.address).unwrap_or_else(|| env::DEFAULT_ADDRESS.to_owned()),
    )?;
    // Vault's own counts for every request, whatever the others say.
    let proxy = (lookup.named("PROXY_ADDR").or_else(|| lookup.named("HTTP_PROXY")))
        .map(|(given_by, url)| proxy::ProxySetting { given_by, url: Secret::new(url) })
        .or_else(|| proxy::from_environment(&address, &lookup.0));

    Ok(Settings {
        target: Target { address, namespace, mount, role: flags.text("--role").or_else(|| lookup.value("ROLE")) },
        jwt_file: if jwt_file == "default" { jwt_file::STANDARD.into() } else { jwt_file.into() },
        token_file: token_file.map(PathBuf::from),
        info_file: given("--info-file", "TOKEN_INFO_FILE").map(PathBuf::from),
        permissions,
        command,
        splay: splay.filter(|splay| !splay.is_zero()),
        timeout,
        request_timeout: vault.timeout.filter(|timeout| !timeout.is_zero()),
        tls: TlsSettings {
            ca: flags.text("--vault-ca-cert").map(CaSource::File).or(vault.ca),
            ca_given_by,
            system_file,
            client,
            server_name: flags.text("--vault-tls-server-name").or(vault.tls_server_name),
            skip_verify: flags.vault_skip_verify.or(vault.skip_verify).unwrap_or_default(),
        },
        proxy,
        quiet: flags.quiet,
        log_format: log_format.unwrap_or_default(),
        revoke_on_exit: flags.revoke_on_exit,
    })
}

/// What was typed, with the flag or variable that it is from, as a value.
fn parsed<T>(
    typed: Option<(String, String)>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, UsageError> {
    typed.map(|(name, typed)| parse(&typed).map_err(|why| bad(&name, why))).transpose()
}
