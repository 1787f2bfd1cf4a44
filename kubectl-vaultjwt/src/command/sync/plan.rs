//! Owns how what the clusters publish becomes one change of the mount. Pure.

use super::error::{MemberError, SyncError};
use super::input::{Scope, SyncInput};
use super::memory::Memory;
use super::observe::{Found, Observed};
use crate::command::chain::{ChainError, Grounds, Member, MountPlan, Roles};
use crate::issuer::Resolved;
use crate::keychain::Owner;
use crate::keychain::evidence::Reached;
use crate::keychain::key::KeyId;
use crate::keychain::plan::ChainPlan;
use crate::keychain::recent::Recent;
use crate::vault::Document;
use crate::vault::config::Standing;
use shared::mount::MountPath;
use std::collections::BTreeSet;

/// Several contexts can lead to one cluster, through API servers that publish
/// different sets while they are upgraded. One after the other, each would
/// retire the other's keys; together they are one owner's.
struct Group {
    cluster: Resolved,
    name: String,
    grounds: Grounds,
    /// Whether the contexts that count may change its keys by their own evidence.
    allows_changes: bool,
    recent: Option<Recent>,
}

/// All clusters of a run.
pub struct Sync<'a> {
    input: &'a SyncInput,
    /// In the order named.
    pub rows: Vec<SyncRow>,
    groups: Vec<Group>,
}

/// One context, and where its keys are planned.
pub struct SyncRow {
    /// The context; `None` for the cluster that flags or a pod name.
    pub context: Option<String>,
    /// Its cluster, or why it could not be read.
    pub found: Result<Place, MemberError>,
}

/// Where a context's keys are planned.
pub struct Place {
    /// URL of the API server.
    pub server: String,
    /// The context's name, or the cluster's.
    pub name: String,
    /// What the cluster publishes.
    pub cluster: Resolved,
    group: usize,
    /// Whether this context by itself may change the cluster's keys.
    allows_changes: bool,
    /// Whether nothing shows which of the published keys are this cluster's.
    pub blind: bool,
}

/// One change of the mount.
#[derive(Debug)]
pub struct SyncPlan {
    /// The full document.
    pub document: Document,
    /// Whether it has to be written.
    pub write: bool,
    /// What happens to the keys of each group.
    pub members: Members,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
}

/// What happens to the keys of each group of contexts.
#[derive(Debug)]
pub struct Members(Vec<Result<ChainPlan, ChainError>>);

impl Members {
    /// The same, but where `later` refuses a cluster (somebody took it off the
    /// mount meanwhile) that is how it ended.
    pub fn unless_refused(self, later: Self) -> Self {
        Self(self.0.into_iter().zip(later.0).map(|(done, later)| if later.is_err() { later } else { done }).collect())
    }

    /// What happens to the keys of a context's cluster.
    pub fn of(&self, place: &Place) -> Option<&Result<ChainPlan, ChainError>> {
        self.0.get(place.group)
    }
}

impl<'a> Sync<'a> {
    /// Sorts what was observed by owner.
    pub fn new(input: &'a SyncInput, observed: Vec<Observed>) -> Self {
        let observed = refuse_contested(input, observed);
        let mut groups: Vec<Group> = Vec::new();
        let mut rows = Vec::with_capacity(observed.len());
        for Observed { context, found } in observed {
            let found = found.map(|found| {
                let name = context.clone().or(found.target.context).unwrap_or(found.target.cluster);
                let owner = &found.cluster.owner;
                let at = groups.iter().position(|group| group.cluster.owner == *owner);
                let group = at.unwrap_or(groups.len());
                let allows_changes = found.grounds.allows_changes(owner);
                let blind = found.grounds.blind && found.grounds.signer.is_none();
                let by_itself = Group {
                    allows_changes,
                    cluster: found.cluster.clone(),
                    name: name.clone(),
                    grounds: found.grounds,
                    recent: None,
                };
                match groups.get_mut(group) {
                    Some(together) => together.add(by_itself),
                    None => groups.push(by_itself),
                }
                Place { server: found.target.server, name, cluster: found.cluster, group, allows_changes, blind }
            });
            rows.push(SyncRow { context, found });
        }
        Self { input, rows, groups }
    }

