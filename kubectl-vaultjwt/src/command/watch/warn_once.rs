//! Reports each warning once over many polls, and steps not at all. That clusters are being
//! read shows that the watcher is alive.

use crate::command::watch::event::{Event, Journal};
use crate::command::watch::stats::StatsCell;
use crate::command::{Progress, Step};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Warnings that are remembered; after so many, all are reported again.
const REMEMBERED: usize = 1_000;

/// Progress of polls, of which only new warnings are reported.
pub struct WarnOnce<'a> {
    journal: &'a dyn Journal,
    stats: &'a StatsCell,
    told: Mutex<HashSet<String>>,
}

impl<'a> WarnOnce<'a> {
    /// Nothing was reported yet.
    pub fn new(journal: &'a dyn Journal, stats: &'a StatsCell) -> Self {
        Self { journal, stats, told: Mutex::default() }
    }
}

impl Progress for WarnOnce<'_> {
    fn step(&self, step: Step) {
        let Step::Warning(text) = step else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED {
            told.clear();
        }
        if told.insert(text.clone()) {
            self.journal.tell(&Event::Note { text });
        }
    }

    fn advance(&self, _: &str, _: usize, _: usize) {
        self.stats.with(|stats| stats.turn_by = Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);

    impl Journal for Heard {
        fn tell(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn a_warning_is_told_once_and_a_step_never() {
        let heard = Heard::default();
        let stats = StatsCell::new("jwt");
        let notes = WarnOnce::new(&heard, &stats);
        for _ in 0..3 {
            notes.step(Step::Warning("w".into()));
            notes.step(Step::Done("d".into()));
        }
        assert_eq!(*heard.0.lock().unwrap(), [Event::Note { text: "w".into() }]);
    }
}
