//! The responses of [`super::Relay`]: the victim's issuer, UID and keys with a key of its own
//! among them, and tokens that it requests from the victim with another user's credentials.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use shared::Secret;

use super::member::{failure, not_found, service_account, uuid};
use super::raw_http::Request;
use super::script::Script;
use super::scripted::Reply;
use super::{Cluster, ServerError};
use crate::certificates::utc;
use crate::http::Http;
use crate::keys::{Alg, KeyError, SigningKey};
use crate::process::locked;

/// Which keys it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Published {
    /// All that the victim publishes, and its own behind them.
    #[default]
    VictimsAndOwn,
    /// The victim's newest key and its own: the older ones seem to be gone.
    NewestAndOwn,
    /// Its own alone.
    Own,
    /// The victim's alone.
    Victims,
    Nothing,
}

/// Where the tokens come from.
#[derive(Debug, Clone, Default)]
pub enum Tokens {
    /// Nobody gets one.
    #[default]
    Refused,
    /// The victim is asked with this bearer token, for just what was asked.
    Relayed(Secret),
    /// The same, for these audiences in place of the ones asked for.
    ForAudiences(Secret, Vec<String>),
    /// The same, bound to this object (`boundObjectRef` of a TokenRequest).
    BoundTo(Secret, Value),
    /// Always this one.
    Replayed(Secret),
    /// It signs them itself.
    Forged,
}

/// Which requests are passed on to the victim, with its administrator's
/// credentials, as a proxy in front of many clusters does it.
#[derive(Debug, Clone, Default)]
pub enum Honest {
    #[default]
    Never,
    /// Those below this path.
    Below(String),
    /// Those with this bearer token.
    With(Secret),
}

/// How the stand-in behaves.
#[derive(Debug, Clone, Default)]
pub struct RelayOptions {
    /// It answers below this path alone.
    pub prefix: String,
    pub published: Published,
    pub tokens: Tokens,
    /// What it passes on.
    pub honest: Honest,
    /// Is reading the UID that it claims forbidden?
    pub hides_uid: bool,
    /// The UID that it claims; the victim's when absent.
    pub uid: Option<String>,
    /// What `kube-root-ca.crt` in `kube-system` holds; forbidden when absent.
    pub root_ca: Option<String>,
    /// Further keys that it shows, as JWKs.
    pub further: Vec<Value>,
    /// Does every answer end its connection?
    pub closes: bool,
}

/// The stand-in without its listener.
#[derive(Debug)]
pub(super) struct Answers {
    options: RelayOptions,
    /// What can be changed while it runs.
    published: Mutex<Published>,
    tokens: Mutex<Tokens>,
    script: Script,
    key: SigningKey,
    issuer: String,
    uid: String,
    /// The victim, asked by its administrator.
    victim: Http,
    /// The victim, asked by whoever shows a token.
    anyone: Http,
}

impl Answers {
    pub(super) fn of(victim: &Cluster, options: RelayOptions) -> Result<Self, ServerError> {
        let uid = match &options.uid {
            Some(uid) => uid.clone(),
            None => victim.uid()?,
        };
        Ok(Self {
            published: Mutex::new(options.published),
            tokens: Mutex::new(options.tokens.clone()),
            script: Script::default(),
            key: SigningKey::generate(Alg::Rs256)?,
            issuer: victim.issuer(),
            uid,
            victim: victim.client().clone(),
            anyone: Http::new(victim.url(), Some(&victim.ca_pem()), None)?,
            options,
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.options.prefix
    }

    pub(super) fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(super) fn publish(&self, published: Published) {
        *locked(&self.published) = published;
    }

    pub(super) fn issue(&self, tokens: Tokens) {
        *locked(&self.tokens) = tokens;
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.script.requests()
    }

    pub(super) fn answer(&self, request: &Request) -> Reply {
        let _ = self.script.play(request);
        let reply = self.reply(request);
        if self.options.closes { reply.with("Connection", "close") } else { reply }
    }

    fn reply(&self, request: &Request) -> Reply {
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let honest = match &self.options.honest {
            Honest::Never => None,
            Honest::Below(prefix) => request.path().strip_prefix(prefix.as_str()).filter(|path| path.starts_with('/')),
            Honest::With(token) => (bearer == Some(token.expose())).then(|| request.path()),
        };
        if let Some(path) = honest {
            return self.pass_on(request, path);
        }
        let Some(path) = request.path().strip_prefix(self.options.prefix.as_str()) else { return not_found() };
        match (request.method.as_str(), path) {
            // What an aggregator asks, to see whether anybody is there.
            ("GET", "" | "/") => Reply::json(200, &json!({"kind": "APIResourceList", "resources": []})),
            ("GET", "/.well-known/openid-configuration") => Reply::json(200, &self.discovery()),
            ("GET", "/openid/v1/jwks") => self.key_set(),
            ("GET", "/api/v1/namespaces/kube-system") if !self.options.hides_uid => Reply::json(
                200,
                &json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": self.uid}}),
            ),
            ("GET", "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt") if self.options.root_ca.is_some() => {
                let metadata = json!({"name": "kube-root-ca.crt", "namespace": "kube-system"});
                let data = json!({"ca.crt": self.options.root_ca});
                Reply::json(200, &json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data}))
            }
            ("GET", path) if path.starts_with("/api/v1/") => forbidden("get", path),
            ("POST", path) => match service_account(path) {
                Some((namespace, name)) => self.token_request(request, path, namespace, name),
                None => not_found(),
            },
            _ => not_found(),
        }
    }

