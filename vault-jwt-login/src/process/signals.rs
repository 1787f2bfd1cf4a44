//! SIGTERM and SIGINT end a run. They are handled, since the kernel drops signals left at
//! their default for PID 1, which is what this program is in an image of its own
//! (pid_namespaces(7)).

use crate::files::proc_status;
use crate::log::{Level, Message};
use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Decides between the run and a signal: who ends the program.
#[derive(Debug, Default)]
pub struct SignalGate {
    /// Whether the run ends by itself, whatever signal still comes.
    decided: Mutex<bool>,
    /// A signal that came after that.
    late: AtomicI32,
}

impl SignalGate {
    /// Does `work` in one piece: a signal ends the program after it.
    pub fn undisturbed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.turn();
        work()
    }

    /// As [`SignalGate::undisturbed`], and from then on no signal ends the program,
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

    /// Ends the program with what `on_signal` comes to, unless the run ends by itself.
    fn end_by(&self, signal: i32, on_signal: impl Fn(i32) -> u8) {
        let decided = self.turn();
        if *decided {
            self.late.store(signal, Ordering::SeqCst);
        } else {
            // With the turn still ours: the run cannot begin to write now.
            std::process::exit(i32::from(on_signal(signal)));
        }
    }
}

/// The exit code of a shell whose command a signal ended.
pub fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

pub fn name(signal: i32) -> &'static str {
    if signal == SIGINT { "SIGINT" } else { "SIGTERM" }
}

/// What is said where a signal ends a login.
pub fn before_a_token(signal: i32) -> Message<'static> {
    Message::new(Level::Error, format!("ended by {} before the Vault token was stored", name(signal)))
}

pub const ENDING: [i32; 2] = [SIGTERM, SIGINT];

/// Those of [`ENDING`] that the parent process does not ignore. A handler
/// would take that from the command that this program becomes: a signal that is
/// handled has its default again after exec (signal(7)), and one that is ignored,
/// as a shell ignores SIGINT for what it runs in the background, stays so.
pub fn not_ignored() -> Vec<i32> {
    let ignored = proc_status::mask("SigIgn").unwrap_or_default();
    ENDING.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0).collect()
}

/// Runs `work` to its end, or to the first of the signals `handled`, which ends the
/// program with the exit code that `on_signal` gives.
///
/// The work has a thread of its own and this one waits for signals: the
/// kernel gives them to the first thread (signal(7) leaves the choice open,
/// Linux begins there), so none interrupts a request.
pub fn watch(
    handled: &[i32],
    on_signal: impl Fn(i32) -> u8,
    work: impl Fn(&SignalGate) -> ExitCode + Sync,
) -> ExitCode {
    let gate = SignalGate::default();
    // Where signals or threads cannot be had, a login without them is better than none.
    let Ok(mut signals) = Signals::new(handled) else { return work(&gate) };
    thread::scope(|scope| {
        let over = Over(signals.handle());
        let run = || {
            let _over = over;
            work(&gate)
        };
        let Ok(run) = thread::Builder::new().spawn_scoped(scope, run) else { return work(&gate) };
        for signal in signals.forever() {
            gate.end_by(signal, &on_signal);
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
