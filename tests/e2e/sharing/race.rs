//! Concurrent writes to one mount. Vault has no compare-and-set for a mount's configuration: a
//! writer that does not check its write loses keys. Each test shows that first.

use crate::support::fixture::Ran;
use crate::support::fleet::{Fleet, by_hand, elements, foreign};
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::process::Turn;
use harness::server::{
    DelayingProxy, FakeApiServers, FakeApiServersOptions, FakeIssuers, HaPair, PooledVault, Product, VaultOptions,
    VaultServer,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Processes that start at once.
const WRITERS: usize = 32;
/// How many of them remove their cluster, where some do.
const REMOVERS: usize = 8;
/// Milliseconds that the slow proxy holds back answers.
const SLOW: std::ops::RangeInclusive<u64> = 0..=300;

/// One race at a time: 32 processes are enough for a machine.
static TRACK: Mutex<()> = Mutex::new(());

/// What a round cost.
#[derive(Debug, Default)]
struct Figures {
    elapsed: Duration,
    /// Writes of the configuration, for each process.
    writes: Vec<usize>,
}

/// Every cluster with an issuer of its own, or all with one, as kubeadm's are.
fn clusters(issuers: Issuers) -> FakeApiServers {
    let issuers = match issuers {
        Issuers::Each => FakeApiServersOptions::default().issuers,
        Issuers::Shared => FakeIssuers::Shared(SHARED.to_owned()),
    };
    FakeApiServers::start(WRITERS, FakeApiServersOptions { issuers, ..FakeApiServersOptions::default() })
        .expect("the clusters start")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Issuers {
    Each,
    Shared,
}

const SHARED: &str = "https://kubernetes.default.svc";

fn alone() -> impl Drop {
    TRACK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Raft storage, without an audit log, whose writing would be most of the work.
fn raft(product: Product) -> PooledVault {
    PooledVault::take(VaultOptions { audit: false, ..VaultOptions::new(product) }).expect("Vault starts")
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port")
}

/// Starts 32 processes at once on a mount of their own, of which the first
/// `removers` remove their cluster and the others add a key, and looks at what
/// is there when all have ended.
fn round(fleet: &Fleet<'_>, mount: &str, removers: usize) -> Figures {
    fleet.enable(mount);
    round_on(fleet, mount, removers)
}

/// The same on a mount that is enabled.
fn round_on(fleet: &Fleet<'_>, mount: &str, removers: usize) -> Figures {
    let clusters = fleet.clusters;
    (0..WRITERS).for_each(|number| clusters.retire(number));
    fleet.enroll_all(mount);
    let foreign = foreign();
    let bound = if clusters.issuer(0) == clusters.issuer(1) { clusters.issuer(0) } else { "" };
    let enrolled = elements(&fleet.config(mount));
    assert_eq!(enrolled.len(), WRITERS);
    fleet.write(&format!("auth/{mount}/config"), &by_hand(&enrolled, &foreign, bound));
    let before = fleet.config(mount);
    for number in removers..WRITERS {
        clusters.rotate(number).expect("a key is made");
    }

    let start = Instant::now();
    let verb = |number| if number < removers { &["remove", "--yes"][..] } else { &["sync"] };
    // Those who remove are spread among those who add.
    let order = (0..WRITERS).map(|n| n * (WRITERS / REMOVERS) % WRITERS + n / REMOVERS);
    let running: Vec<(usize, Child)> = order
        .map(|number| {
            let context = format!("c{number}");
            let words = ["--context", &context, "--mount", mount, "-o", "json", "-v", "6"];
            (number, fleet.start(&[verb(number), &words].concat()))
        })
        .collect();
    let ended: BTreeMap<usize, Ran> = running
        .into_iter()
        .map(|(number, child)| (number, child.wait_with_output().expect("the process ends").into()))
        .collect();
    let elapsed = start.elapsed();

    // No process failed, and each that reports success is right.
    let write = format!("POST auth/{mount}/config: ");
    let mut writes = Vec::new();
    for (number, ran) in &ended {
        assert_eq!(ran.code, 0, "c{number}: {}{}", ran.stdout, ran.stderr);
        writes.push(ran.stderr.matches(&write).count());
        if *number >= removers {
            reports_its_new_key(fleet, *number, ran);
        }
    }
    let after = fleet.config(mount);
    at_rest(fleet, removers, &foreign, &elements(&after));
    assert_eq!(after["jwt_supported_algs"], json!(["RS256", "ES256"]));
    assert_eq!((&after["bound_issuer"], &after["default_role"]), (&json!(bound), &json!("app")));
    let rest = |config: &Value| {
        let mut rest = config.as_object().expect("an object").clone();
        rest.retain(|field, _| field != "jwt_validation_pubkeys" && field != "jwt_supported_algs");
        rest
    };
    assert_eq!(rest(&after), rest(&before), "{NEVER_FLAKY}");
    Figures { elapsed, writes }
}

/// The report says that the new key was added and stands there.
fn reports_its_new_key(fleet: &Fleet<'_>, number: usize, ran: &Ran) {
    let report: Value = serde_json::from_str(&ran.stdout).expect("the report is JSON");
    let row = &report["clusters"][0];
    assert_eq!((&row["context"], &row["outcome"]), (&json!(format!("c{number}")), &json!("changed")), "{row}");
    let new = fleet.clusters.keys(number).pop().expect("a key");
    let step = row["keys"].as_array().into_iter().flatten().find(|key| key["kid"] == json!(new.kid()));
    assert_eq!(step.map(|step| &step["action"]), Some(&json!("add")), "{NEVER_FLAKY}: {row}");
    let after = elements(&report["config"]["after"]);
    assert!(after.iter().any(|element| element.contains(new.public_pem().trim())), "{NEVER_FLAKY}: {report}");
}

/// Nothing lost, nothing left behind, nothing of others touched.
fn at_rest(fleet: &Fleet<'_>, removers: usize, foreign: &[String; 3], elements: &[String]) {
    for number in 0..WRITERS {
        let own: Vec<&String> = elements.iter().filter(|element| fleet.is_of(number, element)).collect();
        let keys = if number < removers { Vec::new() } else { fleet.clusters.keys(number) };
        let with = |key: &SigningKey| own.iter().filter(|element| element.contains(key.public_pem().trim())).count();
        let found: Vec<usize> = keys.iter().map(with).collect();
        assert_eq!((found, own.len()), (vec![1; keys.len()], keys.len()), "{NEVER_FLAKY}: c{number}: {own:#?}");
        assert!(own.iter().all(|element| !element.contains("retired: ")), "{NEVER_FLAKY}: c{number}: {own:#?}");
    }
    let strangers = |element: &&String| !(0..WRITERS).any(|number| fleet.is_of(number, element));
    let left = elements.iter().filter(strangers).collect::<Vec<_>>();
    assert_eq!(left, foreign.iter().collect::<Vec<_>>(), "{NEVER_FLAKY}");
}

/// How many keys of as many writers without our protocol are lost on the same
/// server: each reads, adds its key, and writes until that is answered with
/// success.
fn naive(vault: &VaultServer, mount: &str) -> usize {
    vault.ok("POST", &format!("sys/auth/{mount}"), Some(&json!({"type": "jwt"}))).expect("the mount is enabled");
    let path = format!("auth/{mount}/config");
    let key = || SigningKey::generate(Alg::Es256).expect("a key").public_pem().trim().to_owned();
    vault.ok("POST", &path, Some(&json!({"jwt_validation_pubkeys": [key()]}))).expect("the first key is written");
    let keys: Vec<String> = (0..WRITERS).map(|_| key()).collect();
    let together = Barrier::new(WRITERS);
    let write = |key: &String| {
        together.wait();
        let mut config = vault.ok("GET", &path, None).expect("the configuration is read")["data"].clone();
        let members = config.as_object_mut().expect("an object");
        members.remove("status");
        members["jwt_validation_pubkeys"].as_array_mut().expect("a list").push(json!(key));
        // OpenBao refuses a write that meets another one.
        while !vault.http("POST", &path, Some(&config)).expect("Vault answers").is_success() {}
    };
    thread::scope(|scope| keys.iter().for_each(|key| drop(scope.spawn(|| write(key)))));
    let standing = elements(&vault.ok("GET", &path, None).expect("the configuration is read")["data"]);
    let lost = keys.iter().filter(|key| !standing.contains(key)).count();
    // Or what the tests show here, anybody could.
    assert!(lost > 0, "a writer that does not look again lost nothing: this shows nothing");
    lost
}

each_product!(some_remove_while_others_add, |product| {
    let _alone = alone();
    let (clusters, vault) = (clusters(Issuers::Each), raft(product));
    naive(&vault, "naive");
    round(&Fleet::new(&clusters, &vault), "jwt", REMOVERS);
});

each_product!(all_add_to_a_slow_vault, |product| {
    let _alone = alone();
    let (clusters, vault) = (clusters(Issuers::Shared), raft(product));
    naive(&vault, "naive");
    let slow = DelayingProxy::start(port(vault.address()), SLOW).expect("the proxy starts");
    let fleet = Fleet::new(&clusters, &vault).through(format!("https://127.0.0.1:{}", slow.port()));
    round(&fleet, "jwt", 0);
});

each_product!(all_add_through_a_standby, |product| {
    let _alone = alone();
    let _turn = Turn::take();
    let clusters = clusters(Issuers::Each);
    let pair = HaPair::start(product).expect("both nodes start");
    naive(pair.active(), "naive");
    // What is there is looked up at the active node, what is done is asked of the other.
    let fleet = Fleet::new(&clusters, pair.active()).through(pair.standby().address().to_owned());
    fleet.enable("jwt");
    // An OpenBao that is a standby answers reads itself, and hears of the mount a moment later.
    let start = Instant::now();
    while !pair.standby().http("GET", "sys/auth/jwt", None).is_ok_and(|answer| answer.is_success()) {
        assert!(start.elapsed() < Duration::from_secs(30), "the standby does not hear of the mount");
        thread::sleep(Duration::from_millis(20));
    }
    round_on(&fleet, "jwt", 0);
});

each_product!(one_adds_while_others_look, |product| {
    // An OpenBao 2.7 that is read (or logged in to) while it writes shows what
    // was there before until the next write: `pathConfigWrite` in
    // builtin/credential/jwt/path_config.go empties its cache, then commits.
    let _alone = alone();
    let clusters = FakeApiServers::start(1, FakeApiServersOptions::default()).expect("a cluster starts");
    let vault = raft(product);
    let fleet = Fleet::new(&clusters, &vault);
    fleet.enable("jwt");
    fleet.enroll_all("jwt");
    let new = clusters.rotate(0).expect("a key is made");
    let done = AtomicBool::new(false);
    let ran = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    fleet.config("jwt");
                }
            });
        }
        let ran = fleet.run(&["sync", "--context", "c0", "-v", "6"]);
        done.store(true, Ordering::SeqCst);
        ran
    });
    let ran = ran.ok();
    let writes = ran.stderr.matches("POST auth/jwt/config: 204").count();
    assert!((2..=4).contains(&writes), "{}", ran.stderr);
    let there = elements(&fleet.config("jwt"));
    assert!(there.iter().any(|element| element.contains(new.public_pem().trim())), "{NEVER_FLAKY}: {there:#?}");
});

