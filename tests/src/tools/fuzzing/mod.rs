//! Builds and runs the fuzz targets of `tests/fuzz`. What a run keeps (inputs that reach new
//! code, findings, logs) is in the target folder.

mod report;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

pub use report::Figures;

use crate::artifacts::{Target, is_set_by_cargo};
use crate::peers::{self, Peer, PeerError, is_executable};
use crate::process::{Scratch, Supervised, locked, say, tail};
use crate::workspace;

/// Why a target did not run to its end without a finding.
#[derive(Debug, thiserror::Error)]
pub enum FuzzError {
    #[error("cargo-fuzz: {0}")]
    Tool(#[from] PeerError),
    /// libFuzzer is C++.
    #[error("building the fuzz targets needs a C++ compiler, which is not installed")]
    NoCompiler,
    /// There is no such target.
    #[error("no fuzz target \"{name}\"")]
    NoTarget {
        /// What was asked for.
        name: String,
        /// Those that there are.
        targets: Vec<String>,
    },
    /// A file or folder.
    #[error("cannot {what} \"{}\": {source}", .path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    /// The build failed; what the compiler said is on standard error.
    #[error("\"{0}\" failed")]
    Build(String),
    /// The product did with an input what it must not do.
    #[error("{target}: finding: {said}\ninput: {}", .input.display())]
    Finding {
        target: String,
        /// What the target said of it.
        said: String,
        input: PathBuf,
    },
    /// It ended without a finding, but not well.
    #[error("{target} ended with {status}; its last lines:\n{tail}")]
    Ended {
        target: String,
        status: String,
        /// The last lines of its log.
        tail: String,
        log: PathBuf,
    },
}

impl FuzzError {
    /// The one thing to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tool(error) => error.hint(),
            Self::NoCompiler => Some("apt-get install g++".to_owned()),
            Self::NoTarget { targets, .. } => Some(format!("the targets are {}", targets.join(", "))),
            Self::Finding { target, input, .. } => {
                Some(format!("run it again with: cargo fuzzing --replay {} {target}", input.display()))
            }
            Self::Ended { log, .. } => Some(format!("the whole log is in {}", log.display())),
            Self::File { .. } | Self::Build(_) => None,
        }
    }

    fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { what, path: path.to_owned(), source }
    }
}

/// The folder of the targets' workspace.
fn sources() -> PathBuf {
    workspace::root().join("tests/fuzz")
}

/// The folder of everything that is built and found.
fn folder() -> PathBuf {
    workspace::target().join("fuzz")
}

/// Every target, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn targets() -> Result<Vec<String>, FuzzError> {
    let folder = sources().join("targets");
    let files = fs::read_dir(&folder).map_err(FuzzError::file("read", &folder))?;
    let mut names: Vec<String> =
        files.flatten().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// The targets of those names, or all.
///
/// # Errors
/// There is none of that name.
pub fn named(names: &[String]) -> Result<Vec<String>, FuzzError> {
    let targets = targets()?;
    if let Some(name) = names.iter().find(|name| !targets.contains(name)) {
        return Err(FuzzError::NoTarget { name: name.clone(), targets });
    }
    Ok(if names.is_empty() { targets } else { names.to_vec() })
}

#[derive(Debug)]
pub struct Built {
    programs: PathBuf,
}

