//! Many pods that start at once before their cluster's keys are on the mount: all log in soon
//! after the keys are added, and send few requests until then. For each rejected login, Vault
//! tries every key.

use crate::support::fleet::soak;
use crate::support::process_cost::{costs, pid_of};
use harness::artifacts;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::process::{Turn, clean_environment};
use harness::server::{Product, VaultOptions, VaultServer};
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Keys of other clusters on the mount.
const OTHERS: usize = 100;

/// The schedule of `retry.rs`: the waits after a refused signature are at
/// least 2 s, and on average 2, 3, 5, 9 and then 16 s.
fn attempts(refusing: Duration) -> f64 {
    let mut left = refusing.as_secs_f64();
    let mut attempts = 1.0;
    for wait in [2.0, 3.0, 5.0, 9.0].into_iter().chain(std::iter::repeat(16.0)) {
        left -= wait;
        attempts += 1.0;
        if left < 0.0 {
            break;
        }
    }
    attempts
}

/// A crowd of so many pods, refused for so long.
fn crowd(product: Product, pods: usize, refusing: Duration) {
    let _alone = Turn::alone();
    let vault = VaultServer::start(VaultOptions::new(product)).expect("Vault starts");
    let key = || SigningKey::generate(Alg::Es256).expect("a key");
    let (own, others) = (key(), (0..OTHERS).map(|_| key()).collect::<Vec<_>>());
    let mut pems: Vec<&str> = others.iter().map(SigningKey::public_pem).collect();
    let ok = |path: &str, body| drop(vault.ok("POST", path, Some(&body)).expect("Vault takes it"));
    ok("sys/auth/jwt", json!({"type": "jwt"}));
    ok("auth/jwt/config", json!({"jwt_validation_pubkeys": pems}));
    ok("auth/jwt/role/app", json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"]}));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let claims = json!({"iss": "https://a", "sub": "s", "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 600});
    let folder = vault.scratch().folder("pods").expect("a folder");
    let (jwt, program) = (folder.join("jwt"), artifacts::pod_binary().expect("the program is built").path);
    std::fs::write(&jwt, own.sign(&claims).expect("a token")).expect("it is written");
    let server = pid_of(product.peer().pin().binary, vault.scratch().path()).expect("Vault runs");
    let (before, start) = (costs(server).2, Instant::now());
    let children: Vec<_> = (0..pods)
        .map(|pod| {
            let mut login = Command::new(&program);
            clean_environment(&mut login, &folder, &[]);
            login
                .args(["-q", "--role=app", "--timeout=5m", "--token-file"])
                .arg(folder.join(format!("token-{pod}")))
                .arg("--jwt-file")
                .arg(&jwt)
                .envs(vault.client_environment())
                .stdin(Stdio::null())
                .stderr(Stdio::piped());
            login.spawn().expect("the program starts")
        })
        .collect();
    std::thread::sleep(refusing.saturating_sub(start.elapsed()));
    let counted = Instant::now();
    let refused = logins(&vault);
    let cpu = costs(server).2 - before;
    pems.insert(0, own.public_pem());
    let healed = Instant::now();
    change(|| ok("auth/jwt/config", json!({"jwt_validation_pubkeys": pems})));
    let changing = counted.elapsed().as_secs_f64();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let all_in = healed.elapsed();
    let granted = logins(&vault) - refused;
    println!(
        "{product}: {pods} pods, refused for {} s: {refused} logins ({:.1} a pod), {cpu:.2} s of Vault's CPU; \
         then {granted} logins, all in after {:.1} s",
        refusing.as_secs(),
        refused as f64 / pods as f64,
        all_in.as_secs_f64()
    );
    // One more each where the start of the crowd itself took time.
    let most = pods as f64 * (attempts(refusing) + 1.0);
    assert!(refused >= pods && refused as f64 <= most, "{refused}, at most {most}");
    // One of each, and one more of those who were refused before the change was
    // complete: they wait 5 s or more on average, so at most a quarter of them in
    // each second. What takes longer than the waits is no crowd any more.
    let most = pods as f64 * (1.0 + changing.min(3.0) / 4.0) + 2.0;
    assert!(granted >= pods && granted as f64 <= most, "{granted}, at most {most}; changed in {changing:.1} s");
    // The longest wait of the schedule, and the time that the logins take.
    assert!(all_in < Duration::from_secs(45), "{all_in:?}");
}

/// Writes as the plugin does, once more after the logins that met the first
/// write are over: one of them may leave the keys of before in use (`stale_key_cache.rs`).
fn change(write: impl Fn()) {
    write();
    std::thread::sleep(Duration::from_secs(1));
    write();
}

/// Logins in the audit log.
fn logins(vault: &VaultServer) -> usize {
    vault.audit_requests().iter().filter(|request| request.path == "auth/jwt/login").count()
}

each_product!(a_crowd_before_its_keys, |product| crowd(product, 30, Duration::from_secs(6)));

each_product!(
    #[ignore = "takes minutes: cargo soak many_pods_start"]
    soak_of_a_crowd,
    |product| {
        let seconds = soak("SOAK_CROWD_SECONDS", 60);
        crowd(product, soak("SOAK_CROWD_PODS", 200), Duration::from_secs(seconds as u64));
    }
);
