//! What a watcher knows of the clusters from earlier polls.

use crate::issuer::Resolved;
use crate::keychain::Owner;
use crate::keychain::poll_history::PollHistory;
use std::collections::HashMap;

/// What is known from earlier polls; at first, nothing.
#[derive(Debug, Default)]
pub struct PollMemory {
    recent: HashMap<Owner, PollHistory>,
    /// Whose keys each context led to.
    owners: HashMap<Option<String>, Owner>,
}

impl PollMemory {
    /// Takes what a cluster publishes, as it was read through `contexts`, and
    /// says what its last polls showed. Where another context led to the same
    /// cluster before, and could not be read this time, the answer is not
    /// complete: what that one publishes would look gone.
    pub fn take(&mut self, cluster: &Resolved, contexts: Vec<Option<&str>>) -> PollHistory {
        for context in &contexts {
            self.owners.insert(context.map(str::to_owned), cluster.owner.clone());
        }
        let missing = |(context, owner): (&Option<String>, &Owner)| {
            *owner == cluster.owner && !contexts.contains(&context.as_deref())
        };
        let recent = self.recent.entry(cluster.owner.clone()).or_default();
        if !self.owners.iter().any(missing) {
            recent.record(&cluster.keys.keys);
        }
        recent.clone()
    }
}
