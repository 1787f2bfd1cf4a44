//! Who else a mount serves besides one owner. Pure.

use super::Owner;
use super::element::{Element, Mark};
use super::jwk::PublishedKey;
use super::key::KeyId;
use std::collections::HashSet;

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
    /// Who else is on a mount that holds `standing`, besides an owner who
    /// publishes `published`. Keys that stand there without a mark are its own
    /// only if one of `known`, those that are known to be its, is among them: public
    /// keys are public, and anybody can publish a copy.
    pub fn of(standing: &[Element], owner: &Owner, published: &[PublishedKey], known: &[KeyId]) -> Self {
        let by_hand = |element: &Element| element.mark == Mark::None && element.id().is_some();
        let there = standing.iter().any(|e| by_hand(e) && e.id().is_some_and(|id| known.contains(&id)));
        let published = if there { published } else { &[] };
        let mut others = Self::default();
        let mut seen: HashSet<&Owner> = HashSet::new();
        let published = |id: KeyId| published.iter().any(|published| published.key.id() == id);
        for element in standing {
            match &element.mark {
                Mark::Marked(mark) if mark.owner != *owner && seen.insert(&mark.owner) => {
                    others.owners.push(mark.owner.clone());
                }
                Mark::Marked(_) => {}
                Mark::None if element.id().is_some_and(published) => {}
                Mark::None => others.unmarked += 1,
                Mark::Unreadable(_) => others.unreadable += 1,
            }
        }
        others
    }

    /// Whether the mount serves anybody but this owner.
    pub fn any(&self) -> bool {
        !self.owners.is_empty() || self.unmarked > 0 || self.unreadable > 0
    }
}
