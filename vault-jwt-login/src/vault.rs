//! Owns one login request: what is sent, which answers are a login, and what
//! the others are.

use crate::address::{Address, RedirectError};
use crate::connector::TlsConnector;
use crate::error::about;
use crate::handshake;
use crate::jwt_file::Jwt;
use crate::refused::Refused;
use crate::tls::Tls;
use serde::{Deserialize, Serialize};
use shared::Secret;
use shared::mount::MountPath;
use shared::refusal;
use shared::text::{one_line, os_cause};
use std::time::{Duration, Instant};
use thiserror::Error;
use ureq::http::{HeaderMap, Response, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, Body};

/// Most that is read of an answer; a login's is about 1 KiB.
const LARGEST_ANSWER: u64 = 1024 * 1024;
/// Bound on resolving the name and on connecting, within that on the request: a pod whose network
/// is not ready yet should try again rather than wait a minute.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where and as what to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Vault's address.
    pub address: Address,
    /// `X-Vault-Namespace`; `None` is the root namespace.
    pub namespace: Option<String>,
    /// The mount that holds the keys.
    pub mount: MountPath,
    /// `None` leaves it to the mount's `default_role`.
    pub role: Option<String>,
}

/// A successful login.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The Vault token.
    pub token: Secret,
    /// How long it lives; zero is for ever.
    pub lease: Duration,
    /// The role Vault says it used.
    pub role: Option<String>,
}

/// Why there was no login. Every text names the address.
#[derive(Debug, Error)]
pub enum VaultError {
    /// No answer.
    #[error("could not reach Vault at \"{address}\": {why}")]
    Unreachable {
        /// Where.
        address: Address,
        /// What went wrong.
        why: String,
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
    /// Vault said no, or not now.
    #[error(transparent)]
    Refused(Box<Refused>),
}

impl VaultError {
    /// What to change.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => Some(
                "look whether --vault-addr or VAULT_ADDR is right, and whether a network policy is in the way"
                    .to_owned(),
            ),
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
        }
    }
}

/// Sends logins to one mount.
#[derive(Debug)]
pub struct Vault {
    agent: Agent,
    target: Target,
    trusted: String,
    request_timeout: Option<Duration>,
}

#[derive(Serialize)]
struct Login<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    jwt: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    auth: Option<Auth>,
    wrap_info: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    role: Option<String>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

impl Vault {
    /// A client for `target`. `tls` may be absent for an `http` address;
    /// `request_timeout` bounds one login, `None` leaves it to the deadline.
    pub fn new(
        target: Target,
        tls: Option<Tls>,
        request_timeout: Option<Duration>,
        proxy: Option<ureq::Proxy>,
    ) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(proxy)
            .user_agent(concat!("vault-jwt-login/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        let trusted = tls.as_ref().map_or_else(String::new, |tls| tls.trusted.clone());
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector::new(tls, target.address.host()));
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Self { agent, target, trusted, request_timeout }
    }

