//! `vault-jwt-login` in real pods: its image, run by a real kubelet, containerd and runc, with the
//! token that the kubelet projects.

use crate::support::pod::{Pods, container};
use harness::each_product;
use harness::process::say;
use harness::server::Product;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What every hardened namespace asks for, as any user.
fn hardened(uid: u64) -> Value {
    json!({"runAsUser": uid, "runAsGroup": uid, "runAsNonRoot": true, "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false, "privileged": false, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"}})
}

/// The kernel's own words: no capabilities, no new privileges, a seccomp filter.
const STATUS: &str = "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status";

each_product!(an_init_container_logs_in_for_another_user, |product| {
    let Some(pods) = Pods::new(product) else { return };
    let seen = pods.fixture.seen();
    // The user is the image's own.
    let mut login = container("login", &pods.login_image(), &pods.environment(&[("VAULT_TOKEN_FILE_MODE", "0640")]));
    login["securityContext"] = json!({"runAsNonRoot": true});
    let mut app = container("app", "e2e:1", &[]);
    app["securityContext"] = json!({"runAsUser": 12_345});
    app["command"] = json!(["sh", "-c", "id -u; stat -c '%a %u:%g' /vault/token; exec sleep 1000"]);
    let (pod, applied) = pods
        .apply("init", json!({"securityContext": {"fsGroup": 2000}, "initContainers": [login], "containers": [app]}));
    pod.wait_for_log("app", "2000\n");
    assert_eq!(pod.log("app"), "12345\n640 65532:2000\n");
    let logged_in =
        format!("logged in to {} as role \"app\": token in \"/vault/token\", lease 1h\n", pods.fixture.vault.address());
    assert_eq!(pod.log("login"), logged_in);
    // What the app reads is a token of the role.
    let token = pod.token("app");
    assert_eq!(pods.looked_up(&token)["data"]["path"], "auth/jwt/login");
    assert_eq!(pods.asked(seen), ["login", "lookup-self"]);
    let token = pods.times_of("auth/jwt/login").last().expect("a login").duration_since(applied);
    say(&format!("{product}: {} ms from `kubectl apply` to the token", token.unwrap_or_default().as_millis()));
});

each_product!(a_pod_ends_as_the_wrapped_command_does, |product| {
    let Some(pods) = Pods::new(product) else { return };
    let run = |name: &str, script: &str| {
        let mut app = container("app", "e2e:1", &pods.environment(&[]));
        app["command"] = json!(["/vault-jwt-login", "--", "/bin/sh", "-c", script]);
        pods.apply(name, json!({"containers": [app]})).0
    };
    // It has the token, and is process 1 in the program's place. (The kubelet makes `$` of `$$`.)
    let script = "test -n \"$VAULT_TOKEN\" && test ! -e /vault/token && echo $$$$ && exit";
    let pods =
        [(run("well", &format!("{script} 0")), "Succeeded", 0), (run("ill", &format!("{script} 7")), "Failed", 7)];
    for (pod, phase, code) in &pods {
        let ended = pod.wait("it ended", |pod| {
            let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
            (ended["exitCode"].is_number() && pod["status"]["phase"] != "Running").then(|| pod.clone())
        });
        let state = &ended["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!((&ended["status"]["phase"], &state["exitCode"]), (&json!(phase), &json!(code)));
        // Two streams, in no order.
        let log = pod.log("app");
        let mut lines: Vec<&str> = log.lines().collect();
        lines.sort_unstable();
        assert!(lines.len() == 2 && lines[0] == "1" && lines[1].starts_with("logged in to "), "{log}");
    }
});

each_product!(hardened_with_16_mib, |product| {
    let Some(pods) = Pods::new(product) else { return };
    let uid = 100_000 + u64::from(std::process::id());
    let mut login = container("login", &pods.login_image(), &pods.environment(&[]));
    // Beside the shipped image: what the kernel says, and a memory figure with and without the login.
    let script = format!("{STATUS}; cat /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes");
    let mut wrapped = container("wrapped", "e2e:1", &pods.environment(&[]));
    wrapped["command"] = json!(["/vault-jwt-login", "--", "/bin/sh", "-c", format!("{script} 2>/dev/null; true")]);
    for container in [&mut login, &mut wrapped] {
        container["securityContext"] = hardened(uid);
        container["resources"] = json!({"limits": {"memory": "16Mi"}});
    }
    let (pod, _) = pods.apply("hardened", json!({"initContainers": [login], "containers": [wrapped]}));
    pod.wait("it ended well", |pod| (pod["status"]["phase"] == "Succeeded").then_some(()));
    let log = pod.log("wrapped");
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("logged in ")).collect();
    let none = "0000000000000000";
    let expected = [
        format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}"),
        format!("CapEff:\t{none}"),
        format!("CapBnd:\t{none}"),
        "NoNewPrivs:\t1".to_owned(),
        "Seccomp:\t2".to_owned(),
    ];
    assert_eq!(lines[..5], expected, "{log}");
    let peak: u64 = lines[5].parse().expect("bytes");
    assert!(peak < 16 * 1024 * 1024, "{peak}");
    say(&format!("{product}: {} KiB at most for a login and a shell after it, in a pod", peak / 1024));
});

/// Seconds that a sidecar's token lives here.
const TTL: f64 = 12.0;

