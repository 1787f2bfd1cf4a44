//! Many pods that log in at once to a slow Vault: each pod logs in exactly once, and every token
//! that Vault creates is in a pod's file.
//!
//! A client that abandons a request saves Vault no work: Vault still tries the
//! keys. It may then create a token that no pod holds. A retry adds one more login.

use crate::support::fleet::soak;
use crate::support::process_cost::{costs, pid_of};
use harness::NEVER_FLAKY;
use harness::artifacts;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::process::{Scratch, Turn, clean_environment};
use harness::server::{DelayingProxy, PooledVault, Product, VaultOptions, VaultServer};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Keys on the largest mount.
const MOST_KEYS: usize = 941;

/// How often the pods are checked for their end.
const POLL: Duration = Duration::from_millis(50);

/// A mount, and what a pod needs to log in there.
struct Scene<'a> {
    vault: &'a VaultServer,
    /// Where pods find Vault.
    address: String,
    program: PathBuf,
    /// The JWT of every pod: they are replicas of one Deployment.
    jwt: PathBuf,
    scratch: Scratch,
}

impl<'a> Scene<'a> {
    /// Enables a mount with so many keys.
    fn new(vault: &'a VaultServer, keys: usize) -> Self {
        let scratch = Scratch::new("slow-crowd").expect("a folder");
        let keys: Vec<_> = (0..keys).map(|_| SigningKey::generate(Alg::Es256).expect("a key")).collect();
        let pems: Vec<_> = keys.iter().map(SigningKey::public_pem).collect();
        let ok = |path: &str, body| drop(vault.ok("POST", path, Some(&body)).expect("Vault accepts it"));
        ok("sys/auth/jwt", json!({"type": "jwt"}));
        ok("auth/jwt/config", json!({"jwt_validation_pubkeys": pems}));
        ok("auth/jwt/role/app", json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        let claims =
            json!({"iss": "https://a", "sub": "s", "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 3_600});
        // Vault tries the keys in order: the last one is the worst case.
        let jwt = keys.last().expect("a key").sign(&claims).expect("a JWT");
        let jwt = scratch.write("jwt", jwt).expect("the JWT file is written");
        let program = artifacts::pod_binary().expect("the program is built").path;
        Self { vault, address: vault.address().to_owned(), program, jwt, scratch }
    }

    /// A folder for each of so many pods.
    fn folders(&self, pods: usize) -> Vec<PathBuf> {
        (0..pods).map(|pod| self.scratch.folder(&format!("pod-{pod}")).expect("a folder")).collect()
    }

    /// Starts a login with default settings, and these flags.
    fn login(&self, folder: &Path, flags: &[&str]) -> Child {
        let mut login = Command::new(&self.program);
        clean_environment(&mut login, folder, &[]);
        login.envs(self.vault.client_environment()).env("VAULT_ADDR", &self.address);
        login.arg("--role=app").arg("--jwt-file").arg(&self.jwt).arg("--token-file").arg(folder.join("token"));
        // A file, not a pipe: two thousand pipes would have to be kept open and read.
        let messages = File::create(folder.join("stderr")).expect("a file for its messages");
        login.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages);
        login.spawn().expect("the program starts")
    }
}

/// A process, and a folder of its own for its token and its messages.
struct Pod {
    process: Child,
    folder: PathBuf,
    ended: Option<(Duration, ExitStatus)>,
}

/// Pods that were started at once. Dropped, those that still run are killed.
struct Crowd {
    pods: Vec<Pod>,
    start: Instant,
    /// How long it took to start all of them.
    started: Duration,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for pod in self.pods.iter_mut().filter(|pod| pod.ended.is_none()) {
            let _ = pod.process.kill();
            let _ = pod.process.wait();
        }
    }
}

impl Crowd {
    /// Starts so many, one after the other and without a pause.
    fn start(scene: &Scene<'_>, flags: &[&str], pods: usize) -> Self {
        let folders = scene.folders(pods);
        let mut crowd = Self { pods: Vec::new(), start: Instant::now(), started: Duration::ZERO };
        for folder in folders {
            crowd.pods.push(Pod { process: scene.login(&folder, flags), folder, ended: None });
        }
        crowd.started = crowd.start.elapsed();
        crowd
    }

