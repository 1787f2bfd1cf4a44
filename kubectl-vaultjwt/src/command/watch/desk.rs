//! Owns what a run that goes on says about itself: events and figures.

use super::event::{About, Event, Journal};
use super::stats::StatsCell;
use super::troubles::Troubles;
use crate::vault::VaultError;
use tokio::time::Instant;

/// Where the run tells what happens.
pub struct Desk<'a> {
    journal: &'a dyn Journal,
    /// The figures.
    pub stats: &'a StatsCell,
    troubles: Troubles,
}

impl<'a> Desk<'a> {
    /// Nothing is wrong yet.
    pub fn new(journal: &'a dyn Journal, stats: &'a StatsCell) -> Self {
        Self { journal, stats, troubles: Troubles::default() }
    }

    /// One event.
    pub fn tell(&self, event: &Event) {
        self.journal.tell(event);
    }

    /// Something failed.
    pub fn failed(&mut self, about: About, error: String, hint: Option<String>) {
        if let Some(event) = self.troubles.failed(Instant::now(), about, error, hint) {
            self.tell(&event);
        }
    }

    /// Vault did not do what was asked.
    pub fn vault_failed(&mut self, error: &VaultError) {
        self.failed(About::Vault, error.to_string(), going_on(error));
    }

    /// Something works.
    pub fn works(&mut self, about: &About) {
        if let Some(event) = self.troubles.works(Instant::now(), about) {
            self.tell(&event);
        }
    }
}

/// What to do about an error of Vault's. Most of them pass, and a run that goes
/// on tries again by itself.
fn going_on(error: &VaultError) -> Option<String> {
    match error {
        VaultError::NoAnswer { .. } => None,
        VaultError::Refused(refused) if refused.status == 429 => None,
        VaultError::Refused(refused) if refused.status >= 500 => Some("look at Vault's log".to_owned()),
        error => error.hint(),
    }
}
