//! Runs a test binary and reads the result of each test.
//!
//! Only libtest's JSON output has the time of each test. It is unstable, so the binary needs
//! `RUSTC_BOOTSTRAP`, which libtest reads when it runs (`is_nightly` in
//! library/test/src/cli.rs). Nothing is compiled with it. If the format changes, no test is
//! counted, and that is an error.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::binaries::Binary;
use super::test::{SuiteError, Test, io_error};
use crate::artifacts::LIBTEST_VARIABLE;

/// What a binary said.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ended {
    pub tests: Vec<Test>,
    /// Tests that are only run when asked for.
    pub ignored: usize,
    /// From the binary's start to its end.
    pub took: Duration,
}

/// One line of a binary's account.
#[derive(Debug, Clone, PartialEq)]
enum Event {
    Ended(Test),
    Ignored,
    /// It has run for a minute.
    Slow(String),
    /// All ran: so many passed, failed and were ignored.
    Over([usize; 3]),
    /// A beginning, a count.
    Other,
}

/// Runs a binary with further arguments, and tells of each test when it ends.
pub(super) fn run(binary: &Binary, more: &[&str], mut tell: impl FnMut(&Test)) -> Result<Ended, SuiteError> {
    let mut command = Command::new(&binary.path);
    command.args(["-Z", "unstable-options", "--format", "json", "--report-time"]).args(more);
    command.env(LIBTEST_VARIABLE, "1").current_dir(&binary.folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let failed = || io_error(format!("running {}", binary.path.display()));
    let start = Instant::now();
    let mut child = command.spawn().map_err(failed())?;
    let (mut ended, mut over) = (Ended::default(), None);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(failed())?;
            match event(&binary.name, &line) {
                Some(Event::Ended(test)) => {
                    tell(&test);
                    ended.tests.push(test);
                }
                Some(Event::Ignored) => ended.ignored += 1,
                Some(Event::Slow(name)) => println!("{} {name} has been running for a minute", binary.name),
                Some(Event::Over(counted)) => over = Some(counted),
                Some(Event::Other) => {}
                // What a test wrote past the one who runs it.
                None => println!("{}: {}", binary.name, String::from_utf8_lossy(&line)),
            }
        }
    }
    let status = child.wait().map_err(failed())?;
    let failed = ended.tests.iter().filter(|test| test.failed.is_some()).count();
    let seen = [ended.tests.len() - failed, failed, ended.ignored];
    // A line that was not read, because something wrote into it, is not overlooked.
    if over != Some(seen) || status.success() != (failed == 0) {
        return Err(SuiteError::NoResult { binary: binary.name.clone(), status: status.to_string() });
    }
    ended.took = start.elapsed();
    Ok(ended)
}

/// What a line says, if it is one of libtest's.
fn event(binary: &str, line: &[u8]) -> Option<Event> {
    let said: Value = serde_json::from_slice(line).ok()?;
    let (kind, event) = (said["type"].as_str()?, said["event"].as_str());
    Some(match (kind, event) {
        ("suite", Some("ok" | "failed")) => Event::Over(
            ["passed", "failed", "ignored"]
                .map(|name| said[name].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX)),
        ),
        ("test", Some("timeout")) => Event::Slow(said["name"].as_str()?.to_owned()),
        ("test", Some("ignored")) => Event::Ignored,
        ("test", Some(result @ ("ok" | "failed"))) => {
            let seconds = said["exec_time"].as_f64().unwrap_or_default().max(0.0);
            let output = || said["stdout"].as_str().or(said["message"].as_str()).unwrap_or_default().to_owned();
            Event::Ended(Test {
                binary: binary.to_owned(),
                name: said["name"].as_str()?.to_owned(),
                took: Duration::from_secs_f64(seconds),
                failed: (result == "failed").then(output),
            })
        }
        ("suite" | "test", _) => Event::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_binary_says_is_read() {
        let said = |line: &str| event("tests/e2e", line.as_bytes());
        let test = |failed: Option<&str>| Test {
            binary: "tests/e2e".into(),
            name: "a::b".into(),
            took: Duration::from_millis(1_250),
            failed: failed.map(str::to_owned),
        };
        let ok = r#"{ "type": "test", "name": "a::b", "event": "ok", "exec_time": 1.25 }"#;
        assert_eq!(said(ok), Some(Event::Ended(test(None))));
        let failed = r#"{ "type": "test", "name": "a::b", "event": "failed", "exec_time": 1.25, "stdout": "why\n" }"#;
        assert_eq!(said(failed), Some(Event::Ended(test(Some("why\n")))));
        let silent = r#"{ "type": "test", "name": "a::b", "event": "failed", "exec_time": 1.25 }"#;
        assert_eq!(said(silent), Some(Event::Ended(test(Some("")))));
        assert_eq!(said(r#"{ "type": "test", "event": "ignored", "name": "a::b" }"#), Some(Event::Ignored));
        assert_eq!(said(r#"{ "type": "test", "event": "started", "name": "a::b" }"#), Some(Event::Other));
        assert_eq!(said(r#"{ "type": "suite", "event": "started", "test_count": 3 }"#), Some(Event::Other));
        let over = r#"{ "type": "suite", "event": "failed", "passed": 3, "failed": 1, "ignored": 2 }"#;
        assert_eq!(said(over), Some(Event::Over([3, 1, 2])));
        assert_eq!(said(r#"{ "type": "suite", "event": "ok" }"#), Some(Event::Over([usize::MAX; 3])));
        let slow = r#"{ "type": "test", "event": "timeout", "name": "a::b" }"#;
        assert_eq!(said(slow), Some(Event::Slow("a::b".into())));
        assert_eq!(said("key 1 of 3"), None);
        assert_eq!(said(r#"{"level": "info"}"#), None);
    }
}
