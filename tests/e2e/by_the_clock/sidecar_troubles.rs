//! What a sidecar requests from Vault during failures, and what the token file contains
//! meanwhile: figures.

use crate::support::fixture::{Fixture, Owned, ROLE};
use crate::support::fleet::soak;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::server::{InterceptingProxy, Product, RaftOfThree, VaultOptions, VaultServer, shared_cluster};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Seconds that a token lives: three renewals are due in 40 s.
const TTL: u64 = 20;

/// A fixture with Vault behind a proxy that counts, in plain HTTP.
struct Bench {
    fixture: Fixture,
    proxy: InterceptingProxy,
}

/// One sidecar. Dropped, it is killed.
struct Sidecar(Child);

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the file held: each content once, and whether it was away.
#[derive(Default)]
struct TokenContents {
    contents: Mutex<BTreeSet<String>>,
    away: AtomicBool,
}

impl TokenContents {
    fn read(&self, file: &Path) {
        match fs::read_to_string(file) {
            Ok(content) if !content.is_empty() => drop(self.contents.lock().expect("no panic").insert(content)),
            _ => self.away.store(true, Ordering::SeqCst),
        }
    }
}

impl Bench {
    fn new(product: Product, role: &Value) -> Self {
        let options = VaultOptions { tls: false, ..VaultOptions::new(product) };
        let fixture = Fixture::to_wait(Owned::Shared(shared_cluster().expect("the cluster starts")), options);
        fixture.setup(&ROLE).ok();
        let port = fixture.vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let bench = Self { fixture, proxy: InterceptingProxy::start(port).expect("the proxy starts") };
        bench.change_role(role);
        bench
    }

    fn change_role(&self, fields: &Value) {
        let mut role = self.fixture.data("auth/jwt/role/app");
        for (name, value) in fields.as_object().expect("fields") {
            role[name] = value.clone();
        }
        self.fixture.write("auth/jwt/role/app", role);
    }

    fn start(&self, token: &Path, log: &Path) -> Sidecar {
        let mut command = self.fixture.login_command(&self.fixture.jwt_file(), token);
        command.env("VAULT_ADDR", self.proxy.address()).arg("--watch");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log).expect("a log"));
        Sidecar(command.spawn().expect("it starts"))
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(90), "not: {what}");
        sleep(Duration::from_millis(50));
    }
}

/// One trouble, for so long: a line of figures, and the requests a minute.
fn trouble(
    product: Product,
    name: &str,
    role: &Value,
    begin: impl Fn(&VaultServer),
    end: impl Fn(&VaultServer),
) -> f64 {
    let bench = Bench::new(product, role);
    let (token, log) = (bench.fixture.folder.path().join("token"), bench.fixture.folder.path().join("log"));
    let sidecar = bench.start(&token, &log);
    wait("it has logged in", || token.exists());
    let seconds = soak("SOAK_TROUBLE_SECONDS", 60);
    let (held, stop) = (TokenContents::default(), AtomicBool::new(false));
    let requests = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                held.read(&token);
                sleep(Duration::from_millis(20));
            }
        });
        begin(&bench.fixture.vault);
        let before = bench.proxy.requests().len();
        sleep(Duration::from_secs(seconds as u64));
        let requests = bench.proxy.requests()[before..].to_vec();
        end(&bench.fixture.vault);
        // It gets over it: the file has a token that lives.
        let lives = || {
            let body = json!({"token": fs::read_to_string(&token).unwrap_or_default()});
            bench.fixture.vault.http("POST", "auth/token/lookup", Some(&body)).is_ok_and(|answer| answer.is_success())
        };
        let healed = Instant::now();
        wait("a token that lives", lives);
        let healed = healed.elapsed();
        stop.store(true, Ordering::SeqCst);
        println!(
            "{:8} {name:26} {:5.1} requests a minute ({}); {} tokens in the file, which was {}; after it {:.1} s",
            product.to_string(),
            requests.len() as f64 * 60.0 / seconds as f64,
            kinds(&requests),
            held.contents.lock().expect("no panic").len(),
            if held.away.load(Ordering::SeqCst) { "away" } else { "always whole" },
            healed.as_secs_f64(),
        );
        requests
    });
    drop(sidecar);
    let said = fs::read_to_string(&log).expect("its log");
    assert!(!held.away.load(Ordering::SeqCst), "{said}");
    requests.len() as f64 * 60.0 / seconds as f64
}

