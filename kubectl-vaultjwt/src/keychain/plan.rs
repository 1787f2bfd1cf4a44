//! Owns the decision what has to change on a mount's key list so that one
//! owner's keys are right on it, and what must not be touched. Pure.
//!
//! Add early, remove late: a new key goes on at once, and in front, because
//! Vault tries keys in order and stops at the first match. A key that is no
//! longer published is marked `retired` and leaves when the tokens it signed
//! have run out. Elements of others stay byte for byte and in their order.

use super::Owner;
use super::authority::{AUTHORITIES_AT_MOST, Authority};
use super::element::{Element, Mark};
use super::jwk::PublishedKey;
use super::key::KeyId;
use super::provenance::{KeyProof, Provenance, time_text};
use super::recent::Recent;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long a retired key stays by default: the lifetime that most pods ask
/// for their tokens (3600 s, what the kubelet gives where a pod names none).
pub const DEFAULT_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Whose keys are to be right on the mount, and how.
#[derive(Clone, Debug)]
pub struct Refresh<'a> {
    /// The owner.
    pub owner: &'a Owner,
    /// The keys its issuer publishes now. Empty changes nothing: an answer
    /// without keys is no reason to lock everybody out.
    pub published: &'a [PublishedKey],
    /// Name for people, kept in the mark.
    pub cluster: &'a str,
    /// Time of the plan.
    pub now: Timestamp,
    /// The key that signed a token just issued, where one was asked for: it
    /// never leaves. (A token whose key is not published proves nothing, and the
    /// cluster is left out before it comes to a plan.)
    pub signer: Option<KeyId>,
    /// The last polls, the present one included, where there were several: a
    /// key is retired, and leaves, only if they agree that it is gone. `None`
    /// for a single run, whose one answer decides.
    pub recent: Option<&'a Recent>,
    /// How keys come to be believed that come now and did not sign a token.
    pub proof: KeyProof,
    /// Ways to the owner that are recorded now, beside those that are.
    pub record: &'a [Authority],
    /// Unmanaged keys that may become this owner's: those that are known to be its.
    pub adoptable: &'a [KeyId],
    /// Published keys that nothing shows to be this cluster's: only the issuer's URL
    /// has them. They are not added, unless one of them signed the token.
    pub unconfirmed: &'a [KeyId],
    /// What else says that a key is in use.
    pub absence: Absence<'a>,
    /// What the user decides.
    pub policy: Policy,
}

/// What it means that a key is not among the published ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence<'a> {
    /// It is gone, unless it is one of these: the API server publishes them, and the
    /// issuer's URL does not yet.
    Gone {
        /// Those.
        except: &'a [KeyId],
    },
    /// Nothing: the place that the keys of this owner are read at could not be read.
    Unknown,
}

/// What the user decides about the keys of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a key stays after it was seen missing.
    pub grace: SignedDuration,
    /// Whether keys that are no longer published leave at once.
    pub prune: bool,
    /// Whether keys that we publish and nobody marked become ours.
    pub adopt: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { grace: DEFAULT_GRACE, prune: false, adopt: false }
    }
}

/// A key of the plan, with what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStep {
    /// The key's identity.
    pub id: KeyId,
    /// `kid`, where the issuer names one.
    pub kid: Option<String>,
    /// What happens.
    pub action: KeyAction,
}

/// What happens to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyAction {
    /// It is not on the mount yet and goes on.
    Add,
    /// It is on the mount under our mark.
    Keep,
    /// It is on the mount without a mark, and gets ours.
    Adopt,
    /// It is on the mount without a mark, and stays so.
    KeepUnmarked,
    /// It was retired and is published again.
    Return,
    /// It is no longer published, and is marked so.
    Retire,
    /// It is retired, and tokens it signed may still be about.
    KeepRetired,
    /// It leaves: its grace is over, or it is pruned, or stands twice.
    Remove,
    /// It is not added: another owner is known to have it, and nothing shows that
    /// this one does.
    Withhold,
    /// It is not added yet: the issuer's URL publishes it, and this cluster's API
    /// server does not. Another cluster may use the same issuer.
    Wait,
}

impl KeyAction {
    /// Whether the mount's list changes by it.
    pub fn changes(self) -> bool {
        !matches!(self, Self::Keep | Self::KeepUnmarked | Self::KeepRetired | Self::Withhold | Self::Wait)
    }
}

