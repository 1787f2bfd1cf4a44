//! The common scene: a cluster with an issuer URL, a neighbor on the mount that logs in all the
//! time, and the commands that an operator runs.

use crate::security::forgery::entries::Entry;
use crate::security::forgery::scene::Scene;
use crate::support::fixture::{ROLE, Ran};
use crate::support::load::EVERY;
use harness::NEVER_FLAKY;
use harness::http::Http;
use harness::server::{Cluster, ClusterOptions, ConnectProxy, Issuer, OidcSite, Product, shared_cluster};
use serde_json::{Value, json};
use shared::Secret;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Instant;

/// Where the issuers have their URLs.
pub const HOST: &str = "oidc.place.example";
/// The issuer of most of these clusters.
pub const ISSUER: &str = "https://oidc.place.example/id/a";
pub const KEYS: &str = "https://oidc.place.example/id/a/keys";

/// A cluster with this issuer, whose keys can change.
pub fn cluster(issuer: &str) -> Cluster {
    let options = ClusterOptions { issuer: Issuer::Url(issuer.to_owned()), ..ClusterOptions::default() };
    let cluster = Cluster::rotating(options).expect("a cluster starts");
    inhabit(&cluster);
    cluster
}

/// The service accounts of these tests.
pub fn inhabit(cluster: &Cluster) {
    for (namespace, name) in [("shop", "app"), ("kube-system", "default")] {
        cluster.create_service_account(namespace, name).expect("a service account is made");
    }
}

/// How people reach a cluster: directly, by a name that no other has.
pub fn entry(name: &'static str, cluster: &Cluster) -> Entry {
    Entry::of(name, cluster, cluster.server_name())
}

/// The URLs of issuers, and the way there.
pub struct Web {
    pub site: OidcSite,
    proxy: ConnectProxy,
}

impl Web {
    pub fn start() -> Self {
        Self::of(&[HOST])
    }

    /// URLs at these hosts.
    pub fn of(hosts: &[&str]) -> Self {
        let site = OidcSite::start(hosts).expect("a site starts");
        let proxy = ConnectProxy::start().expect("a proxy starts");
        for host in hosts {
            proxy.route(&format!("{host}:443"), site.port());
        }
        Self { site, proxy }
    }

    /// The key set, or the whole site, answers 404.
    pub fn break_keys(&self) {
        self.site.answer("GET /id/a/keys", 404, "text/plain", "gone");
    }
}

/// A mount with the neighbor on it, which logs in all the time.
pub struct SharedMount {
    pub scene: Scene,
    pub name: String,
    neighbor: Logins,
    typed: Cell<usize>,
}

impl SharedMount {
    /// The neighbor is enrolled; `web` is where issuers are read.
    pub fn new(product: Product, web: Option<&Web>) -> Self {
        let mut scene = Scene::empty(product);
        if let Some(web) = web {
            scene.trusts = Some(web.site.ca_pem());
            scene.environment = vec![("HTTPS_PROXY", web.proxy.url()), ("NO_PROXY", "127.0.0.1,localhost".to_owned())];
        }
        let neighbor = shared_cluster().expect("the shared cluster starts");
        inhabit(neighbor);
        let near = entry("neighbor", neighbor);
        let role = ["--role", "near", "--service-account", "shop:app", "--policy", "app-read"];
        scene.run(&[&["setup", "--context", "neighbor"], &role[..]].concat(), &[near]).ok();
        let logins = Logins::start(&scene, neighbor);
        Self { scene, name: format!("{product:?}"), neighbor: logins, typed: Cell::new(0) }
    }

    /// `kubectl vaultjwt` as a person types it.
    #[track_caller]
    pub fn types(&self, words: &[&str], entries: &[Entry]) -> Ran {
        self.typed.set(self.typed.get() + 1);
        self.scene.run(words, entries)
    }

    /// Enrolls the cluster of this context beside the neighbor, with role `app`.
    #[track_caller]
    pub fn enroll(&self, context: &str, flags: &[&str], entries: &[Entry]) -> Ran {
        let setup = ["setup", "--context", context, "--same-trust-domain"];
        self.types(&[&setup[..], &ROLE[..], flags].concat(), entries).ok()
    }

