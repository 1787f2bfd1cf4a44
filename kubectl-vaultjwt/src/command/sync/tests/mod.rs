//! How contexts become members of one change, and how the members' results become rows.

use super::input::Scope;
use super::observe::{Found, Observed};
use super::report::Outcome;
use super::*;
use crate::cluster::ClusterTarget;
use crate::command::mount::{Grounds, MountOptions, MountPlan, SharingConsent};
use crate::issuer::request::IssuerOverrides;
use crate::issuer::{CloudAnswer, KeySource, NamedBy, Resolved};
use crate::keychain::Owner;
use crate::keychain::action::KeyAction;
use crate::keychain::authority::{Authority, AuthorityId, Root};
use crate::keychain::evidence::{Evidence, Reached};
use crate::keychain::jwk::{KeySet, PublishedKey};
use crate::keychain::key::PublicKey;
use crate::keychain::refresh::Policy;
use crate::vault::Document;
use shared::mount::MountPath;

mod evidence;

fn key(number: u8) -> PublishedKey {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
    let key = PublicKey::ed25519(pair.public_key().as_ref()).unwrap();
    PublishedKey { key, kid: Some(format!("kid-{number}")), alg: Some("EdDSA".into()) }
}

fn seen(context: &str, uid: &str, keys: &[u8], joins: bool) -> Observed {
    let cluster = Resolved {
        owner: Owner { issuer: "https://k".into(), cluster_uid: Some(uid.into()) },
        named_by: NamedBy::ApiServer,
        keys: KeySet { keys: keys.iter().copied().map(key).collect(), skipped: vec![] },
        source: KeySource::ApiServer,
        keys_url: None,
        site_unused: None,
        api_keys_unread: None,
        difference: Default::default(),
        standing: None,
        cloud: CloudAnswer::NotAsked,
    };
    let target = ClusterTarget {
        context: Some(context.into()),
        cluster: context.into(),
        server: "https://s".into(),
        namespace: "default".into(),
    };
    let evidence = Evidence { reached: Reached::Direct, recorded: true, ..Evidence::NONE };
    let way = Authority::Direct { id: AuthorityId::of_spki(b"ca"), name: format!("{uid}.example.com") };
    let mut grounds = Grounds::new(&cluster, evidence, vec![], Some(way.clone()));
    if joins {
        grounds.enroll(&cluster, vec![way]);
    }
    Observed { context: Some(context.into()), found: Ok(Found { target, cluster, grounds }) }
}

fn input(scope: Scope) -> SyncInput {
    let allow =
        SharingConsent { same_trust_domain: true, same_issuer: true, unbound_roles: true, existing_roles: true };
    SyncInput {
        mount: MountPath::parse("jwt").unwrap(),
        scope,
        overrides: IssuerOverrides::default(),
        enroll: false,
        trust_issuer: false,
        options: MountOptions { allow, ..MountOptions::default() },
        rewrite: false,
        dry_run: false,
        now: "2026-11-24T12:00:00Z".parse().unwrap(),
        nonce: "n".into(),
    }
}

fn plan(sync: &SyncRun<'_>, document: Option<&Document>, input: &SyncInput) -> MountPlan {
    sync.plan(MountSnapshot { document, now: input.now }, &Roles::NotRead).unwrap()
}

/// A mount with these clusters on it.
fn mount(clusters: Vec<Observed>) -> Document {
    let input = input(Scope::Current(None));
    let sync = SyncRun::new(&input, clusters);
    plan(&sync, None, &input).document
}

/// What the rows say.
fn rows(sync: &SyncRun<'_>, members: &[plan::GroupPlan]) -> Vec<(String, Outcome, usize)> {
    let rows = report::rows(sync, members);
    rows.into_iter().map(|row| (row.context, row.outcome, row.keys.len())).collect()
}

