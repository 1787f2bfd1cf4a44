//! Sends requests to Vault, and words what happens when there is no response;
//! `login_response` and `token_self` read the responses.

use crate::connection::address::RedirectError;
use crate::connection::handshake_error;
use crate::connection::in_flight::InFlight;
use crate::connection::tcp::TcpConnector;
use crate::connection::tls::TlsConfig;
use crate::connection::tls_connector::TlsConnector;
use crate::connection::unix_socket::SocketConnector;
use crate::files::jwt_file::Jwt;
use crate::vault::error::{FailureStage, VaultError, shown};
use crate::vault::login_refusal::LATE;
use crate::vault::login_response::{self, Granted};
use crate::vault::target::Target;
use crate::vault::token_self::{self, TokenCall, TokenCallRefusal, TokenLookup};
use serde::Serialize;
use shared::Secret;
use shared::lease::Lease;
use shared::text::{one_line, os_cause};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, Response, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _};
use ureq::{Agent, Body, RequestBuilder};

/// Most that is read of an answer; a login's is about 1 KiB.
const LARGEST_RESPONSE: u64 = 1024 * 1024;
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

#[derive(Debug)]
pub struct VaultClient {
    agent: Agent,
    target: Target,
    trusted: String,
    request_timeout: Option<Duration>,
    in_flight: InFlight,
}

struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    content: Vec<u8>,
}

#[derive(Serialize)]
struct LoginRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    jwt: &'a str,
}

impl VaultClient {
    /// A client for `target`. `tls` may be absent for an `http` address. `request_timeout` bounds
    /// one request. With `None` a request that was sent waits until the deadline: Vault completes
    /// one that was abandoned all the same, so a retry makes an overloaded Vault slower, and
    /// leaves a token that no file holds.
    pub fn new(
        target: Target,
        tls: Option<TlsConfig>,
        request_timeout: Option<Duration>,
        proxy: Option<ureq::Proxy>,
        in_flight: InFlight,
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
            Some(path) => Agent::with_parts(config, SocketConnector::new(path, in_flight.clone()), resolver),
            None => {
                let connector =
                    ().chain(ConnectProxyConnector::default()).chain(TcpConnector).chain(TlsConnector::new(
                        tls,
                        target.address.host(),
                        in_flight.clone(),
                        proxied,
                    ));
                Agent::with_parts(config, connector, resolver)
            }
        };
        Self { agent, target, trusted, request_timeout, in_flight }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Logs in once, within `time_left`. `note` gets what was granted before the login counts as
    /// answered.
    pub fn login(&self, jwt: &Jwt, time_left: Duration, note: impl FnOnce(&Granted)) -> Result<Granted, VaultError> {
        let login = LoginRequest { role: self.target.role.as_deref(), jwt: jwt.secret.expose() };
        let body = serde_json::to_vec(&login).map_err(|e| self.unreachable(e.to_string()))?;
        let url = self.target.address.login_url(&self.target.mount);
        let started = Instant::now();
        let reply = self.exchange(&url, Some(&body), None, time_left);
        let granted = reply.map(|reply| (login_response::read(reply.status, &reply.content, &jwt.secret), reply));
        if let Ok((Ok(granted), _)) = &granted {
            note(granted);
        }
        self.in_flight.over();
        let (granted, Reply { status, retry_after, .. }) = granted?;
        granted
            .map_err(|no_login| no_login.into_error(&self.target, status, retry_after, started.elapsed(), &jwt.decoded))
    }

    pub fn renew(&self, token: &Secret, time_left: Duration) -> Result<Lease, VaultError> {
        let content = self.call(TokenCall::Renew, token, time_left)?;
        token_self::renewed(&content).map_err(|why| self.not_vault(why))
    }

    pub fn look_up(&self, token: &Secret, time_left: Duration) -> Result<TokenLookup, VaultError> {
        let content = self.call(TokenCall::LookUp, token, time_left)?;
        token_self::looked_up(&content).map_err(|why| self.not_vault(why))
    }

    pub fn revoke(&self, token: &Secret, time_left: Duration) -> Result<(), VaultError> {
        self.call(TokenCall::Revoke, token, time_left).map(drop)
    }

    fn call(&self, call: TokenCall, token: &Secret, time_left: Duration) -> Result<Vec<u8>, VaultError> {
        let url = self.target.address.url(call.path());
        let body = (call != TokenCall::LookUp).then_some(&b"{}"[..]);
        let reply = self.exchange(&url, body, Some(token), time_left);
        self.in_flight.over();
        let Reply { status, retry_after, content } = reply?;
        match status {
            200..=299 => Ok(content),
            _ => Err(VaultError::TokenCallRefused(Box::new(TokenCallRefusal::read(
                call,
                &self.target.address,
                status,
                &content,
                retry_after,
                token,
            )))),
        }
    }

