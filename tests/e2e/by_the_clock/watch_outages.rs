//! `sync --watch` while Vault is unavailable, sealed, or busy, or changes its leader: it logs
//! little, and the keys are right afterwards.

use crate::by_the_clock::watch::writes;
use crate::support::fixture::data;
use crate::support::fleet::{Fleet, elements};
use crate::support::watching::Watching;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::server::{
    FakeApiServers, FakeApiServersOptions, InterceptingProxy, PooledVault, RaftOfThree, VaultOptions, VaultServer,
};
use std::thread::sleep;
use std::time::{Duration, Instant};

const DOWN: Duration = Duration::from_secs(30);
const SEALED: Duration = Duration::from_secs(10);

/// A fleet of two clusters that is watched every second.
fn fleet<'a>(clusters: &'a FakeApiServers, vault: &'a VaultServer) -> Fleet<'a> {
    let fleet = Fleet::new(clusters, vault);
    fleet.enable("jwt");
    // A standby of OpenBao knows of it a moment later.
    let there = || vault.http("GET", "auth/jwt/config", None).expect("Vault answers");
    while there().text.contains("no handler for route") {
        sleep(Duration::from_millis(50));
    }
    fleet.enroll_all("jwt");
    fleet
}

fn clusters() -> FakeApiServers {
    FakeApiServers::start(2, FakeApiServersOptions::default()).expect("the clusters start")
}

fn to_vault(run: &Watching) -> f64 {
    run.figure("vaultjwt_requests_total{to=\"vault\"}")
}

/// Requests to Vault while `during` goes on, for each minute of it.
fn per_minute(run: &Watching, during: impl FnOnce()) -> f64 {
    let (before, start) = (to_vault(run), Instant::now());
    during();
    (to_vault(run) - before) / start.elapsed().as_secs_f64() * 60.0
}

/// What it says about Vault, from line `first` on.
fn about_vault(run: &Watching, first: usize) -> Vec<String> {
    let log = run.log();
    log[first..].iter().filter(|line| !line.contains(": key \"")).cloned().collect()
}

each_product!(vault_is_down_and_then_sealed, |product| {
    let clusters = clusters();
    let vault = PooledVault::take_to_wait(VaultOptions::new(product)).expect("Vault starts");
    let fleet = fleet(&clusters, &vault);
    let run = Watching::start(fleet.command(&[]), &["--all-contexts", "--interval", "1s"]);
    run.wait_ready();
    for (what, how_long, words) in [("down", DOWN, "could not reach Vault"), ("sealed", SEALED, "is sealed")] {
        let (first, asked) = (run.log().len(), clusters.requests());
        match what {
            "down" => vault.stop(),
            _ => vault.seal().expect("it is sealed"),
        }
        run.wait_for(words);
        clusters.rotate(0).expect("it rotates");
        let kid = clusters.keys(0).last().expect("a key").kid().to_owned();
        let rate = per_minute(&run, || sleep(how_long));
        println!("{product} {what} for {how_long:?}: {rate:.0} requests a minute to Vault");
        assert_eq!(run.get("/readyz").map(|(status, _)| status), Some(503));
        assert_eq!(run.get("/healthz").map(|(status, _)| status), Some(200));
        // Each round of 1, 2, 4, 8, 10, 10 s asks at most three times.
        assert!(rate <= 60.0, "{rate}");
        // While Vault is away no cluster is asked, but in the round that was
        // on its way.
        assert!(clusters.requests() - asked <= 9, "{}", clusters.requests() - asked);
        match what {
            "down" => vault.restart().expect("it is there again"),
            _ => vault.unseal().expect("it is unsealed"),
        }
        run.wait_for(&format!("context \"c0\": key \"{kid}\" added"));
        let said = about_vault(&run, first);
        let (last, errors) = said.split_last().expect("it says something");
        assert!(last.starts_with("info  vault: works again after "), "{said:#?}");
        // One line for each kind of trouble: on its way down Vault is sealed
        // for a moment, before nobody is there.
        assert!(errors.iter().all(|line| line.starts_with("error vault: ") && line.contains("; hint: ")), "{said:#?}");
        assert!(errors.len() == 1 || (what == "down" && errors.len() == 2 && errors[0] != errors[1]), "{said:#?}");
    }
    assert_eq!(run.stop().1.code, 0);
});

