//! Programs that run until a test stops them or the harness ends.

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use super::Scratch;
use super::keeper::{Keeper, STOP_AT_MOST};
use super::logs;

/// One program that runs until it is stopped, or the harness ends.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    log: PathBuf,
    keeper: Arc<Keeper>,
}

/// Time between TERM and KILL. An API server with watching clients would take
/// over ten seconds.
const GRACE: Duration = Duration::from_secs(2);

impl Supervised {
    /// Starts `program`, with its output appended to `NAME.log` in `scratch`.
    ///
    /// # Errors
    /// The log or the process cannot be made.
    pub fn start<A: AsRef<OsStr>>(
        scratch: &Scratch,
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        configure: impl FnOnce(&mut Command),
    ) -> io::Result<Self> {
        let log = scratch.path().join(format!("{name}.log"));
        Self::start_with_log(scratch, name, &log, program, arguments, configure)
    }

    /// As [`Supervised::start`], with the output elsewhere.
    ///
    /// # Errors
    /// The log or the process cannot be made.
    pub fn start_with_log<A: AsRef<OsStr>>(
        scratch: &Scratch,
        name: &str,
        log: &Path,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        configure: impl FnOnce(&mut Command),
    ) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let errors = output.try_clone()?;
        let mark = scratch.new_mark()?;
        let tenths = (GRACE.as_millis() / 100).to_string();
        let mut whole: Vec<OsString> = vec![mark.clone().into(), tenths.into(), program.into()];
        whole.extend(arguments.into_iter().map(|argument| argument.as_ref().to_os_string()));
        let keeper = Keeper::start(include_str!("supervise.sh"), whole, |command| {
            command.stdout(output).stderr(errors);
            configure(command);
        });
        let keeper = keeper.inspect_err(|_| drop(fs::remove_file(&mark)))?;
        logs::register(name, log, Arc::clone(&keeper) as Arc<dyn Any + Send + Sync>);
        Ok(Self { name: name.to_owned(), log: log.to_path_buf(), keeper })
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.keeper.ended()
    }

    /// Stops it and waits until it is gone.
    pub fn stop(&self) {
        self.keeper.close();
        self.keeper.wait(STOP_AT_MOST);
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&self) {
        self.keeper.close_now();
        self.keeper.wait(STOP_AT_MOST);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}
