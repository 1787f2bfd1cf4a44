//! Sends HTTP requests to the test servers, one at a time: status and body.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Proxy};

use crate::certificates;

/// A request that got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{method} {url}: {cause}")]
pub struct HttpError {
    method: String,
    url: String,
    cause: String,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// The body as sent.
    pub text: String,
}

impl Answer {
    /// The body as JSON, `null` when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Is the status 2xx?
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Http {
    agent: Agent,
    base: String,
}

/// Takes every name for this machine: servers of tests are nowhere else, and
/// some of them have names that no resolver knows.
#[derive(Debug)]
struct Here;

impl Resolver for Here {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let mut found = self.empty();
        found.push(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Ok(found)
    }
}

impl Http {
    /// A client that trusts `ca` alone and shows `client` when asked.
    ///
    /// # Errors
    /// A certificate cannot be read.
    pub fn new(
        base: impl Into<String>,
        ca: Option<&str>,
        client: Option<&certificates::Certificate>,
    ) -> Result<Self, HttpError> {
        Self::by(None, base.into(), ca, client)
    }

    /// A client that trusts `ca` alone and asks a forward proxy for the server.
    ///
    /// # Errors
    /// The certificate or the proxy's address cannot be read.
    pub fn through(proxy: &str, base: impl Into<String>, ca: &str) -> Result<Self, HttpError> {
        let base = base.into();
        let unreadable =
            |error: ureq::Error| HttpError { method: "proxy for".into(), url: base.clone(), cause: error.to_string() };
        let proxy = Proxy::new(proxy).map_err(unreadable)?;
        Self::by(Some(proxy), base, Some(ca), None)
    }

    fn by(
        proxy: Option<Proxy>,
        base: String,
        ca: Option<&str>,
        client: Option<&certificates::Certificate>,
    ) -> Result<Self, HttpError> {
        let unreadable = |error: ureq::Error| HttpError {
            method: "certificates for".into(),
            url: base.clone(),
            cause: error.to_string(),
        };
        let mut tls =
            TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        if let Some(ca) = ca {
            let ca = Certificate::from_pem(ca.as_bytes()).map_err(unreadable)?;
            tls = tls.root_certs(RootCerts::new_with_certs(&[ca]));
        }
        if let Some(client) = client {
            let certificate = Certificate::from_pem(client.certificate.as_bytes()).map_err(unreadable)?;
            let key = PrivateKey::from_pem(client.key.as_bytes()).map_err(unreadable)?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&[certificate], key)));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            // The developer's proxy has nothing to do with loopback.
            .proxy(proxy)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // Vault's LIST.
            .allow_non_standard_methods(true)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Ok(Self { agent: Agent::with_parts(config, DefaultConnector::default(), Here), base })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// There was no answer, or it cannot be read.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, HttpError> {
        let url = format!("{}{path}", self.base);
        let failed = |cause: String| HttpError { method: method.to_owned(), url: url.clone(), cause };
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer: Result<Response<ureq::Body>, ureq::Error> = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_string());
                request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
            None => request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request)),
        };
        let mut answer = answer.map_err(|error| failed(error.to_string()))?;
        let text = answer.body_mut().read_to_string().map_err(|error| failed(error.to_string()))?;
        Ok(Answer { status: answer.status().as_u16(), text })
    }
}
