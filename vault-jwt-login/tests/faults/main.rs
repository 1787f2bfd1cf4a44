//! Failed logins: class of error, exit code, number of attempts, and the token file, which keeps
//! the old token.
//!
//! `cargo test -p vault-jwt-login --test faults -- --nocapture` prints the tables.

// Clippy sees tests only where they bear the attribute, not their helpers.
#![allow(clippy::unwrap_used)]

mod files;
mod http;
mod names;
mod server;
mod sockets;
mod tls;

use server::Server;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Bound on a whole run here.
const TIMEOUT: Duration = Duration::from_secs(4);

const OLD: &str = "hvs.old";
const NEW: &str = "hvs.new";
const JWT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln";

/// How often it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tries {
    /// So often.
    Times(u32),
    /// Again and again until the timeout.
    Many,
    /// The same, and nobody is there to count.
    Unheard,
}
use Tries::{Many, Times, Unheard};

/// One fault and what it has to come to.
struct Case {
    name: &'static str,
    server: Server,
    /// Flags beside those of every run.
    flags: Vec<String>,
    jwt: String,
    code: i32,
    tries: Tries,
    /// Words of what is said.
    words: &'static str,
}

impl Case {
    fn new(name: &'static str, server: Server, code: i32, tries: Tries, words: &'static str) -> Self {
        Self { name, server, flags: Vec::new(), jwt: JWT.to_owned(), code, tries, words }
    }

    fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    fn jwt(self, jwt: String) -> Self {
        Self { jwt, ..self }
    }
}

/// How a run ended.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    asked: u32,
    took: Duration,
    said: String,
}

/// The flags of every run, the files being in `dir`.
fn arguments(dir: &Path, address: &str) -> Vec<String> {
    let at = |name: &str| dir.join(name).display().to_string();
    vec![
        "--quiet".to_owned(),
        "--role=app".to_owned(),
        format!("--timeout={}s", TIMEOUT.as_secs()),
        format!("--vault-addr={address}"),
        format!("--jwt-file={}", at("jwt")),
        format!("--token-file={}", at("out/token")),
    ]
}

fn run(case: &Case) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    std::fs::write(dir.path().join("jwt"), &case.jwt).unwrap();
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("token"), OLD).unwrap();
    let server = case.server.start();
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_vault-jwt-login"))
        .args(arguments(dir.path(), &server.address))
        .args(server.ca.iter().map(|pem| {
            std::fs::write(dir.path().join("ca"), pem).unwrap();
            format!("--vault-ca-cert={}", dir.path().join("ca").display())
        }))
        .args(&case.flags)
        .env_clear()
        .env("VAULT_CLIENT_TIMEOUT", "1s")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let took = started.elapsed();
    let said = String::from_utf8(output.stderr).unwrap();
    // Whatever the server did: the old token stands unless there is a new one,
    // nothing lies about, and nobody was told the JWT.
    let token = if output.status.success() { NEW } else { OLD };
    assert_eq!(std::fs::read_to_string(out.join("token")).unwrap(), token, "{}: {said}", case.name);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "{}: {said}", case.name);
    assert_safe(&said, &case.jwt);
    assert!(output.stdout.is_empty());
    if !output.status.success() {
        assert!(said.starts_with("error: ") && said.contains("\nhint: "), "{}: {said}", case.name);
    }
    let said = said.replace(&server.port.to_string(), "PORT").replace(&dir.path().display().to_string(), "DIR");
    Outcome { code: output.status.code(), asked: server.asked(), took, said }
}

/// Nothing that acts on a terminal, and neither the JWT nor its signature.
fn assert_safe(said: &str, jwt: &str) {
    let signature = jwt.rsplit('.').next().unwrap_or_default();
    assert!(!said.contains(jwt) && !said.contains(signature), "{said}");
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
}

fn row(name: &str, outcome: &Outcome) {
    let line = outcome.said.lines().next().unwrap_or("-");
    let (code, seconds) = (outcome.code.unwrap_or(-1), outcome.took.as_secs_f64());
    let shown: String = line.chars().take(120).collect();
    println!("{name:40} {code:>4} {:>8} {seconds:>7.1}  {shown}", outcome.asked);
}

/// Runs all at once, prints what they come to, and compares.
fn check(cases: Vec<Case>) {
    let runs: Vec<_> = cases
        .into_iter()
        .map(|case| {
            std::thread::spawn(move || {
                let outcome = run(&case);
                (case, outcome)
            })
        })
        .collect();
    let mut wrong = Vec::new();
    println!("{:40} {:>4} {:>8} {:>7}  stderr", "fault", "code", "attempts", "seconds");
    for run in runs {
        let (case, outcome) = run.join().unwrap();
        row(case.name, &outcome);
        let gave_up = outcome.said.contains("; gave up after ");
        let asked = match case.tries {
            Times(times) => outcome.asked == times && !gave_up,
            Many => outcome.asked > 1 && gave_up,
            Unheard => outcome.asked == 0 && gave_up,
        };
        // Within the deadline, and some for a busy machine.
        let in_time = outcome.took < TIMEOUT + Duration::from_secs(10);
        if !(outcome.code == Some(case.code) && asked && in_time && outcome.said.contains(case.words)) {
            wrong.push(format!("{}: {outcome:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
