//! Owns the kubeconfig files of test clusters.

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

/// A kubeconfig with one cluster, one user and one context of the name
/// `context`, which is the current one.
pub(super) fn kubeconfig(context: &str, server: &str, ca: &str, user: &str, credentials: &Credentials) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {context}
  cluster:
    server: {server}
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
