//! Sends requests to Vault, and words what happens when there is no response;
//! `answer` and `token` read the responses.

use crate::address::{Address, RedirectError};
use crate::answer;
use crate::connection::flight::Flight;
use crate::connection::tcp::TcpConnector;
use crate::connector::TlsConnector;
use crate::handshake;
use crate::jwt_file::Jwt;
use crate::refused::LATE;
use crate::socket::SocketConnector;
use crate::tls::Tls;
use crate::token::{self, Call, Denied, Known, Lease};
use crate::vault_error::shown;
use serde::Serialize;
use shared::Secret;
use shared::mount::MountPath;
use shared::text::{one_line, os_cause};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, Response, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _};
use ureq::{Agent, Body, RequestBuilder};

pub use crate::answer::Granted;
pub use crate::vault_error::{Broke, VaultError};

/// Most that is read of an answer; a login's is about 1 KiB.
const LARGEST_ANSWER: u64 = 1024 * 1024;
/// Bound on resolving the name, and on connecting with TLS, within that on the request. Until then
/// Vault has nothing to do for us, so a retry costs it little, and a pod whose network is not ready
/// yet gets in soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The client's buffers. To clear its own of 128 KiB each was half of what a login took.
/// An answer's head has to fit; bodies are read and sent in parts.
const INPUT: usize = 32 * 1024;
const OUTPUT: usize = 8 * 1024;

/// How the standard library words what the resolver says.
const NOT_RESOLVED: &str = "failed to lookup address information: ";

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

/// Sends logins to one mount.
#[derive(Debug)]
pub struct Vault {
    agent: Agent,
    target: Target,
    trusted: String,
    request_timeout: Option<Duration>,
    flight: Flight,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Request<'a> {
    Get,
    Post(&'a [u8]),
}

/// What comes back.
struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    content: Vec<u8>,
}

#[derive(Serialize)]
struct Login<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    jwt: &'a str,
}

