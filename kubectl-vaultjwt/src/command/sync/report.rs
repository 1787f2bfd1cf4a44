//! What `sync` found and did, as one document: a row for each context, and the
//! configuration before and after.

use crate::command::mount::{EnrollmentError, MountPlan};
use crate::command::report::{ChangeReport, KeyChangeReport, VaultLocation};
use crate::command::sync::error::MemberError;
use crate::command::sync::input::Scope;
use crate::command::sync::plan::{ContextRow, GroupPlan, SyncRun};
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
    pub vault: VaultLocation,
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
    pub fn count(&self, action: KeyAction) -> usize {
        self.keys.iter().filter(|key| key.action == action).count()
    }

    fn fail(&mut self, error: &MemberError) {
        self.outcome = Outcome::Failed;
        (self.error, self.hint) = (Some(error.to_string()), error.hint());
    }
}

impl SyncReport {
    pub(super) fn new(vault: &dyn Vault, sync: &SyncRun<'_>, plan: &MountPlan, before: Option<Document>) -> Self {
        Self {
            dry_run: sync.input.dry_run,
            vault: VaultLocation::of(vault, &sync.input.mount),
            clusters: rows(sync, &plan.members),
            config: ChangeReport { written: plan.write, after: plan.document.clone(), before },
            failure: None,
        }
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
}

/// A row for each context, in the order named.
pub(super) fn rows(sync: &SyncRun<'_>, members: &[GroupPlan]) -> Vec<Row> {
    sync.rows.iter().map(|context| row(sync, members, context)).collect()
}

fn row(sync: &SyncRun<'_>, members: &[GroupPlan], context: &ContextRow) -> Row {
    let mut row = Row {
        context: context.context.clone().unwrap_or_else(|| "(current)".to_owned()),
        server: None,
        owner: None,
        outcome: Outcome::Failed,
        keys: Vec::new(),
        error: None,
        hint: None,
        source: None,
        retry_after: None,
    };
    let place = match &context.found {
        Ok(place) => place,
        Err(error) => {
            row.retry_after = error.retry_after();
            row.fail(error);
            return row;
        }
    };
    row.context = place.name.clone();
    row.server = Some(place.server.clone());
    row.owner = Some(place.cluster.owner.clone());
    row.source = Some(place.cluster.source);
    match members.get(place.group) {
        Some(Ok(chain)) => {
            row.outcome = outcome(chain);
            row.keys = chain.steps.iter().map(KeyChangeReport::of).collect();
            let waits = place.blind && chain.count(KeyAction::Wait) > 0;
            if let Some(why) = place.cluster.api_keys_unread.clone().filter(|_| waits) {
                let url = place.cluster.keys_url.clone().unwrap_or_default();
                row.fail(&MemberError::NotCompared { url, why });
            }
            // What the URL has is on the mount; what it lacks is not, and may sign.
            if let Some(lag) = place.cluster.lag(&place.name, |id| chain.has(id)) {
                row.fail(&MemberError::SiteLags(lag));
            }
        }
        Some(Err(source)) => {
            row.fail(&MemberError::Chain { mount: sync.input.mount.clone(), source: source.clone() });
            if matches!((source, &sync.input.scope), (EnrollmentError::NotEnrolled { .. }, Scope::All(_))) {
                row.outcome = Outcome::NotEnrolled;
            }
        }
        None => {}
    }
    row
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
