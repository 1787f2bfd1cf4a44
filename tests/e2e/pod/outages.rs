//! How long the token file of `vault-jwt-login --watch` has no valid token after an outage of
//! Vault, compared with Vault's own agent (`vault agent`, `bao agent`) with a file sink: figures
//! from one run.

use crate::pod::many_sidecars::{Running, add_role, start};
use crate::support::fleet::soak;
use crate::support::process_cost::pid_of;
use harness::NEVER_FLAKY;
use harness::artifacts;
use harness::each_product;
use harness::peers;
use harness::process::Scratch;
use harness::server::{Product, RaftOfThree, VaultOptions, VaultServer};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Seconds that a token lives.
const TTL: u64 = 20;
/// Processes of each kind.
const EACH: usize = 5;
/// Time between two lookups of the same file's token.
const POLL: Duration = Duration::from_millis(100);
/// Longest time that a client gets to recover. The agent waits up to five minutes between logins.
const AT_MOST: Duration = Duration::from_secs(400);
/// Slowest recovery that is accepted of ours, on top of what one login takes.
const RECOVERY: Duration = Duration::from_secs(10);
/// How much faster the agent may be: less than that is chance.
const CHANCE: Duration = Duration::from_secs(2);

/// Five of ours and five agents beside each other, the n-th ones started at the same moment.
struct Clients {
    product: Product,
    // The processes stop before their folders go: fields drop in this order.
    _running: Running,
    /// Folders of ours, then those of the agents.
    folders: Vec<PathBuf>,
    _scratch: Scratch,
    /// The slowest first login of ours, with the start of the process.
    login: Duration,
    /// What did not hold, told at the end so that every line is printed first.
    failures: Vec<String>,
}

/// What happened to one file after an outage.
struct File {
    path: PathBuf,
    /// Whether its token was dead when the server was back.
    found_dead: bool,
    /// Whether its token was dead at the last poll.
    dead: bool,
    /// How long it held a dead token since the server was back.
    lost: Duration,
    /// Since when it holds a living token without a break.
    since: Duration,
}

impl File {
    /// A token that lives for longer than one TTL has been renewed or replaced.
    fn is_calm(&self, now: Duration) -> bool {
        !self.dead && now.saturating_sub(self.since) > Duration::from_secs(TTL + 1)
    }
}

impl Clients {
    /// Starts them against one server, spread over one TTL so that their phases differ.
    fn start(vault: &VaultServer, jwt: &Path) -> Self {
        // Built here, so that no start waits for it.
        artifacts::pod_binary().expect("the program is built");
        let scratch = Scratch::new("outages").expect("a folder");
        let folder = |kind: &str, number| scratch.folder(&format!("{kind}-{number}")).expect("a folder");
        let kinds = ["ours", "agent"];
        let folders: Vec<PathBuf> =
            kinds.iter().flat_map(|kind| (0..EACH).map(move |number| folder(kind, number))).collect();
        let (mut running, mut login) = (Running(Vec::new()), Duration::ZERO);
        let began = Instant::now();
        for number in 0..EACH {
            let due = Duration::from_secs(TTL).mul_f64(number as f64 / EACH as f64);
            sleep(due.saturating_sub(began.elapsed()));
            let started = Instant::now();
            for ours in [true, false] {
                let folder = &folders[if ours { number } else { EACH + number }];
                running.0.push(start(vault, ours, jwt, folder));
            }
            while !folders[number].join("token").exists() {
                assert!(started.elapsed() < Duration::from_secs(60), "no login: {}", log(&folders[number]));
                sleep(Duration::from_millis(5));
            }
            login = login.max(started.elapsed());
        }
        Self { product: vault.product(), _running: running, folders, _scratch: scratch, login, failures: Vec::new() }
    }

