//! Runs all tests of the workspace as CI does (`cargo suite`): the programs
//! under test are built first, a test that failed is run once more alone, and
//! the slowest tests are told.
//!
//! A test that fails and then passes is FLAKY: it is named, its log is kept, and
//! the run is still a good one, with at most [`MOST_FLAKY`] of them. Where keys
//! or tokens were lost ([`NEVER_FLAKY`]) there is no second run: that must not
//! happen even once.

mod binaries;
mod libtest;
mod report;
mod test;

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

pub use binaries::Binary;
pub use report::Report;
pub use test::{Again, MOST_FLAKY, SuiteError, Test};

use crate::artifacts;
use crate::process::{locked, say};
use crate::{NEVER_FLAKY, workspace};
use test::io_error;

/// The binary that takes longer than all others together. It runs beside them.
const LONGEST: &str = "tests/e2e";

/// The package whose tests have limits for how long a wait may take.
const MEASURES: &str = "vault-jwt-login/";

/// Builds everything, runs all tests, and those that failed once more.
///
/// # Errors
/// Something does not build, or a test binary cannot be run.
pub fn run() -> Result<Report, SuiteError> {
    artifacts::plugin()?;
    artifacts::pod_binary()?;
    let binaries = binaries::build()?;
    let report = Mutex::new(Report::default());
    let (long, short): (Vec<&Binary>, Vec<&Binary>) = binaries.iter().partition(|binary| binary.name == LONGEST);
    if long.is_empty() {
        locked(&report).broken(format!("{LONGEST} is missing"));
    }
    // What measures the pod program's waits has the machine, for seconds.
    let (first, beside): (Vec<&Binary>, Vec<&Binary>) =
        short.into_iter().partition(|binary| binary.name.starts_with(MEASURES));
    run_all(&first, &report);
    thread::scope(|scope| {
        scope.spawn(|| run_all(&long, &report));
        scope.spawn(|| run_all(&beside, &report));
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed: Vec<Test> = report.failed().cloned().collect();
    let too_many = failed.len() > MOST_FLAKY;
    for test in failed {
        let again = match binaries.iter().find(|binary| binary.name == test.binary) {
            Some(binary) if !too_many && may_run_again(&test) => {
                say(&format!("{} {}: once more, alone", test.binary, test.name));
                again(binary, &test)
            }
            _ => Again::NotRun,
        };
        let log = (again == Again::Passed).then(|| keep(&test)).and_then(told);
        report.again(test, again, log);
    }
    Ok(report)
}

/// Runs all tests of these binaries, one after another, and tells of each.
fn run_all(binaries: &[&Binary], report: &Mutex<Report>) {
    for binary in binaries {
        println!("running {}", binary.name);
        let ran = libtest::run(binary, &[], |test| {
            let result = if test.failed.is_some() { "FAILED" } else { "ok" };
            let output = test.failed.as_ref().map(|output| format!("\n{output}")).unwrap_or_default();
            println!("{} {} ... {result} ({:.1} s){output}", test.binary, test.name, test.took.as_secs_f64());
        });
        match ran {
            Ok(ended) => locked(report).add(&binary.name, ended),
            // The others are of use all the same.
            Err(error) => {
                eprintln!("error: {error}");
                locked(report).broken(error.to_string());
            }
        }
    }
}

/// Whether a second run may make a failure a flaky one.
fn may_run_again(test: &Test) -> bool {
    test.failed.as_ref().is_some_and(|output| !output.contains(NEVER_FLAKY))
}

fn again(binary: &Binary, test: &Test) -> Again {
    let mut failed = None;
    let ended = libtest::run(binary, &["--exact", &test.name], |test| failed = test.failed.clone());
    if let Some(output) = failed {
        println!("{output}");
        return Again::Failed;
    }
    if told(ended).is_some_and(|ended| ended.tests.len() == 1) { Again::Passed } else { Again::Failed }
}

/// The value. An error is printed here, so that the report is still written.
fn told<T>(result: Result<T, SuiteError>) -> Option<T> {
    result.inspect_err(|error| eprintln!("error: {error}")).ok()
}

/// Keeps what a flaky test wrote.
fn keep(test: &Test) -> Result<PathBuf, SuiteError> {
    let folder = workspace::harness().join("flaky");
    let path = folder.join(format!("{}.log", format!("{}-{}", test.binary, test.name).replace(['/', ':'], "-")));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, test.failed.as_deref().unwrap_or("")));
    written.map_err(io_error(format!("writing {}", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lost_keys_are_never_flaky() {
        let test = |output: Option<&str>| Test {
            binary: "tests/e2e".into(),
            name: "sharing::race::a".into(),
            took: Duration::ZERO,
            failed: output.map(str::to_owned),
        };
        let said = format!("thread panicked at tests/e2e/sharing/race.rs:1:1:\n{NEVER_FLAKY}: [\"c0\"]\n");
        assert!(!may_run_again(&test(Some(&said))));
        assert!(may_run_again(&test(Some("thread panicked: not ready\n"))));
    }
}
