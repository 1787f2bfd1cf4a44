//! Plans the removal of an owner from a mount's key list: its own elements, all of them,
//! and nothing else. Pure.

use crate::keychain::Owner;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::keychain::authority::Authority;
use crate::keychain::element::MountKey;
use crate::keychain::provenance::Provenance;

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

/// The list without one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What stays, byte for byte and in order.
    pub elements: Vec<MountKey>,
    pub steps: Vec<KeyStep>,
}

impl Removal {
    /// Removes `owner` from a mount that now holds `standing`.
    pub fn make(standing: &[MountKey], owner: &Owner) -> Self {
        let (leaving, elements): (Vec<MountKey>, Vec<MountKey>) =
            standing.iter().cloned().partition(|element| element.is_of(owner));
        let step = |element: &MountKey| {
            let kid = element.provenance().and_then(Provenance::kid);
            Some(KeyStep { id: element.id()?, kid, action: KeyAction::Remove })
        };
        Self { elements, steps: leaving.iter().filter_map(step).collect() }
    }
}
