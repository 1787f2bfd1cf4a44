//! Runs one round: syncs the contexts that are due, and reports, counts, and reschedules
//! each.

use crate::command::failure::Failure;
use crate::command::sync::{self, Outcome, PollMemory, Row, Scope, SyncError, SyncInput, SyncReport};
use crate::command::watch::event::{About, Event};
use crate::command::watch::input::{WatchInput, WatchPorts};
use crate::command::watch::reporter::Reporter;
use crate::command::watch::schedule::{Polled, Schedule};
use crate::command::watch::session::VaultSession;
use crate::issuer::KeySource;
use crate::shell::word;
use crate::vault::VaultError;
use crate::vault::mount::rewrite::RewriteError;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};
use tokio::time::Instant;

/// The state of each context after its last poll.
#[derive(Debug, Default)]
pub struct ContextOutcomes {
    last: BTreeMap<String, Outcome>,
    /// Contexts that were on the mount at some time.
    enrolled: HashSet<String>,
}

impl ContextOutcomes {
    /// Records one more poll result; whether the context was removed from the mount while this
    /// ran.
    fn take(&mut self, context: &str, outcome: Outcome) -> bool {
        self.last.insert(context.to_owned(), outcome);
        match outcome {
            Outcome::NotEnrolled => self.enrolled.contains(context),
            Outcome::Failed => false,
            Outcome::Unchanged | Outcome::Changed | Outcome::Enrolled => {
                self.enrolled.insert(context.to_owned());
                false
            }
        }
    }

    /// Whether there are contexts, and none is on the mount.
    fn nobody(&self) -> bool {
        !self.last.is_empty() && self.last.values().all(|outcome| *outcome == Outcome::NotEnrolled)
    }

    /// Whether there are contexts, and none could be read.
    fn all_failed(&self) -> bool {
        !self.last.is_empty() && self.last.values().all(|outcome| *outcome == Outcome::Failed)
    }
}

impl Watch<'_> {
    /// Syncs the contexts that are due.
    pub(super) async fn round(&mut self, due: Vec<Option<String>>) {
        let began = Instant::now();
        // One for all, so that they stay together; another each time, so that
        // a fleet of these does not.
        let jitter = rand::random_range(0.9..1.1);
        let mut ended = self.sync(&due).await;
        if ended.as_ref().is_err_and(|failed| refused_by_403(&failed.error)) {
            // The token may be gone. If another is to be had, all is well.
            self.session.invalidate();
            if self.session.keep(self.ports, self.input, &mut self.reporter).await.is_err() {
                return;
            }
            ended = self.sync(&due).await;
        }
        match ended {
            Ok(report) => self.digest(&due, &report, began, jitter),
            Err(failed) => self.vault_failed(&failed.error, jitter),
        }
    }

    async fn sync(&mut self, due: &[Option<String>]) -> Result<SyncReport, Failure<SyncError, SyncReport>> {
        let names = || due.iter().flatten().cloned().collect();
        let input = &self.input.sync;
        let scope = match &input.scope {
            Scope::Current(name) => Scope::Current(name.clone()),
            Scope::Named(_) => Scope::Named(names()),
            Scope::All(_) => Scope::All(names()),
        };
        let input = SyncInput { scope, now: Timestamp::now(), ..input.clone() };
        sync::run(self.ports.sync, &input, Some(&mut self.memory)).await
    }

    fn vault_failed(&mut self, error: &SyncError, jitter: f64) {
        let vault = match error {
            SyncError::Vault(vault) | SyncError::Rewrite(RewriteError::Vault(vault)) => Some(vault),
            SyncError::NoMount { source, .. } => Some(&**source),
            SyncError::Rewrite(_) | SyncError::Config { .. } => None,
        };
        let retry_after = vault.and_then(VaultError::refusal).and_then(|refused| refused.retry_after);
        self.schedule.vault_failed(Instant::now(), jitter, retry_after);
        self.reporter.stats.with(|stats| {
            stats.vault_failures += 1;
            stats.not_ready = Some(error.to_string());
        });
        match (vault, error) {
            (Some(vault), _) => self.reporter.vault_failed(vault),
            (None, SyncError::Rewrite(RewriteError::Slow { .. })) => {
                self.reporter.failed(self.mount(), error.to_string(), Some("look at the load of both".to_owned()));
            }
            (None, SyncError::Rewrite(_)) => {
                let hint = "find the other writer (Terraform, an operator)".to_owned();
                self.reporter.failed(self.mount(), error.to_string(), Some(hint));
            }
            (None, _) => self.reporter.failed(self.mount(), error.to_string(), error.hint()),
        }
    }

    fn digest(&mut self, due: &[Option<String>], report: &SyncReport, began: Instant, jitter: f64) {
        self.schedule.vault_served();
        self.reporter.recovered(&About::Vault);
        let mut told = HashSet::new();
        for (context, row) in due.iter().zip(&report.clusters) {
            self.row(row);
            for event in key_events(row) {
                // Several contexts can lead to one cluster.
                if let Event::Key { id, .. } = &event
                    && told.insert(id.clone())
                {
                    self.reporter.tell(&event);
                }
            }
            let how = match row.outcome {
                Outcome::Failed => Polled::Failed(row.retry_after),
                Outcome::NotEnrolled => Polled::Stranger,
                _ => Polled::Read(row.source.unwrap_or(KeySource::ApiServer)),
            };
            self.schedule.polled(context.as_deref(), began, jitter, how);
        }
        self.mount_stands(report);
    }

    /// What became of one context.
    fn row(&mut self, row: &Row) {
        let about = About::Context(row.context.clone());
        let lost = self.outcomes.take(&row.context, row.outcome);
        match row.outcome {
            Outcome::Failed => {
                self.reporter.failed(about, row.error.clone().unwrap_or_default(), row.hint.clone());
            }
            Outcome::NotEnrolled if lost => {
                let error = "its keys were taken off the mount while this was running".to_owned();
                let mount = self.input.sync.mount.as_str();
                let setup = format!("kubectl vaultjwt setup --context {} --mount {}", word(&row.context), word(mount));
                self.reporter.failed(about, error, Some(format!("to put them back: {setup}")));
            }
            Outcome::NotEnrolled => {}
            Outcome::Unchanged | Outcome::Changed | Outcome::Enrolled => self.reporter.recovered(&about),
        }
        let now = Timestamp::now();
        self.reporter.stats.with(|stats| match row.outcome {
            Outcome::Failed => stats.contexts.entry(row.context.clone()).or_default().failures += 1,
            Outcome::NotEnrolled => {}
            _ => stats.contexts.entry(row.context.clone()).or_default().last_success = Some(now),
        });
    }

    /// What became of the mount.
    fn mount_stands(&mut self, report: &SyncReport) {
        let nobody = "none of the clusters is on it";
        if self.outcomes.nobody() {
            let hint = "put them there: kubectl vaultjwt setup".to_owned();
            self.reporter.failed(self.mount(), nobody.to_owned(), Some(hint));
        } else {
            self.reporter.recovered(&self.mount());
        }
        let (nobody, all_failed) = (self.outcomes.nobody().then_some(nobody), self.outcomes.all_failed());
        let now = Timestamp::now();
        self.reporter.stats.with(|stats| {
            stats.count_keys(&report.config.after);
            if report.config.written {
                stats.last_change = Some(now);
                stats.changes += 1;
            }
            stats.not_ready = nobody.or(all_failed.then_some("no cluster could be read")).map(str::to_owned);
            if stats.not_ready.is_none() {
                stats.last_success = Some(now);
            }
        });
    }

    fn mount(&self) -> About {
        About::Mount(self.input.sync.mount.to_string())
    }
}

