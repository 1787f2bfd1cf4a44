//! What `sync` found and did, as one document: a row for each context, and the
//! configuration before and after.

use crate::command::mount::EnrollmentError;
use crate::command::report::{ChangeReport, KeyChangeReport, VaultLocation as VaultPlace};
use crate::command::sync::error::MemberError;
use crate::command::sync::input::SyncInput;
use crate::command::sync::plan::{ContextRow, Located, Members, SyncPlan, SyncRun};
use crate::issuer::KeySource;
use crate::keychain::Owner;
use crate::keychain::action::KeyAction;
use crate::keychain::plan::KeyListPlan;
use crate::vault::mount::config::{KEYS, differing};
use crate::vault::{Document, Vault};
use serde::Serialize;
use std::time::Duration;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    pub dry_run: bool,
    pub vault: VaultPlace,
    /// A row for each context, in the order named.
    pub clusters: Vec<Row>,
    pub config: ChangeReport,
    /// Why it ended before its end; what is reported as written may then not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The context's name, or the cluster's.
    pub context: String,
    /// URL of the API server, where the kubeconfig could be read.
    pub server: Option<String>,
    /// Who answers for its keys, where it could be read.
    pub owner: Option<Owner>,
    pub outcome: Outcome,
    /// Its keys on the mount.
    pub keys: Vec<KeyChangeReport>,
    /// Why it failed, or is not on the mount.
    pub error: Option<String>,
    pub hint: Option<String>,
    /// Where its keys were read, where they could be.
    pub source: Option<KeySource>,
    /// How long its API server asks to be left alone.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// How a context ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its keys were as they should be.
    Unchanged,
    /// Its keys were, or would be, refreshed.
    Changed,
    /// It was, or would be, put on the mount.
    Enrolled,
    /// It is not on the mount, and was not to be put on it.
    NotEnrolled,
    Failed,
}

impl Row {
    /// How many of its keys this happened to.
    pub fn count(&self, action: KeyAction) -> usize {
        self.keys.iter().filter(|key| key.action == action).count()
    }
}

impl SyncReport {
    /// The report of a plan.
    pub(super) fn new(
        vault: &dyn Vault,
        input: &SyncInput,
        sync: &SyncRun<'_>,
        plan: &SyncPlan,
        before: Option<Document>,
    ) -> Self {
        Self {
            dry_run: input.dry_run,
            vault: VaultPlace::of(vault, &input.mount),
            clusters: Self::rows(sync, &plan.members),
            config: ChangeReport { written: plan.write, after: plan.document.clone(), before },
            failure: None,
        }
    }

    /// Says what was done in place of what was planned.
    pub(super) fn tell(&mut self, sync: &SyncRun<'_>, done: &Members) {
        self.clusters = Self::rows(sync, done);
    }

    /// A row for each context, in the order named.
    pub(super) fn rows(sync: &SyncRun<'_>, members: &Members) -> Vec<Row> {
        sync.rows.iter().map(|row| Self::row(sync, members, row)).collect()
    }

    /// Whether every cluster that was asked for is up to date.
    pub fn complete(&self) -> bool {
        !self.nobody() && self.clusters.iter().all(|row| row.outcome != Outcome::Failed)
    }

    /// Whether not one context is on the mount: it was emptied, or it is
    /// the wrong one. An unattended run must not pass that over.
    pub fn nobody(&self) -> bool {
        self.clusters.iter().all(|row| row.outcome == Outcome::NotEnrolled)
    }

    /// Fields of the configuration that were, or would be, changed beside the
    /// keys.
    pub fn fields(&self) -> Vec<String> {
        let before = self.config.before.clone().unwrap_or_default();
        let changed = if self.config.written { differing(&before, &self.config.after) } else { Vec::new() };
        changed.into_iter().filter(|field| field != KEYS).collect()
    }

    fn row(sync: &SyncRun<'_>, members: &Members, row: &ContextRow) -> Row {
        match &row.found {
            Err(error) => Row {
                context: row.context.clone().unwrap_or_else(|| "(current)".to_owned()),
                server: None,
                owner: None,
                outcome: Outcome::Failed,
                keys: Vec::new(),
                error: Some(error.to_string()),
                hint: error.hint(),
                source: None,
                retry_after: error.retry_after(),
            },
            Ok(place) => Self::placed(sync, members, place),
        }
    }

    fn placed(sync: &SyncRun<'_>, members: &Members, place: &Located) -> Row {
        let mut row = Row {
            context: place.name.clone(),
            server: Some(place.server.clone()),
            owner: Some(place.cluster.owner.clone()),
            outcome: Outcome::Unchanged,
            keys: Vec::new(),
            error: None,
            hint: None,
            source: Some(place.cluster.source),
            retry_after: None,
        };
        match members.of(place) {
            Some(Ok(chain)) => {
                row.outcome = outcome(chain);
                row.keys = chain.steps.iter().map(KeyChangeReport::of).collect();
                let waits = place.blind && chain.count(KeyAction::Wait) > 0;
                if let Some(why) = place.cluster.api_keys_unread.clone().filter(|_| waits) {
                    row.outcome = Outcome::Failed;
                    let url = place.cluster.keys_url.clone().unwrap_or_default();
                    let error = MemberError::NotCompared { url, why };
                    (row.error, row.hint) = (Some(error.to_string()), error.hint());
                }
                // What the URL has is on the mount; what it lacks is not, and may sign.
                if let Some(lag) = place.cluster.lag(&place.name, |id| chain.has(id)) {
                    row.outcome = Outcome::Failed;
                    let error = MemberError::SiteLags(lag);
                    (row.error, row.hint) = (Some(error.to_string()), error.hint());
                }
            }
            Some(Err(source)) => {
                let stranger = matches!(source, EnrollmentError::NotEnrolled { .. }) && sync.passes_over_strangers();
                row.outcome = if stranger { Outcome::NotEnrolled } else { Outcome::Failed };
                let error = MemberError::Chain { mount: sync.mount().clone(), source: source.clone() };
                row.error = Some(error.to_string());
                row.hint = error.hint();
            }
            None => row.outcome = Outcome::Failed,
        }
        row
    }
}

/// A cluster none of whose keys was there is new on the mount.
fn outcome(chain: &KeyListPlan) -> Outcome {
    let new = |action| {
        matches!(
            action,
            KeyAction::Add | KeyAction::Adopt | KeyAction::KeepUnmanaged | KeyAction::Withhold | KeyAction::Wait
        )
    };
    if !chain.changes() {
        Outcome::Unchanged
    } else if chain.steps.iter().all(|step| new(step.action)) {
        Outcome::Enrolled
    } else {
        Outcome::Changed
    }
}