each_product!(a_native_sidecar_is_ready_when_the_token_is_there, |product| {
    let Some(pods) = Pods::new(product) else { return };
    pods.change_role(&[("token_ttl", TTL as u64), ("token_max_ttl", 0)]);
    let seen = pods.fixture.seen();
    let mut login = container("login", &pods.login_image(), &pods.environment(&[("VAULT_TOKEN_FILE_MODE", "0640")]));
    login["args"] = json!(["--watch", "--revoke-on-exit"]);
    login["restartPolicy"] = json!("Always");
    // No shell in the image.
    login["startupProbe"] = json!({"exec": {"command": ["/vault-jwt-login", "check"]}, "periodSeconds": 1,
        "failureThreshold": 180});
    login["securityContext"] = hardened(4_321);
    login["resources"] = json!({"limits": {"memory": "16Mi"}});
    let mut app = container("app", "e2e:1", &[]);
    app["securityContext"] = json!({"runAsUser": 12_345});
    let script = "test -s /vault/token && echo there; trap 'exit 0' TERM; sleep 1000 & wait";
    app["command"] = json!(["sh", "-c", script]);
    let spec = json!({"securityContext": {"fsGroup": 2000}, "terminationGracePeriodSeconds": 20,
        "initContainers": [login], "containers": [app]});
    let (pod, _) = pods.apply("sidecar", spec);
    pod.wait_for_log("app", "there\n");
    let token = pod.token("app");
    assert_eq!(pods.looked_up(&token)["data"]["path"], "auth/jwt/login");
    let id = pod.get()["status"]["initContainerStatuses"][0]["containerID"].clone();
    let peak = pods.node.memory_peak(id.as_str().unwrap_or_default().trim_start_matches("containerd://"));
    say(&format!("{product}: {} KiB at most for a sidecar, in a pod", peak.expect("its cgroup") / 1024));

    // Renewed at 62 to 70 parts of a hundred of its lease, and what a busy machine takes.
    pod.wait("two renewals", |_| (pod.log("login").matches("\nrenewed: lease 12s").count() >= 2).then_some(()));
    let renewed = pods.times_of("auth/token/renew-self");
    let pause = renewed[1].duration_since(renewed[0]).unwrap_or_default().as_secs_f64();
    assert!((0.61 * TTL..0.95 * TTL).contains(&pause), "{pause}");
    assert_eq!(pod.token("app").expose(), token.expose());

    // Deleted, it takes the token along.
    let took = pod.delete();
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert!(!pods.lives(&token));
    // One login (and one look of this test), renewals, one end.
    let asked = pods.asked(seen);
    assert_eq!(
        (&asked[..2], asked.last().map(String::as_str)),
        (&["login", "lookup-self"].map(str::to_owned)[..], Some("revoke-self"))
    );
    assert!(asked[2..asked.len() - 1].iter().all(|what| what == "renew-self"), "{asked:?}");
});

/// What the kubelet projects lives for 600 s and is replaced after about 480:
/// a sidecar that logs in again has to read what is there by then.
fn outlives_its_jwt(product: Product) {
    let Some(pods) = Pods::new(product) else { return };
    pods.change_role(&[("token_ttl", 60), ("token_max_ttl", 60)]);
    let mut login = container("login", &pods.login_image(), &pods.environment(&[("VAULT_TOKEN_FILE_MODE", "0640")]));
    login["args"] = json!(["--watch"]);
    login["restartPolicy"] = json!("Always");
    let mut app = container("app", "e2e:1", &[]);
    app["command"] =
        json!(["sh", "-c", "while test ! -s /vault/token; do sleep 1; done; echo there; exec sleep 10000"]);
    let spec = json!({"securityContext": {"fsGroup": 2000}, "initContainers": [login], "containers": [app]});
    let (pod, _) = pods.apply("rotated", spec);
    pod.wait_for_log("app", "there\n");
    let (start, jwt) = (Instant::now(), || pod.read("app", "/var/run/secrets/tokens/vault-token"));
    let logins = || pod.log("login").matches("logged in to ").count();
    let first = jwt();
    while jwt().expose() == first.expose() {
        assert!(start.elapsed() < Duration::from_secs(660), "the kubelet does not replace it");
        sleep(Duration::from_secs(2));
    }
    let (replaced, before) = (start.elapsed(), logins());
    // Until the first one is over (Vault adds 150 s to what it says), and two logins more.
    let refused = json!({"role": "app", "jwt": first.expose()});
    while pods.fixture.vault.http("POST", "auth/jwt/login", Some(&refused)).expect("Vault answers").status != 400 {
        assert!(start.elapsed() < Duration::from_secs(900), "the first one does not end");
        sleep(Duration::from_secs(20));
    }
    let (ended, over) = (start.elapsed(), logins());
    while logins() < over + 2 {
        assert!(start.elapsed() < Duration::from_secs(1_080), "{}", pod.log("login"));
        sleep(Duration::from_secs(2));
    }
    assert!(pods.lives(&pod.token("app")));
    let said = pod.log("login");
    assert!(!said.contains("warning") && !said.contains("error"), "{said}");
    say(&format!(
        "{product}: the kubelet replaced the token after {} s, and the first was over after {} s at most; {before} logins \
         until the one and {} until the other, no trouble",
        replaced.as_secs(),
        ended.as_secs(),
        over - before
    ));
}

each_product!(
    #[ignore = "takes 15 minutes: cargo soak rotated"]
    soak_of_a_rotated_jwt,
    |product| outlives_its_jwt(product)
);
