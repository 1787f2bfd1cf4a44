//! Vault at a Unix socket: available, missing, and too busy to respond.

use crate::server::{Fault, granted, serve};
use crate::{JWT, NEW, OLD, Outcome, arguments, assert_safe, row};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs against the socket "vault" of `dir`.
fn run(dir: &Path, name: &str) -> (Outcome, String) {
    std::fs::write(dir.join("jwt"), JWT).unwrap();
    std::fs::create_dir(dir.join("out")).unwrap();
    std::fs::write(dir.join("out/token"), OLD).unwrap();
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_vault-jwt-login"))
        .args(arguments(dir, &format!("unix://{}", dir.join("vault").display())))
        .env_clear()
        // Nothing of a proxy: a socket is on this machine.
        .envs([
            ("VAULT_CLIENT_TIMEOUT", "1s"),
            ("HTTP_PROXY", "http://127.0.0.1:9"),
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap().replace(&dir.display().to_string(), "DIR");
    assert_safe(&said, JWT);
    let outcome = Outcome { code: output.status.code(), asked: 0, took: started.elapsed(), said };
    row(name, &outcome);
    (outcome, std::fs::read_to_string(dir.join("out/token")).unwrap())
}

#[test]
fn a_login_through_a_socket() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("vault")).unwrap();
    let server = std::thread::spawn(move || serve(&granted(), listener.accept().unwrap().0, 0));
    let (outcome, token) = run(dir.path(), "a socket");
    assert_eq!((outcome.code, outcome.said.as_str(), token.as_str()), (Some(0), "", NEW));
    assert!(server.join().unwrap().is_some());
}

#[test]
fn sockets_that_do_not_answer() {
    // Side by side: each is tried until the time is up.
    std::thread::scope(|scope| {
        for (name, why) in [
            ("no socket", "no such file or directory"),
            ("a socket nobody listens on", "connection refused"),
            ("a silent socket", "did not respond within 1s\nhint: check the load of Vault"),
            ("a socket whose backlog is full", "no connection in "),
        ] {
            scope.spawn(move || does_not_answer(name, why));
        }
    });
}

fn does_not_answer(name: &str, why: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault");
    let mut waiting = Vec::new();
    let listener = (name != "no socket").then(|| UnixListener::bind(&path).unwrap());
    match name {
        "a socket nobody listens on" => drop(listener),
        "a silent socket" => {
            let listener = listener.unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    std::thread::spawn(move || serve(&Fault::Silence, stream.unwrap(), 0));
                }
            });
        }
        "a socket whose backlog is full" => {
            // std's listeners let 4096 wait, or as many as the kernel does.
            let raw =
                rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).unwrap();
            std::fs::remove_file(&path).unwrap();
            rustix::net::bind(&raw, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
            rustix::net::listen(&raw, 0).unwrap();
            waiting.push(UnixStream::connect(&path).unwrap());
            let (outcome, token) = run(dir.path(), name);
            assert_failed(&outcome, why, &token);
            drop(raw);
            return;
        }
        _ => {}
    }
    let (outcome, token) = run(dir.path(), name);
    assert_failed(&outcome, why, &token);
}

fn assert_failed(outcome: &Outcome, why: &str, token: &str) {
    assert_eq!((outcome.code, token), (Some(69), OLD));
    if why.starts_with("did not respond") {
        // Too little time is left for another login after this one.
        let start = format!("error: Vault at \"unix://DIR/vault\" {why}");
        assert!(outcome.said.starts_with(&start) && !outcome.said.contains("gave up"), "{}", outcome.said);
        return;
    }
    let start = format!("error: could not reach Vault at \"unix://DIR/vault\": {why}");
    assert!(outcome.said.starts_with(&start) && outcome.said.contains("; gave up after "), "{}", outcome.said);
    assert!(
        outcome.said.ends_with(
            "\nhint: check that --vault-addr (VAULT_ADDR) names the socket, and that a server listens on it\n"
        ),
        "{}",
        outcome.said
    );
    assert!(outcome.took < Duration::from_secs(14), "{:?}", outcome.took);
}
