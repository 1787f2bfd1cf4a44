//! Turns what the clusters publish into one change of the mount. Pure.

use crate::command::mount::{EnrollmentError, Grounds, Member, MountPlan, Roles};
use crate::command::sync::error::{MemberError, SyncError};
use crate::command::sync::input::SyncInput;
use crate::command::sync::observe::{Found, Observed, name};
use crate::issuer::Resolved;
use crate::keychain::Owner;
use crate::keychain::evidence::Reached;
use crate::keychain::key_id::KeyId;
use crate::keychain::plan::KeyListPlan;
use crate::keychain::poll_history::PollHistory;
use crate::vault::mount::config::MountSnapshot;
use std::collections::{BTreeSet, HashMap};

/// Several contexts can lead to one cluster, through API servers that publish
/// different sets while they are upgraded. One after the other, each would
/// retire the other's keys; together they are one owner's.
struct OwnerGroup {
    cluster: Resolved,
    name: String,
    grounds: Grounds,
    /// Whether the contexts that count may change its keys by their own evidence.
    allows_changes: bool,
    recent: Option<PollHistory>,
}

pub struct SyncRun<'a> {
    pub input: &'a SyncInput,
    pub rows: Vec<ContextRow>,
    groups: Vec<OwnerGroup>,
}

/// One context, and where its keys are planned.
pub struct ContextRow {
    /// The context; `None` for the cluster that flags or a pod name.
    pub context: Option<String>,
    pub found: Result<Located, MemberError>,
}

/// Where a context's keys are planned.
pub struct Located {
    /// URL of the API server.
    pub server: String,
    /// The context's name, or the cluster's.
    pub name: String,
    pub cluster: Resolved,
    /// Which member of the plan it belongs to.
    pub group: usize,
    /// Whether this context by itself may change the cluster's keys.
    allows_changes: bool,
    /// Whether nothing shows which of the published keys are this cluster's.
    pub blind: bool,
}

/// What happens to the keys of one group of contexts, or why nothing does.
pub type GroupPlan = Result<KeyListPlan, EnrollmentError>;

/// `done`, but where `later` refuses a cluster (it was removed from the mount meanwhile) that
/// is how it ended.
pub fn unless_refused(done: Vec<GroupPlan>, later: Vec<GroupPlan>) -> Vec<GroupPlan> {
    done.into_iter().zip(later).map(|(done, later)| later.and(done)).collect()
}

impl<'a> SyncRun<'a> {
    /// Sorts what was observed by owner.
    pub fn new(input: &'a SyncInput, observed: Vec<Observed>) -> Self {
        let observed = refuse_contested(input, observed);
        let mut groups: Vec<OwnerGroup> = Vec::new();
        let mut rows = Vec::with_capacity(observed.len());
        for Observed { context, found } in observed {
            let found = found.map(|found| {
                let name = name(context.as_deref(), &found.target);
                let owner = &found.cluster.owner;
                let at = groups.iter().position(|group| group.cluster.owner == *owner);
                let group = at.unwrap_or(groups.len());
                let allows_changes = found.grounds.allows_changes(owner);
                let blind = found.grounds.blind && found.grounds.signer.is_none();
                let by_itself = OwnerGroup {
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
                Located { server: found.target.server, name, cluster: found.cluster, group, allows_changes, blind }
            });
            rows.push(ContextRow { context, found });
        }
        Self { input, rows, groups }
    }

    /// Records this run as one more poll of a watcher.
    pub fn recall(&mut self, memory: &mut PollMemory) {
        for (at, group) in self.groups.iter_mut().enumerate() {
            let counts = |row: &ContextRow| {
                let in_group = |place: &Located| place.group == at && place.allows_changes == group.allows_changes;
                row.found.as_ref().is_ok_and(in_group)
            };
            let contexts = self.rows.iter().filter(|row| counts(row)).map(|row| row.context.as_deref()).collect();
            group.recent = Some(memory.take(&group.cluster, contexts));
        }
    }

    /// Plans from the current configuration; a member of the plan is a group of contexts.
    pub fn plan(&self, standing: MountSnapshot<'_>, roles: &Roles) -> Result<MountPlan, SyncError> {
        let members: Vec<Member<'_>> = self
            .groups
            .iter()
            .map(|g| Member {
                cluster: &g.cluster,
                name: &g.name,
                enroll: g.grounds.enrolls,
                grounds: &g.grounds,
                recent: g.recent.as_ref(),
            })
            .collect();
        MountPlan::make(standing, &members, &self.input.options, roles)
            .map_err(|source| SyncError::Config { mount: self.input.mount.clone(), source })
    }
}

/// What a watcher knows of the clusters from earlier polls; at first, nothing.
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
    fn take(&mut self, cluster: &Resolved, contexts: Vec<Option<&str>>) -> PollHistory {
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

impl OwnerGroup {
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
        let refused = |found: &Found| {
            found.cluster.owner == enrolled && !(agree && (found.grounds.enrolls || first.is_same_server(found)))
        };
        let refused: Vec<bool> = observed.iter().map(|row| row.found.as_ref().is_ok_and(refused)).collect();
        let contexts: Vec<String> = joining.iter().chain(&further).map(|found| name(None, &found.target)).collect();
        for (row, _) in observed.iter_mut().zip(refused).filter(|(_, refused)| *refused) {
            let source = EnrollmentError::Contested { contexts: contexts.clone(), owner: enrolled.clone() };
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