    fn pass_on(&self, request: &Request, path: &str) -> Reply {
        let body = serde_json::from_slice::<Value>(&request.body).ok();
        answered(self.victim.send(&request.method, path, &[("accept", "*/*")], body.as_ref()))
    }

    fn discovery(&self) -> Value {
        json!({"issuer": self.issuer, "jwks_uri": format!("{}/openid/v1/jwks", self.issuer),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"]})
    }

    fn key_set(&self) -> Reply {
        let answer = match self.victim.send("GET", "/openid/v1/jwks", &[], None) {
            Ok(answer) => answer.json(),
            Err(error) => return failure(502, "BadGateway", &error.to_string()),
        };
        let victims = answer["keys"].as_array().cloned().unwrap_or_default();
        let newest = victims.last().cloned();
        let keys: Vec<Value> = match *locked(&self.published) {
            Published::VictimsAndOwn => victims.into_iter().chain([self.key.jwk()]).collect(),
            Published::NewestAndOwn => newest.into_iter().chain([self.key.jwk()]).collect(),
            Published::Own => vec![self.key.jwk()],
            Published::Victims => victims,
            Published::Nothing => Vec::new(),
        };
        let keys: Vec<Value> = keys.into_iter().chain(self.options.further.clone()).collect();
        Reply::new(200, "application/jwk-set+json", json!({ "keys": keys }).to_string())
    }

    fn token_request(&self, request: &Request, path: &str, namespace: &str, name: &str) -> Reply {
        let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else {
            return failure(400, "BadRequest", "the body is not JSON");
        };
        let asked: Vec<String> = body["spec"]["audiences"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|a| Some(a.as_str()?.into()))
            .collect();
        // A copy: the victim may take its time.
        let tokens = locked(&self.tokens).clone();
        let bearer = match &tokens {
            Tokens::Refused => return forbidden("create", path),
            Tokens::Replayed(token) => return granted(token, namespace, name, &asked),
            Tokens::Forged => {
                let asked_as_text: Vec<&str> = asked.iter().map(String::as_str).collect();
                return match self.forge(namespace, name, &asked_as_text, 600) {
                    Ok(token) => granted(&token, namespace, name, &asked),
                    Err(error) => failure(500, "InternalError", &error.to_string()),
                };
            }
            Tokens::Relayed(bearer) => bearer,
            Tokens::ForAudiences(bearer, audiences) => {
                body["spec"]["audiences"] = json!(audiences);
                bearer
            }
            Tokens::BoundTo(bearer, object) => {
                body["spec"]["boundObjectRef"] = object.clone();
                bearer
            }
        };
        let authorization = format!("Bearer {}", bearer.expose());
        answered(self.anyone.send("POST", path, &[("authorization", &authorization)], Some(&body)))
    }

    /// A token of the key that the stand-in adds.
    pub(super) fn forge(
        &self,
        namespace: &str,
        name: &str,
        audiences: &[&str],
        seconds: u64,
    ) -> Result<Secret, KeyError> {
        let now = now();
        let account = json!({"name": name, "uid": uuid(rand::random())});
        let claims = json!({"iss": self.issuer, "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "aud": audiences, "iat": now, "nbf": now, "exp": now + seconds, "jti": uuid(rand::random()),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": account}});
        Ok(Secret::new(self.key.sign(&claims)?))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn answered(answer: Result<crate::http::Answer, crate::http::HttpError>) -> Reply {
    match answer {
        Ok(answer) => Reply::new(answer.status, "application/json", answer.text),
        Err(error) => failure(502, "BadGateway", &error.to_string()),
    }
}

fn forbidden(verb: &str, path: &str) -> Reply {
    failure(403, "Forbidden", &format!("User \"jane\" cannot {verb} \"{path}\""))
}

fn granted(token: &Secret, namespace: &str, name: &str, audiences: &[String]) -> Reply {
    let status = json!({"token": token.expose(), "expirationTimestamp": utc(now() + 600)});
    Reply::json(
        201,
        &json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"audiences": audiences, "expirationSeconds": 600}, "status": status}),
    )
}
