//! A Vault, clusters, and a session token in memory, for tests in simulated time.

use crate::cloud::Verdict;
use crate::cloud_api::{CloudError, Clouds, ClusterDescription};
use crate::cluster::error::ServerContext;
use crate::cluster::service_account::ServiceAccount;
use crate::cluster::{Cluster, ClusterError, ClusterTarget, Clusters};
use crate::command::mount::MountOptions;
use crate::command::sync::input::SyncPorts;
use crate::command::sync::{Scope, SyncInput};
use crate::command::watch::*;
use crate::issuer::request::IssuerOverrides;
use crate::issuer::{CloudLookup, IssuerSite, SiteError, Sources};
use crate::keychain::Owner;
use crate::keychain::authority::{Authority, AuthorityId};
use crate::keychain::element::MountKey;
use crate::keychain::evidence::Reached;
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_proof::KeyProof;
use crate::keychain::plan::KeyListPlan;
use crate::keychain::plan::tests::key;
use crate::keychain::refresh::{Absence, Policy, RefreshRequest};
use crate::vault::refusal::Refused;
use crate::vault::session::session_token::{LoginCredentials, SessionToken};
use crate::vault::{Config, Document, LoginResult as Given, Vault, VaultError};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use shared::Secret;
use shared::lease::Lease;
use shared::mount::MountPath;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::time::Instant;
use url::Url;

/// Everything outside the run.
#[derive(Default)]
pub struct Fakes(pub Mutex<State>);

#[derive(Default)]
pub struct State {
    pub config: Option<Document>,
    /// What each context's cluster publishes; `None` while it is away.
    pub clusters: BTreeMap<String, Option<Vec<u8>>>,
    /// Why Vault refuses everything, while it does.
    pub vault_away: Option<Refused>,
    /// Tokens that Vault knows, and until when.
    pub tokens: BTreeMap<String, Instant>,
    /// The token that the run acts with.
    pub acts_with: Option<String>,
    /// How long a token lives that is renewed or given; zero for what is refused.
    pub renews: Duration,
    pub gives: Duration,
    /// What a login is refused with, by role.
    pub refuses: BTreeMap<String, String>,
    /// Roles whose mount is broken.
    pub broken: Vec<String>,
    /// How long the token of a role lives, where not as all do.
    pub gives_role: BTreeMap<String, Duration>,
    /// How long a write takes.
    pub write_takes: Duration,
    /// Requests, in order, each with its second since the start.
    pub requests: Vec<(u64, String)>,
    pub events: Vec<(u64, String)>,
    pub given: u32,
}

// Simulated time begins when a test does.
tokio::task_local! {
    pub static START: Instant;
}

fn second() -> u64 {
    START.try_with(|start| start.elapsed().as_secs()).unwrap_or_default()
}

pub fn refused(status: u16, words: &str, retry_after: Option<u64>) -> Refused {
    Refused {
        method: "GET".into(),
        path: "auth/jwt/config".into(),
        status,
        errors: vec![words.into()],
        address: "https://v".into(),
        namespace: None,
        retry_after: retry_after.map(Duration::from_secs),
    }
}

impl Fakes {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A request of the run to Vault; whether it is served.
    fn asked(&self, what: &str, with_token: bool) -> Result<MutexGuard<'_, State>, VaultError> {
        let mut state = self.state();
        state.requests.push((second(), what.to_owned()));
        if let Some(away) = &state.vault_away {
            return Err(VaultError::Refused(Box::new(away.clone())));
        }
        let alive = |state: &State| {
            let token = state.acts_with.as_ref().and_then(|token| state.tokens.get(token));
            token.is_some_and(|ends| *ends > Instant::now())
        };
        if with_token && !alive(&state) {
            return Err(VaultError::Refused(Box::new(refused(403, "permission denied", None))));
        }
        Ok(state)
    }

    pub fn count(&self, what: &str, seconds: std::ops::Range<u64>) -> usize {
        self.state().requests.iter().filter(|(at, asked)| seconds.contains(at) && asked.contains(what)).count()
    }

    /// What was reported, without times.
    pub fn told(&self) -> Vec<String> {
        self.state().events.iter().map(|(_, event)| event.clone()).collect()
    }

    pub fn publish(&self, context: &str, numbers: &[u8]) {
        self.state().clusters.insert(context.to_owned(), Some(numbers.to_vec()));
    }

    /// The keys on the mount by `kid`, with a `-` where they are retired.
    pub fn keys(&self) -> Vec<String> {
        let state = self.state();
        let elements = crate::command::mount::elements(state.config.as_ref());
        let marks = elements.iter().filter_map(|element| element.provenance());
        marks.map(|mark| format!("{}{}", mark.kid, if mark.retired.is_some() { "-" } else { "" })).collect()
    }

    /// A token that Vault knows for so long.
    pub fn token(&self, name: &str, lives: Duration) {
        let mut state = self.state();
        state.tokens.insert(name.to_owned(), Instant::now() + lives);
        state.acts_with = Some(name.to_owned());
    }
}

