//! Laws of the plan: elements of others do not change, planning twice is planning once, no
//! key is removed early, and no owner is left without a key.

use super::*;
use crate::keychain::authority::AuthorityId;
use crate::keychain::jwk::{KeySet, PublishedKey};
use crate::keychain::key::PublicKey;
use crate::keychain::key_proof::KeyProof;
use crate::keychain::others::Others;
use crate::keychain::poll_history::PollHistory;
use crate::keychain::refresh::{Absence, Policy};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// A distinct real key for each number: Ed25519 takes any of these points.
pub fn key(number: u8) -> PublishedKey {
    let mut seed = [0u8; 32];
    seed[0] = number;
    use aws_lc_rs::signature::KeyPair as _;
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let key = PublicKey::ed25519(pair.public_key().as_ref()).unwrap();
    PublishedKey { key, kid: Some(format!("kid-{number}")), alg: Some("EdDSA".into()) }
}

pub fn keys(numbers: impl IntoIterator<Item = u8>) -> Vec<PublishedKey> {
    numbers.into_iter().map(key).collect()
}

pub fn owner(name: &str) -> Owner {
    Owner { issuer: format!("https://{name}"), cluster_uid: None }
}

pub fn at(minute: i64) -> Timestamp {
    "2026-11-24T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

pub fn refresh<'a>(owner: &'a Owner, published: &'a [PublishedKey]) -> RefreshRequest<'a> {
    RefreshRequest {
        owner,
        published,
        cluster: "test",
        now: at(0),
        signer: None,
        recent: None,
        proof: KeyProof::Way,
        record: &[],
        adoptable: &[],
        unconfirmed: &[],
        absence: Absence::Gone { except: &[] },
        policy: Policy::default(),
    }
}

pub fn way(name: &str) -> Authority {
    Authority::Direct { id: AuthorityId::of_spki(name.as_bytes()), name: format!("{name}.example.com") }
}

fn texts(elements: &[MountKey]) -> Vec<&str> {
    elements.iter().map(|element| &*element.text).collect()
}

/// As Vault returns them: trimmed, and read again.
pub fn stored(elements: &[MountKey]) -> Vec<MountKey> {
    elements.iter().map(|element| MountKey::read(element.text.trim())).collect()
}

pub fn managed_keys(owner: &Owner, published: &[PublishedKey]) -> Vec<MountKey> {
    stored(&KeyListPlan::make(&[], &refresh(owner, published)).unwrap().elements)
}

fn actions(plan: &KeyListPlan) -> Vec<KeyAction> {
    plan.steps.iter().map(|s| s.action).collect()
}

#[test]
fn a_fresh_mount_gets_all_keys() {
    let (me, keys) = (owner("a"), keys([1, 2]));
    let plan = KeyListPlan::make(&[], &refresh(&me, &keys)).unwrap();
    assert_eq!(actions(&plan), [KeyAction::Add, KeyAction::Add]);
    assert!(plan.changes());
    let read = stored(&plan.elements);
    assert_eq!(read[0].provenance().map(|p| &p.owner), Some(&me));
    assert_eq!(read[1].id(), Some(keys[1].key.id()));
}

#[test]
fn a_rotated_key_is_retired_and_leaves_after_its_grace() {
    let (me, new) = (owner("a"), keys([2]));
    let standing = managed_keys(&me, &keys([1]));
    let rotated = KeyListPlan::make(&standing, &refresh(&me, &new)).unwrap();
    assert_eq!(actions(&rotated), [KeyAction::Add, KeyAction::Retire]);
    let standing = stored(&rotated.elements);
    assert_eq!(standing[1].provenance().and_then(|p| p.retired.as_deref()), Some("2026-11-24T12:00:00Z"));
    for (minute, action) in [(-5, KeyAction::KeepRetired), (60, KeyAction::KeepRetired), (61, KeyAction::Remove)] {
        let later = KeyListPlan::make(&standing, &RefreshRequest { now: at(minute), ..refresh(&me, &new) }).unwrap();
        assert_eq!(actions(&later), [KeyAction::Keep, action], "{minute}");
        assert_eq!(later.elements.len(), if action == KeyAction::Remove { 1 } else { 2 });
    }
}

#[test]
fn without_a_grace_it_takes_a_second_plan_a_second_later() {
    let (me, new) = (owner("a"), keys([2]));
    let policy = Policy { grace: SignedDuration::ZERO, ..Policy::default() };
    let half = at(0) + SignedDuration::from_millis(700);
    let plan = |standing: &[MountKey], now| {
        KeyListPlan::make(standing, &RefreshRequest { now, policy, ..refresh(&me, &new) }).unwrap()
    };
    let retired = stored(&plan(&managed_keys(&me, &keys([1])), half).elements);
    assert!(!plan(&retired, half).changes());
    assert_eq!(actions(&plan(&retired, half + SignedDuration::from_secs(1))), [KeyAction::Keep, KeyAction::Remove]);
}

#[test]
fn a_key_that_is_published_again_loses_its_mark() {
    let (me, both) = (owner("a"), keys([1, 2]));
    let standing = managed_keys(&me, &both);
    let retired = KeyListPlan::make(&standing, &refresh(&me, &both[1..])).unwrap();
    let again =
        KeyListPlan::make(&stored(&retired.elements), &RefreshRequest { now: at(500), ..refresh(&me, &both) }).unwrap();
    assert_eq!(actions(&again), [KeyAction::Return, KeyAction::Keep]);
    assert_eq!(texts(&again.elements), texts(&standing));
}

#[test]
fn prune_does_not_wait_but_spares_the_key_that_signs() {
    let (me, new) = (owner("a"), keys([2]));
    let standing = managed_keys(&me, &keys([1, 3]));
    let prune = Policy { prune: true, ..Policy::default() };
    let pruned = KeyListPlan::make(&standing, &RefreshRequest { policy: prune, ..refresh(&me, &new) }).unwrap();
    assert_eq!(actions(&pruned), [KeyAction::Add, KeyAction::Remove, KeyAction::Remove]);
    let spared = RefreshRequest { policy: prune, signer: Some(key(3).key.id()), ..refresh(&me, &new) };
    let spared = KeyListPlan::make(&standing, &spared).unwrap();
    assert_eq!(actions(&spared), [KeyAction::Add, KeyAction::Keep, KeyAction::Remove]);
}

#[test]
fn an_empty_answer_changes_nothing() {
    let me = owner("a");
    let standing = managed_keys(&me, &keys([1, 2]));
    let policy = Policy { prune: true, ..Policy::default() };
    let plan = KeyListPlan::make(&standing, &RefreshRequest { policy, now: at(9_999), ..refresh(&me, &[]) }).unwrap();
    assert!(!plan.changes());
    assert_eq!(plan.elements, standing);
}

#[test]
fn an_unmarked_key_of_ours_is_not_written_twice_and_can_be_adopted() {
    let (me, keys) = (owner("a"), keys([1]));
    let by_hand = [MountKey::read(keys[0].key.pem().trim())];
    let plan = KeyListPlan::make(&by_hand, &refresh(&me, &keys)).unwrap();
    assert_eq!(actions(&plan), [KeyAction::KeepUnmanaged]);
    assert!(!plan.changes() && !Others::of(&by_hand, &me, &keys, &[keys[0].key.id()]).any());
    let adopt = Policy { adopt: true, ..Policy::default() };
    let known = [keys[0].key.id()];
    let adopting = || RefreshRequest { policy: adopt, adoptable: &known, ..refresh(&me, &keys) };
    // What is published alone is not known to be its own: a copy is published too.
    let copied = KeyListPlan::make(&by_hand, &RefreshRequest { adoptable: &[], ..adopting() }).unwrap();
    assert_eq!(actions(&copied), [KeyAction::KeepUnmanaged]);
    let adopted = KeyListPlan::make(&by_hand, &adopting()).unwrap();
    assert_eq!(actions(&adopted), [KeyAction::Adopt]);
    assert_eq!(stored(&adopted.elements), managed_keys(&me, &keys));
    // Beside a managed element, one is enough.
    let both = [managed_keys(&me, &keys), by_hand.to_vec()].concat();
    let adopted = KeyListPlan::make(&both, &adopting()).unwrap();
    assert_eq!(actions(&adopted), [KeyAction::Keep, KeyAction::Remove]);
    assert_eq!(adopted.elements, managed_keys(&me, &keys));
}

#[test]
fn a_copy_of_somebodys_key_is_not_ones_own() {
    let (me, published) = (owner("a"), keys([1, 2, 9]));
    let by_hand: Vec<MountKey> = published[..2].iter().map(|k| MountKey::read(k.key.pem().trim())).collect();
    let unmanaged = |signer: Option<u8>| {
        let known: Vec<KeyId> = signer.into_iter().map(|number| key(number).key.id()).collect();
        Others::of(&by_hand, &me, &published, &known).unmanaged
    };
    // Who signs with one of them holds it, and is trusted already.
    assert_eq!((unmanaged(Some(1)), unmanaged(Some(9)), unmanaged(None)), (0, 2, 2));
}

#[test]
fn an_owner_is_never_left_without_a_key() {
    let (me, new) = (owner("a"), keys([2]));
    // The only published key is there, unmanaged.
    let standing = [managed_keys(&me, &keys([1])), vec![MountKey::read(new[0].key.pem().trim())]].concat();
    let policy = Policy { prune: true, ..Policy::default() };
    let plan = KeyListPlan::make(&standing, &RefreshRequest { policy, ..refresh(&me, &new) }).unwrap();
    assert_eq!(actions(&plan), [KeyAction::KeepUnmanaged, KeyAction::KeepRetired]);
    assert!(plan.elements.iter().any(|element| element.is_of(&me)));
}

/// Who published a key first has no say in whether its owner may.
#[test]
fn a_key_with_two_publishers_stands_once_for_each() {
    use KeyProof::{Cloud, File, Listed, Site, Token, Trusted, Way};
    let (me, them) = (owner("a"), owner("b"));
    let key = keys([1]);
    let signed = Some(key[0].key.id());
    let standing = |proof: Option<KeyProof>| -> Vec<MountKey> {
        managed_keys(&them, &key).iter().map(|element| element.remarked(|mark| mark.proof = proof)).collect()
    };
    for (theirs, ours, added) in [
        (Some(Listed), Listed, true),
        (Some(Way), Way, true),
        (Some(File), Listed, true),
        (Some(Trusted), Way, true),
        (Some(Token), Way, false),
        (Some(Site), Listed, false),
        (Some(Cloud), Trusted, false),
        // What an earlier program wrote is protected.
        (None, Way, false),
        (Some(Token), Site, true),
        (None, Cloud, true),
    ] {
        let standing = standing(theirs);
        let plan = KeyListPlan::make(&standing, &RefreshRequest { proof: ours, ..refresh(&me, &key) }).unwrap();
        let action = if added { KeyAction::Add } else { KeyAction::Withhold };
        assert_eq!((actions(&plan), plan.changes()), (vec![action], added), "{theirs:?} {ours:?}");
        assert!(plan.elements.contains(&standing[0]));
        let told = theirs.is_none_or(KeyProof::is_own);
        let copies: Vec<(Owner, bool)> = plan.copies.into_iter().map(|copy| (copy.other, copy.both)).collect();
        assert_eq!(copies, if told { vec![(them.clone(), ours.is_own())] } else { vec![] });
        // Its own signature is the strongest word.
        let plan = KeyListPlan::make(&standing, &RefreshRequest { proof: ours, signer: signed, ..refresh(&me, &key) })
            .unwrap();
        assert_eq!(actions(&plan), [KeyAction::Add]);
        assert_eq!(plan.elements[0].provenance().and_then(|mark| mark.proof), Some(Token));
    }
}

#[test]
fn ways_are_on_the_newest_key_and_come_with_the_list() {
    let me = owner("a");
    let (old, both) = (keys([1]), keys([1, 2]));
    let first = KeyListPlan::make(&[], &RefreshRequest { record: &[way("x")], ..refresh(&me, &old) }).unwrap();
    let standing = stored(&first.elements);
    assert_eq!((first.recorded.len(), authorities(&standing, &me)), (1, vec![way("x")]));
    // Recorded again is not a change.
    assert!(
        !KeyListPlan::make(&standing, &RefreshRequest { record: &[way("x")], ..refresh(&me, &old) }).unwrap().changes()
    );
    // A newer key takes them over.
    let later = RefreshRequest { now: at(5), ..refresh(&me, &both) };
    let rotated = stored(&KeyListPlan::make(&standing, &later).unwrap().elements);
    let ways = |element: &MountKey| element.provenance().unwrap().authorities.clone();
    assert_eq!((ways(&rotated[0]), ways(&rotated[1])), (vec![way("x")], vec![]));
    // A further way is one change by itself, and a ninth is refused.
    let eight: Vec<Authority> = (0..8).map(|n| way(&n.to_string())).collect();
    let more = KeyListPlan::make(&rotated, &RefreshRequest { record: &eight[..7], ..refresh(&me, &both) }).unwrap();
    assert!(more.changes() && more.steps.iter().all(|step| step.action == KeyAction::Keep));
    assert_eq!(authorities(&stored(&more.elements), &me).len(), 8);
    let ninth = KeyListPlan::make(&rotated, &RefreshRequest { record: &eight, ..refresh(&me, &both) }).unwrap_err();
    assert_eq!(ninth.to_string(), "it has 8 recorded ways to https://a already");
    // A direct way belongs to one owner; what pods trust may belong to several.
    let (other, published) = (owner("b"), keys([9]));
    let taken = KeyListPlan::make(&rotated, &RefreshRequest { record: &[way("x")], ..refresh(&other, &published) })
        .unwrap_err();
    assert_eq!(taken.to_string(), format!("\"{}\" is recorded as the way to https://a already", way("x")));
    let pod = [Authority::Pod { id: AuthorityId::of_spki(b"p") }];
    let mine = KeyListPlan::make(&rotated, &RefreshRequest { record: &pod, ..refresh(&me, &both) }).unwrap();
    let both_pods = KeyListPlan::make(&mine.elements, &RefreshRequest { record: &pod, ..refresh(&other, &published) });
    assert_eq!(both_pods.unwrap().recorded, pod);
}

#[test]
fn keys_of_an_earlier_program_are_completed_when_a_way_is_recorded_and_not_before() {
    let (me, published) = (owner("a"), keys([1, 2]));
    let old: Vec<MountKey> = managed_keys(&me, &keys([1, 2, 3]))
        .iter()
        .map(|element| {
            let text = element.text.replace("vaultjwt/v2", "vaultjwt/v1").replace("proof: way\n", "");
            MountKey::read(&text)
        })
        .collect();
    let calm = KeyListPlan::make(&old, &refresh(&me, &keys([1, 2, 3]))).unwrap();
    assert_eq!((calm.changes(), texts(&calm.elements)), (false, texts(&old)));
    let record = [way("x")];
    let signer = Some(published[1].key.id());
    let recorded = KeyListPlan::make(
        &old,
        &RefreshRequest { record: &record, signer, proof: KeyProof::Listed, ..refresh(&me, &published) },
    );
    let recorded = recorded.unwrap().elements;
    let proofs: Vec<Option<KeyProof>> = recorded.iter().map(|e| e.provenance().unwrap().proof).collect();
    assert_eq!(proofs, [Some(KeyProof::Listed), Some(KeyProof::Token), Some(KeyProof::Listed)]);
    assert!(recorded.iter().all(|element| element.text.starts_with("vaultjwt/v2\n")));
}

#[test]
fn a_cluster_with_the_same_issuer_is_somebody_else() {
    let one = Owner { issuer: "https://k".into(), cluster_uid: Some("1".into()) };
    let two = Owner { cluster_uid: Some("2".into()), ..one.clone() };
    assert_eq!(Others::of(&managed_keys(&one, &keys([1])), &two, &keys([2]), &[]).owners, [one]);
}

#[test]
fn what_cannot_be_read_is_somebody_elses() {
    let certificate = "vaultjwt/v2\nissuer: https://a\nadded: 2026-11-24T12:00:00Z\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    let foreign = ["not a pem", "vaultjwt/v9\n-----BEGIN X", certificate];
    let standing: Vec<MountKey> = foreign.iter().map(|text| MountKey::read(text)).collect();
    let plan = KeyListPlan::make(&standing, &refresh(&owner("a"), &keys([1]))).unwrap();
    let others = Others::of(&standing, &owner("a"), &keys([1]), &[]);
    assert_eq!((others.unmanaged, others.unreadable), (1, 2));
    assert_eq!(texts(&plan.elements)[1..], foreign);
}

/// One element as it may be on a mount: managed for a, b, or c, perhaps
/// retired some minutes ago; unmanaged; damaged.
fn element() -> impl Strategy<Value = MountKey> {
    (0u8..24, 0u8..8, -200i64..10).prop_map(|(number, form, minute)| {
        let of = |name: &str| managed_keys(&owner(name), &keys([number])).remove(0);
        match form {
            0 => of("b"),
            1 => of("c"),
            2 | 3 => of("a"),
            4 => of("a").remarked(|mark| mark.retired = Some(time_text(at(minute)))),
            5 => of("b").remarked(|mark| mark.retired = Some(time_text(at(minute)))),
            6 => MountKey::read(key(number).key.pem().trim()),
            _ => MountKey::read(&format!("vaultjwt/v1\nissuer: x\n{}", key(number).key.pem().trim())),
        }
    })
}

fn standing() -> impl Strategy<Value = Vec<MountKey>> {
    proptest::collection::vec(element(), 0..10)
}

fn published() -> impl Strategy<Value = Vec<PublishedKey>> {
    proptest::collection::btree_set(0u8..30, 1..6).prop_map(keys)
}

fn policy() -> impl Strategy<Value = Policy> {
    (0i64..300, any::<bool>(), any::<bool>()).prop_map(|(minutes, prune, adopt)| Policy {
        grace: SignedDuration::from_mins(minutes),
        prune,
        adopt,
    })
}

/// What X may never touch: everything but its own elements and, where it may
/// adopt, unmanaged keys that it publishes.
fn untouchable<'e>(elements: &'e [MountKey], refresh: &RefreshRequest<'_>) -> Vec<&'e str> {
    let mine = |element: &&MountKey| {
        element.is_of(refresh.owner)
            || (refresh.policy.adopt
                && element.management == Management::Unmanaged
                && element.id().is_some_and(|id| refresh.published(id).is_some() && refresh.adoptable.contains(&id)))
    };
    elements.iter().filter(|element| !mine(element)).map(|element| &*element.text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn laws(standing in standing(), published in published(), policy in policy(), signs in 0u8..30) {
        let me = owner("a");
        let adoptable: Vec<KeyId> = published.iter().step_by(2).map(|published| published.key.id()).collect();
        let refresh = RefreshRequest {
            policy, signer: Some(key(signs).key.id()), adoptable: &adoptable, ..refresh(&me, &published)
        };
        let plan = KeyListPlan::make(&standing, &refresh).unwrap();
        let after = stored(&plan.elements);
        // The text survives Vault's trim, and is read back as it was meant.
        prop_assert_eq!(texts(&after), texts(&plan.elements));
        // Others survive byte for byte, in order among themselves.
        prop_assert_eq!(untouchable(&after, &refresh), untouchable(&standing, &refresh));
        // Every published key is on the mount, and not retired.
        for published in &published {
            let withheld = |step: &KeyStep| step.id == published.key.id() && step.action == KeyAction::Withhold;
            if plan.steps.iter().any(withheld) {
                continue;
            }
            let on_mount = after.iter().find(|e| e.id() == Some(published.key.id()));
            prop_assert!(on_mount.is_some_and(|e| e.provenance().is_none_or(|p| p.owner != me || p.retired.is_none())));
        }
        // Nothing leaves before its grace, nor while tokens are signed with it.
        let ours = |elements: &[MountKey]| -> BTreeSet<KeyId> {
            elements.iter().filter(|e| e.is_of(&me)).filter_map(MountKey::id).collect()
        };
        let (before_ids, after_ids) = (ours(&standing), ours(&after));
        for gone in before_ids.difference(&after_ids) {
            prop_assert_ne!(Some(*gone), refresh.signer);
            let retired: Vec<Timestamp> = standing.iter().filter(|e| e.is_of(&me) && e.id() == Some(*gone))
                .filter_map(|e| e.provenance()?.retired.as_deref()?.parse().ok()).collect();
            prop_assert!(policy.prune || retired.iter().any(|since| at(0).duration_since(*since) > policy.grace));
        }
        // The list is never empty, and no owner is dropped.
        prop_assert!(!after.is_empty());
        prop_assert!(before_ids.is_empty() || !after_ids.is_empty());
        // A plan that changes nothing says so, and one that changes does too.
        prop_assert_eq!(plan.changes(), after != standing);
        // Planning twice is planning once.
        let again = KeyListPlan::make(&after, &refresh).unwrap();
        prop_assert_eq!(texts(&again.elements), texts(&plan.elements));
        prop_assert!(!again.changes());
    }

    #[test]
    fn nothing_of_another_owner_changes_whatever_we_publish(
        theirs in published(), ours in published(), policy in policy()
    ) {
        let (me, them) = (owner("a"), owner("b"));
        let standing = managed_keys(&them, &theirs);
        if let Ok(plan) = KeyListPlan::make(&standing, &RefreshRequest { policy, now: at(9_999), ..refresh(&me, &ours) }) {
            let managed: Vec<&MountKey> = plan.elements.iter().filter(|e| e.is_of(&them)).collect();
            prop_assert_eq!(managed, standing.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn plans_of_different_owners_commute_up_to_order(standing in standing(), one in published(), two in published()) {
        let (a, b) = (owner("a"), owner("b"));
        let then = |first: (&Owner, &[PublishedKey]), second: (&Owner, &[PublishedKey])| -> Option<Vec<String>> {
            let between = KeyListPlan::make(&standing, &refresh(first.0, first.1)).ok()?;
            let after = KeyListPlan::make(&stored(&between.elements), &refresh(second.0, second.1)).ok()?;
            let mut texts: Vec<String> = after.elements.into_iter().map(|element| element.text.to_string()).collect();
            texts.sort();
            Some(texts)
        };
        if let (Some(ab), Some(ba)) = (then((&a, &one), (&b, &two)), then((&b, &two), (&a, &one))) {
            prop_assert_eq!(ab, ba);
        }
    }

    #[test]
    fn removal_takes_one_owner_and_nothing_else(standing in standing()) {
        let me = owner("a");
        let removal = KeyListPlan::removal(&standing, &me);
        let others: Vec<MountKey> = standing.iter().filter(|e| !e.is_of(&me)).cloned().collect();
        prop_assert_eq!(&removal.elements, &others);
        prop_assert_eq!(removal.steps.len(), standing.len() - others.len());
    }
}

#[test]
fn the_sample_keys_differ() {
    let set = KeySet { keys: keys([1]), skipped: vec![] };
    assert!(!set.shares_a_key_with(&KeySet { keys: keys([2]), skipped: vec![] }));
}

#[test]
fn where_there_were_several_polls_they_decide_when_a_key_is_gone() {
    let me = owner("a");
    let (old, new) = (keys([1]), keys([2]));
    let mut standing = managed_keys(&me, &old);
    let mut recent = PollHistory::default();
    recent.record(&old);
    let mut seen = Vec::new();
    for minute in 0..95 {
        recent.record(&new);
        let refresh = RefreshRequest { now: at(minute), recent: Some(&recent), ..refresh(&me, &new) };
        let plan = KeyListPlan::make(&standing, &refresh).unwrap();
        if plan.changes() {
            seen.push((minute, actions(&plan)));
        }
        standing = stored(&plan.elements);
    }
    assert_eq!(
        seen,
        [
            (0, vec![KeyAction::Add, KeyAction::Keep]),
            (29, vec![KeyAction::Keep, KeyAction::Retire]),
            (90, vec![KeyAction::Keep, KeyAction::Remove]),
        ]
    );
}

#[test]
fn a_key_that_somebody_else_retired_does_not_leave_on_one_answer() {
    let me = owner("a");
    let (both, new) = (keys([1, 2]), keys([2]));
    let retired = KeyListPlan::make(&managed_keys(&me, &both), &refresh(&me, &new)).unwrap();
    let standing = stored(&retired.elements);
    let mut recent = PollHistory::default();
    for action in [KeyAction::KeepRetired, KeyAction::KeepRetired, KeyAction::Remove] {
        recent.record(&new);
        let refresh = RefreshRequest { now: at(500), recent: Some(&recent), ..refresh(&me, &new) };
        assert_eq!(actions(&KeyListPlan::make(&standing, &refresh).unwrap()), [KeyAction::Keep, action]);
    }
}
