//! SIGTERM and SIGINT end the program while a request hangs and while it waits, as an ordinary
//! process and as PID 1.

// Clippy sees tests only where they bear the attribute, not their helpers.
#![allow(clippy::unwrap_used)]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far less than the timeout of a run here, which is the default of two
/// minutes, and enough for a busy machine.
const PROMPT: Duration = Duration::from_secs(20);

/// Each signal, its name, and the exit code it leads to.
const BOTH: [(Signal, &str, i32); 2] = [(Signal::TERM, "TERM", 143), (Signal::INT, "INT", 130)];

/// `program` with the arguments of a login at `port`, its files in `dir`.
fn login(mut program: Command, dir: &Path, port: u16) -> Child {
    std::fs::write(dir.join("jwt"), "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln").unwrap();
    std::fs::create_dir(dir.join("out")).unwrap();
    std::fs::write(dir.join("out/token"), "old").unwrap();
    program
        .args(["--quiet", &format!("--vault-addr=http://127.0.0.1:{port}")])
        .arg("--jwt-file")
        .arg(dir.join("jwt"))
        .arg("--token-file")
        .arg(dir.join("out/token"))
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vault-jwt-login"))
}

/// What became of `child`, which is given [`PROMPT`].
fn end_of(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PROMPT {
            child.kill().unwrap();
            panic!("the signal did not end it");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// It said so, left with the shell's code, and the folder is as it was.
fn ended(child: Child, dir: &Path, signal: &str, code: i32) {
    let output = end_of(child);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("error: ended by SIG{signal} before the Vault token was stored\n"));
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(std::fs::read_to_string(dir.join("out/token")).unwrap(), "old");
    assert_eq!(std::fs::read_dir(dir.join("out")).unwrap().count(), 1, "nothing else is left");
}

/// A server that takes connections and never answers.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_request_that_hangs_ends_with_the_signal() {
    for (signal, name, code) in BOTH {
        let (dir, (server, port)) = (tempfile::tempdir().unwrap(), silent());
        let child = login(program(), dir.path(), port);
        // Kept open until the end: the request is under way now.
        let connection = server.accept().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        ended(child, dir.path(), name, code);
        drop(connection);
    }
}

#[test]
fn a_wait_between_attempts_ends_with_the_signal() {
    let (dir, (server, port)) = (tempfile::tempdir().unwrap(), silent());
    let child = login(program(), dir.path(), port);
    // The first attempt is refused with a long wait.
    let (mut stream, _) = server.accept().unwrap();
    let answer = "HTTP/1.1 503 x\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n";
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    stream.write_all(answer.as_bytes()).unwrap();
    // The program closes the connection when it has the answer.
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    std::thread::sleep(Duration::from_millis(100));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    ended(child, dir.path(), "TERM", 143);
}

/// A signal at any moment of a login, from its start to beyond its end: the
/// token is old or new, the exit code says which, and no temporary file is left.
#[test]
fn a_signal_never_tears_the_token_file() {
    let (server, port) = silent();
    std::thread::spawn(move || {
        let auth = r#"{"auth":{"client_token":"new","lease_duration":3600}}"#;
        let answer = format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n{auth}", auth.len());
        for stream in server.incoming() {
            // Those whose client is gone by now are of no interest.
            let _ = stream.and_then(|mut stream| {
                let asked = stream.read(&mut [0; 4096])? > 0;
                if asked { stream.write_all(answer.as_bytes()) } else { Ok(()) }
            });
        }
    });
    for delay in 0..100 {
        let dir = tempfile::tempdir().unwrap();
        let child = login(program(), dir.path(), port);
        std::thread::sleep(Duration::from_micros(delay * 100));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = end_of(child).status;
        let token = std::fs::read_to_string(dir.path().join("out/token")).unwrap();
        // Before it could handle the signal, this ended it as it does any program.
        let early = status.signal() == Some(Signal::TERM.as_raw());
        let expected = if early || status.code() == Some(143) { "old" } else { "new" };
        assert_eq!(token, expected, "{delay}: {status}");
        assert_eq!(std::fs::read_dir(dir.path().join("out")).unwrap().count(), 1, "{delay}: {status}");
    }
}

/// The kernel gives PID 1 only the signals it handles.
#[test]
fn as_pid_1_it_hears_signals_too() {
    const UNSHARE: [&str; 2] = ["-pf", "--kill-child"];
    if !Command::new("unshare").args(UNSHARE).arg("true").output().is_ok_and(|ran| ran.status.success()) {
        eprintln!("SKIPPED: this user may not make a PID namespace (unshare -pf)");
        return;
    }
    for (signal, name, code) in BOTH {
        let (dir, (server, port)) = (tempfile::tempdir().unwrap(), silent());
        let mut unshare = Command::new("unshare");
        unshare.args(UNSHARE).arg(program().get_program());
        let child = login(unshare, dir.path(), port);
        let connection = server.accept().unwrap();
        // The program is the only child of unshare, which ends as its child does.
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let first: i32 = std::fs::read_to_string(&children).unwrap().trim().parse().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{first}/status")).unwrap();
        let inner = status.lines().find(|line| line.starts_with("NSpid:")).unwrap();
        assert!(inner.ends_with("\t1"), "not PID 1: {inner}");
        kill_process(Pid::from_raw(first).unwrap(), signal).unwrap();
        ended(child, dir.path(), name, code);
        drop(connection);
    }
}
