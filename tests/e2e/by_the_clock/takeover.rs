//! Which existing tokens a sidecar reuses, and what it does in the last seconds of a TTL.

use crate::support::fixture::{Fixture, Owned, run};
use crate::support::live_tokens::Pod;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::server::{InterceptingProxy, Point, Product, VaultOptions, shared_cluster};
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A sidecar that runs. Dropped, it is killed.
struct Sidecar {
    child: Child,
    log: PathBuf,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sidecar {
    fn start(pod: &Pod, words: &[&str], address: Option<&str>) -> Self {
        let log = pod.fixture.folder.path().join("log");
        let mut command = pod.command(&[&["--watch"], words].concat());
        command.envs(address.map(|address| ("VAULT_ADDR", address)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("a log"));
        Self { child: command.spawn().expect("it starts"), log }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    #[track_caller]
    fn wait(&self, what: &str, within: u64, mut done: impl FnMut() -> bool) -> Duration {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(within), "not: {what}\n{}", self.said());
            sleep(Duration::from_millis(50));
        }
        start.elapsed()
    }
}

fn pod(product: Product, tls: bool, role: Value) -> Pod {
    let cluster = Owned::Shared(shared_cluster().expect("the shared cluster starts"));
    Pod::of(Fixture::to_wait(cluster, VaultOptions { tls, ..VaultOptions::new(product) }), role)
}

each_product!(a_token_of_another_service_account_is_not_reused, |product| {
    let pod = pod(product, true, json!({"token_ttl": 600}));
    let cluster = &pod.fixture.cluster;
    cluster.create_service_account("shop", "planter").expect("a service account");
    // One role for both, as a team has it.
    let mut role = pod.fixture.data("auth/jwt/role/app");
    role["bound_claims"]["sub"] = json!(["system:serviceaccount:shop:app", "system:serviceaccount:shop:planter"]);
    for claim in ["/kubernetes.io/serviceaccount/uid", "sub"] {
        role["user_claim"] = json!(claim);
        role["user_claim_json_pointer"] = json!(claim.starts_with('/'));
        for mappings in [role["claim_mappings"].clone(), json!({})] {
            role["claim_mappings"] = mappings;
            pod.fixture.write("auth/jwt/role/app", role.clone());
            let jwt = cluster.token("shop", "planter", &["vault"]).expect("a token");
            let body = json!({"role": "app", "jwt": jwt.expose()});
            let login = pod.fixture.vault.ok("POST", "auth/jwt/login", Some(&body)).expect("a login");
            let planted = login["auth"]["client_token"].as_str().expect("a token").to_owned();
            fs::write(&pod.token, &planted).expect("it is written");
            fs::set_permissions(&pod.token, Permissions::from_mode(0o600)).expect("its mode");
            let sidecar = Sidecar::start(&pod, &[], None);
            sidecar.wait("another token", 60, || pod.content() != planted);
            assert!(
                sidecar.said().starts_with(&format!(
                    "warning: not reusing the token in \"{}\": it is from another service account; logging in\n",
                    pod.token.display()
                )),
                "{}",
                sidecar.said()
            );
            let (own, other) = (pod.looked_up(&pod.content()), pod.looked_up(&planted));
            assert_ne!(own["entity_id"], other["entity_id"], "{NEVER_FLAKY}");
            assert!(!other.is_null(), "{NEVER_FLAKY}: it is not ours to revoke");
            drop(sidecar);

            // Its own is.
            let own = pod.content();
            let sidecar = Sidecar::start(&pod, &[], None);
            sidecar.wait("reused", 60, || sidecar.said().starts_with("reusing the existing token: lease "));
            assert_eq!(pod.content(), own);
        }
    }
});

each_product!(a_token_in_its_last_second_is_not_taken_for_one_that_never_expires, |product| {
    let pod = pod(product, true, json!({"token_max_ttl": 0}));
    let info = pod.info_flag();
    let mut seen = 0;
    // From 2 s on, Vault answers `ttl: 0`. On a busy machine the token may have expired by then.
    for age in [2_050, 2_200, 2_350, 2_500] {
        pod.change_role(json!({"token_ttl": 3}));
        run(&mut pod.command(&["-q", &info])).ok();
        let (old, start) = (pod.content(), Instant::now());
        pod.change_role(json!({"token_ttl": 600}));
        sleep(Duration::from_millis(age).saturating_sub(start.elapsed()));
        let sidecar = Sidecar::start(&pod, &[&info], None);
        sidecar.wait("a token that lives", 60, || pod.content() != old && !pod.looked_up(&pod.content()).is_null());
        let text = fs::read_to_string(&pod.info).expect("the info file");
        assert!(!text.contains("\"expires_at\":null"), "{NEVER_FLAKY}: {text}");
        seen += usize::from(sidecar.said().contains(": it is about to expire; logging in\n"));
    }
    assert!(seen > 0, "no lookup came in the last second");
});

each_product!(a_retry_after_longer_than_the_ttl, |product| {
    let pod = pod(product, false, json!({"token_ttl": 12, "token_max_ttl": 0}));
    let port = pod.fixture.vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = InterceptingProxy::start(port).expect("a proxy");
    let busy = || proxy.answer_with("503 Service Unavailable", "Retry-After: 600\r\n", "{\"errors\":[\"busy\"]}");
    let sidecar = Sidecar::start(&pod, &[], Some(&proxy.address()));
    sidecar.wait("a token", 60, || !pod.content().is_empty());
    let token = pod.content();
    busy();
    sidecar.wait("a renewal that fails", 20, || sidecar.said().contains(": busy"));
    let said = sidecar.said();
    // Half of what is left.
    let (_, told) = said.split_once(": busy; retrying in ").expect(&said);
    let (wait, told) = told.split_once("s (Retry-After: 10m), the token expires in ").expect(&said);
    let seconds = |text: &str| text.split_once('s').map_or(text, |(number, _)| number).parse::<u64>().expect("seconds");
    let (wait, left) = (seconds(wait), seconds(told));
    assert!((1..=5).contains(&left) && wait <= left.div_ceil(2), "{wait}, {left}");
    proxy.pass_on();
    sidecar.wait("a renewal", 8, || sidecar.said().contains("\nrenewed: lease 12s\n"));
    assert!(pod.content() == token && !pod.looked_up(&token).is_null(), "{NEVER_FLAKY}");
    drop(sidecar);

    // A login does not give up, and says for how long it waits.
    busy();
    let start = Instant::now();
    let ran = run(pod.command(&["--timeout=8s"]).env("VAULT_ADDR", proxy.address()));
    // The last attempt comes a second before the end.
    assert!((5..20).contains(&start.elapsed().as_secs()), "{:?}: {}", start.elapsed(), ran.stderr);
    assert_eq!(ran.code, 69);
    let (_, told) = ran.stderr.split_once(": busy; retrying in ").expect(&ran.stderr);
    assert!(told.contains("s (Retry-After: 10m)\n"), "{}", ran.stderr);
    assert!(told.contains(": busy; gave up after 2 attempts in "), "{}", ran.stderr);
});

each_product!(a_signal_does_not_wait_for_a_renewal, |product| {
    let pod = pod(product, false, json!({"token_ttl": 4, "token_max_ttl": 0}));
    let port = pod.fixture.vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = InterceptingProxy::start(port).expect("a proxy");
    let gate = proxy.hold(Point::BeforeForwarding, "POST", "auth/token/renew-self", 1);
    let mut sidecar = Sidecar::start(&pod, &[], Some(&proxy.address()));
    assert!(gate.wait(Duration::from_secs(30)), "no renewal");
    let start = Instant::now();
    let sent = Command::new("kill").args(["-TERM", &sidecar.child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(sidecar.child.wait().expect("it ends").code(), Some(0));
    // No token can come of it. A login is waited for, for 5 s.
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
});

each_product!(a_token_for_one_use_is_left_to_the_application, |product| {
    let pod = pod(product, true, json!({"token_ttl": 9, "token_max_ttl": 0, "token_num_uses": 1}));
    run(&mut pod.command(&["-q"])).ok();
    let first = pod.content();
    let seen = pod.fixture.seen();
    let sidecar = Sidecar::start(&pod, &[], None);
    sidecar.wait("another token", 60, || pod.content() != first);
    assert!(
        sidecar.said().contains("warning: the token is limited to 1 use (token_num_uses of the role)\n"),
        "{}",
        sidecar.said()
    );
    let second = pod.content();
    assert_eq!(pod.looked_up(&second)["num_uses"], json!(1), "{NEVER_FLAKY}");
    sidecar.wait("a third", 20, || pod.content() != second);
    assert_eq!(pod.looked_up(&pod.content())["num_uses"], json!(1), "{NEVER_FLAKY}");
    let asked = pod.fixture.requests_since(seen);
    assert!(!asked.iter().any(|request| request.ends_with("renew-self")), "{asked:?}");
});

// Vault has namespaces in its enterprise edition.
#[test]
fn a_token_of_a_namespace_is_reused() {
    let pod = pod(Product::OpenBao, true, json!({"token_ttl": 600}));
    let vault = &pod.fixture.vault;
    vault.create_namespace("team").expect("a namespace");
    let write = |path: &str, body: Value| {
        let answer = vault.http_as(vault.root_token(), "team", "POST", path, Some(&body)).expect("Vault answers");
        assert!(answer.is_success(), "{path}: {}", answer.text);
    };
    write("sys/auth/k8s/prod", json!({"type": "jwt"}));
    let keys = pod.fixture.data("auth/jwt/config")["jwt_validation_pubkeys"].clone();
    write("auth/k8s/prod/config", json!({"jwt_validation_pubkeys": keys}));
    write("auth/k8s/prod/role/app", pod.fixture.data("auth/jwt/role/app"));
    let place = ["--vault-namespace=team", "--mount=k8s/prod"];
    run(&mut pod.command(&[&["-q"], &place[..]].concat())).ok();
    let token = pod.content();
    let sidecar = Sidecar::start(&pod, &place, None);
    sidecar.wait("it has decided", 60, || !sidecar.said().is_empty());
    assert!(sidecar.said().starts_with("reusing the existing token: lease "), "{}", sidecar.said());
    assert_eq!(pod.content(), token, "{NEVER_FLAKY}");
}
