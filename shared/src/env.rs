//! The environment variables of a Vault client: their names, their precedence, and the
//! errors for unusable values. The caller passes the lookup.
//!
//! Rules (Vault `api/client.go` `ReadEnvironment`, OpenBao `api/env.go`):
//! an empty value counts as unset; every `VAULT_X` may be given as `BAO_X`,
//! which wins even when it is present and empty.

use crate::duration;
use std::fmt;
use std::time::Duration;

/// Address used when none is given, as in the vault CLI.
pub const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";
/// Bound on one request when `VAULT_CLIENT_TIMEOUT` is not given.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the trusted certificate authorities come from. When one is given it
/// is the *only* trust, as in Vault (`go-rootcerts`); OpenBao adds the
/// system's, which would let any public authority speak for a private Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaSource {
    /// `VAULT_CACERT`: a PEM file.
    File(String),
    /// `VAULT_CACERT_BYTES`: PEM text.
    Bytes(String),
    /// `VAULT_CAPATH`: a directory of PEM files, walked recursively.
    Directory(String),
}

/// The connection settings found in the environment; `None` means not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultEnv {
    /// `VAULT_AGENT_ADDR`, else `VAULT_ADDR`.
    pub address: Option<String>,
    /// `VAULT_NAMESPACE`, without slashes at its ends.
    pub namespace: Option<String>,
    /// `VAULT_CACERT` > `VAULT_CACERT_BYTES` > `VAULT_CAPATH`.
    pub ca: Option<CaSource>,
    /// `VAULT_CLIENT_CERT`, a PEM file.
    pub client_cert: Option<String>,
    /// `VAULT_CLIENT_KEY`, a PEM file.
    pub client_key: Option<String>,
    /// `VAULT_TLS_SERVER_NAME`: sent as SNI and verified in place of the host.
    pub tls_server_name: Option<String>,
    /// `VAULT_SKIP_VERIFY`.
    pub skip_verify: Option<bool>,
    /// `VAULT_CLIENT_TIMEOUT`; zero means no bound.
    pub timeout: Option<Duration>,
}

/// A variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvError {
    /// The variable's name as found, `BAO_…` or `VAULT_…`.
    pub variable: String,
    /// What is wrong with the value, one clause.
    pub why: String,
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not read {}: {}", self.variable, self.why)
    }
}

impl std::error::Error for EnvError {}

/// Looks variables up by their name without the `VAULT_`/`BAO_` prefix.
pub struct Lookup<F>(pub F);

impl<F: Fn(&str) -> Option<String>> Lookup<F> {
    /// The value of `BAO_<name>` where that is present, else `VAULT_<name>`;
    /// with the name it was found under. Empty counts as unset.
    pub fn named(&self, name: &str) -> Option<(String, String)> {
        let bao = format!("BAO_{name}");
        let (variable, value) = match (self.0)(&bao) {
            Some(value) => (bao, value),
            None => {
                let vault = format!("VAULT_{name}");
                let value = (self.0)(&vault)?;
                (vault, value)
            }
        };
        (!value.is_empty()).then_some((variable, value))
    }

    /// As [`Lookup::named`], the value only.
    pub fn value(&self, name: &str) -> Option<String> {
        self.named(name).map(|(_, value)| value)
    }
}

impl VaultEnv {
    /// Reads the connection settings through `lookup` (for example
    /// `|name| std::env::var(name).ok()`).
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let lookup = Lookup(lookup);
        let ca = (lookup.value("CACERT").map(CaSource::File))
            .or_else(|| lookup.value("CACERT_BYTES").map(CaSource::Bytes))
            .or_else(|| lookup.value("CAPATH").map(CaSource::Directory));
        let skip_verify = match lookup.named("SKIP_VERIFY") {
            None => None,
            Some((variable, value)) => Some(parse_bool(&value).ok_or_else(|| EnvError {
                variable,
                why: format!("\"{}\" is neither true nor false", crate::text::one_line(&value)),
            })?),
        };
        let timeout = match lookup.named("CLIENT_TIMEOUT") {
            None => None,
            Some((variable, value)) => {
                Some(duration::parse(&value).map_err(|e| EnvError { variable, why: e.to_string() })?)
            }
        };
        Ok(Self {
            address: lookup.value("AGENT_ADDR").or_else(|| lookup.value("ADDR")),
            namespace: lookup.value("NAMESPACE").as_deref().and_then(namespace),
            ca,
            client_cert: lookup.value("CLIENT_CERT"),
            client_key: lookup.value("CLIENT_KEY"),
            tls_server_name: lookup.value("TLS_SERVER_NAME"),
            skip_verify,
            timeout,
        })
    }
}

/// A namespace without slashes at its ends; `None` for the root namespace.
pub fn namespace(typed: &str) -> Option<String> {
    let inner = typed.trim().trim_matches('/');
    (!inner.is_empty()).then(|| inner.to_owned())
}

/// Go's `strconv.ParseBool`, which Vault uses.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<VaultEnv, EnvError> {
        VaultEnv::read(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn empty_counts_as_unset() {
        assert_eq!(read(&[("VAULT_ADDR", ""), ("VAULT_NAMESPACE", "/")]), Ok(VaultEnv::default()));
    }

    #[test]
    fn bao_wins_even_when_empty() {
        let env = read(&[
            ("VAULT_ADDR", "https://v"),
            ("BAO_ADDR", ""),
            ("VAULT_NAMESPACE", "a/"),
            ("BAO_NAMESPACE", "b/c/"),
        ]);
        assert_eq!(env, Ok(VaultEnv { namespace: Some("b/c".into()), ..VaultEnv::default() }));
    }

    #[test]
    fn the_agent_address_replaces_the_address() {
        let env = read(&[("VAULT_ADDR", "https://v"), ("VAULT_AGENT_ADDR", "http://127.0.0.1:8100")]);
        assert_eq!(env.map(|e| e.address), Ok(Some("http://127.0.0.1:8100".into())));
    }

    #[test]
    fn one_certificate_source_is_used() {
        let all = [("VAULT_CAPATH", "/d"), ("VAULT_CACERT_BYTES", "pem"), ("VAULT_CACERT", "/f")];
        assert_eq!(read(&all).map(|e| e.ca), Ok(Some(CaSource::File("/f".into()))));
        assert_eq!(read(&all[..2]).map(|e| e.ca), Ok(Some(CaSource::Bytes("pem".into()))));
        assert_eq!(read(&all[..1]).map(|e| e.ca), Ok(Some(CaSource::Directory("/d".into()))));
    }

    #[test]
    fn unusable_values_name_their_variable() {
        assert_eq!(
            read(&[("BAO_SKIP_VERIFY", "yes")]).map_err(|e| e.to_string()),
            Err("could not read BAO_SKIP_VERIFY: \"yes\" is neither true nor false".into())
        );
        assert_eq!(
            read(&[("VAULT_CLIENT_TIMEOUT", "soon")]).map_err(|e| e.to_string()),
            Err("could not read VAULT_CLIENT_TIMEOUT: \"soon\" is not a duration like 90s, 5m or 1h30m".into())
        );
        assert_eq!(read(&[("VAULT_CLIENT_TIMEOUT", "5")]).map(|e| e.timeout), Ok(Some(Duration::from_secs(5))));
    }
}