#[test]
fn contexts_of_one_cluster_are_one_member() {
    let input = input(Scope::Named(vec![]));
    let there = mount(vec![seen("a", "1", &[1, 2], true)]);
    // Two API servers behind two contexts, one of them behind the times.
    let sync = SyncRun::new(&input, vec![seen("a", "1", &[1, 2], false), seen("b", "1", &[2, 3], false)]);
    let plan = plan(&sync, Some(&there), &input);
    assert_eq!(
        rows(&sync, &plan.members),
        [("a".to_owned(), Outcome::Changed, 3), ("b".to_owned(), Outcome::Changed, 3)]
    );
    let again = super::tests::plan(&sync, Some(&plan.document), &input);
    assert!(!again.write);
}

/// The same, but reached over this way.
fn over(way: Authority, mut observed: Observed) -> Observed {
    observed.found.as_mut().unwrap().grounds.way = Some(way);
    observed
}

/// Contexts that claim to be one cluster which is being enrolled: a malicious one would bring
/// its keys and its way.
#[test]
fn contexts_that_claim_to_be_one_newcomer_are_refused_together() {
    let input = input(Scope::Named(vec![]));
    let evil = || Authority::Direct { id: AuthorityId::of_spki(b"evil"), name: "evil.example.com".into() };
    let both = |prod: bool, wrong: bool, reversed: bool| {
        let mut contexts = vec![seen("prod", "1", &[1], prod), over(evil(), seen("evil", "1", &[1, 9], wrong))];
        if reversed {
            contexts.reverse();
        }
        let sync = SyncRun::new(&input, contexts);
        let plan = plan(&sync, None, &input);
        let mut rows = rows(&sync, &plan.members);
        rows.sort();
        (plan.write, rows.into_iter().map(|(_, outcome, keys)| (outcome, keys)).collect::<Vec<_>>())
    };
    for reversed in [false, true] {
        assert_eq!(both(true, true, reversed), (false, vec![(Outcome::Failed, 0), (Outcome::Failed, 0)]));
        // A context without evidence does not keep another from being enrolled.
        assert_eq!(both(true, false, reversed), (true, vec![(Outcome::Failed, 0), (Outcome::Enrolled, 1)]));
    }
    let sync =
        SyncRun::new(&input, vec![seen("prod", "1", &[1], true), over(evil(), seen("evil", "1", &[1, 9], true))]);
    let rows = report::rows(&sync, &plan(&sync, None, &input).members);
    assert_eq!(
        rows[1].error.as_deref(),
        Some("contexts \"prod\" and \"evil\" claim to be https://k (cluster 1), by different ways")
    );
    assert_eq!(
        rows[1].hint.as_deref(),
        Some(
            "compare the way of each context with the one that the cluster's administrator sees, then enroll the right one \
             with setup: kubectl vaultjwt issuer --context prod"
        )
    );
}

/// A context that may change nothing by itself brings no key beside one that may, even
/// where the key becomes free in the same run, and keeps none from being retired.
#[test]
fn a_context_without_evidence_counts_for_nothing_beside_one_with_it() {
    let input = input(Scope::Named(vec![]));
    let there = mount(vec![seen("a", "1", &[1, 2], true), seen("x", "2", &[7, 8], true)]);
    let indirect = |keys: &[u8]| {
        let mut evil = seen("evil", "1", keys, false);
        evil.found.as_mut().unwrap().grounds.evidence.reached = Reached::Indirect;
        evil
    };
    let pruning = SyncInput {
        options: MountOptions { policy: Policy { prune: true, ..Policy::default() }, ..input.options },
        ..input
    };
    for reversed in [false, true] {
        // Key 7 leaves X before the owner of 1 is served.
        let mut contexts = vec![seen("x", "2", &[8], false), seen("a", "1", &[1, 2], false), indirect(&[1, 2, 7])];
        if reversed {
            contexts.swap(1, 2);
        }
        let sync = SyncRun::new(&pruning, contexts);
        let planned = plan(&sync, Some(&there), &pruning);
        assert!(
            !planned.document[crate::vault::mount::config::KEYS]
                .to_string()
                .contains(key(7).key.pem().trim().lines().nth(1).unwrap())
        );
    }
    // By itself it changes nothing either.
    let sync = SyncRun::new(&pruning, vec![seen("x", "2", &[8], false), indirect(&[1, 2, 7])]);
    assert_eq!(rows(&sync, &plan(&sync, Some(&there), &pruning).members)[1].1, Outcome::Failed);
    let sync = SyncRun::new(&pruning, vec![indirect(&[1, 2]), seen("a", "1", &[2], false)]);
    let planned = plan(&sync, Some(&there), &pruning);
    assert_eq!(rows(&sync, &planned.members)[1], ("a".to_owned(), Outcome::Changed, 2));
    let row = &report::rows(&sync, &planned.members)[1];
    assert_eq!(row.count(KeyAction::Remove), 1);
}

