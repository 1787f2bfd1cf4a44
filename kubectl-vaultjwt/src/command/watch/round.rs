//! Runs one round: syncs the contexts that are due, and reports, counts, and reschedules
//! each.

use crate::command::failure::Failure;
use crate::command::sync::{self, Outcome, PollMemory, Row, Scope, SyncError, SyncInput, SyncReport};
use crate::command::watch::event::{About, Event};
use crate::command::watch::input::{WatchInput, WatchPorts};
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

    /// Whether there are contexts, and each ended so.
    fn all(&self, wanted: Outcome) -> bool {
        !self.last.is_empty() && self.last.values().all(|outcome| *outcome == wanted)
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
        let refused = ended.as_ref().err().and_then(|failed| vault_error(&failed.error)?.refusal());
        if refused.is_some_and(|refused| refused.status == 403) {
            // The token may be gone. If another is to be had, all is well.
            self.session.invalidate();
            if self.session.keep().await.is_err() {
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
        let vault = vault_error(error);
        let retry_after = vault.and_then(VaultError::refusal).and_then(|refused| refused.retry_after);
        self.schedule.vault_failed(Instant::now(), jitter, retry_after);
        self.ports.reporter.vault_did_not_serve(error);
        if let Some(vault) = vault {
            return self.ports.reporter.vault_failed(vault);
        }
        let hint = match error {
            SyncError::Rewrite(RewriteError::Slow { .. }) => Some("look at the load of both".to_owned()),
            SyncError::Rewrite(_) => Some("find the other writer (Terraform, an operator)".to_owned()),
            _ => error.hint(),
        };
        self.ports.reporter.failed(self.mount(), error.to_string(), hint);
    }

    fn digest(&mut self, due: &[Option<String>], report: &SyncReport, began: Instant, jitter: f64) {
        self.schedule.vault_served();
        self.ports.reporter.recovered(&About::Vault);
        let mut told = HashSet::new();
        for (context, row) in due.iter().zip(&report.clusters) {
            self.row(row);
            self.report_keys(row, &mut told);
            let how = match row.outcome {
                Outcome::Failed => Polled::Failed(row.retry_after),
                Outcome::NotEnrolled => Polled::Stranger,
                _ => Polled::Read(row.source.unwrap_or(KeySource::ApiServer)),
            };
            self.schedule.polled(context.as_deref(), began, jitter, how);
        }
        self.mount_stands(report);
    }

    fn row(&mut self, row: &Row) {
        let about = About::Context(row.context.clone());
        let lost = self.outcomes.take(&row.context, row.outcome);
        let stats = || self.ports.reporter.stats.lock();
        match row.outcome {
            Outcome::Failed => {
                self.ports.reporter.failed(about, row.error.clone().unwrap_or_default(), row.hint.clone());
                stats().contexts.entry(row.context.clone()).or_default().failures += 1;
            }
            Outcome::NotEnrolled if lost => {
                let error = "its keys were taken off the mount while this was running".to_owned();
                let mount = self.input.sync.mount.as_str();
                let setup = format!("kubectl vaultjwt setup --context {} --mount {}", word(&row.context), word(mount));
                self.ports.reporter.failed(about, error, Some(format!("to put them back: {setup}")));
            }
            Outcome::NotEnrolled => {}
            Outcome::Unchanged | Outcome::Changed | Outcome::Enrolled => {
                self.ports.reporter.recovered(&about);
                stats().contexts.entry(row.context.clone()).or_default().last_success = Some(Timestamp::now());
            }
        }
    }

    fn mount_stands(&self, report: &SyncReport) {
        let not_ready = if self.outcomes.all(Outcome::NotEnrolled) {
            let (nobody, hint) = ("none of the clusters is on it", "put them there: kubectl vaultjwt setup");
            self.ports.reporter.failed(self.mount(), nobody.to_owned(), Some(hint.to_owned()));
            Some(nobody)
        } else {
            self.ports.reporter.recovered(&self.mount());
            self.outcomes.all(Outcome::Failed).then_some("no cluster could be read")
        };
        let now = Timestamp::now();
        let mut stats = self.ports.reporter.stats.lock();
        stats.count_keys(&report.config.after);
        if report.config.written {
            stats.last_change = Some(now);
            stats.changes += 1;
        }
        stats.not_ready = not_ready.map(str::to_owned);
        if not_ready.is_none() {
            stats.last_success = Some(now);
        }
    }

    /// Reports the changes of a context's keys, each once: several contexts can lead to one
    /// cluster.
    fn report_keys<'r>(&self, row: &'r Row, told: &mut HashSet<&'r str>) {
        let Some(owner) = &row.owner else { return };
        for key in row.keys.iter().filter(|key| key.action.changes()) {
            if told.insert(&key.id) {
                self.ports.reporter.tell(&Event::Key {
                    context: row.context.clone(),
                    issuer: owner.issuer.clone(),
                    cluster_uid: owner.cluster_uid.clone(),
                    kid: key.kid.clone(),
                    id: key.id.clone(),
                    action: key.action,
                });
            }
        }
    }

    fn mount(&self) -> About {
        About::Mount(self.input.sync.mount.to_string())
    }
}

/// What Vault answered, where that is what stopped a round.
fn vault_error(error: &SyncError) -> Option<&VaultError> {
    match error {
        SyncError::Vault(vault) | SyncError::Rewrite(RewriteError::Vault(vault)) => Some(vault),
        SyncError::NoMount { source, .. } => Some(source),
        SyncError::Rewrite(_) | SyncError::Config { .. } => None,
    }
}

pub struct Watch<'a> {
    ports: WatchPorts<'a>,
    input: &'a WatchInput,
    schedule: Schedule,
    session: VaultSession<'a>,
    memory: PollMemory,
    outcomes: ContextOutcomes,
}

impl<'a> Watch<'a> {
    pub fn new(ports: WatchPorts<'a>, input: &'a WatchInput) -> Self {
        let contexts = input.sync.scope.contexts();
        ports.reporter.tell(&Event::Started {
            contexts: contexts.len(),
            mount: input.sync.mount.to_string(),
            interval: input.pace.api_server.as_secs(),
            issuer_interval: input.pace.issuer.as_secs(),
        });
        Self {
            ports,
            input,
            schedule: Schedule::new(contexts, input.pace, Instant::now()),
            session: VaultSession::new(ports, input),
            memory: PollMemory::default(),
            outcomes: ContextOutcomes::default(),
        }
    }

    /// When there is something to do.
    pub fn next(&self) -> Instant {
        let due = self.session.due().into_iter().fold(self.schedule.next(), Instant::min);
        self.session.awaited().unwrap_or(due)
    }

    pub async fn turn(&mut self) {
        if self.session.keep().await.is_err() {
            return;
        }
        let due = self.schedule.due_now(Instant::now());
        if !due.is_empty() {
            self.round(due).await;
        }
    }
}