impl Vault {
    /// A client for `target`. `tls` may be absent for an `http` address. `request_timeout` bounds
    /// one request. With `None` a request that was sent waits until the deadline: Vault completes
    /// one that was abandoned all the same, so a retry makes an overloaded Vault slower, and
    /// leaves a token that no file holds.
    pub fn new(
        target: Target,
        tls: Option<Tls>,
        request_timeout: Option<Duration>,
        proxy: Option<ureq::Proxy>,
        flight: Flight,
    ) -> Self {
        let proxied = proxy.is_some();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(proxy)
            .user_agent(concat!("vault-jwt-login/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .input_buffer_size(INPUT)
            .output_buffer_size(OUTPUT)
            .build();
        let trusted = tls.as_ref().map_or_else(String::new, |tls| tls.trusted.clone());
        let resolver = DefaultResolver::default();
        let agent = match target.address.socket() {
            Some(path) => Agent::with_parts(config, SocketConnector::new(path, flight.clone()), resolver),
            None => {
                let connector =
                    ().chain(ConnectProxyConnector::default()).chain(TcpConnector).chain(TlsConnector::new(
                        tls,
                        target.address.host(),
                        flight.clone(),
                        proxied,
                    ));
                Agent::with_parts(config, connector, resolver)
            }
        };
        Self { agent, target, trusted, request_timeout, flight }
    }

    /// Where and as what this logs in.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Logs in once, within `time_left`. `note` gets what was granted before the login counts as
    /// answered.
    pub fn login(&self, jwt: &Jwt, time_left: Duration, note: impl FnOnce(&Granted)) -> Result<Granted, VaultError> {
        let login = Login { role: self.target.role.as_deref(), jwt: jwt.secret.expose() };
        let body = serde_json::to_vec(&login).map_err(|e| self.unreachable(e.to_string()))?;
        let url = self.target.address.login_url(&self.target.mount);
        let started = Instant::now();
        let reply = self.exchange(&url, Request::Post(&body), None, time_left);
        let granted = reply.map(|reply| (answer::read(reply.status, &reply.content, &jwt.secret), reply));
        if let Ok((Ok(granted), _)) = &granted {
            note(granted);
        }
        self.flight.over();
        let (granted, Reply { status, retry_after, .. }) = granted?;
        granted.map_err(|no_login| no_login.of(&self.target, status, retry_after, started.elapsed(), &jwt.facts))
    }

    /// Asks for a new lease for `token`.
    pub fn renew(&self, token: &Secret, time_left: Duration) -> Result<Lease, VaultError> {
        let content = self.call(Call::Renew, token, time_left)?;
        token::renewed(&content).map_err(|why| self.not_vault(why))
    }

    /// What Vault knows of `token`.
    pub fn look_up(&self, token: &Secret, time_left: Duration) -> Result<Known, VaultError> {
        let content = self.call(Call::LookUp, token, time_left)?;
        token::looked_up(&content).map_err(|why| self.not_vault(why))
    }

    /// Ends `token`.
    pub fn revoke(&self, token: &Secret, time_left: Duration) -> Result<(), VaultError> {
        self.call(Call::Revoke, token, time_left).map(drop)
    }

    fn call(&self, call: Call, token: &Secret, time_left: Duration) -> Result<Vec<u8>, VaultError> {
        let url = self.target.address.url(call.path());
        let request = if call == Call::LookUp { Request::Get } else { Request::Post(b"{}") };
        let reply = self.exchange(&url, request, Some(token), time_left);
        self.flight.over();
        let Reply { status, retry_after, content } = reply?;
        match status {
            200..=299 => Ok(content),
            _ => Err(VaultError::Denied(Box::new(Denied::read(
                call,
                &self.target.address,
                status,
                &content,
                retry_after,
                token,
            )))),
        }
    }

    /// Sends a request, again where a redirect of the same server leads.
    fn exchange(
        &self,
        url: &str,
        request: Request<'_>,
        token: Option<&Secret>,
        time_left: Duration,
    ) -> Result<Reply, VaultError> {
        let bound = self.request_timeout.map_or(time_left, |own| own.min(time_left));
        let started = Instant::now();
        self.flight.begins(token.is_none());
        match self.ask(url, request, token, bound, started) {
            Err(VaultError::Unreachable { address, why, broke: Broke::After }) if started.elapsed() >= LATE => {
                Err(VaultError::Unreachable { address, why, broke: Broke::Late })
            }
            reply => reply,
        }
    }

    fn ask(
        &self,
        url: &str,
        request: Request<'_>,
        token: Option<&Secret>,
        bound: Duration,
        started: Instant,
    ) -> Result<Reply, VaultError> {
        let mut answer = self.send(url, request, token, bound, bound)?;
        if let Some(next) = self.redirect(&answer)? {
            answer = self.send(&next, request, token, bound.saturating_sub(started.elapsed()), bound)?;
            if self.redirect(&answer)?.is_some() {
                return Err(self.redirected(RedirectError::Second, false));
            }
        }
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers());
        let content = answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec();
        Ok(Reply { status, retry_after, content: content.map_err(|e| self.failed(e, bound))? })
    }

    fn send(
        &self,
        url: &str,
        request: Request<'_>,
        token: Option<&Secret>,
        left: Duration,
        bound: Duration,
    ) -> Result<Response<Body>, VaultError> {
        let short = Some(CONNECT_TIMEOUT.min(left));
        let sent = match request {
            Request::Get => {
                let config = self.agent.get(url).config().timeout_global(Some(left));
                let timed = config.timeout_resolve(short).timeout_connect(short).build();
                self.headers(timed, token).call()
            }
            Request::Post(body) => {
                let config = self.agent.post(url).config().timeout_global(Some(left));
                let timed = config.timeout_resolve(short).timeout_connect(short).build();
                self.headers(timed, token).header(header::CONTENT_TYPE, "application/json").send(body)
            }
        };
        sent.map_err(|e| self.failed(e, bound))
    }

    fn headers<B>(&self, request: RequestBuilder<B>, token: Option<&Secret>) -> RequestBuilder<B> {
        // Vault refuses requests without it where it is set to (SSRF guard).
        let mut request = request.header("X-Vault-Request", "true");
        if let Some(namespace) = &self.target.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        match token {
            Some(token) => request.header("X-Vault-Token", token.expose()),
            None => request,
        }
    }

    /// The URL to send the login to again, if `answer` is a redirect.
    fn redirect(&self, answer: &Response<Body>) -> Result<Option<String>, VaultError> {
        match answer.status().as_u16() {
            301 | 302 | 307 | 308 => {
                let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
                self.target.address.follow(location).map(Some).map_err(|why| {
                    let temporary = answer.status().as_u16() == 307 && matches!(why, RedirectError::OtherServer(_));
                    self.redirected(why, temporary)
                })
            }
            _ => Ok(None),
        }
    }

    fn failed(&self, error: ureq::Error, bound: Duration) -> VaultError {
        let why = match error {
            ureq::Error::BodyExceedsLimit(limit) => return self.not_vault(format!("more than {limit} bytes")),
            ureq::Error::Timeout(_) if self.flight.is_sent() => {
                return VaultError::Unanswered { address: self.target.address.clone(), within: bound };
            }
            ureq::Error::Timeout(ureq::Timeout::Resolve) => {
                format!("its host name was not resolved in {}", shown(CONNECT_TIMEOUT.min(bound)))
            }
            ureq::Error::Timeout(_) => format!("no connection in {}", shown(CONNECT_TIMEOUT.min(bound))),
            ureq::Error::HostNotFound => "its host has no address".to_owned(),
            ureq::Error::Io(error) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                if let Some((why, hint)) = tls.and_then(|error| handshake::lasting(error, &self.trusted)) {
                    return VaultError::Tls { address: self.target.address.clone(), why, hint };
                }
                let cause = one_line(&os_cause(&error));
                let why = match cause.strip_prefix(NOT_RESOLVED) {
                    Some(why) => format!("its host name cannot be resolved ({})", why.to_lowercase()),
                    None => cause,
                };
                let broke = match error.kind() {
                    _ if self.flight.is_sent() => Broke::After,
                    ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Broke::AtOnce,
                    _ => Broke::Before,
                };
                return VaultError::Unreachable { address: self.target.address.clone(), broke, why };
            }
            other => one_line(&other.to_string()),
        };
        self.unreachable(why)
    }

    fn unreachable(&self, why: String) -> VaultError {
        let broke = if self.flight.is_sent() { Broke::After } else { Broke::Before };
        VaultError::Unreachable { address: self.target.address.clone(), broke, why }
    }

    fn not_vault(&self, why: String) -> VaultError {
        VaultError::NotVault { address: self.target.address.clone(), why }
    }

    fn redirected(&self, why: RedirectError, temporary: bool) -> VaultError {
        VaultError::Redirect { address: self.target.address.clone(), why, temporary }
    }
}

/// `Retry-After` in seconds (RFC 9110 section 10.2.3); dates are not obeyed,
/// since they would need this clock to be right.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