    /// Where and as what this logs in.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Logs in once, within `time_left`.
    pub fn login(&self, jwt: &Jwt, time_left: Duration) -> Result<Granted, VaultError> {
        let bound = self.request_timeout.map_or(time_left, |own| own.min(time_left));
        let started = Instant::now();
        let login = Login { role: self.target.role.as_deref(), jwt: jwt.secret.expose() };
        let body = serde_json::to_vec(&login).map_err(|e| self.unreachable(e.to_string()))?;
        let url = self.target.address.login_url(&self.target.mount);
        let mut answer = self.send(&url, &body, bound, bound)?;
        if let Some(next) = self.redirect(&answer)? {
            answer = self.send(&next, &body, bound.saturating_sub(started.elapsed()), bound)?;
            if self.redirect(&answer)?.is_some() {
                return Err(self.redirected(RedirectError::Second));
            }
        }
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers());
        let content = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
        let content = content.map_err(|e| self.failed(e, bound))?;
        match status {
            200..=299 => self.granted(status, &content),
            // Other redirections ask for something else than this login.
            300..=399 => Err(self.not_vault(format!("status {status}"))),
            _ => Err(VaultError::Refused(Box::new(self.refused(status, &content, retry_after, jwt)))),
        }
    }

    fn send(&self, url: &str, body: &[u8], left: Duration, bound: Duration) -> Result<Response<Body>, VaultError> {
        let mut request = self
            .agent
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            // Vault refuses requests without it where it is set to (SSRF guard).
            .header("X-Vault-Request", "true");
        if let Some(namespace) = &self.target.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let short = Some(CONNECT_TIMEOUT.min(left));
        let timed = request.config().timeout_global(Some(left)).timeout_resolve(short).timeout_connect(short).build();
        timed.send(body).map_err(|e| self.failed(e, bound))
    }

    /// The URL to send the login to again, if `answer` is a redirect.
    fn redirect(&self, answer: &Response<Body>) -> Result<Option<String>, VaultError> {
        match answer.status().as_u16() {
            301 | 302 | 307 | 308 => {
                let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
                self.target.address.follow(location).map(Some).map_err(|why| self.redirected(why))
            }
            _ => Ok(None),
        }
    }

    fn granted(&self, status: u16, content: &[u8]) -> Result<Granted, VaultError> {
        // The JSON reader's own words may quote the token.
        let answer: Answer = serde_json::from_slice(content).map_err(|error| {
            let shape = if error.is_data() { "JSON that is no login" } else { "something that is no JSON" };
            self.not_vault(format!("status {status} with {shape}"))
        })?;
        let Some(auth) = answer.auth else {
            return Err(match answer.wrap_info {
                Some(_) => VaultError::Wrapped { address: self.target.address.clone() },
                None => self.not_vault(format!("status {status} without a token")),
            });
        };
        if auth.client_token.is_empty() || !auth.client_token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(self.not_vault(format!("status {status} with an empty or unprintable token")));
        }
        Ok(Granted {
            token: Secret::new(auth.client_token),
            lease: Duration::from_secs(auth.lease_duration),
            role: auth.metadata.and_then(|m| m.role),
        })
    }

    fn refused(&self, status: u16, content: &[u8], retry_after: Option<Duration>, jwt: &Jwt) -> Refused {
        let said = match serde_json::from_slice::<Errors>(content) {
            Ok(answer) => answer.errors,
            Err(_) => vec![String::from_utf8_lossy(content).chars().take(300).collect()],
        };
        let class = refusal::classify(status, &said);
        // Vault's own errors break lines; and whatever answers must not make us print the token.
        let words: Vec<&str> = said.iter().flat_map(|text| text.split_whitespace()).collect();
        let words = one_line(&words.join(" ").replace(jwt.secret.expose(), "[the token]"));
        Refused { target: self.target.clone(), status, words, class, retry_after, facts: jwt.facts.clone() }
    }

    fn failed(&self, error: ureq::Error, bound: Duration) -> VaultError {
        let why = match error {
            ureq::Error::BodyExceedsLimit(limit) => return self.not_vault(format!("more than {limit} bytes")),
            ureq::Error::Timeout(ureq::Timeout::Connect) => {
                format!("no connection in {}", shown(CONNECT_TIMEOUT.min(bound)))
            }
            ureq::Error::Timeout(ureq::Timeout::Resolve) => {
                format!("its host name was not resolved in {}", shown(CONNECT_TIMEOUT.min(bound)))
            }
            ureq::Error::Timeout(_) => format!("no answer in {}", shown(bound)),
            ureq::Error::HostNotFound => "its host has no address".to_owned(),
            ureq::Error::Io(error) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                if let Some((why, hint)) = tls.and_then(|error| handshake::lasting(error, &self.trusted)) {
                    return VaultError::Tls { address: self.target.address.clone(), why, hint };
                }
                one_line(&os_cause(&error))
            }
            other => one_line(&other.to_string()),
        };
        self.unreachable(why)
    }

    fn unreachable(&self, why: String) -> VaultError {
        VaultError::Unreachable { address: self.target.address.clone(), why }
    }

    fn not_vault(&self, why: String) -> VaultError {
        VaultError::NotVault { address: self.target.address.clone(), why }
    }

    fn redirected(&self, why: RedirectError) -> VaultError {
        VaultError::Redirect { address: self.target.address.clone(), why }
    }
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3); dates are not obeyed,
/// since they would need this clock to be right.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A bound as a person reads it; less than a second in milliseconds.
fn shown(bound: Duration) -> String {
    if bound < Duration::from_secs(1) { format!("{}ms", bound.as_millis()) } else { about(bound) }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
