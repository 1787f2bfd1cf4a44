//! Who else a mount serves besides one owner. Pure.

use crate::keychain::Owner;
use crate::keychain::element::{Management, MountKey};
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_id::KeyId;
use std::collections::HashSet;

/// Elements that are not this owner's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Each once.
    pub owners: Vec<Owner>,
    /// Unmanaged elements whose key this owner does not publish.
    pub unmanaged: usize,
    pub unreadable: usize,
}

impl Others {
    /// Who else is on a mount that holds `standing`, besides an owner who
    /// publishes `published`. Unmanaged keys there are its own
    /// only if one of `known`, those that are known to be its, is among them: public
    /// keys are public, and any cluster can publish a copy.
    pub fn of(standing: &[MountKey], owner: &Owner, published: &[PublishedKey], known: &[KeyId]) -> Self {
        let by_hand = standing.iter().filter(|element| element.management == Management::Unmanaged);
        let there = by_hand.filter_map(MountKey::id).any(|id| known.contains(&id));
        let published = if there { published } else { &[] };
        let mut others = Self::default();
        let mut seen: HashSet<&Owner> = HashSet::new();
        let published = |id: KeyId| published.iter().any(|published| published.key.id() == id);
        for element in standing {
            match &element.management {
                Management::Managed(mark) if mark.owner != *owner && seen.insert(&mark.owner) => {
                    others.owners.push(mark.owner.clone());
                }
                Management::Managed(_) => {}
                Management::Unmanaged if element.id().is_some_and(published) => {}
                Management::Unmanaged => others.unmanaged += 1,
                Management::Unreadable(_) => others.unreadable += 1,
            }
        }
        others
    }

    pub fn any(&self) -> bool {
        !self.owners.is_empty() || self.unmanaged > 0 || self.unreadable > 0
    }
}
