//! The figures of a watcher that its metrics and probes report.

use crate::command::mount;
use crate::keychain::element::Management;
use crate::vault::Document;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A loop that has not turned for so long after it should have is stuck.
const STUCK: Duration = Duration::from_secs(900);

/// Requests sent to each kind of peer, counted where they are sent.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    pub vault: Arc<AtomicU64>,
    pub api_server: Arc<AtomicU64>,
    /// To issuers' own sites.
    pub issuer: Arc<AtomicU64>,
}

impl Requests {
    /// The counts, by peer.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [("api-server", count(&self.api_server)), ("issuer", count(&self.issuer)), ("vault", count(&self.vault))]
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextStats {
    /// When its keys were last read and found, or made, right on the mount.
    pub last_success: Option<Timestamp>,
    pub failures: u64,
}

/// How many keys of one owner are on the mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerKeys {
    /// Published by the issuer.
    pub active: usize,
    /// No longer published, within the grace.
    pub retired: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    pub mount: String,
    /// By context.
    pub contexts: BTreeMap<String, ContextStats>,
    /// By issuer and cluster UID (empty where the issuer alone is the owner).
    pub keys: BTreeMap<(String, String), OwnerKeys>,
    /// Unmanaged keys on the mount, and those whose provenance cannot be read.
    pub unmanaged: usize,
    /// Rounds in which the mount was read and found, or made, right.
    pub last_success: Option<Timestamp>,
    /// When the mount was last written.
    pub last_change: Option<Timestamp>,
    /// How often it was.
    pub changes: u64,
    /// Rounds in which Vault did not serve.
    pub vault_failures: u64,
    /// When the token ends, where it does.
    pub token_expires: Option<Instant>,
    /// The command that a person has to run before this continues.
    pub locked_out: Option<String>,
    /// Why no keys are refreshed at the moment.
    pub not_ready: Option<String>,
    /// When the loop has to turn next.
    pub turn_by: Instant,
}

impl Stats {
    pub fn new(mount: &str) -> Self {
        Self {
            mount: mount.to_owned(),
            contexts: BTreeMap::new(),
            keys: BTreeMap::new(),
            unmanaged: 0,
            last_success: None,
            last_change: None,
            changes: 0,
            vault_failures: 0,
            token_expires: None,
            locked_out: None,
            not_ready: Some("the mount has not been read yet".to_owned()),
            turn_by: Instant::now(),
        }
    }

    /// Counts the keys of a configuration.
    pub fn count_keys(&mut self, document: &Document) {
        (self.keys, self.unmanaged) = (BTreeMap::new(), 0);
        for element in mount::elements(Some(document)) {
            let Management::Managed(mark) = &element.management else {
                self.unmanaged += 1;
                continue;
            };
            let uid = mark.owner.cluster_uid.clone().unwrap_or_default();
            let keys = self.keys.entry((mark.owner.issuer.clone(), uid)).or_default();
            match mark.retired {
                Some(_) => keys.retired += 1,
                None => keys.active += 1,
            }
        }
    }

    /// Whether the loop turns.
    pub fn alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.turn_by) < STUCK
    }
}

/// Figures that are written by the run and read by probes.
pub type StatsCell = Mutex<Stats>;