    /// Waits until all have ended, but no longer than this after the start.
    fn wait(&mut self, at_most: Duration) {
        while self.pods.iter().any(|pod| pod.ended.is_none()) && self.start.elapsed() < at_most {
            thread::sleep(POLL);
            for pod in self.pods.iter_mut().filter(|pod| pod.ended.is_none()) {
                let ended = pod.process.try_wait().expect("a state");
                pod.ended = ended.map(|status| (self.start.elapsed(), status));
            }
        }
    }

    /// When each pod that ended did so, in order.
    fn times(&self) -> Vec<Duration> {
        let mut times: Vec<_> = self.pods.iter().filter_map(|pod| Some(pod.ended?.0)).collect();
        times.sort_unstable();
        times
    }

    /// How the pods ended that have no token, and how many so.
    fn failed(&self) -> BTreeMap<String, usize> {
        let failed = self.pods.iter().filter_map(|pod| match pod.ended {
            Some((_, status)) if status.success() => None,
            Some((_, status)) => Some(status.to_string()),
            None => Some("still running".to_owned()),
        });
        counted(failed)
    }

    /// The reasons of warnings and errors, and how many lines have each.
    fn troubles(&self) -> BTreeMap<String, usize> {
        let messages = self.pods.iter().map(|pod| fs::read_to_string(pod.folder.join("stderr")).expect("its messages"));
        let lines = messages.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let expected = |line: &String| line.starts_with("logged in to ") || line.contains("--splay");
        counted(lines.filter(|line| !expected(line) && !line.starts_with("hint: ")).map(|line| reason(&line)))
    }

