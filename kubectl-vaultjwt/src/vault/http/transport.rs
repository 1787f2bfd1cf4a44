//! One exchange with Vault over HTTP: headers, the one redirect, retries of reads, the
//! bounds on time and size, and the log line of each request.

use crate::http::cause::innermost;
use crate::http::{self, retry_after};
use crate::vault::VaultError;
use crate::vault::http::active_node::ActiveNode;
use crate::vault::http::connect_error::{self, CONNECT_TIMEOUT};
use crate::vault::http::redirect;
use crate::vault::settings::{Pem, Settings, Trust};
use reqwest::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{DATE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use shared::Secret;
use shared::text::one_line;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::{Host, Url};

/// Takes one line for each request: method, path, status, milliseconds.
/// Tokens, keys and bodies are never in it.
pub type RequestLog = Arc<dyn Fn(&str) + Send + Sync>;

/// Bound on an answer. The largest that is asked for is a mount's
/// configuration, one storage entry of at most 1 MiB.
const BODY_AT_MOST: usize = 8 << 20;
/// How often a read is sent again.
const RETRIES: u32 = 2;
/// The longest `Retry-After` that is waited for.
const WAIT_AT_MOST: Duration = Duration::from_secs(60);

pub struct Call<'a> {
    pub method: Method,
    /// Segments of the API path after `/v1/`.
    pub path: Vec<&'a str>,
    /// JSON.
    pub body: Option<Vec<u8>>,
    /// The token to send; a login has none.
    pub token: Option<Secret>,
}

