//! Sends requests to a real API server: kube's client underneath, raw paths, bounded size
//! and time. `client` makes the HTTP client, `classify_error` says what a failed request
//! means, `names` lists names for completion.

mod classify_error;
mod client;
mod names;

use crate::cloud::{Entry, login};
use crate::cluster::error::{ClusterError, ServerContext};
use crate::cluster::handshake::Handshakes;
use crate::cluster::kubeconfig::connection::Connection;
use crate::cluster::kubeconfig::without_userinfo;
use crate::cluster::service_account::ServiceAccount;
use crate::cluster::way::{EndpointAddress, authority_of};
use crate::cluster::{Cluster, ClusterTarget};
use crate::http::retry_after;
use crate::keychain::authority::{Authority, AuthorityId};
use crate::keychain::evidence::Reached;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use kube::Client;
use kube::client::Body;
use kube::config::AuthInfo;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use shared::Secret;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Largest answer that is read. A JWKS of 100 RSA keys has 60 KiB.
const BODY_LIMIT: usize = 1024 * 1024;
/// How often a request is sent again where the server asks for it.
const RETRIES: u32 = 2;
/// Longest pause that a server's `Retry-After` is obeyed for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause where it names none.
const PAUSE: Duration = Duration::from_millis(500);

const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEY_SET: &str = "/openid/v1/jwks";
const KUBE_SYSTEM: &str = "/api/v1/namespaces/kube-system";
const ROOT_CA: &str = "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt";

pub struct ApiServer {
    client: Client,
    target: ClusterTarget,
    place: Arc<ServerContext>,
    timeout: Option<Duration>,
    entry: Entry,
    address: EndpointAddress,
    handshakes: Handshakes,
    /// PEM of the client certificate, to explain a refusal.
    client_certificate: Option<Vec<u8>>,
    /// Where requests are counted, for a server that is polled.
    polls: Option<Arc<AtomicU64>>,
}

struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    retry_after: Option<Duration>,
}

impl ApiServer {
    /// Makes the client. Sends nothing yet, but runs the user entry's exec
    /// plugin if there is one: without a bound on time, since it may ask a
    /// person.
    pub async fn connect(connection: Connection) -> Result<Self, ClusterError> {
        let Connection { config, target, entry, user, timeout, kubectl_flags } = connection;
        let place = Arc::new(ServerContext {
            server: target.server.clone(),
            context: target.context.clone(),
            user,
            proxy: config.proxy_url.as_ref().map(|url| without_userinfo(&url.to_string())),
            kubectl_flags,
        });
        let client_certificate = certificate_of(&config.auth_info);
        let exec = config.auth_info.exec.clone();
        let address = address(&config, entry.in_pod);
        let handshakes = Handshakes::default();
        let recorded = handshakes.clone();
        let client = tokio::task::spawn_blocking(move || client::client(config, &recorded))
            .await
            .map_err(|error| ClusterError::Setup { at: place.clone(), cause: error.to_string() })?
            .map_err(|error| classify_error::setup(&place, exec.as_ref(), login::of(&entry), error))?;
        Ok(Self { client, target, place, timeout, entry, address, handshakes, client_certificate, polls: None })
    }

    /// The same for polls: their requests are counted in `requests`, and each has a
    /// connection of its own. Behind one address there can be several servers that
    /// publish different sets; on a connection that is kept, only one of them would
    /// ever be heard. And what a poll shows rests on its own handshakes.
    pub fn polled(self, requests: Arc<AtomicU64>) -> Self {
        Self { polls: Some(requests), ..self }
    }

