//! Owns reading an issuer's own documents at its https URL (OpenID Connect
//! Discovery 1.0 section 4): HTTPS only, no redirect to another host, bounded
//! in size and time.

use crate::cause::innermost;
use async_trait::async_trait;
use serde::Deserialize;
use shared::text::{one_line, os_cause};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// Largest document read.
const LARGEST: usize = 1024 * 1024;
/// Bound on one document. Short: an issuer inside a network is often silent
/// rather than absent, and the API server is the other way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Discovery documents are JSON; a kube-apiserver answers 406 for its key set
/// unless its own media type is named (kubernetes
/// `pkg/serviceaccount/openidmetadata.go`, `JWKSPath`).
const ACCEPT: &str = "application/json, application/jwk-set+json";

/// A discovery document, as far as it concerns keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Discovery {
    /// The issuer, byte for byte what tokens carry.
    pub issuer: String,
    /// Where the keys are.
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
    /// Anything between here and the answer.
    #[error("{}", one_line(.0))]
    Transport(String),
    /// An answer that is not 200.
    #[error("it answered {0}")]
    Status(u16),
    /// More than fits.
    #[error("its answer is larger than {LARGEST} bytes")]
    TooLarge,
    /// The CA file.
    #[error("could not read the CA certificates \"{path}\": {why}")]
    CaFile {
        /// The file.
        path: String,
        /// The cause.
        why: String,
    },
}

/// The site over HTTPS.
pub struct HttpsSite {
    client: reqwest::Client,
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
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .redirect(same_host)
            .timeout(PATIENCE)
            .user_agent(concat!("kubectl-vaultjwt/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca_file {
            let refuse = |why: String| SiteError::CaFile { path: one_line(&path.display().to_string()), why };
            let pem = std::fs::read(path).map_err(|e| refuse(os_cause(&e)))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| refuse(innermost(&e)))?;
            if certificates.is_empty() {
                return Err(refuse("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|e| SiteError::Transport(innermost(&e)))?;
        Ok(Self { client })
    }
}

#[async_trait]
impl IssuerSite for HttpsSite {
    async fn get(&self, url: &Url) -> Result<Vec<u8>, SiteError> {
        let transport = |e: reqwest::Error| SiteError::Transport(innermost(&e));
        let request = self.client.get(url.clone()).header("accept", ACCEPT);
        let mut response = request.send().await.map_err(transport)?;
        if response.status().as_u16() != 200 {
            return Err(SiteError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(SiteError::TooLarge);
            }
            body.extend_from_slice(&chunk);
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
mod tests {
    use super::*;

    #[test]
    fn one_slash_before_the_well_known_path() {
        for (issuer, url) in [
            ("https://a/id/1", Some("https://a/id/1/.well-known/openid-configuration")),
            ("https://a/t/u/", Some("https://a/t/u/.well-known/openid-configuration")),
            ("https://a", Some("https://a/.well-known/openid-configuration")),
            ("http://a", None),
            ("https://a?x=1", None),
            ("kubernetes/serviceaccount", None),
        ] {
            assert_eq!(discovery_url(issuer).as_ref().map(Url::as_str), url, "{issuer}");
        }
    }
}
