//! Keys that get another owner on a mount: the cluster stays the same, and its issuer,
//! or the place that its keys are read at, changes. Pure.

use super::Owner;
use super::element::Element;

/// The list with the keys of `from` as keys of `to`, each in its place. All else that
/// their provenance says stays: when they were added, how they came to be believed, and
/// the recorded ways.
pub fn transferred(standing: &[Element], from: &Owner, to: &Owner) -> Vec<Element> {
    let transferred = |element: &Element| {
        if element.is_of(from) { element.remarked(|mark| mark.owner = to.clone()) } else { element.clone() }
    };
    standing.iter().map(transferred).collect()
}