    /// Polls until each file has held a living token for longer than one TTL.
    fn watch(&self, vault: &VaultServer) -> Vec<File> {
        let lives = |path: &Path| lives(vault, &fs::read_to_string(path).unwrap_or_default());
        let start = Instant::now();
        let first = |folder: &PathBuf| {
            let path = folder.join("token");
            let (dead, since) = (!lives(&path), start.elapsed());
            File { path, found_dead: dead, dead, lost: Duration::ZERO, since }
        };
        let mut files: Vec<File> = self.folders.iter().map(first).collect();
        let mut before = start.elapsed();
        loop {
            sleep(POLL.saturating_sub(start.elapsed().saturating_sub(before)));
            let now = start.elapsed();
            for file in &mut files {
                let dead = !lives(&file.path);
                if file.dead {
                    file.lost += now - before;
                    file.since = now;
                }
                file.dead = dead;
            }
            before = now;
            if files.iter().all(|file| file.is_calm(now)) || now > AT_MOST + Duration::from_secs(TTL + 2) {
                return files;
            }
        }
    }

    /// Waits until all is calm.
    fn wait_calm(&self, vault: &VaultServer) {
        let files = self.watch(vault);
        assert!(files.iter().all(|file| !file.dead), "{NEVER_FLAKY}: {}", logs(&self.folders));
    }

    /// One outage, which ends after `lasts`: `end` gives a server that is active again. Prints
    /// one line. With `all_die`, every token that was in place at the end must be dead, or nothing
    /// was measured.
    fn outage<'a>(
        &mut self,
        name: &str,
        all_die: bool,
        begin: impl FnOnce(),
        lasts: u64,
        end: impl FnOnce() -> &'a VaultServer,
    ) {
        begin();
        sleep(Duration::from_secs(lasts));
        let last: Vec<String> =
            self.folders.iter().map(|folder| fs::read_to_string(folder.join("token")).expect("a token")).collect();
        let vault = end();
        let died = last.iter().filter(|token| !lives(vault, token)).count();
        let files = self.watch(vault);
        let (ours, agents) = files.split_at(EACH);
        let dead = |files: &[File]| files.iter().filter(|file| file.found_dead).count();
        let ([ours_median, agent_median], [slowest, _]) = ([ours, agents].map(median), [ours, agents].map(slowest));
        let line = format!(
            "{:8} {name:20} without a living token: ours {:5.1} s ({}), agent {:5.1} s ({}); dead when it was back: {} and {} of {EACH}",
            self.product.to_string(),
            ours_median.as_secs_f64(),
            each(ours),
            agent_median.as_secs_f64(),
            each(agents),
            dead(ours),
            dead(agents),
        );
        println!("{line}");
        let calm = files.iter().all(|file| !file.dead);
        assert!(calm, "{NEVER_FLAKY}: not all have recovered in {AT_MOST:?}\n{line}\n{}", logs(&self.folders));
        let all_dead = died == 2 * EACH;
        assert!(
            !all_die || all_dead,
            "{NEVER_FLAKY}: {died} died: tokens outlived their TTL, or were not away\n{line}"
        );
        if ours_median > agent_median + CHANCE || slowest > RECOVERY + self.login {
            self.failures.push(line);
        }
    }

    /// Fails with every line that did not hold.
    fn finish(self) {
        let login = self.login.as_secs_f64();
        assert!(
            self.failures.is_empty(),
            "slower than the agent, or than {RECOVERY:?} and a login ({login:.1} s):\n{}\n{}",
            self.failures.join("\n"),
            logs(&self.folders[..EACH])
        );
    }
}

/// Whether a token is valid. It is not used itself, so that the lookup changes nothing for it. After
/// a restart, Vault still answers lookups of an expired token until it has revoked it, which takes
/// milliseconds, while it refuses the token itself.
fn lives(vault: &VaultServer, token: &str) -> bool {
    let Ok(answer) = vault.http("POST", "auth/token/lookup", Some(&json!({"token": token}))) else { return false };
    let expires = answer.json()["data"]["expire_time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    answer.is_success() && expires.is_some_and(|time| time > jiff::Timestamp::now())
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn logs(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| format!("{}:\n{}\n", folder.display(), log(folder))).collect()
}

fn sorted(files: &[File]) -> Vec<Duration> {
    let mut lost: Vec<Duration> = files.iter().map(|file| file.lost).collect();
    lost.sort();
    lost
}

fn median(files: &[File]) -> Duration {
    sorted(files)[EACH / 2]
}

fn slowest(files: &[File]) -> Duration {
    sorted(files)[EACH - 1]
}

/// `0.0 0.4 1.2 …`
fn each(files: &[File]) -> String {
    sorted(files).iter().map(|lost| format!("{:.1}", lost.as_secs_f64())).collect::<Vec<_>>().join(" ")
}

/// Sends a signal to the server's own process.
fn signal(vault: &VaultServer, name: &str) {
    let program = peers::locate(vault.product().peer()).expect("the server's program");
    let program = program.file_name().and_then(|name| name.to_str()).expect("a name");
    let pid = pid_of(program, vault.scratch().path()).expect("its process");
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.expect("kill runs").success(), "{name}");
}