    /// Sends a POST, or a GET where there is no body; again where a redirect of the same server leads.
    fn exchange(
        &self,
        url: &str,
        body: Option<&[u8]>,
        token: Option<&Secret>,
        time_left: Duration,
    ) -> Result<Reply, VaultError> {
        let bound = self.request_timeout.map_or(time_left, |own| own.min(time_left));
        let started = Instant::now();
        self.in_flight.begins(token.is_none());
        match self.ask(url, body, token, bound, started) {
            Err(VaultError::Unreachable { address, why, stage: FailureStage::AfterRequest })
                if started.elapsed() >= LATE =>
            {
                Err(VaultError::Unreachable { address, why, stage: FailureStage::AfterLongWait })
            }
            reply => reply,
        }
    }

    fn ask(
        &self,
        url: &str,
        body: Option<&[u8]>,
        token: Option<&Secret>,
        bound: Duration,
        started: Instant,
    ) -> Result<Reply, VaultError> {
        let mut response = self.send(url, body, token, bound, bound)?;
        if let Some(next) = self.redirect(&response)? {
            response = self.send(&next, body, token, bound.saturating_sub(started.elapsed()), bound)?;
            if self.redirect(&response)?.is_some() {
                return Err(self.redirected(RedirectError::Second, false));
            }
        }
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let content = response.body_mut().with_config().limit(LARGEST_RESPONSE).read_to_vec();
        Ok(Reply { status, retry_after, content: content.map_err(|e| self.failed(e, bound))? })
    }

    fn send(
        &self,
        url: &str,
        body: Option<&[u8]>,
        token: Option<&Secret>,
        left: Duration,
        bound: Duration,
    ) -> Result<Response<Body>, VaultError> {
        let sent = match body {
            None => self.prepared(self.agent.get(url), token, left).call(),
            Some(body) => {
                let request = self.prepared(self.agent.post(url), token, left);
                request.header(header::CONTENT_TYPE, "application/json").send(body)
            }
        };
        sent.map_err(|e| self.failed(e, bound))
    }

    /// With its bounds and headers.
    fn prepared<B>(&self, request: RequestBuilder<B>, token: Option<&Secret>, left: Duration) -> RequestBuilder<B> {
        let short = Some(CONNECT_TIMEOUT.min(left));
        let config = request.config().timeout_global(Some(left)).timeout_resolve(short).timeout_connect(short);
        // Vault refuses requests without it where it is set to (SSRF guard).
        let mut request = config.build().header("X-Vault-Request", "true");
        if let Some(namespace) = &self.target.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        match token {
            Some(token) => request.header("X-Vault-Token", token.expose()),
            None => request,
        }
    }

    /// The URL to send the login to again, if `response` is a redirect.
    fn redirect(&self, response: &Response<Body>) -> Result<Option<String>, VaultError> {
        match response.status().as_u16() {
            301 | 302 | 307 | 308 => {
                let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
                self.target.address.follow(location).map(Some).map_err(|why| {
                    let temporary = response.status().as_u16() == 307 && matches!(why, RedirectError::OtherServer(_));
                    self.redirected(why, temporary)
                })
            }
            _ => Ok(None),
        }
    }

    fn failed(&self, error: ureq::Error, bound: Duration) -> VaultError {
        let why = match error {
            ureq::Error::BodyExceedsLimit(limit) => return self.not_vault(format!("more than {limit} bytes")),
            ureq::Error::Timeout(_) if self.in_flight.is_sent() => {
                return VaultError::Unanswered { address: self.target.address.clone(), within: bound };
            }
            ureq::Error::Timeout(ureq::Timeout::Resolve) => {
                format!("its host name was not resolved in {}", shown(CONNECT_TIMEOUT.min(bound)))
            }
            ureq::Error::Timeout(_) => format!("no connection in {}", shown(CONNECT_TIMEOUT.min(bound))),
            ureq::Error::HostNotFound => "its host has no address".to_owned(),
            ureq::Error::Io(error) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                if let Some((why, hint)) = tls.and_then(|error| handshake_error::permanent(error, &self.trusted)) {
                    return VaultError::Tls { address: self.target.address.clone(), why, hint };
                }
                let cause = one_line(&os_cause(&error));
                let why = match cause.strip_prefix(NOT_RESOLVED) {
                    Some(why) => format!("its host name cannot be resolved ({})", why.to_lowercase()),
                    None => cause,
                };
                let stage = match error.kind() {
                    _ if self.in_flight.is_sent() => FailureStage::AfterRequest,
                    ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => FailureStage::ConnectRefused,
                    _ => FailureStage::BeforeRequest,
                };
                return VaultError::Unreachable { address: self.target.address.clone(), stage, why };
            }
            other => one_line(&other.to_string()),
        };
        self.unreachable(why)
    }

    fn unreachable(&self, why: String) -> VaultError {
        let stage = if self.in_flight.is_sent() { FailureStage::AfterRequest } else { FailureStage::BeforeRequest };
        VaultError::Unreachable { address: self.target.address.clone(), stage, why }
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
mod tests;