#[test]
fn contexts_of_one_newcomer_over_one_way_are_one_member() {
    let input = input(Scope::Named(vec![]));
    let sync = SyncRun::new(&input, vec![seen("a", "1", &[1, 2], true), seen("b", "1", &[2, 3], true)]);
    let written = plan(&sync, None, &input);
    assert_eq!(rows(&sync, &written.members)[1], ("b".to_owned(), Outcome::Enrolled, 3));
    // Many clusters can answer at one URL: there, only the same keys are the same cluster.
    let url = || Authority::Indirect { root: Root::System, url: "https://t".into(), name: None };
    for (keys, outcome) in [([1, 2], Outcome::Enrolled), ([2, 3], Outcome::Failed)] {
        let (a, b) = (over(url(), seen("a", "1", &[1, 2], true)), over(url(), seen("b", "1", &keys, true)));
        let sync = SyncRun::new(&input, vec![a, b]);
        let planned = plan(&sync, None, &input);
        assert_eq!(rows(&sync, &planned.members)[1].1, outcome);
    }
}

#[test]
fn a_stranger_fails_where_it_is_named_and_is_passed_over_where_all_are() {
    let there = mount(vec![seen("a", "1", &[1], true)]);
    for (scope, outcome) in [
        (Scope::All(vec![]), Outcome::NotEnrolled),
        (Scope::Named(vec![]), Outcome::Failed),
        (Scope::Current(None), Outcome::Failed),
    ] {
        let input = input(scope);
        let sync = SyncRun::new(&input, vec![seen("a", "1", &[1], false), seen("x", "9", &[9], false)]);
        let plan = plan(&sync, Some(&there), &input);
        assert_eq!(rows(&sync, &plan.members)[1], ("x".to_owned(), outcome, 0));
        assert!(!plan.write);
    }
}

#[test]
fn who_was_taken_off_meanwhile_is_not_told_as_refreshed() {
    let input = input(Scope::Current(None));
    let there = mount(vec![seen("a", "1", &[1], true), seen("b", "2", &[5], true)]);
    let sync = SyncRun::new(&input, vec![seen("a", "1", &[1, 2], false)]);
    let done = plan(&sync, Some(&there), &input).members;
    assert_eq!(rows(&sync, &done)[0].1, Outcome::Changed);
    let without = mount(vec![seen("b", "2", &[5], true)]);
    let ended = plan::unless_refused(done, plan(&sync, Some(&without), &input).members);
    assert_eq!(rows(&sync, &ended)[0].1, Outcome::Failed);
}

#[test]
fn words_and_hints_of_one_cluster() {
    let error = MemberError::Chain {
        mount: MountPath::parse("jwt").unwrap(),
        source: crate::command::mount::EnrollmentError::NotEnrolled {
            owner: Owner { issuer: "https://k".into(), cluster_uid: Some("1".into()) },
        },
    };
    assert_eq!(error.to_string(), "auth mount \"jwt/\" cannot take its keys: it holds no key of https://k (cluster 1)");
    assert_eq!(
        error.hint().as_deref(),
        Some("put the cluster on the mount with 'kubectl vaultjwt setup', or with --enroll")
    );
    let error = SyncError::Config {
        mount: MountPath::parse("jwt").unwrap(),
        source: crate::vault::mount::config::ConfigConflict::Secret("oidc_client_id"),
    };
    assert_eq!(
        error.to_string(),
        "the keys on auth mount \"jwt/\" cannot be refreshed: it is set up for OIDC logins (oidc_client_id is set), whose secret cannot be read back and would be lost"
    );
    assert_eq!(error.hint().as_deref(), Some("look at it: vault read auth/jwt/config"));
}
