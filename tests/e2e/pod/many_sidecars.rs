//! The cost of many sidecars and of as many Vault agents that do the same: figures. Memory is what
//! the kernel counts for each process: RSS, and PSS, which divides shared pages.

use crate::support::fleet::soak;
use crate::support::process_cost::costs;
use harness::artifacts;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::peers;
use harness::process::clean_environment;
use harness::server::{VaultOptions, VaultServer};
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds that a token lives.
const TTL: u64 = 120;

/// Processes of one kind. Dropped, they are killed.
pub struct Running(pub Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running {
    /// Sums: RSS and PSS in KiB, seconds of CPU, and how many live.
    fn costs(&mut self) -> (u64, u64, f64, usize) {
        let alive =
            self.0.iter_mut().filter_map(|child| child.try_wait().expect("a state").is_none().then_some(1)).sum();
        let each = self.0.iter().map(|child| {
            let (now, _, cpu) = costs(child.id());
            (now, pss(child.id()), cpu)
        });
        let (now, pss, cpu) = each.fold((0, 0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        (now, pss, cpu, alive)
    }
}

/// Proportional set size in KiB.
fn pss(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A mount with one key, a role whose tokens live `ttl` seconds, and a JWT for it in a file.
pub fn add_role(vault: &VaultServer, ttl: u64, jwt: &Path) {
    let key = SigningKey::generate(Alg::Es256).expect("a key");
    let ok = |path: &str, body| drop(vault.ok("POST", path, Some(&body)).expect("Vault takes it"));
    ok("sys/auth/jwt", json!({"type": "jwt"}));
    ok("auth/jwt/config", json!({"jwt_validation_pubkeys": [key.public_pem()]}));
    let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_ttl": ttl});
    ok("auth/jwt/role/app", role);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let claims = json!({"iss": "https://a", "sub": "s", "aud": ["vault"], "iat": now, "nbf": now, "exp": now + 86_400});
    fs::write(jwt, key.sign(&claims).expect("a token")).expect("it is written");
}

/// One of ours, or one agent, with a folder of its own.
pub fn start(vault: &VaultServer, ours: bool, jwt: &Path, folder: &Path) -> Child {
    let mut command = if ours {
        let mut command = Command::new(artifacts::pod_binary().expect("the program is built").path);
        clean_environment(&mut command, folder, &[]);
        command.args(["--watch", "--role=app", "--jwt-file"]).arg(jwt).arg("--token-file").arg(folder.join("token"));
        command
    } else {
        let config = json!({
            "vault": [{"address": vault.address(), "ca_cert": vault.ca_file().expect("a CA")}],
            "auto_auth": [{
                "method": [{"type": "jwt", "mount_path": "auth/jwt",
                    "config": [{"path": jwt, "role": "app", "remove_jwt_after_reading": false}]}],
                "sinks": [{"sink": [{"type": "file", "config": [{"path": folder.join("token")}]}]}]
            }]
        });
        fs::write(folder.join("agent.json"), config.to_string()).expect("a configuration");
        let mut command = Command::new(peers::locate(vault.product().peer()).expect("the server's program"));
        clean_environment(&mut command, folder, &[]);
        command.args(["agent", "-log-level=error", "-config=agent.json"]);
        command
    };
    command.envs(vault.client_environment()).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(folder.join("log")).expect("a log")).spawn().expect("it starts")
}

each_product!(
    #[ignore = "takes many minutes: cargo soak of_sidecars"]
    soak_of_sidecars,
    |product| {
        let seconds = soak("SOAK_SIDECAR_SECONDS", 600) as u64;
        let count = soak("SOAK_SIDECARS", 50);
        for (name, ours) in [("vault-jwt-login --watch", true), ("agent", false)] {
            let scratch = harness::process::Scratch::new("sidecars").expect("a folder");
            let jwt = scratch.path().join("jwt");
            let vault = VaultServer::start(VaultOptions::new(product)).expect("Vault starts");
            add_role(&vault, TTL, &jwt);
            let folders: Vec<PathBuf> =
                (0..count).map(|number| scratch.folder(&format!("pod-{number}")).expect("a folder")).collect();
            let began = Instant::now();
            let mut running = Running(folders.iter().map(|folder| start(&vault, ours, &jwt, folder)).collect());
            while !folders.iter().all(|folder| folder.join("token").exists()) {
                assert!(began.elapsed() < Duration::from_secs(300), "not all have logged in");
                std::thread::sleep(Duration::from_millis(20));
            }
            let (all_in, start_cpu) = (began.elapsed().as_secs_f64(), running.costs().2);
            std::thread::sleep(Duration::from_secs(seconds));
            let (rss, pss, cpu, alive) = running.costs();
            assert_eq!(alive, count, "all live");
            let of = |path: &str| vault.audit_requests().iter().filter(|request| request.path == path).count();
            println!(
                "{product} {count} x {name}, {seconds} s: all in after {all_in:.1} s ({start_cpu:.2} s CPU); RSS {:.1} MiB, \
                 PSS {:.1} MiB; CPU after that {:.2} s; logins {}, renewals {}, lookups {}",
                rss as f64 / 1024.0,
                pss as f64 / 1024.0,
                cpu - start_cpu,
                of("auth/jwt/login"),
                of("auth/token/renew-self"),
                of("auth/token/lookup-self"),
            );
        }
    }
);
