//! Laws of the plan: nothing of others changes, planning twice is planning
//! once, and no key is ever lost.

use super::super::jwk::KeySet;
use super::*;
use crate::keychain::key::PublicKey;
use proptest::prelude::*;

/// A distinct real key for each number: Ed25519 takes any of these points.
fn key(number: u8) -> PublishedKey {
    let mut seed = [0u8; 32];
    seed[0] = number;
    use aws_lc_rs::signature::KeyPair as _;
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let key = PublicKey::ed25519(pair.public_key().as_ref()).unwrap();
    PublishedKey { key, kid: Some(format!("kid-{number}")), alg: Some("EdDSA".into()) }
}

fn owner(name: &str) -> Owner {
    Owner { issuer: format!("https://{name}"), cluster_uid: None }
}

fn enrolment<'a>(owner: &'a Owner, published: &'a [PublishedKey]) -> Enrolment<'a> {
    Enrolment { owner, published, cluster: "test", now: "2026-11-24T12:00:00Z" }
}

fn elements(texts: &[String]) -> Vec<Element> {
    texts.iter().map(|t| Element::read(t)).collect()
}

fn changes(plan: &ChainPlan) -> bool {
    actions(plan).contains(&KeyAction::Add)
}

fn actions(plan: &ChainPlan) -> Vec<KeyAction> {
    plan.steps.iter().map(|s| s.action).collect()
}

#[test]
fn a_fresh_mount_gets_all_keys() {
    let (me, keys) = (owner("a"), [key(1), key(2)]);
    let plan = ChainPlan::make(&[], &enrolment(&me, &keys)).unwrap();
    assert_eq!(actions(&plan), [KeyAction::Add, KeyAction::Add]);
    assert!(changes(&plan) && !plan.others.any());
    let read = elements(&plan.elements);
    assert_eq!(read[0].provenance().map(|p| &p.owner), Some(&me));
    assert_eq!(read[1].key, Some(keys[1].key.id()));
}

#[test]
fn a_rotated_key_stays_until_it_is_retired() {
    let me = owner("a");
    let before = ChainPlan::make(&[], &enrolment(&me, &[key(1)])).unwrap();
    let after = ChainPlan::make(&elements(&before.elements), &enrolment(&me, &[key(2)])).unwrap();
    assert_eq!(actions(&after), [KeyAction::Add, KeyAction::KeepUnpublished]);
    assert_eq!(after.elements[1], before.elements[0]);
}

#[test]
fn an_unmarked_key_of_ours_is_not_written_twice() {
    let (me, keys) = (owner("a"), [key(1)]);
    let by_hand = keys[0].key.pem();
    let plan = ChainPlan::make(&elements(&[by_hand]), &enrolment(&me, &keys)).unwrap();
    assert_eq!(actions(&plan), [KeyAction::KeepUnmarked]);
    assert!(!changes(&plan) && !plan.others.any());
}

#[test]
fn a_key_with_two_publishers_is_refused() {
    let theirs = ChainPlan::make(&[], &enrolment(&owner("b"), &[key(1)])).unwrap();
    let error = ChainPlan::make(&elements(&theirs.elements), &enrolment(&owner("a"), &[key(1)])).unwrap_err();
    assert_eq!(error.to_string(), "key \"kid-1\" is published by both \"https://a\" and \"https://b\"");
}

#[test]
fn a_cluster_with_the_same_issuer_is_somebody_else() {
    let one = Owner { issuer: "https://k".into(), cluster_uid: Some("1".into()) };
    let two = Owner { cluster_uid: Some("2".into()), ..one.clone() };
    let first = ChainPlan::make(&[], &enrolment(&one, &[key(1)])).unwrap();
    let second = ChainPlan::make(&elements(&first.elements), &enrolment(&two, &[key(2)])).unwrap();
    assert_eq!(second.others.owners, [one]);
}

#[test]
fn what_cannot_be_read_is_somebody_elses() {
    let texts = ["not a pem".to_owned(), "vaultjwt/v9\n-----BEGIN X".to_owned()];
    let plan = ChainPlan::make(&elements(&texts), &enrolment(&owner("a"), &[key(1)])).unwrap();
    assert_eq!((plan.others.unmarked, plan.others.unreadable), (1, 1));
    assert_eq!(plan.elements[1..], texts);
}

#[test]
fn the_text_survives_the_trim_of_vault() {
    let plan = ChainPlan::make(&[], &enrolment(&owner("a"), &[key(1)])).unwrap();
    assert_eq!(plan.elements[0].trim(), plan.elements[0]);
}

/// A mount as others may have left it: marked by b, unmarked, damaged.
fn standing() -> impl Strategy<Value = Vec<String>> {
    let one = (0u8..20, 0u8..4).prop_map(|(number, form)| match form {
        0 => ChainPlan::make(&[], &enrolment(&owner("b"), &[key(number)])).unwrap().elements.remove(0),
        1 => ChainPlan::make(&[], &enrolment(&owner("a"), &[key(number)])).unwrap().elements.remove(0),
        2 => key(number).key.pem().trim().to_owned(),
        _ => format!("vaultjwt/v1\nissuer: x\n{}", key(number).key.pem().trim()),
    });
    proptest::collection::vec(one, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn laws(texts in standing(), numbers in proptest::collection::btree_set(0u8..30, 1..6)) {
        let me = owner("a");
        let published: Vec<PublishedKey> = numbers.into_iter().map(key).collect();
        let standing = elements(&texts);
        let Ok(plan) = ChainPlan::make(&standing, &enrolment(&me, &published)) else {
            // Refused: then one of our keys really stands under b's mark.
            let taken = |e: &Element| e.provenance().is_some_and(|p| p.owner == owner("b"))
                && published.iter().any(|k| Some(k.key.id()) == e.key);
            prop_assert!(standing.iter().any(taken));
            return Ok(());
        };
        // Every standing element is still there, byte for byte, in order.
        let tail = &plan.elements[plan.elements.len() - texts.len()..];
        prop_assert_eq!(tail, &texts[..]);
        // Every published key is on the mount.
        let after = elements(&plan.elements);
        for published in &published {
            prop_assert!(after.iter().any(|e| e.key == Some(published.key.id())));
        }
        // Planning twice is planning once.
        let again = ChainPlan::make(&after, &enrolment(&me, &published)).unwrap();
        prop_assert!(!changes(&again));
        prop_assert_eq!(again.elements, plan.elements);
    }
}

#[test]
fn the_sample_keys_differ() {
    let set = KeySet { keys: vec![key(1)], skipped: vec![] };
    assert!(!set.shares_a_key_with(&KeySet { keys: vec![key(2)], skipped: vec![] }));
}
