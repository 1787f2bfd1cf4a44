//! Runs a command beside this program (`--renew -- COMMAND`): it is started with the
//! token, gets the signals, and its exit code is ours. As PID 1 we also end what its
//! children leave behind (wait(2)).

use crate::cli::settings::Settings;
use crate::command::error::Failure;
use crate::command::live_tokens::LiveTokens;
use crate::command::revoke_at_exit::{on_signal, withdraw};
use crate::command::sidecar::Sidecar;
use crate::log::{Level, Message};
use crate::process::exec::{ExecCommand, ExecError};
use crate::process::signals::{self, SignalGate};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use shared::Secret;
use signal_hook::consts::signal::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The signals that the command gets in our place. Others cannot be had
/// (KILL, STOP) or are of no use to it.
const HANDED_ON: [i32; 8] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH];

/// The command's process. Nobody waits for children while it is being
/// started, so that it is known before its end can be seen.
#[derive(Default)]
struct Child(Mutex<Option<Pid>>);

impl Child {
    fn start(&self, command: &ExecCommand, token: &Secret) -> Result<(), ExecError> {
        let mut pid = self.lock();
        let child = command.start(token)?;
        *pid = Some(Pid::from_child(&child));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pid(&self) -> Option<Pid> {
        *self.lock()
    }

    /// Ends what has died; the exit code if the command is among it.
    fn reap(&self) -> Option<u8> {
        let pid = self.lock();
        let mut code = None;
        while let Ok(Some((dead, status))) = wait(WaitOptions::NOHANG) {
            if Some(dead) == *pid {
                code = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => u8::try_from(code).ok(),
                    (None, Some(signal)) => Some(signals::code(signal)),
                    (None, None) => None,
                };
            }
        }
        code
    }
}

/// Logs in, starts the command, and keeps the token in use until the command ends.
pub fn run(settings: &Settings, command: &ExecCommand, say: &(dyn Fn(&Message<'_>) + Sync)) -> ExitCode {
    let (gate, live, child) = (SignalGate::default(), LiveTokens::default(), Child::default());
    let every: Vec<i32> = HANDED_ON.into_iter().chain([SIGCHLD]).collect();
    let mut signals = match Signals::new(every) {
        Ok(signals) => signals,
        Err(source) => {
            let program = command.program.to_string_lossy().into_owned();
            return failed(&ExecError::NotStarted { program, source }.into(), say);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let aloud = |message: &Message<'_>| say(message);
            let begun = Sidecar::start(settings, &gate, &live, &aloud).and_then(|sidecar| {
                // In one piece: a signal either finds the command, or comes before it.
                if let Err(error) = gate.undisturbed(|| child.start(command, sidecar.token())) {
                    gate.finally(|| withdraw(settings, &live, say));
                    return Err(error.into());
                }
                Ok(sidecar)
            });
            match begun {
                Ok(sidecar) => sidecar.run(),
                Err(failure) => {
                    gate.finally(|| failed(&failure, say));
                    std::process::exit(i32::from(failure.error.exit_code()));
                }
            }
        });
        for signal in signals.forever() {
            if signal == SIGCHLD {
                if let Some(code) = child.reap() {
                    let troubles = |message: &Message<'_>| {
                        if message.level != Level::Info {
                            say(message);
                        }
                    };
                    // The exit code is the command's, whatever becomes of the token.
                    let _ = on_signal(settings, &live, "the command", &troubles);
                    std::process::exit(i32::from(code));
                }
                continue;
            }
            let hand_on = || {
                let (Some(pid), Some(signal)) = (child.pid(), Signal::from_named_raw(signal)) else { return false };
                // It may have ended just now.
                let _ = kill_process(pid, signal);
                true
            };
            if hand_on() || signal == SIGCONT || signal == SIGWINCH {
                continue;
            }
            gate.undisturbed(|| {
                // The command may have been started meanwhile. If not, it no longer can be.
                if !hand_on() {
                    withdraw(settings, &live, say);
                    say(&signals::before_a_token(signal));
                    std::process::exit(i32::from(signals::code(signal)));
                }
            });
        }
        ExitCode::SUCCESS
    })
}

fn failed(failure: &Failure, say: &dyn Fn(&Message<'_>)) -> ExitCode {
    say(&failure.message());
    ExitCode::from(failure.error.exit_code())
}
