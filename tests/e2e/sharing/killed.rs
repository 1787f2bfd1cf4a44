//! `sync` killed at given points: the next run without interruption ends with the same keys as a
//! run that was never interrupted.

use crate::support::fleet::{Fleet, by_hand, elements, foreign, soak};
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::server::{
    FakeApiServers, FakeApiServersOptions, InterceptingProxy, Point, PooledVault, Product, VaultOptions,
};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time until a run comes to the moment at which it is killed.
const SOON: Duration = Duration::from_secs(60);

/// When a run dies. Every moment has a mount of its own, named after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// It has read; of its write, Vault hears nothing.
    AfterTheRead,
    /// Its write is on its way, and comes to Vault when it is dead.
    WriteOnItsWay,
    /// Vault has written; it never heard of it.
    WriteSent,
    /// It knows that Vault has written, and has not looked again.
    BeforeTheReadBack,
}

impl Moment {
    const ALL: [Self; 4] = [Self::AfterTheRead, Self::WriteOnItsWay, Self::WriteSent, Self::BeforeTheReadBack];

    fn mount(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Where its first write is held.
    fn point(self) -> Point {
        match self {
            Self::AfterTheRead | Self::WriteOnItsWay => Point::BeforeForwarding,
            Self::WriteSent | Self::BeforeTheReadBack => Point::BeforeAnswer,
        }
    }
}

/// An old state of the mount: a key that is published no more, one that left
/// long ago and whose grace is over, and elements of others. Makes the cluster
/// publish a new key alone, so that the next run adds, retires and removes.
fn old_state(fleet: &Fleet<'_>) -> Value {
    let clusters = fleet.clusters;
    let retired = clusters.keys(0).remove(0);
    clusters.rotate(0).expect("a key is made");
    fleet.enable("start");
    fleet.enroll_all("start");
    let enrolled = elements(&fleet.config("start")).into_iter().map(|element| {
        if element.contains(retired.public_pem().trim()) {
            element.replace("\n-----BEGIN", "\nretired: 2020-01-01T00:00:00Z\n-----BEGIN")
        } else {
            element
        }
    });
    let enrolled: Vec<String> = enrolled.collect();
    assert_eq!(enrolled.iter().filter(|element| element.contains("retired: ")).count(), 1);
    clusters.rotate(0).expect("a key is made");
    clusters.retire(0);
    by_hand(&enrolled, &foreign(), "")
}

/// A configuration without the times in its marks.
fn timeless(config: &Value) -> Value {
    let mut config = config.clone();
    let line = |line: &str| match line.split_once(": ") {
        Some((name @ ("added" | "retired"), _)) => format!("{name}: -"),
        _ => line.to_owned(),
    };
    let element = |text: &String| json!(text.lines().map(line).collect::<Vec<_>>().join("\n"));
    config["jwt_validation_pubkeys"] = elements(&config).iter().map(element).collect();
    config
}

fn path(mount: &str) -> String {
    format!("auth/{mount}/config")
}

/// Its new key alone is published: nothing else connects it with its old ones.
fn sync(mount: &str) -> [&str; 9] {
    ["sync", "--replace-keys", "--same-trust-domain", "--context", "c0", "--mount", mount, "-o", "json"]
}

/// Kills one run at `moment`, and lets another one end.
fn kill(fleet: &Fleet<'_>, proxy: &InterceptingProxy, moment: Moment, old: &Value, undisturbed: &Value) {
    let mount = moment.mount();
    fleet.write(&path(&mount), old);
    let before = fleet.config(&mount);
    let mut held = proxy.hold(moment.point(), "POST", &path(&mount), 1);
    // Two holds of one request, the second for its answer.
    let answered = (moment == Moment::WriteOnItsWay).then(|| proxy.hold(Point::BeforeAnswer, "POST", &path(&mount), 1));
    let mut run = fleet.start(&sync(&mount));
    assert!(held.wait(SOON), "{moment:?}: {:?}", run.wait_with_output());
    if moment == Moment::BeforeTheReadBack {
        // The next read is the one back.
        let back = proxy.hold(Point::BeforeForwarding, "GET", &path(&mount), 1);
        std::mem::replace(&mut held, back).release();
        assert!(held.wait(SOON), "{moment:?}: {:?}", run.wait_with_output());
    }
    run.kill().expect("it is killed");
    let killed = run.wait_with_output().expect("it is dead");
    assert_eq!((killed.status.code(), killed.stdout.as_slice()), (None, &b""[..]), "{moment:?}");
    let there = fleet.config(&mount);
    match moment {
        Moment::AfterTheRead => {
            held.discard();
            assert_eq!(there, before, "{NEVER_FLAKY}: {moment:?}");
        }
        Moment::WriteOnItsWay => {
            assert_eq!(there, before, "{NEVER_FLAKY}: {moment:?}");
            held.release();
            // Not by looking until it is there: an OpenBao that is read while it
            // writes can show the past until the next write (`pathConfigWrite` in
            // builtin/credential/jwt/path_config.go empties its cache too early).
            assert!(answered.is_some_and(|answered| answered.wait(SOON)), "the write never came");
            assert_eq!(timeless(&fleet.config(&mount)), *undisturbed, "{NEVER_FLAKY}: {moment:?}");
        }
        Moment::WriteSent | Moment::BeforeTheReadBack => {
            held.release();
            assert_eq!(timeless(&there), *undisturbed, "{NEVER_FLAKY}: {moment:?}");
        }
    }
    let wrote = moment != Moment::AfterTheRead;
    let between = fleet.config(&mount);
    let next = fleet.run(&sync(&mount)).ok();
    let report: Value = serde_json::from_str(&next.stdout).expect("the report is JSON");
    let outcome = if wrote { "unchanged" } else { "changed" };
    assert_eq!(report["clusters"][0]["outcome"], json!(outcome), "{moment:?}: {report}");
    let after = fleet.config(&mount);
    assert_eq!(timeless(&after), *undisturbed, "{NEVER_FLAKY}: {moment:?}");
    if wrote {
        // Not even the times change: there was nothing left to do.
        assert_eq!(after, between, "{NEVER_FLAKY}: {moment:?}");
    }
}

/// Kills `times` runs, all moments in turn, and returns how long it took.
fn killed(product: Product, times: usize) -> Duration {
    // The intercepting proxy speaks plain http.
    let options = VaultOptions { tls: false, audit: false, ..VaultOptions::new(product) };
    let vault = PooledVault::take(options).expect("Vault starts");
    let clusters = FakeApiServers::start(1, FakeApiServersOptions::default()).expect("a cluster starts");
    let port = vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = InterceptingProxy::start(port).expect("the proxy starts");
    let fleet = Fleet::new(&clusters, &vault).through(proxy.address());
    let old = old_state(&fleet);

    fleet.enable("undisturbed");
    fleet.write(&path("undisturbed"), &old);
    fleet.run(&sync("undisturbed")).ok();
    let undisturbed = fleet.config("undisturbed");
    is_done(&old, &elements(&undisturbed));
    let undisturbed = timeless(&undisturbed);

    let start = Instant::now();
    thread::scope(|scope| {
        for (first, moment) in Moment::ALL.into_iter().enumerate() {
            let (fleet, proxy, old, undisturbed) = (&fleet, &proxy, &old, &undisturbed);
            scope.spawn(move || {
                fleet.enable(&moment.mount());
                for _ in (first..times).step_by(Moment::ALL.len()) {
                    kill(fleet, proxy, moment, old, undisturbed);
                }
            });
        }
    });
    start.elapsed()
}

/// The undisturbed run did all that it had to: or the others prove nothing.
fn is_done(old: &Value, elements: &[String]) {
    let old = self::elements(old);
    assert_eq!(elements.len(), old.len(), "{NEVER_FLAKY}: one came, one left: {elements:#?}");
    let others = |element: &&String| !element.starts_with("vaultjwt/v2\n");
    let (stay, stood): (Vec<_>, Vec<_>) =
        (elements.iter().filter(others).collect(), old.iter().filter(others).collect());
    assert_eq!((stay.len(), stay), (3, stood), "{NEVER_FLAKY}");
    assert!(elements[0].starts_with("vaultjwt/v2\n") && !elements[0].contains("retired: "), "{}", elements[0]);
    let retired: Vec<&String> = elements.iter().filter(|element| element.contains("\nretired: ")).collect();
    assert!(retired.len() == 1 && !retired[0].contains("retired: 2020"), "{retired:?}");
}

each_product!(runs_that_are_killed, |product| {
    killed(product, 20);
});

each_product!(
    #[ignore = "takes minutes: cargo soak"]
    soak_of_kills,
    |product| {
        let times = soak("SOAK_KILLS", 200);
        let took = killed(product, times);
        println!("{product}: {times} runs killed and mended in {:.1} s", took.as_secs_f64());
    }
);
