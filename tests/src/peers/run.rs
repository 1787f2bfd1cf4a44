//! Runs long build steps: the output goes to a log, and a line shows that the step is still running.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::PeerError;
use crate::process::{Scratch, Supervised, say, tail};

/// Time between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Step<'a> {
    /// What is being done, as in "building etcd 3.7.3".
    pub what: String,
    /// How long it is expected to take.
    pub takes: &'a str,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Changes to the environment; nothing else of it is touched.
    pub environment: Vec<(&'static str, OsString)>,
    pub folder: PathBuf,
    pub log: PathBuf,
}

impl Step<'_> {
    /// Runs it to its end, with temporary files in a folder that goes away
    /// even when this process is killed; the program then stops as well.
    pub fn run(self) -> Result<(), PeerError> {
        let what = &self.what;
        say(&format!("{what}, {} (neither in the cache nor, in this version, in PATH)", self.takes));
        // Output of an earlier attempt.
        let _ = fs::remove_file(&self.log);
        let scratch = Scratch::new("build").map_err(PeerError::file("make the folder", "target/harness"))?;
        let temporary = scratch.folder("tmp").map_err(PeerError::file("make the folder", scratch.path()))?;
        let start = Instant::now();
        let running =
            Supervised::start_with_log(&scratch, what, &self.log, &self.program, &self.arguments, |command| {
                command.current_dir(&self.folder).env("TMPDIR", &temporary);
                for (name, value) in &self.environment {
                    command.env(name, value);
                }
            });
        let running = running.map_err(PeerError::file("run", &self.program))?;
        let mut next = HEARTBEAT;
        let status = loop {
            if let Some(status) = running.ended() {
                break status;
            }
            if start.elapsed() >= next {
                say(&format!("{what}: {} s so far", next.as_secs()));
                next += HEARTBEAT;
            }
            thread::sleep(Duration::from_millis(50));
        };
        if !status.success() {
            let tail = tail(&self.log, 20);
            return Err(PeerError::Failed { what: self.what, status: status.to_string(), tail, log: self.log });
        }
        say(&format!("{what}: done in {} s", start.elapsed().as_secs()));
        Ok(())
    }
}

/// What a short command prints, if it can be run and succeeds.
pub(super) fn answer(
    program: impl AsRef<Path>,
    arguments: &[&str],
    environment: &[(&str, OsString)],
) -> Option<String> {
    let mut command = Command::new(program.as_ref());
    command
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (*name, value)))
        .stdin(std::process::Stdio::null());
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