/// The list as it should be, and how it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainPlan {
    /// All elements, in the order to write.
    pub elements: Vec<Element>,
    /// This owner's keys.
    pub steps: Vec<KeyStep>,
    /// Ways that are recorded by it.
    pub recorded: Vec<Authority>,
    /// Keys that another owner is known to have too, with that owner.
    pub copies: Vec<Copy>,
    /// The owner whose keys became this one's.
    pub from: Option<Owner>,
}

/// A public key that two owners publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The key.
    pub id: KeyId,
    /// `kid`, where the issuer names one.
    pub kid: Option<String>,
    /// Whom else it stands for.
    pub other: Owner,
    /// Whether this owner is known to have it too: then one cluster is a copy of
    /// the other.
    pub both: bool,
}

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// One way more than fits.
    #[error("it has {AUTHORITIES_AT_MOST} recorded ways to {owner} already")]
    TooManyAuthorities {
        /// The owner.
        owner: Owner,
        /// Those recorded.
        recorded: Vec<Authority>,
    },
    /// A direct way stands for one owner of a mount.
    #[error("\"{way}\" is recorded as the way to {other} already")]
    WayOfAnother {
        /// The way.
        way: Authority,
        /// Whose it is.
        other: Owner,
    },
}

/// The ways recorded for an owner: the union over its keys, in order.
pub fn authorities(elements: &[Element], owner: &Owner) -> Vec<Authority> {
    let mut all = Vec::new();
    for provenance in elements.iter().filter_map(Element::provenance).filter(|mark| mark.owner == *owner) {
        for authority in &provenance.authorities {
            if !all.contains(authority) {
                all.push(authority.clone());
            }
        }
    }
    all
}

impl ChainPlan {
    /// Plans `refresh` on a mount that now holds `standing`.
    pub fn make(standing: &[Element], refresh: &Refresh<'_>) -> Result<Self, PlanError> {
        let before = authorities(standing, refresh.owner);
        let recorded: Vec<Authority> = refresh.record.iter().filter(|way| !before.contains(way)).cloned().collect();
        refresh.check_ways(standing, &before, &recorded)?;
        let others = refresh.others(standing);
        let mut copies = Vec::new();
        let mut ours_seen: BTreeSet<KeyId> = BTreeSet::new();
        let mut unmarked_seen: BTreeSet<KeyId> = BTreeSet::new();
        let owned: BTreeSet<KeyId> =
            standing.iter().filter(|e| e.is_of(refresh.owner)).filter_map(Element::id).collect();
        let known_as_own: BTreeSet<KeyId> = standing
            .iter()
            .filter(|e| e.is_of(refresh.owner) && e.provenance().is_some_and(Provenance::is_own))
            .filter_map(Element::id)
            .collect();
        let mut actions: BTreeMap<KeyId, KeyAction> = BTreeMap::new();
        let mut left = Vec::new();
        // With where each stood, so that none changes its place.
        let mut kept: Vec<(usize, Element)> = Vec::with_capacity(standing.len());
        for (at, element) in standing.iter().enumerate() {
            match (&element.mark, element.id()) {
                (Mark::Marked(mark), Some(id)) if mark.owner == *refresh.owner => {
                    if !ours_seen.insert(id) {
                        left.push((at, KeyStep { id, kid: mark.kid(), action: KeyAction::Remove }));
                        continue;
                    }
                    let action = refresh.fate(id, mark);
                    actions.insert(id, action);
                    match action {
                        KeyAction::Remove => left.push((at, KeyStep { id, kid: mark.kid(), action })),
                        KeyAction::Return => kept.push((at, element.remarked(|mark| mark.retired = None))),
                        KeyAction::Retire => {
                            let now = time_text(refresh.now);
                            kept.push((at, element.remarked(|mark| mark.retired = Some(now.clone()))));
                        }
                        _ => kept.push((at, element.clone())),
                    }
                    continue;
                }
                (Mark::None, Some(id)) => match refresh.published(id) {
                    Some(published) if refresh.policy.adopt && refresh.adoptable.contains(&id) => {
                        // Claimed; one element is enough for a key.
                        if !owned.contains(&id) && unmarked_seen.insert(id) {
                            actions.insert(id, KeyAction::Adopt);
                            kept.push((at, Element::write(published, &refresh.mark(published))));
                        } else {
                            left.push((at, KeyStep { id, kid: published.kid.clone(), action: KeyAction::Remove }));
                        }
                        continue;
                    }
                    Some(_) => {
                        unmarked_seen.insert(id);
                    }
                    None => {}
                },
                _ => {}
            }
            kept.push((at, element.clone()));
        }
        let mut steps = Vec::new();
        let mut elements = Vec::new();
        for published in refresh.published {
            let id = published.key.id();
            let proof = refresh.proof_of(id);
            let of_another = others.get(&id);
            let action = match actions.remove(&id) {
                Some(action) => action,
                None if unmarked_seen.contains(&id) => KeyAction::KeepUnmarked,
                None if refresh.waits(id) => KeyAction::Wait,
                None if of_another.is_some() && !proof.is_own() => KeyAction::Withhold,
                None => {
                    elements.push(Element::write(published, &refresh.mark(published)));
                    KeyAction::Add
                }
            };
            // What is known of the key that stands here counts too.
            let is_own = proof.is_own() || known_as_own.contains(&id);
            let told = action == KeyAction::Withhold || (is_own && action != KeyAction::Wait);
            if let Some(other) = of_another.filter(|_| told) {
                let (kid, other, both) = (published.kid.clone(), (*other).clone(), is_own);
                copies.push(Copy { id, kid, other, both });
            }
            steps.push(KeyStep { id, kid: published.kid.clone(), action });
        }
        if !elements.iter().chain(kept.iter().map(|(_, e)| e)).any(|e: &Element| e.is_of(refresh.owner)) {
            keep_the_last(standing, refresh.owner, &mut kept, &mut left);
        }
        elements.extend(kept.into_iter().map(|(_, element)| element));
        for element in elements.iter().filter(|e| e.is_of(refresh.owner)) {
            let Some(id) = element.id().filter(|id| refresh.published(*id).is_none()) else { continue };
            let action = actions.get(&id).copied().filter(|a| *a != KeyAction::Remove);
            let kid = element.provenance().and_then(Provenance::kid);
            steps.push(KeyStep { id, kid, action: action.unwrap_or(KeyAction::KeepRetired) });
        }
        steps.extend(left.into_iter().map(|(_, step)| step));
        let mut plan = Self { elements, steps, recorded, copies, from: None };
        if plan.changes() {
            let all = [before, plan.recorded.clone()].concat();
            refresh.complete(&mut plan.elements, &all, !plan.recorded.is_empty());
        }
        Ok(plan)
    }