fn jwk(published: &PublishedKey) -> serde_json::Value {
    let spki = published.key.spki();
    let x = URL_SAFE_NO_PAD.encode(&spki[spki.len() - 32..]);
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": published.kid, "x": x})
}

struct Api {
    target: ClusterTarget,
    published: Option<Vec<u8>>,
}

impl Api {
    fn answer(&self, body: serde_json::Value) -> Result<Vec<u8>, ClusterError> {
        match self.published {
            Some(_) => Ok(body.to_string().into_bytes()),
            None => {
                let at = ServerContext {
                    server: self.target.server.clone(),
                    context: self.target.context.clone(),
                    user: None,
                    proxy: None,
                    kubectl_flags: String::new(),
                };
                Err(ClusterError::Unreachable { at: Arc::new(at), cause: "connection refused".into() })
            }
        }
    }
}

#[async_trait]
impl Cluster for Api {
    fn target(&self) -> &ClusterTarget {
        &self.target
    }
    async fn discovery_document(&self) -> Result<Vec<u8>, ClusterError> {
        self.answer(json!({"issuer": "https://kubernetes.default.svc"}))
    }
    async fn key_set(&self) -> Result<Vec<u8>, ClusterError> {
        let keys: Vec<_> = self.published.iter().flatten().map(|number| jwk(&key(*number))).collect();
        self.answer(json!({ "keys": keys }))
    }
    async fn uid(&self) -> Result<String, ClusterError> {
        self.answer(json!(null))?;
        Ok(format!("uid-of-{}", self.target.cluster))
    }
    async fn root_authorities(&self) -> Result<Vec<AuthorityId>, ClusterError> {
        Ok(Vec::new())
    }
    fn reached(&self, recorded: &[Authority]) -> Reached {
        if recorded.is_empty() { Reached::Unrecorded } else { Reached::Direct }
    }
    fn way(&self) -> Option<Authority> {
        Some(Authority::Direct { id: AuthorityId::of_spki(b"fake"), name: "api.example.com".into() })
    }
    fn trusted(&self) -> Vec<AuthorityId> {
        Vec::new()
    }
    async fn token(&self, _: &ServiceAccount, _: &[String], _: i64) -> Result<Secret, ClusterError> {
        self.answer(json!(null)).map(|_| Secret::new("no JWT"))
    }
}

#[async_trait]
impl Clusters for Fakes {
    async fn connect(&self, context: Option<&str>) -> Result<Box<dyn Cluster>, ClusterError> {
        let context = context.unwrap_or("pod").to_owned();
        let mut state = self.state();
        state.requests.push((second(), format!("cluster {context}")));
        let published = state.clusters.get(&context).cloned().unwrap_or_default();
        let target = ClusterTarget {
            context: Some(context.clone()),
            cluster: context,
            server: "https://s".into(),
            namespace: "default".into(),
        };
        Ok(Box::new(Api { target, published }))
    }
}

#[async_trait]
impl Clouds for Fakes {
    async fn describe(&self, _: &Verdict) -> Result<Option<ClusterDescription>, CloudError> {
        panic!("a refresh asks no cloud")
    }
}

#[async_trait]
impl IssuerSite for Fakes {
    async fn get(&self, _: &Url) -> Result<Vec<u8>, SiteError> {
        Err(SiteError::Status(404))
    }
}

