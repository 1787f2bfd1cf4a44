//! Reads an issuer's own documents at its https URL (OpenID Connect Discovery 1.0 section
//! 4): HTTPS only, no redirect to another host, bounded in size and time.

use crate::http::cause::innermost;
use crate::http::{self, retry_after};
use async_trait::async_trait;
use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde::Deserialize;
use shared::text::{one_line, os_cause};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

const LARGEST: usize = 1024 * 1024;
/// Bound on one document. Short: an issuer inside a network is often silent rather than absent,
/// and the API server is the alternative.
const PATIENCE: Duration = Duration::from_secs(10);

/// Largest document that is remembered: a key set of 400 RSA keys.
const REMEMBERED: usize = 256 * 1024;
/// Most documents that are remembered: two of each issuer.
const DOCUMENTS: usize = 2_048;
/// Longest time that a site is left alone because it asks for it.
const ALONE_AT_MOST: Duration = Duration::from_secs(3_600);

/// Discovery documents are JSON; a kube-apiserver answers 406 for its key set
/// unless its own media type is named (kubernetes
/// `pkg/serviceaccount/openidmetadata.go`, `JWKSPath`).
const ACCEPT: &str = "application/json, application/jwk-set+json";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Discovery {
    /// The issuer, byte for byte what tokens carry.
    pub issuer: String,
    pub jwks_uri: Option<String>,
}

/// The port to issuers' own sites.
#[async_trait]
pub trait IssuerSite: Send + Sync {
    /// Body of `GET url`.
    async fn get(&self, url: &Url) -> Result<Vec<u8>, SiteError>;
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    #[error("{}", one_line(.0))]
    Transport(String),
    #[error("it answered {0}")]
    Status(u16),
    #[error("it answered {status} and asks to be left alone for {}", shared::duration::short(*.left))]
    Busy { status: u16, left: Duration },
    #[error("its answer is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("could not read the CA certificates \"{path}\": {why}")]
    CaFile { path: String, why: String },
}

impl SiteError {
    pub fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self::CaFile { path: one_line(&path.display().to_string()), why: os_cause(error) }
    }
}

/// The site over HTTPS. A document that was read before is requested conditionally, where the
/// site supports that (RFC 9110 section 13), and a site that sent `Retry-After` gets no request
/// before that time.
pub struct HttpsSite {
    client: reqwest::Client,
    documents: Mutex<HashMap<Url, Document>>,
    /// Hosts that asked to be left alone: with what status, until when.
    alone: Mutex<HashMap<String, (u16, Instant)>>,
    requests: Arc<AtomicU64>,
}

struct Document {
    condition: (HeaderName, HeaderValue),
    body: Vec<u8>,
}

impl HttpsSite {
    /// A client that trusts the system's authorities, or only those in
    /// `ca_file` where one is given.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, SiteError> {
        let same_host = reqwest::redirect::Policy::custom(|attempt| {
            let stays = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
            if !stays {
                attempt.error("it redirects to another host")
            } else if attempt.previous().len() > 3 {
                attempt.error("it redirects too often")
            } else {
                attempt.follow()
            }
        });
        let mut builder = http::over_https(PATIENCE, same_host);
        if let Some(path) = ca_file {
            let refuse = |why: String| SiteError::CaFile { path: one_line(&path.display().to_string()), why };
            let pem = std::fs::read(path).map_err(|e| SiteError::of_file(path, &e))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| refuse(innermost(&e)))?;
            if certificates.is_empty() {
                return Err(refuse("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|e| SiteError::Transport(innermost(&e)))?;
        Ok(Self { client, documents: Mutex::default(), alone: Mutex::default(), requests: Arc::default() })
    }

    /// How many requests were sent, redirects left out.
    pub fn requests(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.requests)
    }

    fn left_alone(&self, host: &str) -> Result<(), SiteError> {
        let mut alone = self.alone.lock();
        let Some((status, until)) = alone.get(host).copied() else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            alone.remove(host);
            return Ok(());
        }
        Err(SiteError::Busy { status, left })
    }
}

/// On which condition the same document is to be sent again.
fn condition(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    let header = |name: HeaderName| headers.get(name).cloned();
    let by_tag = header(ETAG).map(|tag| (IF_NONE_MATCH, tag));
    by_tag.or_else(|| header(LAST_MODIFIED).map(|time| (IF_MODIFIED_SINCE, time)))
}

#[async_trait]
impl IssuerSite for HttpsSite {
    async fn get(&self, url: &Url) -> Result<Vec<u8>, SiteError> {
        let transport = |e: reqwest::Error| SiteError::Transport(innermost(&e));
        let host = url.authority();
        self.left_alone(host)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut request = self.client.get(url.clone()).header("accept", ACCEPT);
        if let Some(known) = self.documents.lock().get(url) {
            request = request.header(&known.condition.0, &known.condition.1);
        }
        let mut response = request.send().await.map_err(transport)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED
            && let Some(known) = self.documents.lock().get(url)
        {
            return Ok(known.body.clone());
        }
        if status != StatusCode::OK {
            let status = status.as_u16();
            return Err(match retry_after::of(response.headers()) {
                Some(left) if matches!(status, 429 | 503) && !left.is_zero() => {
                    let left = left.min(ALONE_AT_MOST);
                    self.alone.lock().insert(host.to_owned(), (status, Instant::now() + left));
                    SiteError::Busy { status, left }
                }
                _ => SiteError::Status(status),
            });
        }
        let condition = condition(response.headers());
        let body = http::body(&mut response, LARGEST).await.map_err(transport)?.ok_or(SiteError::TooLarge)?;
        match condition.filter(|_| body.len() <= REMEMBERED) {
            Some(condition) => {
                let mut documents = self.documents.lock();
                // A site can name another URL for its keys each time.
                if documents.len() >= DOCUMENTS {
                    documents.clear();
                }
                documents.insert(url.clone(), Document { condition, body: body.clone() });
            }
            None => {
                self.documents.lock().remove(url);
            }
        }
        Ok(body)
    }
}

/// URL of an issuer's discovery document: exactly one slash between issuer
/// and path, whether the issuer ends in one (AKS) or not.
pub fn discovery_url(issuer: &str) -> Option<Url> {
    let url = Url::parse(issuer).ok()?;
    if url.scheme() != "https" || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    Url::parse(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).ok()
}

#[cfg(test)]
mod tests;