impl Call<'_> {
    pub fn shown_path(&self) -> String {
        self.path.join("/")
    }

    /// Method and path, for messages.
    pub fn shown(&self) -> String {
        format!("{} {}", self.method, self.shown_path())
    }

    /// The URL, and its part from `/v1` on.
    fn url(&self, base: &Url) -> (Url, String) {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(&self.path);
        }
        let kept = base.path().trim_end_matches('/').len();
        let api_path = url.path()[kept..].to_owned();
        (url, api_path)
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Answer {
    /// When Vault made it, by its own clock.
    pub fn date(&self) -> Option<jiff::Timestamp> {
        Some(jiff::fmt::rfc2822::parse(self.header(DATE)?).ok()?.timestamp())
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether Vault says it is sealed: that ends when people act, not by
    /// waiting a moment.
    pub fn sealed(&self) -> bool {
        self.status == 503 && String::from_utf8_lossy(&self.body).contains("Vault is sealed")
    }

    /// Vault's own policy (`api/client.go` `DefaultRetryPolicy`): 412 (not
    /// replicated yet), 429 and 5xx except 501.
    fn passing(&self) -> bool {
        matches!(self.status, 412 | 429 | 500 | 502..=599) && !self.sealed()
    }

    pub fn retry_after(&self) -> Option<Duration> {
        retry_after::of(&self.headers)
    }
}

pub struct Transport {
    pub(super) settings: Settings,
    http: reqwest::Client,
    active: ActiveNode,
    log: RequestLog,
    /// Mean of the first wait between two reads, doubled for the next.
    backoff: Duration,
}

impl Transport {
    /// Prepares the way; nothing is sent.
    pub fn new(settings: Settings, log: RequestLog) -> Result<Self, VaultError> {
        let http = build(&settings, &settings.address.url, settings.address.socket.is_some())?;
        Ok(Self { settings, http, active: ActiveNode::default(), log, backoff: Duration::from_millis(250) })
    }

    /// Sends `call` and returns the answer, within the time set.
    pub async fn send(&self, call: &Call<'_>) -> Result<Answer, VaultError> {
        let Some(limit) = self.settings.timeout else { return self.attempts(call, None).await };
        let end = Instant::now() + limit;
        match tokio::time::timeout(limit, self.attempts(call, Some(end))).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let limit = match limit.subsec_millis() {
                    0 => shared::duration::short(limit),
                    _ => format!("{}ms", limit.as_millis()),
                };
                (self.log)(&format!("{}: no answer within {limit}", one_line(&call.shown())));
                Err(VaultError::Timeout { address: self.settings.address.shown.clone(), request: call.shown(), limit })
            }
        }
    }

    /// Reads are sent again where that can help. Writes and logins never are:
    /// one that got no answer may have taken effect.
    async fn attempts(&self, call: &Call<'_>, end: Option<Instant>) -> Result<Answer, VaultError> {
        let mut attempt = 0;
        loop {
            let outcome = self.follow(call).await;
            if call.method != Method::GET || attempt == RETRIES {
                return outcome;
            }
            let asked = match &outcome {
                Ok(answer) if answer.passing() => answer.retry_after(),
                Err(VaultError::Unreachable { .. } | VaultError::NoAnswer { .. }) => None,
                _ => return outcome,
            };
            // Full jitter: a fleet that failed together does not come back together.
            let wait = asked.unwrap_or_else(|| (self.backoff * 2 * (1 << attempt)).mul_f64(rand::random()));
            let left = end.map_or(WAIT_AT_MOST, |end| end.saturating_duration_since(Instant::now()).min(WAIT_AT_MOST));
            if wait >= left {
                return outcome;
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// One request, and one more where Vault names another address for it.
    async fn follow(&self, call: &Call<'_>) -> Result<Answer, VaultError> {
        let (url, api_path) = call.url(&self.settings.address.url);
        let shown = &self.settings.address.shown;
        let mut answer = self.exchange(&self.http, &url, shown, call).await?;
        if self.active.refused(answer.status, &answer.body) {
            // Refused before it was looked at, so even a write is sent again.
            answer = self.exchange(&self.http, &url, shown, call).await?;
        }
        let refuse = |address: &str, answer: &Answer, why| VaultError::Redirect {
            address: address.to_owned(),
            request: call.shown(),
            location: answer.header(LOCATION).map(str::to_owned),
            why,
        };
        let next = redirect::next(&url, &api_path, answer.status, answer.header(LOCATION))
            .map_err(|why| refuse(shown, &answer, why))?;
        let Some(next) = next else { return Ok(answer) };
        let http = build(&self.settings, &next, false)?;
        let shown = next[..url::Position::BeforePath].to_owned();
        let answer = self.exchange(&http, &next, &shown, call).await?;
        match redirect::next(&next, &api_path, answer.status, answer.header(LOCATION)) {
            Ok(None) => Ok(answer),
            Ok(Some(_)) => Err(refuse(&shown, &answer, "it is the second one for this request")),
            Err(why) => Err(refuse(&shown, &answer, why)),
        }
    }

    /// One request on the wire, and its line in the log.
    async fn exchange(
        &self,
        http: &reqwest::Client,
        url: &Url,
        address: &str,
        call: &Call<'_>,
    ) -> Result<Answer, VaultError> {
        let started = Instant::now();
        let outcome = self.on_the_wire(http, url, address, call).await;
        let result = match &outcome {
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        (self.log)(&format!("{}: {result} ({} ms)", one_line(&call.shown()), started.elapsed().as_millis()));
        outcome
    }

    async fn on_the_wire(
        &self,
        http: &reqwest::Client,
        url: &Url,
        address: &str,
        call: &Call<'_>,
    ) -> Result<Answer, VaultError> {
        let lost = |error: reqwest::Error| connect_error::of_request(&error, address, &call.shown());
        let (url, host) = under_server_name(&self.settings, url);
        let mut request = http.request(call.method.clone(), url).headers(self.headers(call)?);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        if let Some(body) = &call.body {
            request = request.header("Content-Type", "application/json").body(body.clone());
        }
        let mut response = request.send().await.map_err(lost)?;
        let too_large = || VaultError::TooLarge { address: address.to_owned(), request: call.shown() };
        let body = http::body(&mut response, BODY_AT_MOST).await.map_err(lost)?.ok_or_else(too_large)?;
        self.active.learn(response.headers());
        Ok(Answer { status: response.status().as_u16(), body, headers: response.headers().clone() })
    }

    fn headers(&self, call: &Call<'_>) -> Result<HeaderMap, VaultError> {
        let value = |text: &str, what: &str| {
            HeaderValue::from_bytes(text.as_bytes()).map_err(|_| VaultError::Client {
                address: self.settings.address.shown.clone(),
                cause: format!("the {what} cannot be sent in a header"),
            })
        };
        let mut headers = HeaderMap::new();
        // Proves to a proxy in front of Vault that a program, not a lured browser, is asking.
        headers.insert("X-Vault-Request", HeaderValue::from_static("true"));
        if let Some(namespace) = &self.settings.namespace {
            headers.insert("X-Vault-Namespace", value(namespace, "namespace")?);
        }
        self.active.ask(&mut headers);
        if let Some(token) = &call.token {
            let mut token = value(token.expose(), "token")?;
            token.set_sensitive(true);
            headers.insert("X-Vault-Token", token);
        }
        Ok(headers)
    }
}

/// reqwest takes the name for SNI and verification from the URL. Where
/// another name is set, it goes into the URL, and the real host into the
/// `Host` header, as in Vault's own client.
fn under_server_name(settings: &Settings, url: &Url) -> (Url, Option<String>) {
    let mut target = url.clone();
    let Some(name) = other_name(settings, url) else { return (target, None) };
    // Settings hold only names that a URL takes.
    let _ = target.set_host(Some(name));
    (target, Some(url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()))
}

fn other_name<'a>(settings: &'a Settings, url: &Url) -> Option<&'a str> {
    settings.server_name.as_deref().filter(|name| url.scheme() == "https" && url.host_str() != Some(*name))
}

/// Finds the real host under whatever name is asked for.
struct RealHost(String);

impl Resolve for RealHost {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            // Port 0 stands for the URL's port.
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// A client for requests to `url`'s host.
fn build(settings: &Settings, url: &Url, over_socket: bool) -> Result<reqwest::Client, VaultError> {
    let failed = |cause: String| VaultError::Client { address: settings.address.shown.clone(), cause };
    let mut builder = reqwest::Client::builder()
        .user_agent(http::USER_AGENT)
        // All three are done here, where writes and reads can be distinguished.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // A handful of requests gain nothing from HTTP/2, where `Host` cannot be set.
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_danger_accept_invalid_certs(settings.skip_verify);
    match &settings.trust {
        // Plain http also works where the system has no certificates.
        Trust::System if url.scheme() == "http" => builder = builder.tls_certs_only(Vec::new()),
        Trust::System => {}
        Trust::Only(pems) => {
            let mut all = Vec::new();
            for pem in pems {
                let unreadable = || failed(format!("{} holds a certificate that cannot be read", pem.source));
                all.extend(certificates(pem).ok_or_else(unreadable)?);
            }
            builder = builder.tls_certs_only(all);
        }
    }
    if let Some(identity) = &settings.identity {
        let (source, key) = &identity.key;
        let both = [key.expose().as_bytes(), b"\n", &identity.certificate.text].concat();
        let identity = reqwest::Identity::from_pem(&both);
        builder = builder.identity(identity.map_err(|error| failed(format!("{source}: {}", innermost(&error))))?);
    }
    if other_name(settings, url).is_some()
        && let Some(host) = url.host_str()
    {
        // A proxy would be asked for the name, not for the host.
        builder = builder.no_proxy().dns_resolver(RealHost(host.trim_matches(['[', ']']).to_owned()));
    }
    if is_loopback(url) {
        // As Go's and so the vault CLI's: a proxy cannot reach this machine's loopback.
        builder = builder.no_proxy();
    }
    #[cfg(unix)]
    if let Some(socket) = settings.address.socket.as_deref().filter(|_| over_socket) {
        builder = builder.unix_socket(socket);
    }
    #[cfg(not(unix))]
    let _ = over_socket;
    builder.build().map_err(|error| failed(innermost(&error)))
}

/// The certificates of one source; `None` if one of them is nonsense. reqwest
/// would find that too, but not say where.
fn certificates(pem: &Pem) -> Option<Vec<reqwest::Certificate>> {
    let blocks = pem::parse_many(&pem.text).ok()?;
    let certificates = blocks.iter().filter(|block| block.tag() == "CERTIFICATE").map(|block| {
        rustls::RootCertStore::empty().add(block.contents().to_vec().into()).ok()?;
        reqwest::Certificate::from_der(block.contents()).ok()
    });
    certificates.collect()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
pub(in crate::vault) mod tests;
