//! `cargo fuzzing [TARGET…]`: builds the fuzz targets once, runs each for a while, and prints the
//! results.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::tools::fuzzing::{self, FuzzError};

const USAGE: &str = "usage: cargo fuzzing [--seconds N | --minutes N] [TARGET...]\n       \
    cargo fuzzing --replay FILE TARGET\n\n\
    Fuzzes each target for 30 s, or as long as is said; or runs one on one input.\n";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Fuzz { time: Duration, targets: Vec<String> },
    Replay { input: PathBuf, target: String },
}

fn asked(words: impl IntoIterator<Item = String>) -> Option<Asked> {
    let mut words = words.into_iter();
    let (mut time, mut targets, mut input) = (Duration::from_secs(30), Vec::new(), None);
    while let Some(word) = words.next() {
        let mut number = || words.next()?.parse::<u32>().ok().filter(|number| *number > 0);
        match word.as_str() {
            "-h" | "--help" => return Some(Asked::Help),
            "--seconds" => time = Duration::from_secs(number()?.into()),
            "--minutes" => time = Duration::from_secs(u64::from(number()?) * 60),
            "--replay" => input = Some(PathBuf::from(words.next()?)),
            flag if flag.starts_with('-') => return None,
            _ => targets.push(word),
        }
    }
    match (input, targets.as_slice()) {
        (None, _) => Some(Asked::Fuzz { time, targets }),
        (Some(input), [target]) => Some(Asked::Replay { input, target: target.clone() }),
        (Some(_), _) => None,
    }
}

fn main() -> ExitCode {
    let result = match asked(std::env::args().skip(1)) {
        None => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
        Some(Asked::Help) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(Asked::Fuzz { time, targets }) => fuzz(&targets, time),
        Some(Asked::Replay { input, target }) => replay(&target, input),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &FuzzError) {
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

/// Whether nothing was found.
fn fuzz(targets: &[String], time: Duration) -> Result<bool, FuzzError> {
    let targets = fuzzing::named(targets)?;
    let well = AtomicBool::new(true);
    fuzzing::build()?.fuzz(&targets, time, |target, end| match end {
        Ok(figures) => println!("{target}\t{figures}"),
        Err(error) => {
            complain(&error);
            well.store(false, Ordering::SeqCst);
        }
    });
    Ok(well.into_inner())
}

fn replay(target: &str, input: PathBuf) -> Result<bool, FuzzError> {
    let targets = fuzzing::named(&[target.to_owned()])?;
    // Targets run in the workspace's folder.
    let input = std::path::absolute(&input).unwrap_or(input);
    fuzzing::build()?.replay(&targets[0], &input)?;
    println!("{target}\tno finding");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Option<Asked> {
        asked(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_can_be_asked_for() {
        let fuzz = |seconds, targets: &[&str]| {
            let targets = targets.iter().map(|target| (*target).to_owned()).collect();
            Some(Asked::Fuzz { time: Duration::from_secs(seconds), targets })
        };
        assert_eq!(of(""), fuzz(30, &[]));
        assert_eq!(of("--minutes 10 jwt jwks"), fuzz(600, &["jwt", "jwks"]));
        assert_eq!(of("--seconds 5"), fuzz(5, &[]));
        assert_eq!(of("--replay crash-1 jwt"), Some(Asked::Replay { input: "crash-1".into(), target: "jwt".into() }));
        for wrong in ["--seconds", "--seconds 0", "--minutes x", "--fast", "--replay a", "--replay a jwt jwks"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(of("--help"), Some(Asked::Help));
    }
}
