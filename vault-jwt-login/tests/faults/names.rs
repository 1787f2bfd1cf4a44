//! Hosts without an address, in an isolated network namespace.

use crate::{JWT, OLD, Outcome, arguments, assert_safe, row};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const UNSHARE: [&str; 1] = ["-rn"];

#[test]
fn names_that_lead_nowhere() {
    if !Command::new("unshare").args(UNSHARE).arg("true").output().is_ok_and(|ran| ran.status.success()) {
        eprintln!("SKIPPED: this user may not make a network of its own (unshare -rn)");
        return;
    }
    println!("{:40} {:>4} {:>8} {:>7}  stderr", "fault", "code", "attempts", "seconds");
    // Side by side: each is tried until the time is up.
    std::thread::scope(|scope| {
        for (name, address, why) in [
            ("no name server", "http://vault.invalid:8200", "its host name cannot be resolved ("),
            ("no name server, a trailing dot", "http://vault.invalid.:8200", "its host name cannot be resolved ("),
            ("no network", "http://192.0.2.1:8200", "network is unreachable"),
        ] {
            scope.spawn(move || leads_nowhere(name, address, why));
        }
    });
}

fn leads_nowhere(name: &str, address: &str, why: &str) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("jwt"), JWT).unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    std::fs::write(dir.path().join("out/token"), OLD).unwrap();
    let started = Instant::now();
    let output = Command::new("unshare")
        .args(UNSHARE)
        .arg(env!("CARGO_BIN_EXE_vault-jwt-login"))
        .args(arguments(dir.path(), address))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_safe(&said, JWT);
    let outcome = Outcome { code: output.status.code(), asked: 0, took: started.elapsed(), said };
    row(name, &outcome);
    let (first, hint) = outcome.said.split_once('\n').unwrap();
    let start = format!("error: could not reach Vault at \"{address}\": {why}");
    assert!(first.starts_with(&start) && first.contains("; gave up after "), "{}", outcome.said);
    assert_eq!(hint, "hint: check --vault-addr (VAULT_ADDR) and that no network policy blocks the connection\n");
    assert_eq!(outcome.code, Some(69));
    assert!(outcome.took < Duration::from_secs(14), "{:?}", outcome.took);
    assert_eq!(std::fs::read_to_string(dir.path().join("out/token")).unwrap(), OLD);
}
