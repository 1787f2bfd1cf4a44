//! `sync --watch`: keeps keys right for as long as it runs.
//!
//! Each `round` is a `sync` of those contexts that are due (`schedule`), with what earlier
//! rounds showed (`sync::poll_memory`). `session` keeps the watcher's own token alive.
//! `reporter` passes on events (`event`) and metrics (`stats`); `open_problems` keeps a
//! problem from being reported twice.

pub mod event;
pub mod input;
mod open_problems;
mod reporter;
mod round;
pub mod schedule;
mod session;
pub mod stats;

pub use crate::vault::session::login::{LoginFiles, LoginMethod, NoCredentials};
pub use event::{About, Event, Journal, Level};
pub use input::{WatchInput, WatchPorts};
pub use reporter::Reporter;
pub use schedule::Pace;
pub use stats::{Requests, Stats, StatsCell};

use crate::command::watch::round::Watch;
use std::time::Duration;
use tokio::time::{sleep, sleep_until};

/// When it is asked to stop, a write that is on its way gets so long to be
/// answered; the whole end takes less than a second.
const LAST_WRITE: Duration = Duration::from_millis(800);

/// Keeps keys right until `stop`: between reads and writes at once, and
/// otherwise as soon as a write that is on its way is answered. The token
/// stays as it is: the next run may continue with it.
pub async fn run(ports: WatchPorts<'_>, input: &WatchInput, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut watch = Watch::new(ports, input);
    loop {
        let next = watch.next();
        ports.reporter.stats.lock().turn_by = next;
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = sleep_until(next) => {}
        }
        let turn = watch.turn();
        tokio::pin!(turn);
        tokio::select! {
            biased;
            () = &mut stop => {
                tokio::select! {
                    biased;
                    () = ports.sync.vault.between_writes() => {}
                    () = &mut turn => {}
                    () = sleep(LAST_WRITE) => {}
                }
                break;
            }
            () = &mut turn => {}
        }
    }
    ports.reporter.tell(&Event::Stopped);
}

#[cfg(test)]
mod tests;
