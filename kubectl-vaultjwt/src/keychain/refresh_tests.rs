//! What becomes of keys that one place publishes, and another does not.

use super::super::plan::ChainPlan;
use super::super::plan::tests::{key, keys, owner, refresh, stored};
use super::*;

/// A key that only the issuer's URL publishes: another cluster can have the same issuer.
#[test]
fn what_nothing_confirms_is_not_added() {
    let (me, published) = (owner("me"), keys([1, 2]));
    let unconfirmed = [key(2).key.id()];
    let waiting = Refresh { unconfirmed: &unconfirmed, ..refresh(&me, &published) };
    let plan = ChainPlan::make(&[], &waiting).unwrap();
    assert_eq!((plan.count(KeyAction::Add), plan.count(KeyAction::Wait), plan.elements.len()), (1, 1, 1));
    assert!(!ChainPlan::make(&stored(&plan.elements), &waiting).unwrap().changes());
    // The key that signs is this cluster's.
    let signs = Refresh { signer: Some(unconfirmed[0]), ..waiting.clone() };
    assert_eq!(ChainPlan::make(&[], &signs).unwrap().count(KeyAction::Add), 2);
    // What is on the mount stays, but does not come back from retirement.
    let both = stored(&ChainPlan::make(&[], &refresh(&me, &published)).unwrap().elements);
    assert_eq!(ChainPlan::make(&both, &waiting).unwrap().count(KeyAction::Keep), 2);
    let one = keys([1]);
    let retired = stored(&ChainPlan::make(&both, &refresh(&me, &one)).unwrap().elements);
    let again = ChainPlan::make(&retired, &waiting).unwrap();
    assert_eq!((again.changes(), again.count(KeyAction::KeepRetired)), (false, 1));
    assert_eq!(ChainPlan::make(&retired, &refresh(&me, &published)).unwrap().count(KeyAction::Return), 1);
}

#[test]
fn what_is_absent_is_not_always_gone() {
    let (me, both, one) = (owner("me"), keys([1, 2]), keys([1]));
    let standing = stored(&ChainPlan::make(&[], &refresh(&me, &both)).unwrap().elements);
    let prune = Policy { prune: true, ..Policy::default() };
    let other = [key(2).key.id()];
    for policy in [Policy::default(), prune] {
        for absence in [Absence::Unknown, Absence::Gone { except: &other }] {
            let plan = ChainPlan::make(&standing, &Refresh { policy, absence, ..refresh(&me, &one) }).unwrap();
            assert!(!plan.changes() && plan.count(KeyAction::Keep) == 2, "{policy:?} {absence:?}");
        }
    }
}