    /// It is refused with this code, and with this among its words.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str], entries: &[Entry], said: &[&str]) -> Ran {
        let before = self.scene.elements();
        let ran = self.types(words, entries);
        assert_eq!(ran.code, code, "{}: {words:?}\n{}{}", self.name, ran.stdout, ran.stderr);
        for said in said {
            assert!(ran.stderr.contains(said), "{}: no \"{said}\"\n{}", self.name, ran.stderr);
        }
        assert_eq!(self.scene.elements(), before, "{NEVER_FLAKY}: {words:?}");
        ran
    }

    /// Types the command that a hint names, with what is added to it.
    #[track_caller]
    pub fn follows(&self, ran: &Ran, added: &[&str], entries: &[Entry]) -> Ran {
        let command = hinted(&ran.stderr);
        let words: Vec<&str> = command.iter().map(String::as_str).chain(added.iter().copied()).collect();
        self.types(&words, entries)
    }

    /// It succeeds and leaves the keys as they are.
    #[track_caller]
    pub fn unchanged(&self, words: &[&str], entries: &[Entry]) -> Ran {
        let before = self.scene.elements();
        let ran = self.types(words, entries).ok();
        assert_eq!(self.scene.elements(), before, "{NEVER_FLAKY}: {words:?}\n{}", ran.stderr);
        ran
    }

    /// Fresh tokens of shop:app log in with role `app`.
    #[track_caller]
    pub fn lets_in(&self, cluster: &Cluster) {
        assert!(self.scene.lets_in(cluster), "{NEVER_FLAKY}: {}: no login", self.name);
    }

    #[track_caller]
    pub fn keeps_out(&self, jwt: &Secret) {
        assert!(!self.scene.logs_in("app", jwt), "{NEVER_FLAKY}: {}: it logs in", self.name);
    }

    /// From here on, commands are counted.
    pub fn begins(&self) {
        self.typed.set(0);
    }

    /// `typed` commands were typed since [`SharedMount::begins`], and the neighbor was never refused.
    #[track_caller]
    pub fn end(self, typed: usize) {
        let (logins, refused) = self.neighbor.end();
        println!("{}: {} commands, {logins} logins of the neighbor", self.name, self.typed.get());
        assert!(refused.is_empty(), "{NEVER_FLAKY}: {}: the neighbor was refused: {refused:?}", self.name);
        assert!(logins > 0, "void: the neighbor did not log in");
        assert_eq!(self.typed.get(), typed, "{}", self.name);
    }
}

/// The words of the last command in a hint, behind `kubectl vaultjwt`.
#[track_caller]
pub fn hinted(stderr: &str) -> Vec<String> {
    let (_, command) = stderr.rsplit_once("kubectl vaultjwt ").unwrap_or_else(|| panic!("no command in\n{stderr}"));
    let command = command.lines().next().unwrap_or_default();
    let command = command.split(';').next().unwrap_or_default();
    let mut words = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// One account that logs in every 50 ms.
struct Logins {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Logins {
    fn start(scene: &Scene, cluster: &'static Cluster) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let vault = scene.fixture.vault.client();
        let thread = spawn(move || {
            let jwt = cluster.token("shop", "app", &["vault"]).expect("a token");
            let mut refused = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                let start = Instant::now();
                refused.extend(log_in(&vault, &jwt));
                counted.fetch_add(1, Ordering::SeqCst);
                sleep(EVERY.saturating_sub(start.elapsed()));
            }
            refused
        });
        Self { stop, count, thread }
    }

    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        let refused = self.thread.join().expect("it ends");
        (self.count.load(Ordering::SeqCst), refused)
    }
}

/// Why a login is refused. One that is dropped is asked for again: Vault 1.21.2 can drop
/// a login that meets a write of the configuration.
fn log_in(vault: &Http, jwt: &Secret) -> Option<String> {
    let body = json!({"role": "near", "jwt": jwt.expose()});
    let mut last = String::new();
    for _ in 0..3 {
        match vault.send("POST", "/v1/auth/jwt/login", &[], Some(&body)) {
            Ok(answer) if answer.is_success() => return None,
            Ok(answer) => return Some(answer.text),
            Err(error) => last = error.to_string(),
        }
    }
    Some(last)
}

/// The provenance lines with this name, on all keys of an owner.
pub fn owners(elements: &[String]) -> Vec<Value> {
    let line = |text: &str, name: &str| {
        let start = format!("{name}: ");
        text.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
    };
    elements.iter().map(|text| json!({"issuer": line(text, "issuer"), "uid": line(text, "cluster-uid")})).collect()
}
