//! Child processes that end with this process: each reads a pipe that ends when this process does.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, Once, Weak};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::locked::locked;
use super::logs;

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
    pub(super) fn start<A: AsRef<OsStr>>(
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

    /// Closes the pipe; the programs that read it then stop.
    pub(super) fn close(&self) {
        locked(&self.pipe).take();
    }

    /// The same, without time for the program to end by itself.
    pub(super) fn close_now(&self) {
        if let Some(mut pipe) = locked(&self.pipe).take() {
            // Who does not read it any more has ended.
            let _ = pipe.write_all(b"now\n");
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        locked(&self.child).try_wait().ok().flatten()
    }

    /// Waits for the end.
    pub(super) fn wait(&self, at_most: Duration) -> Option<ExitStatus> {
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
pub(super) const STOP_AT_MOST: Duration = Duration::from_secs(40);

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
