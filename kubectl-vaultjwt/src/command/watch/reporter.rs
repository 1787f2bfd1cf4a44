//! Passes on what a watcher reports about itself: events and metrics.

use crate::command::watch::event::{About, Event, Journal};
use crate::command::watch::open_problems::OpenProblems;
use crate::command::watch::stats::StatsCell;
use crate::vault::VaultError;
use tokio::time::Instant;

/// Where the watcher reports events.
pub struct Reporter<'a> {
    journal: &'a dyn Journal,
    pub stats: &'a StatsCell,
    problems: OpenProblems,
}

impl<'a> Reporter<'a> {
    /// Nothing is wrong yet.
    pub fn new(journal: &'a dyn Journal, stats: &'a StatsCell) -> Self {
        Self { journal, stats, problems: OpenProblems::default() }
    }

    pub fn tell(&self, event: &Event) {
        self.journal.tell(event);
    }

    pub fn failed(&mut self, about: About, error: String, hint: Option<String>) {
        if let Some(event) = self.problems.failed(Instant::now(), about, error, hint) {
            self.tell(&event);
        }
    }

    /// Vault did not do what was asked.
    pub fn vault_failed(&mut self, error: &VaultError) {
        self.failed(About::Vault, error.to_string(), going_on(error));
    }

    pub fn recovered(&mut self, about: &About) {
        if let Some(event) = self.problems.recovered(Instant::now(), about) {
            self.tell(&event);
        }
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
