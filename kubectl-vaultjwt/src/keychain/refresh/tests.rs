//! What happens to keys that one place publishes, and another does not.

use super::*;
use crate::keychain::plan::KeyListPlan;
use crate::keychain::plan::tests::{key, keys, owner, refresh, stored};

/// A key that only the issuer's URL publishes: another cluster can have the same issuer.
#[test]
fn what_nothing_confirms_is_not_added() {
    let (me, published) = (owner("me"), keys([1, 2]));
    let unconfirmed = [key(2).key.id()];
    let waiting = RefreshRequest { unconfirmed: &unconfirmed, ..refresh(&me, &published) };
    let plan = KeyListPlan::make(&[], &waiting).unwrap();
    assert_eq!((plan.count(KeyAction::Add), plan.count(KeyAction::Wait), plan.elements.len()), (1, 1, 1));
    assert!(!KeyListPlan::make(&stored(&plan.elements), &waiting).unwrap().changes());
    // The key that signs is this cluster's.
    let signs = RefreshRequest { signer: Some(unconfirmed[0]), ..waiting.clone() };
    assert_eq!(KeyListPlan::make(&[], &signs).unwrap().count(KeyAction::Add), 2);
    // What is on the mount stays, but does not come back from retirement.
    let both = stored(&KeyListPlan::make(&[], &refresh(&me, &published)).unwrap().elements);
    assert_eq!(KeyListPlan::make(&both, &waiting).unwrap().count(KeyAction::Keep), 2);
    let one = keys([1]);
    let retired = stored(&KeyListPlan::make(&both, &refresh(&me, &one)).unwrap().elements);
    let again = KeyListPlan::make(&retired, &waiting).unwrap();
    assert_eq!((again.changes(), again.count(KeyAction::KeepRetired)), (false, 1));
    assert_eq!(KeyListPlan::make(&retired, &refresh(&me, &published)).unwrap().count(KeyAction::Return), 1);
}

#[test]
fn what_is_absent_is_not_always_gone() {
    let (me, both, one) = (owner("me"), keys([1, 2]), keys([1]));
    let standing = stored(&KeyListPlan::make(&[], &refresh(&me, &both)).unwrap().elements);
    let prune = Policy { prune: true, ..Policy::default() };
    let other = [key(2).key.id()];
    for policy in [Policy::default(), prune] {
        for absence in [Absence::Unknown, Absence::Gone { except: &other }] {
            let plan = KeyListPlan::make(&standing, &RefreshRequest { policy, absence, ..refresh(&me, &one) }).unwrap();
            assert!(!plan.changes() && plan.count(KeyAction::Keep) == 2, "{policy:?} {absence:?}");
        }
    }
}