/// Builds every target, instrumented, with debug assertions and checks for
/// overflow. Stable Rust does it, since no sanitizer is asked for: our code has
/// no `unsafe` for one to look into.
///
/// # Errors
/// The tool or a compiler is missing, or the build fails.
pub fn build() -> Result<Built, FuzzError> {
    let tool = peers::locate(Peer::CargoFuzz)?;
    let compiler = |folder: PathBuf| is_executable(&folder.join("c++"));
    if std::env::var_os("CXX").is_none() && !workspace::path_folders().into_iter().any(compiler) {
        return Err(FuzzError::NoCompiler);
    }
    let triple = Target::Gnu.triple();
    say("building the fuzz targets, about 3 minutes on two cores the first time");
    let start = Instant::now();
    // cargo-fuzz has no --locked of its own.
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let manifest = sources().join("Cargo.toml");
    run_cargo(&cargo, &["fetch".into(), "--locked".into(), "--manifest-path".into(), manifest.into()])?;
    let arguments = ["build", "--sanitizer", "none", "--target", &triple].map(OsString::from);
    let folders = ["--fuzz-dir".into(), sources().into(), "--target-dir".into(), folder().into()];
    run_cargo(&tool, &[&arguments[..], &folders[..]].concat())?;
    say(&format!("building the fuzz targets: done in {} s", start.elapsed().as_secs()));
    Ok(Built { programs: folder().join(triple).join("release") })
}

/// Runs cargo, or the tool that runs it. What the compiler says goes to
/// standard error.
fn run_cargo(program: &Path, arguments: &[OsString]) -> Result<(), FuzzError> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root()).env("CARGO_TERM_QUIET", "true");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_set_by_cargo) {
            command.env_remove(name);
        }
    }
    let status = command.status().map_err(FuzzError::file("run", program))?;
    if status.success() {
        return Ok(());
    }
    let words: Vec<_> = arguments.iter().take(3).map(|word| word.to_string_lossy()).collect();
    Err(FuzzError::Build(format!("{} {}", program.display(), words.join(" "))))
}

impl Built {
    /// Fuzzes `targets` for `time` each, as many at once as there are cores,
    /// and tells how each one ended.
    pub fn fuzz(&self, targets: &[String], time: Duration, tell: impl Fn(&str, Result<Figures, FuzzError>) + Sync) {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let waiting = Mutex::new(targets.iter());
        thread::scope(|threads| {
            for _ in 0..cores.min(targets.len()) {
                threads.spawn(|| {
                    loop {
                        let next = locked(&waiting).next();
                        let Some(target) = next else { break };
                        tell(target, self.fuzz_one(target, time));
                    }
                });
            }
        });
    }

    /// Fuzzes one target: from the inputs that earlier runs kept, and the
    /// seeds in the source tree.
    fn fuzz_one(&self, target: &str, time: Duration) -> Result<Figures, FuzzError> {
        let make = |name: &str| {
            let folder = folder().join(name).join(target);
            fs::create_dir_all(&folder).map_err(FuzzError::file("make the folder", &folder))?;
            Ok::<_, FuzzError>(folder)
        };
        let (corpus, findings) = (make("corpus")?, make("findings")?);
        let mut arguments: Vec<OsString> = vec![corpus.into(), sources().join("seeds").join(target).into()];
        arguments.push(format!("-max_total_time={}", time.as_secs()).into());
        // Our parsers take microseconds; what takes seconds is a finding.
        arguments.extend(["-timeout=5", "-rss_limit_mb=1024", "-max_len=4096", "-print_final_stats=1"].map(Into::into));
        arguments.push(format!("-artifact_prefix={}/", findings.display()).into());
        let words = sources().join("dictionaries").join(format!("{target}.dict"));
        arguments.push(format!("-dict={}", words.display()).into());
        let log = self.run(target, arguments)?;
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        Figures::read(&text).ok_or_else(|| ended(target, "no figures", &log))
    }

    /// Runs a target on one input.
    ///
    /// # Errors
    /// It is a finding.
    pub fn replay(&self, target: &str, input: &Path) -> Result<(), FuzzError> {
        fs::metadata(input).map_err(FuzzError::file("read", input))?;
        self.run(target, vec![input.into()]).map(drop).map_err(|error| match error {
            // The input is written once, when it is found.
            FuzzError::Ended { target, log, .. } => {
                FuzzError::Finding { target, said: report::said(&tail(&log, 200)), input: input.to_owned() }
            }
            other => other,
        })
    }

