//! Owns the life of every child process and folder of the harness.
//!
//! Each server runs below a small `sh` that holds one end of a pipe
//! (`supervise.sh`); each folder has an `sh` of its own that waits the same
//! way (`janitor.sh`). When the harness closes the pipe, panics, is
//! interrupted, or is killed with kill -9, the pipe ends, the servers stop and
//! the folders go. Nothing depends on destructors, so servers may also live in
//! statics.

mod logs;
mod ports;
mod say;
mod scratch;
mod turns;

pub use logs::{keep_logs, tail};
pub use ports::{port, port_pair};
pub use say::say;
pub use scratch::Scratch;
pub use turns::Turn;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Locks also after a panic of another test: the data is still whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `sh` at the other end of a pipe.
#[derive(Debug)]
pub(crate) struct Keeper {
    pipe: Mutex<Option<ChildStdin>>,
    child: Mutex<Child>,
}

/// Every keeper of this process, for [`stop_everything`].
static KEEPERS: Mutex<Vec<Weak<Keeper>>> = Mutex::new(Vec::new());

impl Keeper {
    /// Starts `script` with `arguments`; it reads the pipe on standard input.
    fn start<A: AsRef<OsStr>>(
        script: &str,
        arguments: impl IntoIterator<Item = A>,
        configure: impl FnOnce(&mut Command),
    ) -> io::Result<Arc<Self>> {
        on_signal_stop_everything();
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg("harness").args(arguments);
        // Out of the terminal's foreground group: Ctrl-C reaches the harness
        // alone, which then stops its servers in order.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        configure(&mut command);
        let mut child = command.spawn()?;
        let keeper = Arc::new(Self { pipe: Mutex::new(child.stdin.take()), child: Mutex::new(child) });
        let mut keepers = locked(&KEEPERS);
        keepers.retain(|keeper| keeper.strong_count() > 0);
        keepers.push(Arc::downgrade(&keeper));
        Ok(keeper)
    }

    /// Ends the pipe; what hangs on it then stops by itself.
    fn close(&self) {
        locked(&self.pipe).take();
    }

    /// The same, and nobody needs what the program would do at its end.
    fn close_now(&self) {
        if let Some(mut pipe) = locked(&self.pipe).take() {
            // Who does not read it any more has ended.
            let _ = pipe.write_all(b"now\n");
        }
    }

    /// How it ended, if it has.
    fn ended(&self) -> Option<ExitStatus> {
        locked(&self.child).try_wait().ok().flatten()
    }

    /// Waits for the end.
    fn wait(&self, at_most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            match self.ended() {
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                ended => return ended,
            }
        }
    }
}

/// Longest time a server and its folder are waited for.
const STOP_AT_MOST: Duration = Duration::from_secs(40);

/// Stops every server of this process and removes their folders.
pub fn stop_everything() {
    let keepers: Vec<_> = locked(&KEEPERS).iter().filter_map(Weak::upgrade).collect();
    keepers.iter().for_each(|keeper| keeper.close());
    let deadline = Instant::now() + STOP_AT_MOST;
    for keeper in &keepers {
        keeper.wait(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Ctrl-C, TERM and HUP end the process only after its servers. What whoever started
/// it ignores, as nohup and a shell's background do, stays ignored.
fn on_signal_stop_everything() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let handled = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
        // Where signals or threads cannot be had, the pipes still end with the process.
        if let Ok(mut signals) = Signals::new(handled) {
            thread::spawn(move || {
                if signals.forever().next().is_some() {
                    stop_everything();
                    // 128 + SIGINT, as a shell reports an interrupted program.
                    std::process::exit(130);
                }
            });
        }
        logs::keep_logs_on_panic();
    });
}

/// Whether this process ignores a signal (`SigIgn` in proc_pid_status(5)).
pub fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal - 1)) != 0
}

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
        logs::register(name, log, &keeper);
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

/// The environment of a program that must not see the developer's: his home,
/// tokens, proxies and kubeconfig. `PATH` is kept, with `first` in front.
pub fn clean_environment(command: &mut Command, home: &Path, first: &[&Path]) {
    command.env_clear().env("PATH", crate::workspace::path_with(first)).env("HOME", home).env("LC_ALL", "C.UTF-8");
}