each_product!(
    #[ignore = "takes many minutes: cargo soak"]
    soak_of_races,
    |product| {
        let _alone = alone();
        let rounds = crate::support::fleet::soak("SOAK_ROUNDS", 20);
        let vault = raft(product);
        let slow = DelayingProxy::start(port(vault.address()), SLOW).expect("the proxy starts");
        println!("{product}: {WRITERS} processes at once, in each of {rounds} rounds");
        println!("round  kind              seconds  writes/process  most  lost by the naive");
        let kinds = [
            ("add", Issuers::Each, 0, false),
            ("add and remove", Issuers::Each, REMOVERS, false),
            ("slow", Issuers::Shared, 0, true),
        ];
        let each = clusters(Issuers::Each);
        let shared = clusters(Issuers::Shared);
        for number in 0..rounds {
            let (kind, issuers, removers, proxy) = kinds[number % kinds.len()];
            let mut fleet = Fleet::new(if issuers == Issuers::Each { &each } else { &shared }, &vault);
            if proxy {
                fleet = fleet.through(format!("https://127.0.0.1:{}", slow.port()));
            }
            let lost = naive(&vault, &format!("naive-{number}"));
            let Figures { elapsed, writes } = round(&fleet, &format!("jwt-{number}"), removers);
            let (all, most) = (writes.iter().sum::<usize>(), writes.iter().max().copied().unwrap_or_default());
            println!(
                "{number:>5}  {kind:<16}  {:>7.1}  {:>14.1}  {most:>4}  {lost:>17}",
                elapsed.as_secs_f64(),
                all as f64 / WRITERS as f64,
            );
        }
    }
);
