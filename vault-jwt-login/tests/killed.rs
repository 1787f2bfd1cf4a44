//! SIGKILL at random points of the write path: the token file always contains the old token or the
//! new one, complete, with the requested mode.

// Clippy sees tests only where they bear the attribute, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Rounds in an ordinary run; `KILLS=1000` is a long one.
const KILLS: u32 = 100;
/// After Vault's answer a run is over by then, on a machine that has time.
const LATEST: Duration = Duration::from_micros(4_000);

const OLD: &str = "hvs.old";

/// Answers each login with a token of its own, and says when it has.
fn peer() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (said, answered) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut some = [0; 4_096];
                match stream.read(&mut some) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend_from_slice(&some[..n]),
                }
            }
            // Long enough to be written in more than one piece, if it ever were.
            let token = format!("hvs.{number:04}{}", "x".repeat(20_000));
            let body = format!("{{\"auth\":{{\"client_token\":\"{token}\",\"lease_duration\":60}}}}");
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
            if said.send(token).is_err() {
                return;
            }
        }
    });
    (port, answered)
}

fn left_behind(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "token").collect()
}

#[test]
fn whoever_looks_finds_the_old_token_or_the_new_one() {
    let rounds = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let dir = tempfile::tempdir().unwrap();
    let (jwt, folder) = (dir.path().join("jwt"), dir.path().join("out"));
    std::fs::write(&jwt, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln").unwrap();
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("token");
    let (port, answered) = peer();
    let (mut old, mut new, mut leftovers) = (0, 0, 0);
    for round in 0..rounds {
        std::fs::write(&file, OLD).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vault-jwt-login"))
            .args(["--quiet", "--mode=0640", &format!("--vault-addr=http://127.0.0.1:{port}")])
            .arg("--jwt-file")
            .arg(&jwt)
            .arg("--token-file")
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let token = answered.recv_timeout(Duration::from_secs(60)).unwrap();
        // Each moment gets its turn, and on a busy machine later ones too.
        std::thread::sleep(LATEST * (round * 37 % 100) / 100 * (1 + round * 10 / rounds));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = std::fs::read_to_string(&file).unwrap();
        match found.as_str() {
            OLD => old += 1,
            found if found == token => new += 1,
            torn => panic!("round {round}: {} bytes, {:?}…", torn.len(), torn.get(..20)),
        }
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o640, "round {round}");
        let left = left_behind(&folder);
        assert!(left.iter().all(|name| name.starts_with(".token.") && name.ends_with(".tmp")), "{left:?}");
        leftovers += left.len();
        for name in left {
            // Nobody but us could have read it meanwhile.
            let path = folder.join(name);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o037, 0);
            std::fs::remove_file(path).unwrap();
        }
    }
    println!("{rounds} kills: {old} found the old token, {new} the new one; {leftovers} temporary files were left");
    // Or the kills did not meet the write path.
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}