    /// Whether the mount's list changes.
    pub fn changes(&self) -> bool {
        !self.recorded.is_empty() || self.changes_keys()
    }

    /// Whether keys change, and not only what is recorded about the ways to their owner.
    pub fn changes_keys(&self) -> bool {
        self.from.is_some() || self.steps.iter().any(|step| step.action.changes())
    }

    /// How many keys this happens to.
    pub fn count(&self, action: KeyAction) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

/// An owner that is on the mount stays on it until it is removed by name: the
/// newest of the keys that would leave stays in its place, where no other would.
fn keep_the_last(
    standing: &[Element],
    owner: &Owner,
    kept: &mut Vec<(usize, Element)>,
    left: &mut Vec<(usize, KeyStep)>,
) {
    let of_owner = |at: usize| standing.get(at).filter(|element| element.is_of(owner));
    let Some(newest) = left.iter().position(|(at, _)| of_owner(*at).is_some()) else { return };
    let (at, _) = left.remove(newest);
    let Some(element) = of_owner(at) else { return };
    kept.insert(kept.partition_point(|(other, _)| *other < at), (at, element.clone()));
}

impl Refresh<'_> {
    fn published(&self, id: KeyId) -> Option<&PublishedKey> {
        self.published.iter().find(|published| published.key.id() == id)
    }

    /// Whether a published key is not added yet.
    fn waits(&self, id: KeyId) -> bool {
        self.signer != Some(id) && self.unconfirmed.contains(&id)
    }

