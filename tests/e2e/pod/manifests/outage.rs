//! The README's pod and native sidecar on a real kubelet, started while Vault is unavailable: no
//! container restarts, and the token exists soon after Vault is available again.

use super::{LOGIN, of_document, program};
use crate::support::fixture::run;
use crate::support::pod::{Pod, Pods};
use harness::each_product;
use harness::process::say;
use harness::server::Product;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Longest time from Vault's return until a pod is ready, on a quiet machine.
const SOON: Duration = Duration::from_secs(3);
/// The same beside other tests, where a kubelet may need seconds to report a container.
const SOON_ENOUGH: Duration = Duration::from_secs(30);

/// The spec of the README's pod.
fn pod_of_the_readme() -> Value {
    let mut manifests = of_document("README.md").into_iter().map(|manifest| manifest.value);
    manifests.find(|value| value["kind"] == "Pod").expect("a pod")["spec"].clone()
}

/// The same with the README's sidecar in place of the init container, and more arguments.
fn sidecar_of_the_readme(arguments: &[&str]) -> Value {
    let mut spec = pod_of_the_readme();
    let mut parts = of_document("README.md").into_iter().map(|part| part.value["initContainers"].clone());
    spec["initContainers"] = parts.find(Value::is_array).expect("a sidecar");
    let sidecar = &mut spec["initContainers"][0];
    assert_eq!(sidecar["restartPolicy"], "Always");
    sidecar["args"].as_array_mut().expect("arguments").extend(arguments.iter().map(|word| json!(word)));
    spec
}

/// Applies a pod with this spec. It names another cluster's registry, address, and certificate
/// authority, which are replaced.
fn apply<'a>(pods: &'a Pods, name: &str, mut spec: Value) -> Pod<'a> {
    for field in ["initContainers", "containers"] {
        for container in spec[field].as_array_mut().expect("containers") {
            if program(container) == Some(LOGIN) {
                let environment = container["env"].as_array_mut().expect("an environment");
                environment.retain(|one| one["name"] != "VAULT_ADDR");
                environment.push(json!({"name": "VAULT_ADDR", "value": pods.fixture.vault.address()}));
                environment.push(json!({"name": "VAULT_CACERT", "value": "/vault-ca/ca.pem"}));
                let mounts = container["volumeMounts"].as_array_mut().expect("mounts");
                mounts.push(json!({"name": "ca", "mountPath": "/vault-ca", "readOnly": true}));
            }
            let image = container["image"].as_str().expect("an image");
            container["image"] = json!(image.trim_start_matches("registry.example.com/"));
        }
    }
    pods.apply_spec(name, spec).0
}

/// All statuses of containers.
fn statuses(pod: &Value) -> Vec<&Value> {
    let of = |field: &str| pod["status"][field].as_array().into_iter().flatten();
    of("initContainerStatuses").chain(of("containerStatuses")).collect()
}

/// The login is done, and the application runs.
fn is_ready(pod: &Value) -> bool {
    let [login, app] = statuses(pod)[..] else { return false };
    let logged_in = match login["state"].get("terminated") {
        Some(ended) => ended["exitCode"] == 0,
        None => login["started"] == true,
    };
    logged_in && app["state"].get("running").is_some()
}

/// Restarts of each container.
fn restarts(pod: &Value) -> Vec<u64> {
    statuses(pod).iter().filter_map(|status| status["restartCount"].as_u64()).collect()
}

/// Vault is away when the pods start, and for so long after that. A third pod has `--splay`.
fn outlasts(product: Product, away: Duration, splay: &str, soon: Duration) {
    let Some(pods) = Pods::new(product) else { return };
    let seen = pods.fixture.seen();
    pods.fixture.vault.stop();
    let started = [
        ("pod", pod_of_the_readme()),
        ("sidecar", sidecar_of_the_readme(&[])),
        ("splay", sidecar_of_the_readme(&["--splay", splay])),
    ]
    .map(|(name, spec)| (name, apply(&pods, &format!("away-{}-{name}", away.as_secs()), spec)));
    for (_, pod) in &started {
        pod.wait("the login runs", |pod| pod["status"]["initContainerStatuses"][0]["state"].get("running").map(|_| ()));
    }
    sleep(away);
    for (name, pod) in &started {
        let now = pod.get();
        assert_eq!(restarts(&now), [0, 0], "{name}, while Vault was away: {:#}", now["status"]);
        assert!(!is_ready(&now), "{name}: ready without Vault");
    }
    pods.fixture.vault.restart().expect("Vault is back");
    let (back, by_the_clock) = (Instant::now(), SystemTime::now());
    let took = wait_for_all(&started, back);
    let logins = pods.times_of("auth/jwt/login");
    let logins: Vec<_> = logins.iter().filter_map(|time| time.duration_since(by_the_clock).ok()).collect();
    say(&format!("{product}: Vault was away for {} s; logins after {logins:.1?}, ready {took:.1?}", away.as_secs()));
    for (name, pod) in &started {
        let now = pod.get();
        assert_eq!(restarts(&now), [0, 0], "{name}: {:#}", now["status"]);
        // The application's own user reads a token of the role.
        assert_eq!(pods.looked_up(&pod.token("app"))["data"]["path"], "auth/jwt/login", "{name}");
    }
    let logins = pods.asked(seen).iter().filter(|what| *what == "login").count();
    assert_eq!(logins, started.len(), "each logs in once");
    assert!(took.iter().all(|(_, took)| *took <= soon), "more than {soon:?} after Vault is back: {took:.1?}");
}

/// Waits until all are ready, and gives how long after `back` each was.
fn wait_for_all<'a>(started: &[(&'a str, Pod<'_>)], back: Instant) -> Vec<(&'a str, Duration)> {
    let mut took: Vec<(&str, Duration)> = Vec::new();
    while took.len() < started.len() {
        for (name, pod) in started {
            let now = pod.get();
            if !took.iter().any(|(done, _)| done == name) && is_ready(&now) {
                took.push((name, back.elapsed()));
            }
            assert!(back.elapsed() < Duration::from_secs(90), "{name}: {:#}\n{}", now["status"], pod.log(LOGIN));
        }
        sleep(Duration::from_millis(20));
    }
    took
}

each_product!(a_pod_and_a_sidecar_start_while_vault_is_away, |product| {
    outlasts(product, Duration::from_secs(8), "4s", SOON_ENOUGH);
});

each_product!(
    #[ignore = "takes minutes: cargo soak outage"]
    soak_of_an_outage,
    |product| outlasts(product, Duration::from_secs(60), "30s", SOON)
);

each_product!(describe_shows_why_a_login_failed, |product| {
    let Some(pods) = Pods::new(product) else { return };
    pods.fixture.vault.ok("DELETE", "auth/jwt/role/app", None).expect("the role is deleted");
    for (name, spec) in [("refused-pod", pod_of_the_readme()), ("refused-sidecar", sidecar_of_the_readme(&[]))] {
        let pod = apply(&pods, name, spec);
        pod.wait("the login failed", |pod| {
            let status = &pod["status"]["initContainerStatuses"][0];
            let ended = ["state", "lastState"].map(|when| status[when]["terminated"]["exitCode"] == 77);
            ended.contains(&true).then_some(())
        });
        let shown = run(&mut pods.fixture.kubectl(&["describe", "pod", "-n", "shop", pod.name()])).ok().stdout;
        assert!(shown.contains("): role \"app\" could not be found\n"), "{shown}");
    }
});
