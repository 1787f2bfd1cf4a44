//! The webhook that EKS puts behind its API servers: it accepts the tokens of `aws eks
//! get-token`. It accepts all of them: their signatures are not a subject of these tests.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::ServerError;
use super::listener::Listener;
use super::raw_http::Request;
use super::scripted::{self, Reply};
use crate::process::Scratch;

/// How the tokens begin; the rest is a signed request to STS, in base64.
const PREFIX: &str = "k8s-aws-v1.";

/// A webhook that says who has a token.
#[derive(Debug)]
pub(super) struct TokenReview {
    _listener: Listener,
    config: PathBuf,
}

impl TokenReview {
    pub(super) fn start(scratch: &Scratch) -> Result<Self, ServerError> {
        let listener = scripted::start_plain(answer).map_err(ServerError::io("starting a token review"))?;
        let config = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: review\n  cluster:\n    server: http://127.0.0.1:{}/\n\
             contexts:\n- name: review\n  context:\n    cluster: review\n    user: review\n\
             users:\n- name: review\n  user: {{}}\ncurrent-context: review\n",
            listener.port()
        );
        let config = scratch.write("token-review.kubeconfig", config);
        Ok(Self { _listener: listener, config: config.map_err(ServerError::io("writing a kubeconfig"))? })
    }

    /// The file that tells the API server of it.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }
}

fn answer(request: &Request) -> Reply {
    let review: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let token = review["spec"]["token"].as_str().unwrap_or_default();
    let status = if token.strip_prefix(PREFIX).is_some_and(|rest| !rest.is_empty()) {
        json!({"authenticated": true, "user": {"username": "kubernetes-admin", "groups": ["system:masters"]}})
    } else {
        json!({"authenticated": false})
    };
    Reply::json(200, &json!({"apiVersion": review["apiVersion"], "kind": "TokenReview", "status": status}))
}
