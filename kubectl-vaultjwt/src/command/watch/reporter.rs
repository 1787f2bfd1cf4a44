//! Where a watcher reports: events, metrics, and each warning of its polls once.

use crate::command::watch::event::{About, Event, Journal};
use crate::command::watch::open_problems::OpenProblems;
use crate::command::watch::stats::StatsCell;
use crate::command::{Progress, Step};
use crate::vault::VaultError;
use parking_lot::Mutex;
use std::collections::HashSet;
use tokio::time::Instant;

/// Warnings that are remembered; after so many, all are reported again.
const REMEMBERED: usize = 1_000;

pub struct Reporter<'a> {
    journal: &'a dyn Journal,
    pub stats: &'a StatsCell,
    problems: Mutex<OpenProblems>,
    /// Warnings that were reported.
    warned: Mutex<HashSet<String>>,
}

impl<'a> Reporter<'a> {
    pub fn new(journal: &'a dyn Journal, stats: &'a StatsCell) -> Self {
        Self { journal, stats, problems: Mutex::default(), warned: Mutex::default() }
    }

    pub fn tell(&self, event: &Event) {
        self.journal.tell(event);
    }

    pub fn failed(&self, about: About, error: String, hint: Option<String>) {
        let event = self.problems.lock().failed(Instant::now(), about, error, hint);
        event.iter().for_each(|event| self.tell(event));
    }

    /// Counts a round in which Vault did not serve.
    pub fn vault_did_not_serve(&self, error: &impl ToString) {
        let mut stats = self.stats.lock();
        stats.vault_failures += 1;
        stats.not_ready = Some(error.to_string());
    }

    /// Vault did not do what was asked.
    pub fn vault_failed(&self, error: &VaultError) {
        self.failed(About::Vault, error.to_string(), going_on(error));
    }

    pub fn recovered(&self, about: &About) {
        let event = self.problems.lock().recovered(Instant::now(), about);
        event.iter().for_each(|event| self.tell(event));
    }
}

/// Of the polls, only new warnings are reported. That clusters are being read shows that the
/// watcher is alive.
impl Progress for Reporter<'_> {
    fn step(&self, step: Step) {
        let Step::Warning(text) = step else { return };
        let mut warned = self.warned.lock();
        if warned.len() >= REMEMBERED {
            warned.clear();
        }
        if warned.insert(text.clone()) {
            self.tell(&Event::Note { text });
        }
    }

    fn advance(&self, _: &str, _: usize, _: usize) {
        self.stats.lock().turn_by = Instant::now();
    }
}

/// What to do about an error of Vault's. Most of them pass, and a watcher retries by itself.
fn going_on(error: &VaultError) -> Option<String> {
    match error {
        VaultError::NoAnswer { .. } => None,
        VaultError::Refused(refused) if refused.status == 429 => None,
        VaultError::Refused(refused) if refused.status >= 500 => Some("look at Vault's log".to_owned()),
        error => error.hint(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::watch::stats::Stats;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);

    impl Journal for Heard {
        fn tell(&self, event: &Event) {
            self.0.lock().push(event.clone());
        }
    }

    #[test]
    fn a_warning_is_told_once_and_a_step_never() {
        let heard = Heard::default();
        let stats = StatsCell::new(Stats::new("jwt"));
        let notes = Reporter::new(&heard, &stats);
        for _ in 0..3 {
            notes.step(Step::Warning("w".into()));
            notes.step(Step::Done("d".into()));
        }
        assert_eq!(*heard.0.lock(), [Event::Note { text: "w".into() }]);
    }
}