each_product!(busy_vault_is_left_alone_as_long_as_it_asks, |product| {
    let clusters = clusters();
    let vault =
        PooledVault::take_to_wait(VaultOptions { tls: false, ..VaultOptions::new(product) }).expect("Vault starts");
    let port = vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = InterceptingProxy::start(port).expect("the proxy starts");
    let fleet = fleet(&clusters, &vault).through(proxy.address());
    let run = Watching::start(fleet.command(&[]), &["--all-contexts", "--interval", "1s"]);
    run.wait_ready();
    let first = run.log().len();
    let busy = r#"{"errors":["request path \"auth/jwt/config\": rate limit quota exceeded"]}"#;
    proxy.answer_with("429 Too Many Requests", "Retry-After: 4\r\nContent-Type: application/json\r\n", busy);
    let asked = proxy.requests().len();
    sleep(Duration::from_secs(18));
    let while_busy = proxy.requests().len() - asked;
    println!("{product} busy, Retry-After 4: {while_busy} requests in 18 s");
    // The first, and then one every four seconds, or later.
    assert!((3..=6).contains(&while_busy), "{:?}", &proxy.requests()[asked..]);
    proxy.pass_on();
    clusters.rotate(1).expect("it rotates");
    run.wait_for("context \"c1\": key ");
    let said = about_vault(&run, first);
    assert!(said.len() <= 2, "{said:#?}");
});

each_product!(the_leader_of_three_changes, |product| {
    let clusters = clusters();
    let raft = RaftOfThree::start(product).expect("three nodes start");
    // It is told of one node, which is a standby at first.
    let fleet = fleet(&clusters, raft.node(0));
    let run = Watching::start(fleet.command(&[]), &["--all-contexts", "--interval", "1s", "--grace", "1s"]);
    run.wait_ready();
    let kid = |number: usize| clusters.keys(number).last().expect("a key").kid().to_owned();

    let before = raft.wait_active(Duration::from_secs(30)).expect("a leader");
    raft.step_down().expect("it steps down");
    clusters.rotate(0).expect("it rotates");
    run.wait_for(&format!("context \"c0\": key \"{}\" added", kid(0)));
    let after = raft.wait_active(Duration::from_secs(30)).expect("a leader");
    println!("{product}: node {before} steps down, node {after} leads");

    // The leader dies, but it is not the node that is asked.
    if after == 0 {
        raft.step_down().expect("it steps down");
    }
    let start = Instant::now();
    let dies = loop {
        match raft.wait_active(Duration::from_secs(30)).expect("a leader") {
            0 if start.elapsed() < Duration::from_secs(60) => sleep(Duration::from_millis(200)),
            leader => break leader,
        }
    };
    assert_ne!(dies, 0, "the node that is asked keeps leading");
    let rate = per_minute(&run, || {
        raft.node(dies).stop();
        clusters.rotate(1).expect("it rotates");
        run.wait_for(&format!("context \"c1\": key \"{}\" added", kid(1)));
    });
    println!("{product}: node {dies} dies: {rate:.0} requests a minute to Vault until the key is there");
    clusters.retire(0);
    clusters.retire(1);
    run.wait_for("context \"c0\": key ");
    let removed = || run.log().iter().filter(|line| line.ends_with(" removed")).count();
    let start = Instant::now();
    while removed() < 2 {
        assert!(start.elapsed() < Duration::from_secs(150), "{:#?}", run.log());
        sleep(Duration::from_millis(100));
    }
    let config = data(&raft.node(0).http("GET", "auth/jwt/config", None).expect("Vault answers"));
    assert_eq!(elements(&config).len(), 2, "{NEVER_FLAKY}");
    for number in 0..2 {
        let newest = clusters.keys(number).last().expect("a key").public_pem().trim().to_owned();
        assert!(elements(&config).iter().any(|element| element.contains(&newest)), "{NEVER_FLAKY}");
    }
    assert!(writes(raft.node(0), "jwt") < 20);
});