    /// Keys that stand for other owners who are known to have them. What earlier
    /// programs wrote says nothing of that, and is protected as if it did.
    fn others<'s>(&self, standing: &'s [Element]) -> BTreeMap<KeyId, &'s Owner> {
        let provenances = standing.iter().filter_map(|e| Some((e.id()?, e.provenance()?)));
        let of_others = provenances.filter(|(_, mark)| mark.owner != *self.owner);
        of_others
            .filter(|(_, mark)| mark.proof.is_none_or(KeyProof::is_own))
            .map(|(id, mark)| (id, &mark.owner))
            .collect()
    }

    /// Refuses to record what must not be.
    fn check_ways(&self, standing: &[Element], before: &[Authority], recorded: &[Authority]) -> Result<(), PlanError> {
        if !recorded.is_empty() && before.len() + recorded.len() > AUTHORITIES_AT_MOST {
            let (owner, recorded) = (self.owner.clone(), before.to_vec());
            return Err(PlanError::TooManyAuthorities { owner, recorded });
        }
        // A server that was reached so is one cluster. What pods trust is only
        // claimed by a ConfigMap: whoever copies it must not shut its owner out.
        for way in recorded.iter().filter(|way| matches!(way, Authority::Direct { .. })) {
            let of_another = |mark: &&Provenance| mark.owner != *self.owner && mark.authorities.contains(way);
            if let Some(mark) = standing.iter().filter_map(Element::provenance).find(of_another) {
                return Err(PlanError::WayOfAnother { way: way.clone(), other: mark.owner.clone() });
            }
        }
        Ok(())
    }

    /// How a published key comes to be believed.
    fn proof_of(&self, id: KeyId) -> KeyProof {
        if self.signer == Some(id) { KeyProof::Token } else { self.proof }
    }

    /// Puts all ways on the newest key, and lifts what is known of the others: only
    /// in a list that is written anyway. `recording` also completes the provenance of
    /// keys that an earlier program wrote.
    fn complete(&self, elements: &mut [Element], authorities: &[Authority], recording: bool) {
        let added = |element: &Element| element.provenance().map(|mark| mark.added.clone());
        let ours = |element: &Element| element.is_of(self.owner);
        let mut newest: Option<(usize, Option<String>)> = None;
        for (at, element) in elements.iter().enumerate().filter(|(_, element)| ours(element)) {
            let time = added(element);
            // Of one time, the first: the list has the newest keys first.
            if newest.as_ref().is_none_or(|(_, known)| time > *known) {
                newest = Some((at, time));
            }
        }
        let newest = newest.map(|(at, _)| at);
        for (at, element) in elements.iter_mut().enumerate() {
            let (Some(id), Some(mark)) = (element.id(), element.provenance()) else { continue };
            if mark.owner != *self.owner {
                continue;
            }
            let ways: &[Authority] = if newest == Some(at) { authorities } else { &[] };
            let lifted = match mark.proof {
                _ if self.signer == Some(id) => Some(KeyProof::Token),
                None if recording && self.published(id).is_some() => Some(self.proof_of(id)),
                None if recording => Some(KeyProof::Listed),
                known => known,
            };
            if mark.authorities != ways || mark.proof != lifted {
                *element = element.remarked(|mark| {
                    mark.authorities = ways.to_vec();
                    mark.proof = lifted;
                });
            }
        }
    }

    /// What becomes of a key that stands under our mark.
    fn fate(&self, id: KeyId, mark: &Provenance) -> KeyAction {
        let retired = mark.retired.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
        if self.published(id).is_some() {
            return match mark.retired {
                None => KeyAction::Keep,
                Some(_) if self.waits(id) => KeyAction::KeepRetired,
                Some(_) => KeyAction::Return,
            };
        }
        let in_use = match self.absence {
            Absence::Gone { except } => except.contains(&id),
            Absence::Unknown => true,
        };
        let stays = in_use
            || self.published.is_empty()
            || self.signer == Some(id)
            || self.recent.is_some_and(|recent| !recent.lacks(id));
        match retired {
            _ if stays && retired.is_some() => KeyAction::KeepRetired,
            _ if stays => KeyAction::Keep,
            _ if self.policy.prune => KeyAction::Remove,
            None => KeyAction::Retire,
            // Whole seconds, as marks have them. Longer than the grace, so that
            // none that is retired by this plan leaves by the same plan made again.
            Some(since) if SignedDuration::from_secs(self.now.as_second() - since.as_second()) > self.policy.grace => {
                KeyAction::Remove
            }
            Some(_) => KeyAction::KeepRetired,
        }
    }

    fn mark(&self, published: &PublishedKey) -> Provenance {
        Provenance {
            owner: self.owner.clone(),
            kid: published.kid.clone().unwrap_or_default(),
            alg: published.alg.clone().unwrap_or_default(),
            cluster: self.cluster.to_owned(),
            added: time_text(self.now),
            retired: None,
            proof: Some(self.proof_of(published.key.id())),
            authorities: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(crate) mod tests;