    /// Sends a request, again if the server asks for that, and reads the
    /// answer; all of it within the bound.
    async fn ask(&self, method: &Method, path: &str, body: &[u8]) -> Result<Answer, ClusterError> {
        let asked = async {
            let mut left = RETRIES;
            loop {
                let answer = self.ask_once(method, path, body).await?;
                let busy = matches!(answer.status.as_u16(), 429 | 503 | 504);
                if !busy || left == 0 {
                    return Ok(answer);
                }
                left -= 1;
                tokio::time::sleep(answer.retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE)).await;
            }
        };
        match self.timeout {
            None => asked.await,
            Some(after) => tokio::time::timeout(after, asked).await.unwrap_or_else(|_| {
                Err(ClusterError::Timeout { at: self.place.clone(), request: shown(method, path), after })
            }),
        }
    }

    async fn ask_once(&self, method: &Method, path: &str, body: &[u8]) -> Result<Answer, ClusterError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json, */*")
            .header(header::USER_AGENT, concat!("kubectl-vaultjwt/", env!("CARGO_PKG_VERSION")));
        if let Some(requests) = &self.polls {
            requests.fetch_add(1, Ordering::Relaxed);
            request = request.header(header::CONNECTION, "close");
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Body::from(body.to_vec()))
            .map_err(|error| self.bad_answer(method, path, &error.to_string()))?;
        let failed = |error: &(dyn std::error::Error + 'static)| {
            classify_error::transport(&self.place, self.client_certificate.as_deref(), error)
        };
        let response = self.client.send(request).await.map_err(|error| failed(&error))?;
        let status = response.status();
        let asked = response.headers().get(header::RETRY_AFTER);
        let retry_after = asked.and_then(|value| retry_after::parse(value.to_str().ok()?));
        let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ClusterError::TooLarge { at: self.place.clone(), request: shown(method, path), limit: BODY_LIMIT }
            } else {
                failed(error.as_ref())
            }
        })?;
        Ok(Answer { status, body: body.to_bytes().to_vec(), retry_after })
    }

    /// What an answer other than success means, where it means the same for
    /// every request.
    fn refusal(&self, method: &Method, path: &str, answer: &Answer) -> ClusterError {
        let words = classify_error::words(answer.status, &answer.body);
        if answer.status == StatusCode::UNAUTHORIZED {
            return classify_error::unauthorized(&self.place, self.client_certificate.as_deref(), words);
        }
        let (at, request) = (self.place.clone(), shown(method, path));
        ClusterError::Refused { at, request, status: answer.status.as_u16(), words, retry_after: answer.retry_after }
    }

    fn bad_answer(&self, method: &Method, path: &str, cause: &str) -> ClusterError {
        ClusterError::BadAnswer { at: self.place.clone(), request: shown(method, path), cause: cause.to_owned() }
    }

    /// What was presented before does not count any more.
    pub fn begin_poll(&self) {
        self.handshakes.forget();
    }

    /// The body of a successful answer.
    async fn get(&self, path: &str) -> Result<Vec<u8>, ClusterError> {
        let answer = self.ask(&Method::GET, path, &[]).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(self.refusal(&Method::GET, path, &answer)) }
    }

    async fn get_json(&self, path: &str) -> Result<Value, ClusterError> {
        let body = self.get(path).await?;
        serde_json::from_slice(&body).map_err(|_| self.bad_answer(&Method::GET, path, "it is not JSON"))
    }

    async fn discovery(&self, path: &'static str) -> Result<Vec<u8>, ClusterError> {
        self.get(path).await.map_err(|error| match error {
            ClusterError::Refused { at, status: 403, words, .. } => {
                ClusterError::DiscoveryForbidden { at, path, words }
            }
            ClusterError::Refused { at, status: 404, words, .. } => ClusterError::DiscoveryMissing { at, path, words },
            other => other,
        })
    }
}

/// Where requests go, for the judgment of who answers.
fn address(config: &kube::Config, in_pod: bool) -> EndpointAddress {
    let url = &config.cluster_url;
    let path = url.path_and_query().map(|path| path.as_str().trim_end_matches('/')).unwrap_or_default();
    let host = url.host().unwrap_or_default().to_ascii_lowercase();
    let port = url.port_u16().filter(|port| *port != 443).map(|port| format!(":{port}")).unwrap_or_default();
    let certificates = config.root_cert.as_ref();
    EndpointAddress {
        url: format!("{}://{host}{port}{path}", url.scheme_str().unwrap_or("https")),
        has_path: !path.is_empty(),
        bundle: certificates.map(|all| all.iter().map(|der| CertificateDer::from(der.clone())).collect()),
        in_pod,
    }
}

fn shown(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}

/// The client certificate, which `kubeconfig` has made inline.
fn certificate_of(user: &AuthInfo) -> Option<Vec<u8>> {
    STANDARD.decode(user.client_certificate_data.as_deref()?).ok()
}

/// A name that is one path segment and means itself (RFC 1123, as Kubernetes
/// uses it for namespaces and service accounts).
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 253 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

#[async_trait]
impl Cluster for ApiServer {
    fn target(&self) -> &ClusterTarget {
        &self.target
    }

    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
    }

    async fn discovery_document(&self) -> Result<Vec<u8>, ClusterError> {
        self.discovery(DISCOVERY).await
    }

    async fn key_set(&self) -> Result<Vec<u8>, ClusterError> {
        self.discovery(KEY_SET).await
    }

    async fn uid(&self) -> Result<String, ClusterError> {
        let namespace = self.get_json(KUBE_SYSTEM).await.map_err(|error| match error {
            ClusterError::Refused { at, status: 403, words, .. } => ClusterError::UidForbidden { at, words },
            other => other,
        })?;
        match namespace.pointer("/metadata/uid").and_then(Value::as_str) {
            Some(uid) if !uid.is_empty() => Ok(uid.to_owned()),
            _ => Err(self.bad_answer(&Method::GET, KUBE_SYSTEM, "metadata.uid is missing")),
        }
    }

    async fn root_authorities(&self) -> Result<Vec<AuthorityId>, ClusterError> {
        let object = self.get_json(ROOT_CA).await?;
        let text = object.pointer("/data/ca.crt").and_then(Value::as_str).unwrap_or_default();
        let blocks =
            pem::parse_many(text).map_err(|_| self.bad_answer(&Method::GET, ROOT_CA, "data.ca.crt is not PEM"))?;
        let mut found = Vec::new();
        for block in blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE") {
            let id = authority_of(&CertificateDer::from(block.into_contents()));
            found.extend(id.filter(|id| !found.contains(id)));
        }
        Ok(found)
    }

    fn reached(&self, recorded: &[Authority]) -> Reached {
        self.address.reached(self.handshakes.all().as_deref(), recorded)
    }

    fn way(&self) -> Option<Authority> {
        self.address.way(self.handshakes.all().as_deref())
    }

    fn trusted(&self) -> Vec<AuthorityId> {
        self.address.bundle.iter().flatten().filter_map(authority_of).collect()
    }

    async fn token(
        &self,
        account: &ServiceAccount,
        audiences: &[String],
        seconds: i64,
    ) -> Result<Secret, ClusterError> {
        for (kind, name) in [("namespace", &account.namespace), ("service account", &account.name)] {
            if !is_name(name) {
                return Err(ClusterError::NotAName { kind, name: name.clone() });
            }
        }
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", account.namespace, account.name);
        let wanted = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(audiences.to_vec()),
                expiration_seconds: Some(seconds),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let unreadable = |cause: &str| self.bad_answer(&Method::POST, &path, cause);
        let body = serde_json::to_vec(&wanted).map_err(|error| unreadable(&error.to_string()))?;
        let answer = self.ask(&Method::POST, &path, &body).await?;
        let (at, account) = (self.place.clone(), account.clone());
        match answer.status {
            status if status.is_success() => {
                // serde's error would show a part of the answer, which is a credential.
                let granted: TokenRequest =
                    serde_json::from_slice(&answer.body).map_err(|_| unreadable("it is not a TokenRequest"))?;
                match granted.status.and_then(|status| status.token) {
                    Some(token) if !token.is_empty() => Ok(Secret::new(token)),
                    _ => Err(unreadable("status.token is missing")),
                }
            }
            status @ StatusCode::FORBIDDEN => {
                Err(ClusterError::TokenForbidden { at, account, words: classify_error::words(status, &answer.body) })
            }
            StatusCode::NOT_FOUND => match classify_error::missing_kind(&answer.body).as_deref() {
                Some("namespaces") => Err(ClusterError::NamespaceMissing { at, namespace: account.namespace }),
                Some("serviceaccounts") => Err(ClusterError::ServiceAccountMissing { at, account }),
                _ => Err(self.refusal(&Method::POST, &path, &answer)),
            },
            _ => Err(self.refusal(&Method::POST, &path, &answer)),
        }
    }
}

#[cfg(test)]
mod tests;
