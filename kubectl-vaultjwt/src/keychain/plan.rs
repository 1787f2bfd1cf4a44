//! Plans the key list of a mount so that one owner's keys are right on it: which keys are
//! added, kept, retired, and removed, and which must not be touched. Pure.
//!
//! Add early, remove late: a new key is added at once, and in front, because Vault tries
//! keys in order and stops at the first match. A key that is no longer published is marked
//! `retired`, and is removed when the tokens it signed have expired. Elements of others
//! stay byte for byte and in their order.

use crate::keychain::Owner;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::keychain::authority::Authority;
use crate::keychain::element::{Management, MountKey, authorities};
use crate::keychain::key_id::KeyId;
use crate::keychain::provenance::{Provenance, time_text};
use crate::keychain::refresh::{PlanError, RefreshRequest};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// The list as it should be, and how it differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyListPlan {
    /// All elements, in the order to write.
    pub elements: Vec<MountKey>,
    pub steps: Vec<KeyStep>,
    pub recorded: Vec<Authority>,
    /// Keys that another owner is known to have too, with that owner.
    pub copies: Vec<Copy>,
    /// The owner whose keys became this one's.
    pub from: Option<Owner>,
}

/// A public key that two owners publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub id: KeyId,
    /// `kid`, where the issuer names one.
    pub kid: Option<String>,
    pub other: Owner,
    /// Whether this owner is known to have it too: then one cluster is a copy of
    /// the other.
    pub both: bool,
}

impl KeyListPlan {
    /// Plans `refresh` on a mount that now holds `standing`.
    pub fn make(standing: &[MountKey], refresh: &RefreshRequest<'_>) -> Result<Self, PlanError> {
        let before = authorities(standing, refresh.owner);
        let recorded: Vec<Authority> = refresh.record.iter().filter(|way| !before.contains(way)).cloned().collect();
        refresh.check_ways(standing, &before, &recorded)?;
        let others = refresh.others(standing);
        let mut copies = Vec::new();
        let mut unmarked_seen: BTreeSet<KeyId> = BTreeSet::new();
        let ours = || standing.iter().filter(|element| element.is_of(refresh.owner));
        let owned: BTreeSet<KeyId> = ours().filter_map(MountKey::id).collect();
        let known_as_own = ours().filter(|element| element.provenance().is_some_and(Provenance::is_own));
        let known_as_own: BTreeSet<KeyId> = known_as_own.filter_map(MountKey::id).collect();
        let mut actions: BTreeMap<KeyId, KeyAction> = BTreeMap::new();
        let mut left = Vec::new();
        // With where each stood, so that none changes its place.
        let mut kept: Vec<(usize, MountKey)> = Vec::with_capacity(standing.len());
        for (at, element) in standing.iter().enumerate() {
            let published = element.id().and_then(|id| refresh.published(id));
            let after = match (&element.management, element.id(), published) {
                (Management::Managed(mark), Some(id), _) if mark.owner == *refresh.owner => {
                    let action = match actions.entry(id) {
                        // One element is enough for a key.
                        Entry::Occupied(_) => KeyAction::Remove,
                        Entry::Vacant(first) => *first.insert(refresh.action_for(id, mark)),
                    };
                    match action {
                        KeyAction::Remove => Err(KeyStep { id, kid: mark.kid(), action }),
                        KeyAction::Return => Ok(element.remarked(|mark| mark.retired = None)),
                        KeyAction::Retire => Ok(element.remarked(|mark| mark.retired = Some(time_text(refresh.now)))),
                        _ => Ok(element.clone()),
                    }
                }
                (Management::Unmanaged, Some(id), Some(published)) if refresh.adopts(id) => {
                    // Claimed; one element is enough for a key.
                    if !owned.contains(&id) && unmarked_seen.insert(id) {
                        actions.insert(id, KeyAction::Adopt);
                        Ok(MountKey::write(published, &refresh.mark(published)))
                    } else {
                        Err(KeyStep { id, kid: published.kid.clone(), action: KeyAction::Remove })
                    }
                }
                (Management::Unmanaged, Some(id), Some(_)) => {
                    unmarked_seen.insert(id);
                    Ok(element.clone())
                }
                _ => Ok(element.clone()),
            };
            match after {
                Ok(stays) => kept.push((at, stays)),
                Err(leaves) => left.push((at, leaves)),
            }
        }
        let mut steps = Vec::new();
        let mut elements = Vec::new();
        for published in refresh.published {
            let id = published.key.id();
            let proof = refresh.proof_of(id);
            let of_another = others.get(&id);
            let action = match actions.remove(&id) {
                Some(action) => action,
                None if unmarked_seen.contains(&id) => KeyAction::KeepUnmanaged,
                None if refresh.waits(id) => KeyAction::Wait,
                None if of_another.is_some() && !proof.is_own() => KeyAction::Withhold,
                None => {
                    elements.push(MountKey::write(published, &refresh.mark(published)));
                    KeyAction::Add
                }
            };
            // What is known of the key on the mount counts too.
            let is_own = proof.is_own() || known_as_own.contains(&id);
            let told = action == KeyAction::Withhold || (is_own && action != KeyAction::Wait);
            if let Some(other) = of_another.filter(|_| told) {
                let (kid, other, both) = (published.kid.clone(), (*other).clone(), is_own);
                copies.push(Copy { id, kid, other, both });
            }
            steps.push(KeyStep { id, kid: published.kid.clone(), action });
        }
        if !elements.iter().chain(kept.iter().map(|(_, e)| e)).any(|e: &MountKey| e.is_of(refresh.owner)) {
            keep_the_last(standing, refresh.owner, &mut kept, &mut left);
        }
        elements.extend(kept.into_iter().map(|(_, element)| element));
        for element in elements.iter().filter(|e| e.is_of(refresh.owner)) {
            let Some(id) = element.id().filter(|id| refresh.published(*id).is_none()) else { continue };
            let action = actions.get(&id).copied().filter(|a| *a != KeyAction::Remove);
            steps.push(KeyStep { id, kid: element.kid(), action: action.unwrap_or(KeyAction::KeepRetired) });
        }
        steps.extend(left.into_iter().map(|(_, step)| step));
        let mut plan = Self { elements, steps, recorded, copies, from: None };
        if plan.changes() {
            let all = [before, plan.recorded.clone()].concat();
            refresh.complete(&mut plan.elements, &all, !plan.recorded.is_empty());
        }
        Ok(plan)
    }

