//! Owns the decision what has to change on a mount's key list so that one
//! owner's keys are on it, and what must not be touched. Pure.
//!
//! Nothing is ever removed here. Elements of others stay byte for byte and in
//! their order; new keys go in front, because Vault tries keys in order and
//! stops at the first match.

use super::Owner;
use super::element::{Element, Mark};
use super::jwk::PublishedKey;
use super::key::KeyId;
use super::provenance::Provenance;
use std::collections::BTreeMap;

/// Whose keys are to be on the mount, and how new ones are marked.
#[derive(Clone, Debug)]
pub struct Enrolment<'a> {
    /// The owner.
    pub owner: &'a Owner,
    /// The keys its issuer publishes now.
    pub published: &'a [PublishedKey],
    /// Name for people, kept in the mark.
    pub cluster: &'a str,
    /// Time of the plan, RFC 3339.
    pub now: &'a str,
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
    /// It is on the mount without a mark, and stays so.
    KeepUnmarked,
    /// It is on the mount under our mark but no longer published. Tokens
    /// signed with it may still be about, so it stays.
    KeepUnpublished,
}

/// The list as it should be, and how it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainPlan {
    /// Texts of all elements, in the order to write.
    pub elements: Vec<String>,
    /// This owner's keys.
    pub steps: Vec<KeyStep>,
    /// Elements of others on the mount, untouched.
    pub others: Others,
}

/// Elements that are not this owner's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Other owners, each once.
    pub owners: Vec<Owner>,
    /// Elements without a mark whose key this owner does not publish.
    pub unmarked: usize,
    /// Elements whose mark cannot be read.
    pub unreadable: usize,
}

impl Others {
    /// Whether the mount serves anybody but this owner.
    pub fn any(&self) -> bool {
        !self.owners.is_empty() || self.unmarked > 0 || self.unreadable > 0
    }
}

/// Why no plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A key we publish stands on the mount under somebody else's mark.
    #[error("key \"{kid}\" is published by both \"{ours}\" and \"{theirs}\"")]
    TwoPublishers {
        /// kid, or identity where there is none.
        kid: String,
        /// This owner.
        ours: Owner,
        /// The owner named on the mount.
        theirs: Owner,
    },
}

impl ChainPlan {
    /// Plans `enrolment` on a mount that now holds `standing`.
    pub fn make(standing: &[Element], enrolment: &Enrolment<'_>) -> Result<Self, PlanError> {
        let mut on_mount: BTreeMap<KeyId, &Element> = BTreeMap::new();
        for element in standing {
            if let Some(id) = element.key {
                // Our own mark explains a key best, should it stand twice.
                let ours = element.provenance().is_some_and(|p| p.owner == *enrolment.owner);
                if ours || !on_mount.contains_key(&id) {
                    on_mount.insert(id, element);
                }
            }
        }
        let mut steps = Vec::new();
        let mut added = Vec::new();
        for published in enrolment.published {
            let id = published.key.id();
            let action = match on_mount.get(&id).map(|e| &e.mark) {
                None => {
                    added.push(Element::write(published, &enrolment.mark(published)).text);
                    KeyAction::Add
                }
                Some(Mark::Marked(p)) if p.owner == *enrolment.owner => KeyAction::Keep,
                Some(Mark::Marked(p)) => {
                    return Err(PlanError::TwoPublishers {
                        kid: shared::text::one_line(&published.kid.clone().unwrap_or_else(|| id.to_string())),
                        ours: enrolment.owner.clone(),
                        theirs: p.owner.clone(),
                    });
                }
                Some(Mark::None | Mark::Unreadable(_)) => KeyAction::KeepUnmarked,
            };
            steps.push(KeyStep { id, kid: published.kid.clone(), action });
        }
        let published_now = |id: KeyId| enrolment.published.iter().any(|p| p.key.id() == id);
        let mut others = Others::default();
        for element in standing {
            match (&element.mark, element.key) {
                (Mark::Marked(p), Some(id)) if p.owner == *enrolment.owner => {
                    if !published_now(id) {
                        let kid = (!p.kid.is_empty()).then(|| p.kid.clone());
                        steps.push(KeyStep { id, kid, action: KeyAction::KeepUnpublished });
                    }
                }
                (Mark::Marked(p), _) => {
                    if !others.owners.contains(&p.owner) {
                        others.owners.push(p.owner.clone());
                    }
                }
                (Mark::None, Some(id)) if published_now(id) => {}
                (Mark::None, _) => others.unmarked += 1,
                (Mark::Unreadable(_), _) => others.unreadable += 1,
            }
        }
        let elements = added.into_iter().chain(standing.iter().map(|e| e.text.clone())).collect();
        Ok(Self { elements, steps, others })
    }
}

impl Enrolment<'_> {
    fn mark(&self, published: &PublishedKey) -> Provenance {
        Provenance {
            owner: self.owner.clone(),
            kid: published.kid.clone().unwrap_or_default(),
            alg: published.alg.clone().unwrap_or_default(),
            cluster: self.cluster.to_owned(),
            added: self.now.to_owned(),
            retired: None,
            unknown: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