fn refused_by_403(error: &SyncError) -> bool {
    match error {
        SyncError::Vault(error) | SyncError::Rewrite(RewriteError::Vault(error)) => {
            error.refusal().is_some_and(|refused| refused.status == 403)
        }
        _ => false,
    }
}

/// The changes of a context's keys.
fn key_events(row: &Row) -> Vec<Event> {
    let Some(owner) = &row.owner else { return Vec::new() };
    let changed = row.keys.iter().filter(|key| key.action.changes());
    let event = changed.map(|key| Event::Key {
        context: row.context.clone(),
        issuer: owner.issuer.clone(),
        cluster_uid: owner.cluster_uid.clone(),
        kid: key.kid.clone(),
        id: key.id.clone(),
        action: key.action,
    });
    event.collect()
}

/// A watcher.
pub struct Watch<'a> {
    ports: WatchPorts<'a>,
    input: &'a WatchInput,
    schedule: Schedule,
    session: VaultSession,
    memory: PollMemory,
    outcomes: ContextOutcomes,
    reporter: Reporter<'a>,
}

impl<'a> Watch<'a> {
    pub fn new(ports: WatchPorts<'a>, input: &'a WatchInput) -> Self {
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
            session: VaultSession::new(),
            memory: PollMemory::default(),
            outcomes: ContextOutcomes::default(),
            reporter: Reporter::new(ports.journal, ports.stats),
        }
    }

    /// When there is something to do.
    pub fn next(&self) -> Instant {
        let due = self.session.due().into_iter().fold(self.schedule.next(), Instant::min);
        self.session.awaited().unwrap_or(due)
    }

    /// Does what is due.
    pub async fn turn(&mut self) {
        if self.session.keep(self.ports, self.input, &mut self.reporter).await.is_err() {
            return;
        }
        let due = self.schedule.due_now(Instant::now());
        if !due.is_empty() {
            self.round(due).await;
        }
    }
}