    /// Takes this run as one more poll of a run that goes on.
    pub fn recall(&mut self, memory: &mut Memory) {
        for (at, group) in self.groups.iter_mut().enumerate() {
            let counts = |row: &SyncRow| {
                let in_group = |place: &Place| place.group == at && place.allows_changes == group.allows_changes;
                row.found.as_ref().is_ok_and(in_group)
            };
            let contexts = self.rows.iter().filter(|row| counts(row)).map(|row| row.context.as_deref()).collect();
            group.recent = Some(memory.take(&group.cluster, contexts));
        }
    }

    /// Decides on the configuration as it stands.
    pub fn plan(&self, standing: Standing<'_>, roles: &Roles) -> Result<SyncPlan, SyncError> {
        let members: Vec<Member<'_>> = self
            .groups
            .iter()
            .map(|g| Member {
                cluster: &g.cluster,
                name: &g.name,
                enrol: g.grounds.enrolls,
                grounds: &g.grounds,
                recent: g.recent.as_ref(),
            })
            .collect();
        let plan = MountPlan::make(standing, &members, &self.input.terms, roles)
            .map_err(|source| SyncError::Config { mount: self.input.mount.clone(), source })?;
        let MountPlan { document, write, keys: _, members, warnings } = plan;
        Ok(SyncPlan { document, write, members: Members(members), warnings })
    }

    /// The mount.
    pub fn mount(&self) -> &MountPath {
        &self.input.mount
    }

    /// Whether a cluster that is not on the mount is none of this run's
    /// business.
    pub fn passes_over_strangers(&self) -> bool {
        matches!(self.input.scope, Scope::All(_))
    }
}

impl Group {
    /// Another context of the same cluster. Each counts by evidence of its own: what one
    /// publishes that may change nothing alone is passed over beside one that may, so
    /// that it can neither bring a key nor keep one. Those that are being enrolled are
    /// reached over one way.
    fn add(&mut self, other: Self) {
        if self.allows_changes != other.allows_changes {
            if other.allows_changes {
                *self = other;
            }
            return;
        }
        for published in other.cluster.keys.keys {
            if !self.cluster.keys.keys.iter().any(|known| known.key == published.key) {
                self.cluster.keys.keys.push(published);
            }
        }
        self.grounds.add(&other.grounds);
    }
}

/// Fails contexts that claim to be one cluster that is being enrolled, unless they are
/// reached over one way: what names a cluster can be copied, and the keys of all would
/// be taken for its own. One that is not to be enrolled itself does not keep others from it.
fn refuse_contested(input: &SyncInput, mut observed: Vec<Observed>) -> Vec<Observed> {
    let owner = |row: &Observed| row.found.as_ref().ok().map(|found| found.cluster.owner.clone());
    let enrolled_now: BTreeSet<Owner> = observed.iter().filter(|row| row.joins()).filter_map(owner).collect();
    for enrolled in enrolled_now {
        let claimants = observed.iter().filter_map(|row| row.found.as_ref().ok());
        let claimants = claimants.filter(|found| found.cluster.owner == enrolled);
        let (joining, further): (Vec<&Found>, Vec<&Found>) = claimants.partition(|found| found.grounds.enrolls);
        let Some(first) = joining.first() else { continue };
        let agree = joining.iter().all(|found| first.is_same_server(found));
        let refused: Vec<bool> = observed
            .iter()
            .map(|row| match &row.found {
                Ok(found) if found.cluster.owner != enrolled => false,
                Ok(found) if found.grounds.enrolls => !agree,
                Ok(found) => !agree || !first.is_same_server(found),
                Err(_) => false,
            })
            .collect();
        let name = |found: &&Found| found.target.context.clone().unwrap_or_else(|| found.target.cluster.clone());
        let contexts: Vec<String> = joining.iter().chain(&further).map(name).collect();
        for (row, _) in observed.iter_mut().zip(refused).filter(|(_, refused)| *refused) {
            let source = ChainError::Contested { contexts: contexts.clone(), owner: enrolled.clone() };
            row.found = Err(MemberError::Chain { mount: input.mount.clone(), source });
        }
    }
    observed
}

impl Found {
    /// Whether both contexts lead to one server: over one direct way, or over one that
    /// several clusters may share, with the same keys.
    fn is_same_server(&self, other: &Self) -> bool {
        let keys = |found: &Self| found.cluster.keys.keys.iter().map(|key| key.key.id()).collect::<BTreeSet<KeyId>>();
        match &self.grounds.way {
            Some(way) if Some(way) != other.grounds.way.as_ref() => false,
            Some(way) => way.reached() == Reached::Direct || keys(self) == keys(other),
            None => false,
        }
    }
}
