//! Owns the decision which elements leave a mount's key list when an owner is
//! taken off it: its own, all of them, and nothing else. Pure.

use super::Owner;
use super::action::{KeyAction, KeyStep};
use super::authority::Authority;
use super::element::Element;
use super::provenance::Provenance;

/// The list with one way less to `owner`. Nothing else changes.
pub fn without_authority(standing: &[Element], owner: &Owner, way: &Authority) -> Vec<Element> {
    let without = |element: &Element| match element.provenance() {
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
    pub elements: Vec<Element>,
    /// What leaves.
    pub steps: Vec<KeyStep>,
}

impl Removal {
    /// Takes `owner` off a mount that now holds `standing`.
    pub fn make(standing: &[Element], owner: &Owner) -> Self {
        let (leaving, elements): (Vec<Element>, Vec<Element>) =
            standing.iter().cloned().partition(|element| element.is_of(owner));
        let step = |element: &Element| {
            let kid = element.provenance().and_then(Provenance::kid);
            Some(KeyStep { id: element.id()?, kid, action: KeyAction::Remove })
        };
        Self { elements, steps: leaving.iter().filter_map(step).collect() }
    }
}
