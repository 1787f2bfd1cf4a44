//! One cluster of [`super::FakeApiServers`]: its keys, and the responses of its API server.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use shared::Secret;

use super::raw_http::Request;
use super::scripted::Reply;
use crate::certificates::utc;
use crate::keys::{KeyError, SigningKey};
use crate::process::locked;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) place: Endpoint,
    pub(super) issuer: String,
    pub(super) uid: String,
    pub(super) requests: AtomicU64,
    state: Mutex<State>,
}

/// How its API server is reached.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) url: String,
    /// What tells it from the others at that address.
    pub(super) server_name: String,
    /// The certificate of its authority, PEM.
    pub(super) ca: String,
    pub(super) ca_file: PathBuf,
}

#[derive(Debug)]
struct State {
    older: Vec<SigningKey>,
    newest: SigningKey,
    /// What the key set is answered with instead of the keys.
    key_set: Option<Reply>,
    per_byte: Duration,
    broken: bool,
}

/// Text in the form of a UUID.
pub(super) fn uuid(bytes: u128) -> String {
    let hex = format!("{bytes:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Always the same UUID for the same text.
fn uuid_of(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    uuid(digest.as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::new(status, "application/json", body.to_string())
}

/// A failure as Kubernetes words it.
pub(super) fn failure(code: u16, reason: &str, message: &str) -> Reply {
    json_reply(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code}),
    )
}

impl Member {
    pub(super) fn new(place: Endpoint, issuer: String, key: SigningKey) -> Self {
        let state = State { older: Vec::new(), newest: key, key_set: None, per_byte: Duration::ZERO, broken: false };
        Self { place, issuer, uid: uuid(rand::random()), requests: AtomicU64::new(0), state: Mutex::new(state) }
    }

    /// The published keys, oldest first; the last one signs.
    pub(super) fn keys(&self) -> Vec<SigningKey> {
        let state = locked(&self.state);
        state.older.iter().chain([&state.newest]).cloned().collect()
    }

    pub(super) fn rotate(&self, key: SigningKey) {
        let mut state = locked(&self.state);
        let old = std::mem::replace(&mut state.newest, key);
        state.older.push(old);
    }

    pub(super) fn retire(&self) {
        locked(&self.state).older.clear();
    }

    pub(super) fn publish(&self, key_set: Reply) {
        locked(&self.state).key_set = Some(key_set);
    }

    pub(super) fn drip(&self, per_byte: Duration) {
        locked(&self.state).per_byte = per_byte;
    }

    pub(super) fn break_down(&self) {
        locked(&self.state).broken = true;
    }

    pub(super) fn recover(&self) {
        let mut state = locked(&self.state);
        (state.key_set, state.per_byte, state.broken) = (None, Duration::ZERO, false);
    }

    /// What the API server answers to a request.
    pub(super) fn answer(&self, request: &Request) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if locked(&self.state).broken {
            return failure(500, "InternalError", "this API server is broken on purpose");
        }
        match (request.method.as_str(), request.path()) {
            ("GET", "/.well-known/openid-configuration") => json_reply(200, &self.discovery()),
            ("GET", "/openid/v1/jwks") => self.key_set(),
            ("GET", "/api/v1/namespaces/kube-system") => json_reply(200, &self.kube_system()),
            ("GET", "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt") => json_reply(200, &self.ca_bundle()),
            ("POST", path) => match service_account(path) {
                Some((namespace, name)) => self.token_request(&request.body, namespace, name),
                None => not_found(),
            },
            _ => not_found(),
        }
    }

    fn discovery(&self) -> Value {
        let mut algorithms: Vec<&str> = self.keys().iter().map(|key| key.alg().name()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        json!({"issuer": self.issuer, "jwks_uri": format!("{}/openid/v1/jwks", self.place.url),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms})
    }

    fn key_set(&self) -> Reply {
        let keys: Vec<Value> = self.keys().iter().map(SigningKey::jwk).collect();
        let state = locked(&self.state);
        let mut reply = match &state.key_set {
            Some(reply) => reply.clone(),
            None => Reply::new(200, "application/jwk-set+json", json!({ "keys": keys }).to_string()),
        };
        reply.per_byte = state.per_byte;
        reply
    }

    fn ca_bundle(&self) -> Value {
        json!({"kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "kube-root-ca.crt", "namespace": "kube-system",
                "uid": uuid_of(&format!("{} kube-root-ca.crt", self.uid)), "resourceVersion": "5",
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "data": {"ca.crt": self.place.ca}})
    }

    fn kube_system(&self) -> Value {
        json!({"kind": "Namespace", "apiVersion": "v1",
            "metadata": {"name": "kube-system", "uid": self.uid, "resourceVersion": "4",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"kubernetes.io/metadata.name": "kube-system"}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    }

    fn token_request(&self, body: &[u8], namespace: &str, name: &str) -> Reply {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return failure(400, "BadRequest", "the body is not JSON");
        };
        let spec = &request["spec"];
        let audiences: Vec<&str> =
            spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let seconds = spec["expirationSeconds"].as_u64().unwrap_or(3_600);
        match self.token(namespace, name, &audiences, seconds) {
            Ok((token, expires)) => json_reply(
                201,
                &json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
                    "metadata": {"name": name, "namespace": namespace, "uid": self.account_uid(namespace, name),
                        "creationTimestamp": utc(expires - seconds)},
                    "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": null},
                    "status": {"token": token.expose(), "expirationTimestamp": utc(expires)}}),
            ),
            Err(error) => failure(500, "InternalError", &error.to_string()),
        }
    }

    fn account_uid(&self, namespace: &str, name: &str) -> String {
        uuid_of(&format!("{} {namespace} {name}", self.uid))
    }

    /// A token and when it expires. Every service account exists; without
    /// audiences the token is one for the API server.
    pub(super) fn token(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[&str],
        seconds: u64,
    ) -> Result<(Secret, u64), KeyError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let own = [self.issuer.as_str()];
        let account = json!({"name": name, "uid": self.account_uid(namespace, name)});
        let claims = json!({"iss": self.issuer, "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "aud": if audiences.is_empty() { &own } else { audiences },
            "iat": now, "nbf": now, "exp": now + seconds, "jti": uuid(rand::random()),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": account}});
        let key = locked(&self.state).newest.clone();
        Ok((Secret::new(key.sign(&claims)?), now + seconds))
    }
}

/// A path the API server does not know; it says so in plain text.
pub(super) fn not_found() -> Reply {
    Reply::new(404, "text/plain; charset=utf-8", "404 page not found\n")
}

/// The namespace and name in the path of a TokenRequest.
pub(super) fn service_account(path: &str) -> Option<(&str, &str)> {
    let (namespace, account) = path.strip_prefix("/api/v1/namespaces/")?.split_once("/serviceaccounts/")?;
    let name = account.strip_suffix("/token")?;
    (!namespace.contains('/') && !name.contains('/')).then_some((namespace, name))
}