#[async_trait]
impl Vault for Fakes {
    fn address(&self) -> &str {
        "https://v"
    }
    fn namespace(&self) -> Option<&str> {
        None
    }
    async fn auth_mounts(&self) -> Result<BTreeMap<String, String>, VaultError> {
        Ok(BTreeMap::new())
    }
    async fn enable_jwt(&self, _: &MountPath) -> Result<(), VaultError> {
        Ok(())
    }
    async fn read_config(&self, _: &MountPath) -> Result<Config, VaultError> {
        let document = self.asked("vault read", true)?.config.clone();
        // Vault's clock, which in these tests goes as fast as the run's.
        let start = jiff::Timestamp::from_second(1_000_000).unwrap();
        Ok(Config { document, date: Some(start + jiff::SignedDuration::from_secs(second() as i64)) })
    }
    async fn write_config(&self, _: &MountPath, config: &Document) -> Result<(), VaultError> {
        let takes = self.asked("vault write begun", true)?.write_takes;
        sleep(takes).await;
        let mut state = self.state();
        state.requests.push((second(), "vault write done".into()));
        state.config = Some(config.clone());
        Ok(())
    }
    async fn between_writes(&self) {
        loop {
            let (begun, done) = (self.count("write begun", 0..u64::MAX), self.count("write done", 0..u64::MAX));
            if begun == done {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
    async fn read_role(&self, _: &MountPath, _: &str) -> Result<Option<Document>, VaultError> {
        Ok(None)
    }
    async fn list_roles(&self, _: &MountPath) -> Result<Vec<String>, VaultError> {
        Ok(Vec::new())
    }
    async fn list_cel_roles(&self, _: &MountPath) -> Result<Vec<String>, VaultError> {
        Ok(Vec::new())
    }
    async fn delete_role(&self, _: &MountPath, _: &str) -> Result<(), VaultError> {
        Ok(())
    }
    async fn write_role(&self, _: &MountPath, _: &str, _: &Document) -> Result<(), VaultError> {
        Ok(())
    }
    async fn policy_exists(&self, _: &str) -> Result<bool, VaultError> {
        Ok(true)
    }
    async fn capabilities(&self, _: &[String]) -> Result<BTreeMap<String, Vec<String>>, VaultError> {
        Ok(BTreeMap::new())
    }
    async fn login(&self, _: &MountPath, _: &str, _: &Secret) -> Result<Given, VaultError> {
        Err(VaultError::Refused(Box::new(refused(400, "not here", None))))
    }
    async fn revoke(&self, _: &Secret) -> Result<(), VaultError> {
        self.asked("vault revoke", true).map(drop)
    }
}

impl State {
    fn lease(&self, lives: Duration) -> Lease {
        Lease { ttl: Some(lives), renewable: !self.renews.is_zero() }
    }
}

#[async_trait]
impl SessionToken for Fakes {
    fn held(&self) -> Option<Secret> {
        self.state().acts_with.as_ref().map(Secret::new)
    }
    fn hold(&self, token: Option<Secret>) {
        self.state().acts_with = token.map(|token| token.expose().to_owned());
    }
    async fn look_up(&self) -> Result<Lease, VaultError> {
        let state = self.asked("vault look up", true)?;
        let ends = state.acts_with.as_ref().and_then(|token| state.tokens.get(token)).copied();
        Ok(state.lease(ends.unwrap_or_else(Instant::now).duration_since(Instant::now())))
    }
    async fn renew(&self) -> Result<Lease, VaultError> {
        let mut state = self.asked("vault renew", true)?;
        if state.renews.is_zero() {
            return Err(VaultError::Refused(Box::new(refused(400, "lease is not renewable", None))));
        }
        let (lives, token) = (state.renews, state.acts_with.clone().unwrap_or_default());
        state.tokens.insert(token, Instant::now() + lives);
        Ok(state.lease(lives))
    }
    async fn log_in(&self, credentials: &LoginCredentials) -> Result<Lease, VaultError> {
        let role = match credentials {
            LoginCredentials::Jwt { role, .. } => role.clone(),
            LoginCredentials::AppRole { .. } => "approle".into(),
        };
        let mut state = self.asked(&format!("vault login {role}"), false)?;
        if let Some(words) = state.refuses.get(&role) {
            return Err(VaultError::Refused(Box::new(refused(400, words, None))));
        }
        if state.broken.contains(&role) {
            return Err(VaultError::Refused(Box::new(refused(500, "internal error", None))));
        }
        state.given += 1;
        let token = format!("given-{}", state.given);
        let lives = state.gives_role.get(&role).copied().unwrap_or(state.gives);
        state.tokens.insert(token.clone(), Instant::now() + lives);
        state.acts_with = Some(token);
        Ok(state.lease(lives))
    }
}

#[async_trait]
impl LoginFiles for Fakes {
    fn credentials(&self, login: &LoginMethod) -> Result<LoginCredentials, NoCredentials> {
        Ok(match login {
            LoginMethod::Jwt { mount, role, .. } => {
                LoginCredentials::Jwt { mount: mount.clone(), role: role.clone(), jwt: Secret::new("a.b.c") }
            }
            LoginMethod::AppRole { mount, .. } => {
                LoginCredentials::AppRole { mount: mount.clone(), role_id: Secret::new("r"), secret_id: None }
            }
        })
    }
    async fn token(&self) -> Result<Secret, NoCredentials> {
        Ok(Secret::new("file"))
    }
}

impl Journal for Fakes {
    fn tell(&self, event: &Event) {
        let line = format!("{:?} {event}", event.level());
        let hint = match event {
            Event::Trouble { hint: Some(hint), .. } => format!("; {hint}"),
            _ => String::new(),
        };
        self.state().events.push((second(), format!("{line}{hint}")));
    }
}

/// `sync --watch --contexts <contexts>`.
pub fn input(contexts: &[&str], logins: Vec<LoginMethod>) -> WatchInput {
    WatchInput {
        sync: SyncInput {
            rewrite: false,
            mount: MountPath::parse("jwt").unwrap(),
            scope: Scope::Named(contexts.iter().map(|context| (*context).to_owned()).collect()),
            overrides: IssuerOverrides { ask: CloudLookup::OnlyIfNeeded, ..IssuerOverrides::default() },
            enroll: false,
            trust_issuer: false,
            options: MountOptions::default(),
            dry_run: false,
            now: jiff::Timestamp::from_second(1_000_000).unwrap(),
            nonce: "n".into(),
        },
        pace: Pace::DEFAULT,
        logins,
        by_hand: "kubectl vaultjwt sync --mount jwt".into(),
    }
}

/// A login with a role.
pub fn role(mount: &str, role: &str) -> LoginMethod {
    LoginMethod::Jwt { mount: MountPath::parse(mount).unwrap(), role: role.into(), file: "/jwt".into() }
}

/// Puts what these contexts publish on the mount, as setup does.
pub fn enroll(fakes: &Fakes, contexts: &[&str]) {
    let mut elements: Vec<MountKey> = Vec::new();
    for context in contexts {
        let published = fakes.state().clusters[*context].clone().unwrap_or_default();
        let published: Vec<PublishedKey> = published.into_iter().map(key).collect();
        let uid = Some(format!("uid-of-{context}"));
        let owner = Owner { issuer: "https://kubernetes.default.svc".into(), cluster_uid: uid };
        let now = jiff::Timestamp::from_second(900_000).unwrap();
        let refresh = RefreshRequest {
            owner: &owner,
            published: &published,
            cluster: context,
            now,
            signer: None,
            recent: None,
            proof: KeyProof::Listed,
            record: &[Authority::Direct {
                id: AuthorityId::of_spki(context.as_bytes()),
                name: format!("{context}.example.com"),
            }],
            adoptable: &[],
            unconfirmed: &[],
            absence: Absence::Gone { except: &[] },
            policy: Policy::default(),
        };
        elements = KeyListPlan::make(&elements, &refresh).unwrap().elements;
    }
    let texts: Vec<&str> = elements.iter().map(|element| element.text.trim()).collect();
    let config = json!({"jwt_validation_pubkeys": texts, "jwt_supported_algs": []});
    fakes.state().config = config.as_object().cloned();
}

/// Runs until the test's own steps are done.
pub async fn watching<F: Future<Output = ()>>(fakes: &Fakes, input: &WatchInput, steps: F) -> Stats {
    let stats = StatsCell::new(Stats::new("jwt"));
    let reporter = Reporter::new(fakes, &stats);
    let ports = WatchPorts {
        sync: SyncPorts {
            clusters: fakes,
            sources: Sources { site: fakes, clouds: fakes },
            vault: fakes,
            progress: &reporter,
        },
        token: fakes,
        login_files: fakes,
        reporter: &reporter,
    };
    run(ports, input, steps).await;
    stats.into_inner()
}
