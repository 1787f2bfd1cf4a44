//! Whose keys are to be right on a mount, and what happens to each. Pure.

use crate::keychain::Owner;
use crate::keychain::action::KeyAction;
use crate::keychain::authority::{AUTHORITIES_AT_MOST, Authority};
use crate::keychain::element::MountKey;
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_id::KeyId;
use crate::keychain::key_proof::KeyProof;
use crate::keychain::poll_history::PollHistory;
use crate::keychain::provenance::{Provenance, time_text};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long a retired key stays by default: the lifetime that most pods ask
/// for their tokens (3600 s, what the kubelet gives where a pod names none).
pub const DEFAULT_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Whose keys are to be right on the mount, and how.
#[derive(Clone, Debug)]
pub struct RefreshRequest<'a> {
    pub owner: &'a Owner,
    /// The keys its issuer publishes now. Empty changes nothing: an answer
    /// without keys is no reason to lock all pods out.
    pub published: &'a [PublishedKey],
    /// Name for people, kept in the provenance.
    pub cluster: &'a str,
    pub now: Timestamp,
    /// The key that signed a token just issued, where one was asked for: it
    /// never leaves. (A token whose key is not published proves nothing, and the
    /// cluster is left out before it comes to a plan.)
    pub signer: Option<KeyId>,
    /// The last polls, the present one included, where there were several: a
    /// key is retired, and leaves, only if they agree that it is gone. `None`
    /// for a single run, whose one answer decides.
    pub recent: Option<&'a PollHistory>,
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
    pub policy: Policy,
}

/// What it means that a key is not among the published ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence<'a> {
    /// It is gone, unless it is one of these: the API server publishes them, and the
    /// issuer's URL does not yet.
    Gone { except: &'a [KeyId] },
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
    /// Whether unmanaged keys that the owner publishes are adopted.
    pub adopt: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { grace: DEFAULT_GRACE, prune: false, adopt: false }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("it has {AUTHORITIES_AT_MOST} recorded ways to {owner} already")]
    TooManyAuthorities { owner: Owner, recorded: Vec<Authority> },
    #[error("\"{way}\" is recorded as the way to {other} already")]
    WayOfAnother { way: Authority, other: Owner },
}

impl RefreshRequest<'_> {
    pub(super) fn published(&self, id: KeyId) -> Option<&PublishedKey> {
        self.published.iter().find(|published| published.key.id() == id)
    }

    /// Whether an unmanaged key becomes this owner's.
    pub(super) fn adopts(&self, id: KeyId) -> bool {
        self.policy.adopt && self.adoptable.contains(&id)
    }

    /// Whether a published key is not added yet.
    pub(super) fn waits(&self, id: KeyId) -> bool {
        self.signer != Some(id) && self.unconfirmed.contains(&id)
    }

    /// Keys of other owners who are known to have them. What earlier
    /// programs wrote says nothing of that, and is protected as if it did.
    pub(super) fn others<'s>(&self, standing: &'s [MountKey]) -> BTreeMap<KeyId, &'s Owner> {
        let provenances = standing.iter().filter_map(|e| Some((e.id()?, e.provenance()?)));
        let known = |mark: &Provenance| mark.owner != *self.owner && mark.proof.is_none_or(KeyProof::is_own);
        provenances.filter(|(_, mark)| known(mark)).map(|(id, mark)| (id, &mark.owner)).collect()
    }

    pub(super) fn check_ways(
        &self,
        standing: &[MountKey],
        before: &[Authority],
        recorded: &[Authority],
    ) -> Result<(), PlanError> {
        if !recorded.is_empty() && before.len() + recorded.len() > AUTHORITIES_AT_MOST {
            let (owner, recorded) = (self.owner.clone(), before.to_vec());
            return Err(PlanError::TooManyAuthorities { owner, recorded });
        }
        // A server that was reached so is one cluster. What pods trust is only
        // claimed by a ConfigMap: a copy must not shut its owner out.
        for way in recorded.iter().filter(|way| matches!(way, Authority::Direct { .. })) {
            let of_another = |mark: &&Provenance| mark.owner != *self.owner && mark.authorities.contains(way);
            if let Some(mark) = standing.iter().filter_map(MountKey::provenance).find(of_another) {
                return Err(PlanError::WayOfAnother { way: way.clone(), other: mark.owner.clone() });
            }
        }
        Ok(())
    }

    /// How a published key comes to be believed.
    pub(super) fn proof_of(&self, id: KeyId) -> KeyProof {
        if self.signer == Some(id) { KeyProof::Token } else { self.proof }
    }

    /// Puts all ways on the newest key, and lifts what is known of the others: only
    /// in a list that is written anyway. `recording` also completes the provenance of
    /// keys that an earlier program wrote.
    pub(super) fn complete(&self, elements: &mut [MountKey], authorities: &[Authority], recording: bool) {
        let ours = elements.iter().enumerate().filter(|(_, element)| element.is_of(self.owner));
        // Of one time, the first (`max_by_key` takes the last): the list has the newest keys first.
        let newest = ours.rev().max_by_key(|(_, element)| element.provenance().map(|mark| &mark.added));
        let newest = newest.map(|(at, _)| at);
        for (at, element) in elements.iter_mut().enumerate().filter(|(_, element)| element.is_of(self.owner)) {
            let (Some(id), Some(mark)) = (element.id(), element.provenance()) else { continue };
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

    /// What happens to a managed key of this owner.
    pub(super) fn action_for(&self, id: KeyId, mark: &Provenance) -> KeyAction {
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
            || self.recent.is_some_and(|recent| !recent.is_gone(id));
        match retired {
            _ if stays && retired.is_some() => KeyAction::KeepRetired,
            _ if stays => KeyAction::Keep,
            _ if self.policy.prune => KeyAction::Remove,
            None => KeyAction::Retire,
            // Whole seconds, as provenance has them. Longer than the grace, so that
            // none that is retired by this plan leaves by the same plan made again.
            Some(since) if SignedDuration::from_secs(self.now.as_second() - since.as_second()) > self.policy.grace => {
                KeyAction::Remove
            }
            Some(_) => KeyAction::KeepRetired,
        }
    }

    pub(super) fn mark(&self, published: &PublishedKey) -> Provenance {
        Provenance {
            owner: self.owner.clone(),
            kid: published.kid.clone().unwrap_or_default(),
            alg: published.alg.clone().unwrap_or_default(),
            cluster: self.cluster.to_owned(),
            added: time_text(self.now),
            retired: None,
            proof: Some(self.proof_of(published.key.id())),
            authorities: Vec::new(),
            previous_issuers: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests;
