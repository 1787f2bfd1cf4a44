//! Writes kubeconfig files of test clusters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certificates::Certificate;

/// How a kubeconfig's user proves who he is.
#[derive(Clone)]
pub enum Credentials {
    /// A client certificate.
    Certificate(Certificate),
    /// A bearer token.
    Token(shared::Secret),
}

impl Credentials {
    fn yaml(&self) -> String {
        match self {
            Self::Certificate(pair) => format!(
                "client-certificate-data: {}\n    client-key-data: {}",
                STANDARD.encode(&pair.certificate),
                STANDARD.encode(&pair.key)
            ),
            Self::Token(token) => format!("token: {}", token.expose()),
        }
    }
}

/// What follows `server:` in a cluster entry: an address, and the name that the
/// certificate has to bear there. On loopback the address itself would say
/// nothing of which cluster that is.
pub(super) fn way(server: &str, name: &str) -> String {
    format!("{server}\n    tls-server-name: {name}")
}

/// A kubeconfig with one cluster, one user and one context of the name
/// `context`, which is the current one.
pub(super) fn kubeconfig(context: &str, way: &str, ca: &str, user: &str, credentials: &Credentials) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {context}
  cluster:
    server: {way}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    {credentials}
contexts:
- name: {context}
  context:
    cluster: {context}
    user: {user}
current-context: {context}
",
        ca = STANDARD.encode(ca),
        credentials = credentials.yaml(),
    )
}
