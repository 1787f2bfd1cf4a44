//! Owns how SIGTERM and SIGINT end a run. They are handled, since the kernel
//! drops signals left at their default for PID 1, which is what this program
//! is in an image of its own (pid_namespaces(7)).

use crate::log::{Level, Message};
use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Decides between the run and a signal: who ends the program.
#[derive(Debug, Default)]
pub struct End {
    /// Whether the run ends by itself, whatever signal still comes.
    decided: Mutex<bool>,
    /// A signal that came after that.
    late: AtomicI32,
}

impl End {
    /// Does `work` in one piece: a signal ends the program after it.
    pub fn undisturbed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.turn();
        work()
    }

    /// As [`End::undisturbed`], and from then on no signal ends the program,
    /// which is about to end by itself.
    pub fn finally<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut decided = self.turn();
        *decided = true;
        work()
    }

    /// The exit code for a signal that came after the run had decided to end,
    /// for a run that becomes something else instead.
    pub fn late(&self) -> Option<ExitCode> {
        let signal = self.late.load(Ordering::SeqCst);
        (signal != 0).then(|| ExitCode::from(code(signal)))
    }

    fn turn(&self) -> MutexGuard<'_, bool> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the program with what `farewell` comes to, unless the run ends by itself.
    fn by(&self, signal: i32, farewell: impl Fn(i32) -> u8) {
        let decided = self.turn();
        if *decided {
            self.late.store(signal, Ordering::SeqCst);
        } else {
            // With the turn still ours: the run cannot begin to write now.
            std::process::exit(i32::from(farewell(signal)));
        }
    }
}

/// The exit code of a shell whose command a signal ended.
pub fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// How it is written.
pub fn name(signal: i32) -> &'static str {
    if signal == SIGINT { "SIGINT" } else { "SIGTERM" }
}

/// What is said where a signal ends a login.
pub fn before_a_token(signal: i32) -> Message<'static> {
    Message::new(Level::Error, format!("ended by {} before the Vault token was stored", name(signal)))
}

/// The signals that end a run.
pub const ENDING: [i32; 2] = [SIGTERM, SIGINT];

/// Those of them that whoever started the program does not ignore. A handler
/// would take that from the command that this program becomes: a signal that is
/// handled has its default again after exec (signal(7)), and one that is ignored,
/// as a shell ignores SIGINT for what it runs in the background, stays so.
pub fn not_ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = mask_of_ignored(&status);
    ENDING.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect()
}

/// What `SigIgn` says (proc_pid_status(5)); where it is not said, nothing is ignored.
fn mask_of_ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// Runs `work` to its end, or to the first of the signals `handled`, which ends the
/// program with the exit code that `farewell` gives.
///
/// The work has a thread of its own and this one waits for signals: the
/// kernel gives them to the first thread (signal(7) leaves the choice open,
/// Linux begins there), so none interrupts a request.
pub fn watch(handled: &[i32], farewell: impl Fn(i32) -> u8, work: impl Fn(&End) -> ExitCode + Sync) -> ExitCode {
    let end = End::default();
    // Where signals or threads cannot be had, a login without them is better than none.
    let Ok(mut signals) = Signals::new(handled) else { return work(&end) };
    thread::scope(|scope| {
        let over = Over(signals.handle());
        let run = || {
            let _over = over;
            work(&end)
        };
        let Ok(run) = thread::Builder::new().spawn_scoped(scope, run) else { return work(&end) };
        for signal in signals.forever() {
            end.by(signal, &farewell);
        }
        // It panicked and said so (sysexits: EX_SOFTWARE).
        run.join().unwrap_or(ExitCode::from(70))
    })
}

/// Ends the wait for signals when the work is over, however it ends.
struct Over(Handle);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_kernel() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000000\nSigIgn:\t{mask}\nSigCgt:\t0000000000000000\n");
        // nohup (HUP) in a shell's background (INT, QUIT), beside the PIPE of Rust.
        assert_eq!(mask_of_ignored(&status("0000000000001007")), 0x1007);
        assert_eq!(mask_of_ignored(&status("0000000000000000")), 0);
        assert_eq!(mask_of_ignored(&status("no number")), 0);
        assert_eq!(mask_of_ignored(""), 0);
    }
}
