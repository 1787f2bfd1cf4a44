//! `sync --watch`: keys kept right for as long as it runs.
//!
//! Each round is a `sync` of those contexts that are due (`schedule`), with
//! what the rounds before it showed (`sync::Memory`). `session` keeps the run's
//! own token alive, `troubles` what is wrong and told, `event` and `stats` are
//! what others see of it.

mod desk;
pub mod event;
pub mod input;
mod notes;
mod round;
pub mod schedule;
mod session;
pub mod stats;
mod troubles;

pub use event::{About, Event, Journal, Level};
pub use input::{Keyring, Login, NoCredentials, Ports, WatchInput};
pub use notes::Notes;
pub use schedule::Pace;
pub use stats::{Requests, Stats, StatsCell};

use crate::command::sync::{Memory, Scope};
use desk::Desk;
use round::Standing;
use schedule::Schedule;
use session::Session;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// When it is told to stop, a write that is on its way gets so long to be
/// answered; the whole end takes less than a second.
const LAST_WRITE: Duration = Duration::from_millis(800);

/// A run that goes on.
struct Watch<'a> {
    ports: Ports<'a>,
    input: &'a WatchInput,
    schedule: Schedule,
    session: Session,
    memory: Memory,
    standing: Standing,
    desk: Desk<'a>,
}

/// Keeps keys right until `stop`: between reads and writes at once, and
/// otherwise as soon as a write that is on its way is answered. The token
/// stays as it is: whoever starts this again may go on with it.
pub async fn run(ports: Ports<'_>, input: &WatchInput, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut watch = Watch::new(ports, input);
    loop {
        let next = watch.next();
        ports.stats.with(|stats| stats.turn_by = next);
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
    ports.journal.tell(&Event::Stopped);
}

impl<'a> Watch<'a> {
    fn new(ports: Ports<'a>, input: &'a WatchInput) -> Self {
        let contexts = match &input.sync.scope {
            Scope::Current(_) => vec![None],
            Scope::Named(names) | Scope::All(names) => names.iter().cloned().map(Some).collect(),
        };
        ports.journal.tell(&Event::Started {
            contexts: contexts.len(),
            mount: input.sync.mount.to_string(),
            interval: input.pace.api_server.as_secs(),
            issuer_interval: input.pace.issuer.as_secs(),
        });
        Self {
            ports,
            input,
            schedule: Schedule::new(contexts, input.pace, Instant::now()),
            session: Session::new(),
            memory: Memory::default(),
            standing: Standing::default(),
            desk: Desk::new(ports.journal, ports.stats),
        }
    }

    /// When there is something to do.
    fn next(&self) -> Instant {
        let due = self.session.due().into_iter().fold(self.schedule.next(), Instant::min);
        self.session.awaited().unwrap_or(due)
    }

    /// Does what is due.
    async fn turn(&mut self) {
        if self.session.keep(self.ports, self.input, &mut self.desk).await.is_err() {
            return;
        }
        let due = self.schedule.due_now(Instant::now());
        if !due.is_empty() {
            self.round(due).await;
        }
    }
}

#[cfg(test)]
mod tests;