/// `login 3, renew-self 2`.
fn kinds(requests: &[String]) -> String {
    let of = |kind: &str| requests.iter().filter(|request| request.ends_with(kind)).count();
    let kinds = ["login", "lookup-self", "renew-self", "revoke-self"];
    let told = kinds.iter().map(|kind| (kind, of(kind))).filter(|(_, count)| *count > 0);
    told.map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

each_product!(
    #[ignore = "takes minutes: cargo soak troubles"]
    soak_of_troubles,
    |product| {
        let renewable = json!({"token_ttl": TTL, "token_max_ttl": 0});
        let nothing = |_: &VaultServer| {};
        let calm = trouble(product, "none", &renewable, nothing, nothing);
        assert!(calm <= 6.0, "{calm}");
        let down = |vault: &VaultServer| vault.stop();
        let up = |vault: &VaultServer| vault.restart().expect("it is there again");
        let rate = trouble(product, "down for three renewals", &renewable, down, up);
        assert!(rate <= 61.0, "{rate}");
        let seal = |vault: &VaultServer| vault.seal().expect("it is sealed");
        let unseal = |vault: &VaultServer| vault.unseal().expect("it is unsealed");
        let rate = trouble(product, "sealed", &renewable, seal, unseal);
        assert!(rate <= 61.0, "{rate}");
        // One renewal is refused for each token, and a login follows.
        let role = json!({"token_ttl": TTL, "token_max_ttl": 0, "token_no_default_policy": true});
        let rate = trouble(product, "renew-self forbidden", &role, nothing, nothing);
        assert!(rate <= 10.0, "{rate}");
        let role = json!({"token_ttl": TTL, "token_max_ttl": 2 * TTL});
        let rate = trouble(product, "maximum of two leases", &role, nothing, nothing);
        assert!(rate <= 10.0, "{rate}");
        let rate =
            trouble(product, "batch tokens", &json!({"token_ttl": TTL, "token_type": "batch"}), nothing, nothing);
        assert!(rate <= 6.0, "{rate}");
    }
);

// Three nodes, of which the sidecar knows one; two leaders step down.
each_product!(a_sidecar_lives_through_changes_of_the_leader, |product| {
    let raft = RaftOfThree::start(product).expect("three nodes start");
    let vault = raft.node(0);
    let key = harness::keys::SigningKey::generate(harness::keys::Alg::Es256).expect("a key");
    let active = raft.node(raft.wait_active(Duration::from_secs(30)).expect("a leader"));
    let ok = |path: &str, body: Value| drop(active.ok("POST", path, Some(&body)).expect("Vault takes it"));
    ok("sys/auth/jwt", json!({"type": "jwt"}));
    ok("auth/jwt/config", json!({"jwt_validation_pubkeys": [key.public_pem()]}));
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_ttl": 9});
    ok("auth/jwt/role/app", role);
    wait("the role on each node", || {
        vault.http("GET", "auth/jwt/role/app", None).is_ok_and(|answer| answer.is_success())
    });
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({"iss": "https://a", "sub": "s", "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 600});
    let folder = vault.scratch().folder("pod").expect("a folder");
    let [jwt, token, log] = ["jwt", "token", "log"].map(|name| folder.join(name));
    fs::write(&jwt, key.sign(&claims).expect("a token")).expect("it is written");
    let mut command = Command::new(harness::artifacts::pod_binary().expect("the pod binary is built").path);
    command.env_clear().envs(vault.client_environment()).env("VAULT_JWT_FILE", &jwt).env("VAULT_TOKEN_FILE", &token);
    command.args(["--watch", "--role=app"]).stdin(Stdio::null()).stdout(Stdio::null());
    let _sidecar = Sidecar(command.stderr(File::create(&log).expect("a log")).spawn().expect("it starts"));
    let said = || fs::read_to_string(&log).expect("its log");
    let renewed = || said().matches("renewed: ").count();
    wait("a renewal", || renewed() >= 1);
    let held = fs::read_to_string(&token).expect("a token");
    for _ in 0..2 {
        let before = renewed();
        raft.step_down().expect("it steps down");
        raft.wait_active(Duration::from_secs(30)).expect("a leader");
        wait("two more renewals", || renewed() >= before + 2);
    }
    assert_eq!(fs::read_to_string(&token).expect("a token"), held, "{NEVER_FLAKY}: {}", said());
    assert_eq!(said().matches("logged in to ").count(), 1, "{}", said());
});
