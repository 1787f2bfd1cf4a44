//! Kubeconfigs with several contexts, as an attacker or the cluster's owner writes them.

use super::clusters::{NAME, victim};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::server::{Cluster, Credentials, Relay};
use serde_json::{Value, json};
use shared::Secret;

/// One context, with a cluster and a user of the same name.
#[derive(Clone)]
pub struct Entry {
    pub name: &'static str,
    pub server: String,
    /// `certificate-authority-data`, PEM; left out when empty.
    pub authorities: String,
    pub tls_server_name: Option<String>,
    pub insecure: bool,
    pub proxy: Option<String>,
    pub namespace: &'static str,
    pub credentials: Credentials,
}

impl Entry {
    /// How people reach the victim: directly, by the name that it alone has.
    pub fn prod() -> Self {
        Self::of("prod", victim(), NAME)
    }

    /// A real cluster, reached directly under a name in its certificate.
    pub fn of(name: &'static str, cluster: &Cluster, host: &str) -> Self {
        Self {
            name,
            server: cluster.url(),
            authorities: cluster.ca_pem(),
            tls_server_name: Some(host.to_owned()),
            insecure: false,
            proxy: None,
            namespace: "default",
            credentials: Credentials::Certificate(cluster.admin().clone()),
        }
    }

    /// A stand-in, with its own authority, under the name of the victim. Whoever
    /// uses it works in the namespace of a tenant.
    pub fn revil(relay: &Relay) -> Self {
        Self {
            name: "revil",
            server: relay.url(),
            authorities: relay.ca_pem(),
            tls_server_name: Some(NAME.to_owned()),
            insecure: false,
            proxy: None,
            namespace: "team-a",
            credentials: Credentials::Token(Secret::new("who-cares")),
        }
    }

    /// With these certificates in `certificate-authority-data`.
    pub fn trusting(self, authorities: impl Into<String>) -> Self {
        Self { authorities: authorities.into(), ..self }
    }

    pub fn named(self, name: &str) -> Self {
        Self { tls_server_name: Some(name.to_owned()), ..self }
    }

    /// Checked for the host of its URL.
    pub fn unnamed(self) -> Self {
        Self { tls_server_name: None, ..self }
    }

    fn cluster(&self) -> Value {
        let mut cluster = json!({"server": self.server});
        if !self.authorities.is_empty() {
            cluster["certificate-authority-data"] = json!(STANDARD.encode(&self.authorities));
        }
        if let Some(name) = &self.tls_server_name {
            cluster["tls-server-name"] = json!(name);
        }
        if self.insecure {
            cluster["insecure-skip-tls-verify"] = json!(true);
        }
        if let Some(proxy) = &self.proxy {
            cluster["proxy-url"] = json!(proxy);
        }
        cluster
    }

    fn user(&self) -> Value {
        match &self.credentials {
            Credentials::Certificate(pair) => json!({
                "client-certificate-data": STANDARD.encode(&pair.certificate),
                "client-key-data": STANDARD.encode(&pair.key),
            }),
            Credentials::Token(token) => json!({"token": token.expose()}),
        }
    }
}

/// All of them in one file; the first is the current one. (JSON is YAML.)
pub fn kubeconfig(entries: &[Entry]) -> String {
    let list = |kind: &str, of: &dyn Fn(&Entry) -> Value| -> Vec<Value> {
        entries.iter().map(|entry| json!({"name": entry.name, kind: of(entry)})).collect()
    };
    let context = |entry: &Entry| json!({"cluster": entry.name, "user": entry.name, "namespace": entry.namespace});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": list("cluster", &Entry::cluster),
        "users": list("user", &Entry::user),
        "contexts": list("context", &context),
        "current-context": entries.first().map_or("", |entry| entry.name),
    })
    .to_string()
}