    /// The accessors of the tokens in the files. A file with a token that Vault
    /// does not know, or that is not from a login, counts for nothing.
    fn tokens_in_files(&self, vault: &VaultServer) -> BTreeSet<String> {
        let held = self.pods.iter().filter_map(|pod| {
            let token = fs::read_to_string(pod.folder.join("token")).ok()?;
            let known = vault.http("POST", "auth/token/lookup", Some(&json!({"token": token})));
            let known = known.expect("Vault answers").json();
            let accessor = known["data"]["accessor"].as_str()?.to_owned();
            (known["data"]["path"] == "auth/jwt/login").then_some(accessor)
        });
        held.collect()
    }
}

fn counted(texts: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    texts.fold(BTreeMap::new(), |mut counts, text| {
        *counts.entry(text).or_default() += 1;
        counts
    })
}

/// A message without Vault's address and without times: an abandoned request names
/// the time that was left for it, which differs from pod to pod.
fn reason(line: &str) -> String {
    let (label, rest) = line.split_once(": ").unwrap_or(("", line));
    let why = rest.split_once("\": ").map_or(rest, |(_, why)| why);
    let why = why.split(';').next().unwrap_or_default();
    format!("{label}: {}", why.split(" in ").next().unwrap_or_default())
}

/// The accessors of all tokens that exist. One request for all of them, and it
/// is Vault's own storage that answers: a token whose response reached no client
/// is in the list. An entry in the audit log says that Vault was about to respond,
/// not that the token is stored.
fn accessors(vault: &VaultServer) -> BTreeSet<String> {
    let list = vault.ok("GET", "auth/token/accessors?list=true", None).expect("Vault lists them");
    let keys = list["data"]["keys"].as_array().expect("a list");
    keys.iter().map(|key| key.as_str().expect("an accessor").to_owned()).collect()
}

/// Logins that reached Vault, whether or not a client waited for the response.
fn logins(vault: &VaultServer) -> usize {
    vault.audit_requests().iter().filter(|request| request.path == "auth/jwt/login").count()
}

/// A Vault whose responses are late. The limit on one request was 15 s once.
const LATE: Duration = Duration::from_secs(17);

each_product!(a_login_waits_for_a_late_response, |product| {
    const PODS: usize = 10;
    let options = VaultOptions { tls: false, ..VaultOptions::new(product) };
    let vault = PooledVault::take_to_wait(options).expect("Vault starts");
    let mut scene = Scene::new(&vault, 1);
    let port = vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let late = LATE.as_millis() as u64;
    let proxy = DelayingProxy::start(port, late..=late).expect("the proxy starts");
    scene.address = format!("http://127.0.0.1:{}", proxy.port());
    let before = accessors(&vault);
    let mut crowd = Crowd::start(&scene, &[], PODS);
    crowd.wait(Duration::from_secs(60));

    let (logins, troubles) = (logins(&vault), crowd.troubles());
    assert_eq!(logins, PODS, "{NEVER_FLAKY}: {PODS} pods, {logins} logins: {troubles:?}, {:?}", crowd.failed());
    assert_eq!(crowd.failed(), BTreeMap::new(), "{troubles:?}");
    let created: BTreeSet<_> = accessors(&vault).difference(&before).cloned().collect();
    let held = crowd.tokens_in_files(&vault);
    assert_eq!(created, held, "{NEVER_FLAKY}: what Vault created is what the files hold");
    assert_eq!(held.len(), PODS, "{NEVER_FLAKY}: each pod has a token of its own");
    assert_eq!(troubles, BTreeMap::new(), "a response that is late is no trouble");
    // Otherwise the proxy delayed nothing, and the test shows nothing.
    let times = crowd.times();
    assert!(times.first().is_some_and(|first| *first >= LATE), "{times:?}");
});

/// Longest wait until Vault has worked off what clients abandoned.
const WORKED_OFF: Duration = Duration::from_secs(900);

/// Waits until a process uses less than a tenth of a core.
fn quiet(process: u32) {
    let start = Instant::now();
    loop {
        let before = costs(process).2;
        thread::sleep(Duration::from_secs(1));
        if costs(process).2 - before < 0.1 {
            return;
        }
        assert!(start.elapsed() < WORKED_OFF, "Vault is still busy");
    }
}

/// A Vault of its own, and its process: the peak of memory is of one crowd.
fn vault(product: Product) -> (VaultServer, u32) {
    let vault = VaultServer::start(VaultOptions::new(product)).expect("Vault starts");
    let process = pid_of(product.peer().pin().binary, vault.scratch().path()).expect("Vault runs");
    (vault, process)
}

/// One crowd and what it cost. Returns what is wrong, so that a soak prints the
/// figures of all crowds before it fails.
fn figures(product: Product, pods: usize, keys: usize, flags: &[&str], timeout: Duration) -> Vec<String> {
    let (vault, process) = vault(product);
    let scene = Scene::new(&vault, keys);
    let (before, cpu_before) = (accessors(&vault), costs(process).2);
    let mut crowd = Crowd::start(&scene, flags, pods);
    crowd.wait(timeout + Duration::from_secs(60));
    let cpu_until_in = costs(process).2 - cpu_before;
    quiet(process);
    let (cpu, peak) = (costs(process).2 - cpu_before, costs(process).1);

    let (times, failed, logins) = (crowd.times(), crowd.failed(), logins(&vault));
    let held = crowd.tokens_in_files(&vault);
    let created: BTreeSet<_> = accessors(&vault).difference(&before).cloned().collect();
    let orphans = created.difference(&held).count();
    let at = |place: usize| times.get(place).map_or(f64::NAN, Duration::as_secs_f64);
    let (half, all) = (at(times.len() / 2), at(times.len().saturating_sub(1)));
    println!(
        "{product}, {pods} pods {flags:?}, {keys} keys: started in {:.1} s, half ended after {half:.1} s, all after \
         {all:.1} s, failed {failed:?}; {logins} logins, {} tokens, {orphans} that no file holds; Vault: {cpu_until_in:.1} s \
         of CPU until then, {cpu:.1} s until it was idle ({:.1} ms a login), {} MiB at most; {:.1} pods a second; {:?}",
        crowd.started.as_secs_f64(),
        created.len(),
        1_000.0 * cpu / logins.max(1) as f64,
        peak / 1_024,
        held.len() as f64 / all,
        crowd.troubles(),
    );
    let mut wrong = Vec::new();
    let mut check = |right: bool, what: String| {
        if !right {
            wrong.push(format!("{pods} pods, {keys} keys: {what}"));
        }
    };
    check(failed.is_empty(), format!("failed {failed:?}"));
    check(logins == pods, format!("{logins} logins"));
    check(held.len() == pods, format!("{} pods have a token of their own", held.len()));
    check(orphans == 0, format!("{orphans} tokens that no file holds"));
    wrong
}

each_product!(
    #[ignore = "takes ten minutes: cargo soak slow_crowd"]
    soak_of_a_slow_crowd,
    |product| {
        let _alone = Turn::alone();
        let (most, keys) = (soak("SOAK_SLOW_CROWD_PODS", 2_000), soak("SOAK_SLOW_CROWD_KEYS", MOST_KEYS));
        let mut wrong = Vec::new();
        for pods in [100, 300, 800].into_iter().filter(|pods| *pods <= most) {
            for keys in [1, keys] {
                wrong.extend(figures(product, pods, keys, &[], Duration::from_secs(120)));
            }
        }
        if most >= 2_000 {
            let flags = ["--splay=3m", "--timeout=6m"];
            wrong.extend(figures(product, 2_000, keys, &flags, Duration::from_secs(360)));
        }
        assert!(wrong.is_empty(), "{NEVER_FLAKY}: {wrong:#?}");
    }
);

/// Pods that log in at the same time, each as soon as the one before it is in.
const AT_ONCE: usize = 16;

/// How many logins a second a Vault does for as long as pods come.
fn sustained(product: Product, keys: usize, seconds: u64) {
    let (vault, process) = vault(product);
    let scene = Scene::new(&vault, keys);
    let folders = scene.folders(AT_ONCE);
    let (start, cpu_before) = (Instant::now(), costs(process).2);
    let one_after_another = |folder: &Path| {
        let mut count = 0;
        while start.elapsed() < Duration::from_secs(seconds) {
            let status = scene.login(folder, &[]).wait().expect("it ends");
            let messages = fs::read_to_string(folder.join("stderr")).expect("its messages");
            assert!(status.success(), "{messages}");
            count += 1;
        }
        count
    };
    let done: usize = thread::scope(|scope| {
        let workers: Vec<_> = folders.iter().map(|folder| scope.spawn(|| one_after_another(folder))).collect();
        workers.into_iter().map(|worker| worker.join().expect("all logins succeed")).sum()
    });
    let (took, cpu) = (start.elapsed().as_secs_f64(), costs(process).2 - cpu_before);
    assert_eq!(logins(&vault), done);
    let each = 1_000.0 * cpu / done as f64;
    println!(
        "{product}, {keys} keys, right key last: {:.1} logins a second for {took:.0} s, {AT_ONCE} pods at once, TLS; \
         {each:.2} ms of Vault's CPU a login, so {:.0} a second for each core; Vault had {:.2} of {} cores, which it \
         shares with the pods and with all else on this machine",
        done as f64 / took,
        1_000.0 / each,
        cpu / took,
        thread::available_parallelism().map_or(1, usize::from),
    );
}

each_product!(
    #[ignore = "a measurement of minutes: cargo soak slow_crowd"]
    soak_of_sustained_logins,
    |product| {
        let _alone = Turn::alone();
        let seconds = soak("SOAK_SLOW_CROWD_SECONDS", 30) as u64;
        for keys in [1, 100, MOST_KEYS] {
            sustained(product, keys, seconds);
        }
    }
);