/// Three nodes with the role, and the number of the one that leads: not the first.
pub fn three_nodes(product: Product, jwt: &Path) -> (RaftOfThree, usize) {
    let raft = RaftOfThree::start(product).expect("three nodes start");
    let leader = raft.wait_active(Duration::from_secs(30)).expect("a leader");
    assert_ne!(leader, 0, "the first node is a standby");
    add_role(raft.node(leader), TTL, jwt);
    let start = Instant::now();
    while !raft.node(0).http("GET", "auth/jwt/role/app", None).is_ok_and(|answer| answer.is_success()) {
        assert!(start.elapsed() < Duration::from_secs(60), "the standby has no role");
        sleep(Duration::from_millis(50));
    }
    (raft, leader)
}

/// Waits for a leader other than `before`.
pub fn next_leader(raft: &RaftOfThree, before: usize) -> &VaultServer {
    let start = Instant::now();
    loop {
        match raft.active() {
            Some(leader) if leader != before => return raft.node(leader),
            _ => assert!(start.elapsed() < Duration::from_secs(60), "no other node leads"),
        }
        sleep(Duration::from_millis(20));
    }
}

each_product!(
    #[ignore = "takes a quarter of an hour: cargo soak outages"]
    soak_of_outages,
    |product| {
        let seconds = |name: &str, otherwise: usize| soak(name, otherwise) as u64;
        let (short, long) = (seconds("SOAK_OUTAGE_SHORT", 10), seconds("SOAK_OUTAGE_LONG", 180));
        let middle = seconds("SOAK_OUTAGE_MIDDLE", 40);
        let scratch = Scratch::new("outages").expect("a folder");
        let jwt = scratch.path().join("jwt");
        let vault = VaultServer::start(VaultOptions { audit: false, ..VaultOptions::new(product) });
        let vault = &vault.expect("Vault starts");
        add_role(vault, TTL, &jwt);
        let mut clients = Clients::start(vault, &jwt);
        clients.wait_calm(vault);
        for lasts in [short, middle, long] {
            let restart = || {
                vault.restart().expect("it starts again");
                vault
            };
            clients.outage(&format!("killed for {lasts} s"), lasts > TTL, || vault.kill(), lasts, restart);
        }
        let resume = || {
            signal(vault, "CONT");
            vault.wait_active().expect("it is active");
            vault
        };
        clients.outage(&format!("frozen for {middle} s"), middle > TTL, || signal(vault, "STOP"), middle, resume);
        let unseal = || {
            vault.unseal().expect("it is unsealed");
            vault
        };
        let seal = || vault.seal().expect("it is sealed");
        clients.outage(&format!("sealed for {middle} s"), middle > TTL, seal, middle, unseal);
        clients.finish();
    }
);

// Three nodes, of which the clients know one: a standby, which may lead later. These outages are
// short: what is measured is whether a client loses its token all the same.
each_product!(
    #[ignore = "takes minutes: cargo soak outages"]
    soak_of_leaders,
    |product| {
        let scratch = Scratch::new("outages").expect("a folder");
        let jwt = scratch.path().join("jwt");
        let (raft, leader) = three_nodes(product, &jwt);
        let mut clients = Clients::start(raft.node(0), &jwt);
        clients.wait_calm(raft.node(leader));
        let next = || next_leader(&raft, leader);
        clients.outage("leader killed", false, || raft.node(leader).kill(), 0, next);
        let leader = raft.wait_active(Duration::from_secs(30)).expect("a leader");
        let step_down = || raft.step_down().expect("it steps down");
        clients.outage("leader steps down", false, step_down, 0, || next_leader(&raft, leader));
        clients.finish();
    }
);
