//! Keys that get another owner on a mount: the cluster stays the same, and its issuer,
//! or the place that its keys are read at, changes. Pure.

use crate::keychain::Owner;
use crate::keychain::element::MountKey;

/// Previous issuers that are recorded with a key.
const PREVIOUS_AT_MOST: usize = 4;

/// The list with the keys of `from` as keys of `to`, each in its place. All else that their
/// provenance says stays: when they were added, how they were verified, and the recorded ways.
/// Another issuer is recorded.
pub fn transferred(standing: &[MountKey], from: &Owner, to: &Owner) -> Vec<MountKey> {
    let transferred = |element: &MountKey| {
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
    use super::*;
    use crate::keychain::element::{authorities, previous_issuers};
    use crate::keychain::plan::KeyListPlan;
    use crate::keychain::plan::tests::{keys, managed_keys, owner, refresh, stored, way};
    use crate::keychain::refresh::RefreshRequest;

    #[test]
    fn a_transfer_changes_the_owner_and_nothing_else() {
        let (old, new, other) = (owner("old"), owner("new"), owner("other"));
        let ways = [way("api")];
        let first = RefreshRequest { record: &ways, ..refresh(&old, &[]) };
        let published = keys([1, 2]);
        let mine =
            KeyListPlan::make(&managed_keys(&other, &keys([9])), &RefreshRequest { published: &published, ..first })
                .unwrap();
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
