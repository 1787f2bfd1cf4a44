//! Keys that get another owner on a mount: the cluster stays the same, and its issuer,
//! or the place that its keys are read at, changes. Pure.

use super::Owner;
use super::element::Element;

/// Previous issuers that are recorded with a key.
const PREVIOUS_AT_MOST: usize = 4;

/// The issuers that an owner's cluster had before, as far as its keys say.
pub fn previous_issuers(standing: &[Element], owner: &Owner) -> Vec<String> {
    let marks = standing.iter().filter_map(Element::provenance).filter(|mark| mark.owner == *owner);
    let mut issuers: Vec<String> = Vec::new();
    for issuer in marks.flat_map(|mark| &mark.previous_issuers) {
        if !issuers.contains(issuer) {
            issuers.push(issuer.clone());
        }
    }
    issuers
}

/// The list with the keys of `from` as keys of `to`, each in its place. All else that
/// their provenance says stays: when they were added, how they came to be believed, and
/// the recorded ways. Another issuer is recorded.
pub fn transferred(standing: &[Element], from: &Owner, to: &Owner) -> Vec<Element> {
    let transferred = |element: &Element| {
        if !element.is_of(from) {
            return element.clone();
        }
        element.remarked(|mark| {
            mark.owner = to.clone();
            // Separated by spaces, which no usable issuer has.
            if from.issuer != to.issuer && !from.issuer.contains(char::is_whitespace) {
                mark.previous_issuers.retain(|issuer| *issuer != from.issuer);
                mark.previous_issuers.push(from.issuer.clone());
                let extra = mark.previous_issuers.len().saturating_sub(PREVIOUS_AT_MOST);
                mark.previous_issuers.drain(..extra);
            }
        })
    };
    standing.iter().map(transferred).collect()
}

#[cfg(test)]
mod tests {
    use super::super::element::authorities;
    use super::super::plan::ChainPlan;
    use super::super::plan::tests::{chain, keys, owner, refresh, stored, way};
    use super::super::refresh::Refresh;
    use super::*;

    #[test]
    fn a_transfer_changes_the_owner_and_nothing_else() {
        let (old, new, other) = (owner("old"), owner("new"), owner("other"));
        let ways = [way("api")];
        let first = Refresh { record: &ways, ..refresh(&old, &[]) };
        let published = keys([1, 2]);
        let mine = ChainPlan::make(&chain(&other, &keys([9])), &Refresh { published: &published, ..first }).unwrap();
        let standing = stored(&mine.elements);
        let moved = stored(&transferred(&standing, &old, &new));
        assert_eq!(authorities(&moved, &new), ways);
        for (before, after) in standing.iter().zip(&moved) {
            assert_eq!(before.id(), after.id());
            if before.is_of(&old) {
                assert_eq!(previous_issuers(&moved, &new), std::slice::from_ref(&old.issuer));
                let back = after.remarked(|mark| {
                    mark.owner = old.clone();
                    mark.previous_issuers.clear();
                });
                assert_eq!(back.text, before.text);
            } else {
                assert_eq!(after.text, before.text);
            }
        }
    }
}