    /// Plans to remove `owner` from a mount that now holds `standing`: all of its own elements,
    /// and nothing else.
    pub fn removal(standing: &[MountKey], owner: &Owner) -> Self {
        let (leaving, elements): (Vec<MountKey>, Vec<MountKey>) =
            standing.iter().cloned().partition(|element| element.is_of(owner));
        let step = |e: &MountKey| Some(KeyStep { id: e.id()?, kid: e.kid(), action: KeyAction::Remove });
        Self { elements, steps: leaving.iter().filter_map(step).collect(), ..Self::default() }
    }

    pub fn changes(&self) -> bool {
        !self.recorded.is_empty() || self.changes_keys()
    }

    /// Whether keys change, and not only what is recorded about the ways to their owner.
    pub fn changes_keys(&self) -> bool {
        self.from.is_some() || self.steps.iter().any(|step| step.action.changes())
    }

    /// Whether this key of the owner is on the mount then.
    pub fn has(&self, id: KeyId) -> bool {
        let gone = |action| matches!(action, KeyAction::Remove | KeyAction::Withhold | KeyAction::Wait);
        self.steps.iter().any(|step| step.id == id && !gone(step.action))
    }

    pub fn count(&self, action: KeyAction) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

/// An owner that is on the mount stays on it until it is removed by name: the
/// newest of the keys that would leave stays in its place, where no other would.
fn keep_the_last(
    standing: &[MountKey],
    owner: &Owner,
    kept: &mut Vec<(usize, MountKey)>,
    left: &mut Vec<(usize, KeyStep)>,
) {
    let of_owner = |at: usize| standing.get(at).filter(|element| element.is_of(owner));
    let Some(newest) = left.iter().position(|(at, _)| of_owner(*at).is_some()) else { return };
    let (at, _) = left.remove(newest);
    let Some(element) = of_owner(at) else { return };
    kept.insert(kept.partition_point(|(other, _)| *other < at), (at, element.clone()));
}

/// The list with one way less to `owner`. Nothing else changes.
pub fn without_authority(standing: &[MountKey], owner: &Owner, way: &Authority) -> Vec<MountKey> {
    let without = |element: &MountKey| match element.provenance() {
        Some(mark) if mark.owner == *owner && mark.authorities.contains(way) => {
            element.remarked(|mark| mark.authorities.retain(|known| known != way))
        }
        _ => element.clone(),
    };
    standing.iter().map(without).collect()
}

#[cfg(test)]
pub(crate) mod tests;
