//! The web sites of issuers: where EKS, AKS and GKE publish a cluster's keys outside its API
//! server. [`ConnectProxy`] leads their host names here.
//!
//! [`ConnectProxy`]: super::ConnectProxy

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::listener::Listener;
use super::raw_http::Request;
use super::script::{Script, host_of};
use super::scripted::{self, Reply};
use super::{Cluster, ServerError};
use crate::certificates::Authority;
use crate::http::Http;
use crate::keys::SigningKey;
use crate::process::locked;

/// A site with the discovery documents and keys of any number of issuers.
#[derive(Debug)]
pub struct OidcSite {
    shared: Arc<Shared>,
    listener: Listener,
    ca: String,
}

#[derive(Debug, Default)]
struct Shared {
    script: Script,
    issuers: Mutex<Vec<Published>>,
}

#[derive(Debug, Clone)]
struct Published {
    issuer: String,
    keys: Keys,
}

/// Where the key set comes from.
#[derive(Debug, Clone)]
enum Keys {
    /// The cluster is asked each time.
    Of(Http),
    These(Value),
}

impl OidcSite {
    /// Starts one with a certificate for `hosts`, signed by an authority of
    /// its own.
    ///
    /// # Errors
    /// The certificate or the listener cannot be made.
    pub fn start(hosts: &[&str]) -> Result<Self, ServerError> {
        Self::start_by(&Authority::new("issuers' site")?, hosts)
    }

    /// As [`Self::start`], signed by this authority.
    ///
    /// # Errors
    /// The certificate or the listener cannot be made.
    pub fn start_by(authority: &Authority, hosts: &[&str]) -> Result<Self, ServerError> {
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let listener = scripted::start(&authority.server_for(hosts)?, move |request| serving.answer(request));
        let listener = listener.map_err(ServerError::io("starting an issuers' site"))?;
        Ok(Self { shared, listener, ca: authority.pem() })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// The certificate of its authority, PEM.
    pub fn ca_pem(&self) -> String {
        self.ca.clone()
    }

    /// Serves `issuer` with the keys that `cluster` publishes at the moment of
    /// each request. An issuer that ends in a slash has its keys at
    /// `openid/v1/jwks`, as AKS has them, others at `/keys`, as EKS does.
    pub fn add(&self, issuer: &str, cluster: &Cluster) {
        self.publish(issuer, Keys::Of(cluster.client().clone()));
    }

    /// As [`Self::add`], with these keys, whatever becomes of any cluster.
    pub fn add_keys(&self, issuer: &str, keys: &[SigningKey]) {
        let keys: Vec<_> = keys.iter().map(SigningKey::jwk).collect();
        self.publish(issuer, Keys::These(json!({"keys": keys})));
    }

    fn publish(&self, issuer: &str, keys: Keys) {
        let mut issuers = locked(&self.shared.issuers);
        issuers.retain(|one| one.issuer != issuer);
        issuers.push(Published { issuer: issuer.to_owned(), keys });
    }

    /// From now on a request (`GET /id/ABC/keys`) is answered so.
    pub fn answer(&self, request: &str, status: u16, content_type: &str, body: &str) {
        self.shared.script.answer(request, false, Reply::new(status, content_type, body));
    }

    /// Ends what [`Self::answer`] began.
    pub fn recover(&self) {
        self.shared.script.clear();
    }

    /// The requests that have come, as `GET /id/ABC/keys`, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.script.requests()
    }
}

/// Host and path of an issuer, the path without a slash at its end.
fn parts(issuer: &str) -> (String, &str) {
    let rest = issuer.strip_prefix("https://").unwrap_or(issuer).trim_end_matches('/');
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    (host.split(':').next().unwrap_or_default().to_ascii_lowercase(), path)
}

fn jwks_uri(issuer: &str) -> String {
    format!("{issuer}{}", if issuer.ends_with('/') { "openid/v1/jwks" } else { "/keys" })
}

impl Shared {
    fn answer(&self, request: &Request) -> Reply {
        if let Some(reply) = self.script.play(request) {
            return reply;
        }
        let host = host_of(request);
        // A copy: a cluster may take its time, and others are served meanwhile.
        let issuers = locked(&self.issuers).clone();
        let mut of_host = issuers.iter().filter(|one| parts(&one.issuer).0 == host && request.method == "GET");
        let found = of_host.find_map(|one| {
            let path = request.path();
            if path == format!("{}/.well-known/openid-configuration", parts(&one.issuer).1) {
                return Some(Reply::json(200, &discovery(&one.issuer)));
            }
            (path == parts(&jwks_uri(&one.issuer)).1).then(|| one.keys.reply())
        });
        found.unwrap_or_else(|| Reply::json(404, &json!({"message": "Not Found"})))
    }
}

impl Keys {
    fn reply(&self) -> Reply {
        match self {
            Self::These(keys) => Reply::json(200, keys),
            Self::Of(http) => match http.send("GET", "/openid/v1/jwks", &[], None) {
                Ok(answer) => Reply::new(answer.status, "application/json", answer.text),
                Err(error) => Reply::new(502, "text/plain", error.to_string()),
            },
        }
    }
}

/// As EKS writes it.
fn discovery(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "jwks_uri": jwks_uri(issuer),
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "claims_supported": ["sub", "iss"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_with_and_without_a_slash_at_the_end() {
        let eks = "https://oidc.eks.us-east-1.amazonaws.com/id/ABC";
        assert_eq!(parts(eks), ("oidc.eks.us-east-1.amazonaws.com".to_owned(), "/id/ABC"));
        assert_eq!(jwks_uri(eks), format!("{eks}/keys"));
        let aks = "https://Westus2.oic.prod-aks.azure.com/t/c/";
        assert_eq!(parts(aks), ("westus2.oic.prod-aks.azure.com".to_owned(), "/t/c"));
        assert_eq!(jwks_uri(aks), format!("{aks}openid/v1/jwks"));
        assert_eq!(parts("https://127.0.0.1:6443"), ("127.0.0.1".to_owned(), ""));
    }
}