    /// Runs a target to its end, and returns its log.
    fn run(&self, target: &str, arguments: Vec<OsString>) -> Result<PathBuf, FuzzError> {
        let logs = folder().join("logs");
        fs::create_dir_all(&logs).map_err(FuzzError::file("make the folder", &logs))?;
        let log = logs.join(format!("{target}.log"));
        // Of an earlier run.
        let _ = fs::remove_file(&log);
        let scratch = Scratch::new("fuzz").map_err(FuzzError::file("make the folder", &workspace::harness()))?;
        let program = self.programs.join(target);
        let running = Supervised::start_with_log(&scratch, target, &log, &program, arguments, |command| {
            command.current_dir(workspace::root());
        });
        let running = running.map_err(FuzzError::file("run", &program))?;
        let status = loop {
            if let Some(status) = running.ended() {
                break status;
            }
            thread::sleep(Duration::from_millis(50));
        };
        if status.success() {
            return Ok(log);
        }
        let text = tail(&log, 200);
        Err(match report::written(&text) {
            Some(input) => FuzzError::Finding { target: target.to_owned(), said: report::said(&text), input },
            None => ended(target, &status.to_string(), &log),
        })
    }
}

fn ended(target: &str, status: &str, log: &Path) -> FuzzError {
    let (target, status) = (target.to_owned(), status.to_owned());
    FuzzError::Ended { target, status, tail: tail(log, 20), log: log.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The versions of each crate in a lock file.
    fn versions(path: &Path) -> BTreeMap<String, BTreeSet<String>> {
        let text = fs::read_to_string(path).unwrap();
        let mut found = BTreeMap::<String, BTreeSet<String>>::new();
        for package in text.split("[[package]]").skip(1) {
            let value = |name: &str| package.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
            found.entry(value("name = ")).or_default().insert(value("version = "));
        }
        found
    }

    /// What is fuzzed is what is shipped.
    #[test]
    fn the_lock_file_of_the_targets_agrees_with_the_workspace() {
        let (ours, theirs) = (versions(&workspace::root().join("Cargo.lock")), versions(&sources().join("Cargo.lock")));
        let own = ["fuzz", "keychain", "libfuzzer-sys", "arbitrary"];
        for (name, version) in theirs.iter().filter(|(name, _)| !own.contains(&name.trim_matches('"'))) {
            assert!(
                ours.get(name).is_some_and(|ours| version.is_subset(ours)),
                "{name} {version:?}; mend it with: cp Cargo.lock tests/fuzz/ && cargo update -w --manifest-path \
                 tests/fuzz/Cargo.toml"
            );
        }
        assert!(theirs.len() > 50);
    }

    #[test]
    fn every_target_has_seeds_and_words() {
        let targets = targets().unwrap();
        assert_eq!(targets, ["answer", "jwks", "jwt", "provenance"]);
        for target in targets {
            assert!(fs::read_dir(sources().join("seeds").join(&target)).unwrap().count() >= 5, "{target}");
            assert!(sources().join("dictionaries").join(format!("{target}.dict")).is_file(), "{target}");
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_right_ones() {
        let error = named(&["jwt".to_owned(), "nope".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no fuzz target \"nope\"");
        assert_eq!(error.hint().as_deref(), Some("the targets are answer, jwks, jwt, provenance"));
        assert_eq!(named(&["jwt".to_owned()]).unwrap(), ["jwt"]);
    }

    #[test]
    fn a_finding_says_how_to_see_it_again() {
        let (target, said) = ("jwt".to_owned(), "boom".to_owned());
        let error = FuzzError::Finding { target, said, input: "/t/crash-1".into() };
        assert_eq!(error.to_string(), "jwt: finding: boom\ninput: /t/crash-1");
        assert_eq!(error.hint().as_deref(), Some("run it again with: cargo fuzzing --replay /t/crash-1 jwt"));
    }
}
