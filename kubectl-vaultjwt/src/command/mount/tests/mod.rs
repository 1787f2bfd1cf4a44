//! Which clusters can be enrolled on a mount, the text of each refusal, and that a failure
//! of one cluster does not affect the others.

use super::*;
use crate::issuer::{CloudAnswer, KeySource, NamedBy};
use crate::keychain::Owner;
use crate::keychain::action::KeyAction;
use crate::keychain::evidence::{Evidence, Reached};
use crate::keychain::jwk::{KeySet, PublishedKey};
use crate::keychain::key::PublicKey;
use serde_json::{Value, json};
use shared::mount::MountPath;
use std::collections::BTreeMap;

mod adoption;
mod evidence;
mod existing;
mod moves;

fn key(number: u16) -> PublishedKey {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let mut seed = [0u8; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let key = PublicKey::ed25519(pair.public_key().as_ref()).unwrap();
    PublishedKey { key, kid: Some(format!("kid-{number}")), alg: Some("EdDSA".into()) }
}

/// A cluster: a provider's where it has no UID, else self-managed.
fn cluster(issuer: &str, uid: Option<&str>, keys: &[u16]) -> Resolved {
    Resolved {
        owner: Owner { issuer: issuer.into(), cluster_uid: uid.map(str::to_owned) },
        named_by: NamedBy::ApiServer,
        keys: KeySet { keys: keys.iter().copied().map(key).collect(), skipped: vec![] },
        source: if uid.is_none() { KeySource::IssuerSite } else { KeySource::ApiServer },
        keys_url: None,
        site_unused: None,
        api_keys_unread: None,
        difference: Default::default(),
        standing: None,
        cloud: CloudAnswer::NotAsked,
    }
}

const EKS: [&str; 2] =
    ["https://oidc.eks.eu-west-1.amazonaws.com/id/A", "https://oidc.eks.eu-west-1.amazonaws.com/id/B"];

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn none() -> Roles {
    Roles::none()
}

/// Reached directly, whichever cluster it is.
fn grounds(cluster: &Resolved, signer: Option<u16>) -> &'static Grounds {
    let evidence = Evidence {
        reached: Reached::Direct,
        recorded: true,
        site: cluster.source == KeySource::IssuerSite,
        ..Evidence::NONE
    };
    let signer = signer.map(|number| key(number).key.id());
    let adoptable = signer.into_iter().collect();
    // Tests end soon.
    Box::leak(Box::new(Grounds { signer, adoptable, ..Grounds::new(cluster, evidence, vec![], None) }))
}

fn member(cluster: &Resolved, enroll: bool) -> Member<'_> {
    Member { cluster, name: "c", enroll, grounds: grounds(cluster, None), recent: None }
}

fn signing(cluster: &Resolved, enroll: bool, signer: Option<u16>) -> Member<'_> {
    Member { grounds: grounds(cluster, signer), ..member(cluster, enroll) }
}

fn plan(document: Option<&Document>, members: &[Member<'_>], options: &MountOptions, roles: &Roles) -> MountPlan {
    MountPlan::make(MountSnapshot { document, now: now() }, members, options, roles).unwrap()
}

/// A mount that serves these clusters.
fn mount(clusters: &[&Resolved]) -> Document {
    let members: Vec<Member<'_>> = clusters.iter().map(|c| member(c, true)).collect();
    let allow =
        SharingConsent { same_trust_domain: true, same_issuer: true, unbound_roles: true, existing_roles: true };
    plan(None, &members, &MountOptions { allow, ..MountOptions::default() }, &none()).document
}

/// Why `new_cluster` is refused on `document`, and that nothing is written then.
fn refused(
    document: &Document,
    new_cluster: &Resolved,
    options: &MountOptions,
    roles: &Roles,
) -> Option<EnrollmentError> {
    let plan = plan(Some(document), &[member(new_cluster, true)], options, roles);
    let why = plan.members.into_iter().next().unwrap().err();
    assert_eq!(plan.write, why.is_none());
    if why.is_some() {
        assert_eq!(&plan.document, document);
    }
    why
}

#[track_caller]
fn says(error: Option<EnrollmentError>, words: &str, hint: &str) {
    let error = error.unwrap();
    assert_eq!(error.to_string(), words);
    assert_eq!(error.hint(&MountPath::parse("jwt").unwrap()).as_deref(), Some(hint));
}

fn allowing(change: impl FnOnce(&mut SharingConsent)) -> MountOptions {
    let mut options = MountOptions::default();
    change(&mut options.allow);
    options
}

#[test]
fn managed_clusters_share_a_mount_whose_roles_keep_them_apart() {
    let (a, b) = (cluster(EKS[0], None, &[1]), cluster(EKS[1], None, &[2]));
    assert_eq!(refused(&mount(&[&a]), &b, &MountOptions::default(), &none()), None);
}

#[test]
fn a_cluster_that_somebody_runs_needs_the_users_word() {
    let (managed, own) = (cluster(EKS[0], None, &[1]), cluster("https://k", Some("u1"), &[2]));
    let hint = "choose another path with --mount; or, if everybody who runs one of these clusters may act as any of them, add --same-trust-domain";
    says(
        refused(&mount(&[&managed]), &own, &MountOptions::default(), &none()),
        &format!(
            "it serves others already: keys of {}; whoever holds one key of a mount can sign for every issuer on it",
            EKS[0]
        ),
        hint,
    );
    says(
        refused(&mount(&[&own]), &managed, &MountOptions::default(), &none()),
        "it serves others already: keys of https://k (cluster u1); whoever holds one key of a mount can sign for every issuer on it",
        hint,
    );
    // Who added unmanaged keys is not known.
    let mut by_hand = mount(&[&cluster(EKS[1], None, &[3])]);
    by_hand["jwt_validation_pubkeys"] =
        json!([key(4).key.pem().trim(), key(5).key.pem().trim(), "vaultjwt/v9\n-----BEGIN X"]);
    says(
        refused(&by_hand, &managed, &MountOptions::default(), &none()),
        "it serves others already: 2 keys without a mark, 1 key with a mark that cannot be read; whoever holds one key of a mount can sign for every issuer on it",
        hint,
    );
    let word = allowing(|allow| allow.same_trust_domain = true);
    for (there, new_cluster) in [(mount(&[&managed]), &own), (mount(&[&own]), &managed), (by_hand, &managed)] {
        assert_eq!(refused(&there, new_cluster, &word, &none()), None);
    }
}

#[test]
fn the_same_issuer_twice_needs_a_word_of_its_own() {
    let (one, two) = (cluster("https://k", Some("u1"), &[1]), cluster("https://k", Some("u2"), &[2]));
    let word = allowing(|allow| allow.same_trust_domain = true);
    says(
        refused(&mount(&[&one]), &two, &word, &none()),
        "it serves another cluster with the same issuer already: https://k (cluster u1)",
        "choose another path with --mount; --allow-same-issuer lets every role of that issuer take tokens of both clusters, unless each cluster's roles have an audience of their own",
    );
    let both = allowing(|allow| (allow.same_trust_domain, allow.same_issuer) = (true, true));
    assert_eq!(refused(&mount(&[&one]), &two, &both, &none()), None);
}

fn roles(role: Value) -> Roles {
    Roles::Read { roles: BTreeMap::from([("app".to_owned(), role.as_object().cloned().unwrap())]), cel: vec![] }
}

#[test]
fn roles_that_take_any_issuer_stop_a_newcomer() {
    let (a, b) = (cluster(EKS[0], None, &[1]), cluster(EKS[1], None, &[2]));
    let there = mount(&[&a]);
    let manual =
        roles(json!({"role_type": "jwt", "bound_subject": "system:serviceaccount:shop:app", "bound_claims": null}));
    says(
        refused(&there, &b, &MountOptions::default(), &manual),
        "role \"app\" is bound to no issuer and would take tokens of any cluster on it",
        "bind each to the issuer of the cluster it is for (or add --allow-unbound-roles):\n\
         echo '{\"bound_claims\":{\"iss\":\"https://oidc.eks.eu-west-1.amazonaws.com/id/A\"},\"bound_claims_type\":\"string\",\"role_type\":\"jwt\"}' | vault write auth/jwt/role/app -",
    );
    assert_eq!(refused(&there, &b, &allowing(|allow| allow.unbound_roles = true), &manual), None);
    // A pattern is no exact binding; the claims that are there stay, whatever they hold.
    let pattern = roles(
        json!({"role_type": "jwt", "bound_claims_type": "glob", "bound_claims": {"iss": "https://*", "sub": "it's"}}),
    );
    says(
        refused(&there, &b, &MountOptions::default(), &pattern),
        "role \"app\" is bound to no issuer and would take tokens of any cluster on it",
        "bind each to the issuer of the cluster it is for (or add --allow-unbound-roles):\n\
         echo '{\"bound_claims\":{\"iss\":\"https://oidc.eks.eu-west-1.amazonaws.com/id/A\",\"sub\":\"it'\\''s\"},\"bound_claims_type\":\"glob\",\"role_type\":\"jwt\"}' | vault write auth/jwt/role/app -",
    );
    for bound in [
        json!({"role_type": "jwt", "bound_claims_type": "string", "bound_claims": {"iss": "https://*"}}),
        json!({"role_type": "jwt", "bound_claims": {"iss": ["https://a", "https://b"]}}),
        json!({"role_type": "oidc"}),
    ] {
        assert_eq!(refused(&there, &b, &MountOptions::default(), &roles(bound)), None);
    }
    let Roles::Read { roles: plain, .. } = &manual else { panic!("{manual:?}") };
    let both = Roles::Read { roles: plain.clone(), cel: vec!["prog".into()] };
    let error = refused(&there, &b, &MountOptions::default(), &both).unwrap();
    assert_eq!(
        error.to_string(),
        "roles \"app\", \"prog\" (CEL) are bound to no issuer and would take tokens of any cluster on it"
    );
    let hint = error.hint(&MountPath::parse("jwt").unwrap()).unwrap();
    assert!(
        hint.ends_with(
            "role/app -\nCEL roles cannot be bound so: if they check the issuer themselves, add --allow-unbound-roles"
        ),
        "{hint}"
    );
    let cel = Roles::Read { roles: BTreeMap::new(), cel: vec!["prog".into()] };
    says(
        refused(&there, &b, &MountOptions::default(), &cel),
        "role \"prog\" (CEL) is bound to no issuer and would take tokens of any cluster on it",
        "choose another path with --mount; or, if CEL roles check the issuer themselves, add --allow-unbound-roles",
    );
    says(
        refused(&there, &b, &MountOptions::default(), &Roles::Unreadable("permission denied".into())),
        "its roles could not be read, and some of them may accept this cluster's tokens: permission denied",
        "let the token list and read them (cel is OpenBao's):\npath \"auth/jwt/role\" { capabilities = [\"list\"] }\n\
         path \"auth/jwt/role/*\" { capabilities = [\"read\"] }\npath \"auth/jwt/cel/role\" { capabilities = [\"list\"] }",
    );
    says(
        refused(&there, &b, &MountOptions::default(), &Roles::NotRead),
        "it was changed by another writer while this command ran",
        "run the command again",
    );
}

#[test]
fn who_is_on_the_mount_already_is_asked_nothing() {
    let (a, mut b) = (cluster("https://a", Some("u1"), &[1]), cluster("https://b", Some("u2"), &[2]));
    let there = mount(&[&a, &b]);
    b.keys = cluster("https://b", Some("u2"), &[2, 3]).keys;
    assert_eq!(refused(&there, &b, &MountOptions::default(), &Roles::NotRead), None);
}

#[test]
fn a_bound_issuer_keeps_others_out_until_it_is_cleared() {
    let (a, b) = (cluster("https://a", None, &[1]), cluster("https://b", None, &[2]));
    let mut there = mount(&[&a]);
    there["bound_issuer"] = json!("https://a");
    let mut options = allowing(|allow| allow.same_trust_domain = true);
    says(
        refused(&there, &b, &options, &none()),
        "its bound_issuer is \"https://a\"",
        "choose another path with --mount; or, if the mount is to serve more than that issuer, add --clear-bound-issuer (vault read auth/jwt/config)",
    );
    options.clear_bound_issuer = true;
    let plan = plan(Some(&there), &[member(&b, true)], &options, &none());
    assert_eq!((plan.write, &plan.document["bound_issuer"]), (true, &json!("")));
}

#[test]
fn one_clusters_trouble_leaves_the_others_alone() {
    let (a, b, stranger) = (
        cluster("https://a", Some("1"), &[1]),
        cluster("https://b", Some("2"), &[2]),
        cluster("https://c", Some("3"), &[9]),
    );
    let there = mount(&[&a, &b]);
    let (new_a, restored) = (cluster("https://a", Some("1"), &[1, 4]), cluster("https://b", Some("2"), &[7]));
    let members = [member(&restored, false), member(&stranger, false), member(&new_a, false)];
    let plan = plan(Some(&there), &members, &MountOptions::default(), &Roles::NotRead);
    let words: Vec<String> =
        plan.members.iter().map(|m| m.as_ref().map_or_else(ToString::to_string, |_| "ok".into())).collect();
    assert_eq!(
        words,
        [
            "none of the keys that it has of https://b (cluster 2) is published any more: all keys of the cluster were replaced at once, or this is another cluster with the same UID",
            "it holds no key of https://c (cluster 3)",
            "ok"
        ]
    );
    assert!(plan.write);
    assert_eq!(elements(Some(&plan.document)).len(), 3);
}

#[test]
fn keys_without_a_mark_are_told_and_can_be_adopted() {
    let a = cluster("https://a", Some("1"), &[1, 2]);
    let mut there = mount(&[&a]);
    there["jwt_validation_pubkeys"] = json!([key(1).key.pem().trim(), key(2).key.pem().trim()]);
    let lost = plan(Some(&there), &[member(&a, false)], &MountOptions::default(), &Roles::NotRead);
    says(
        lost.members.into_iter().next().unwrap().err(),
        "it holds 2 keys of https://a (cluster 1), but without a mark that says so",
        "mark them with --adopt; if they were marked before, somebody else writes the list (Terraform, an operator), and two writers undo each other",
    );
    let mut adopt = MountOptions::default();
    adopt.policy.adopt = true;
    let adopted = plan(Some(&there), &[signing(&a, true, Some(1))], &adopt, &none());
    // The key that signs is known to be its own; of the other one it has the public half.
    let chain = adopted.members[0].as_ref().unwrap();
    assert_eq!((chain.count(KeyAction::Adopt), chain.count(KeyAction::KeepUnmanaged)), (1, 1));
    assert_eq!(elements(Some(&adopted.document)).iter().filter(|element| element.is_of(&a.owner)).count(), 1);
}

#[test]
fn what_a_mount_can_hold_is_measured_before_it_is_written() {
    let numbers: Vec<u16> = (0..950).collect();
    let full = cluster("https://a", Some("1"), &numbers);
    let there = mount(&[&full]);
    let warning = |document: &Document| limits::warnings(document).join("; ");
    assert_eq!(
        warning(&there),
        "the mount holds 950 keys: a login takes Vault tens to hundreds of milliseconds where its key stands late, a refused one always; a second mount is due"
    );
    assert_eq!(
        warning(&mount(&[&cluster("https://a", Some("1"), &numbers[..100])])),
        "the mount holds 100 keys: Vault tries them one after the other; one mount for each trust domain keeps logins fast"
    );
    assert_eq!(warning(&mount(&[&cluster("https://a", Some("1"), &numbers[..99])])), "");
    let options = allowing(|allow| (allow.same_trust_domain, allow.unbound_roles) = (true, true));
    let hint = "give each trust domain a mount of its own: choose another path with --mount";
    says(
        refused(&there, &cluster("https://b", Some("2"), &[2_000]), &options, &none()),
        "it would hold 951 keys, more than 950",
        hint,
    );
    let mut texts = mount(&[&cluster("https://a", Some("1"), &[1])]);
    texts.insert("oidc_response_types".into(), json!(vec!["x"; 1_000]));
    let new_cluster = cluster("https://b", Some("2"), &[2]);
    says(
        refused(&texts, &new_cluster, &options, &none()),
        "its configuration would have 1010 texts, more than the 1000 that OpenBao takes in one request",
        hint,
    );
    let mut large = mount(&[&cluster("https://a", Some("1"), &[1])]);
    large.insert("jwks_ca_pem".into(), json!("x".repeat(1 << 20)));
    let error = refused(&large, &new_cluster, &options, &none()).unwrap();
    assert!(matches!(error, EnrollmentError::TooLarge { bytes } if bytes > 1 << 20), "{error}");
    assert!(error.to_string().ends_with(" bytes, more than the 1048576 of one storage entry"));
    large["jwks_ca_pem"] = json!("x".repeat(513 << 10));
    assert_eq!(refused(&large, &new_cluster, &options, &none()), None);
    assert!(warning(&large).ends_with(" bytes: Consul storage keeps at most 524288"), "{}", warning(&large));
}

/// Public keys are public: publishing copies of them does not make a cluster their owner.
#[test]
fn a_copy_of_keys_that_stand_by_hand_opens_nothing() {
    let victim = cluster("https://a", Some("1"), &[1, 2]);
    let mut there = mount(&[&victim]);
    there["jwt_validation_pubkeys"] = json!([key(1).key.pem().trim(), key(2).key.pem().trim()]);
    let thief = cluster("https://x", Some("9"), &[9, 1, 2]);
    for signer in [None, Some(9)] {
        for adopt in [false, true] {
            let mut options = MountOptions::default();
            options.policy.adopt = adopt;
            let plan = plan(Some(&there), &[signing(&thief, true, signer)], &options, &none());
            assert!(matches!(plan.members[0], Err(EnrollmentError::TrustDomain { .. })), "{:?}", plan.members);
            assert!(!plan.write);
        }
    }
}

#[test]
fn a_cluster_made_from_anothers_backup_does_not_take_its_place() {
    let production = cluster("https://k", Some("u1"), &[1]);
    let there = mount(&[&production]);
    let restored = cluster("https://k", Some("u1"), &[2]);
    says(
        refused(&there, &restored, &MountOptions::default(), &none()),
        "none of the keys that it has of https://k (cluster u1) is published any more: all keys of the cluster were replaced at once, or this is another cluster with the same UID",
        "if all keys of the cluster were replaced, compare and replace them: kubectl vaultjwt setup --context c --mount jwt --replace-keys; if it is a copy of the cluster, give the copy its own issuer and keys first",
    );
    let replace = MountOptions { replace_keys: true, ..MountOptions::default() };
    assert_eq!(refused(&there, &restored, &replace, &none()), None);
    // Who is known by the issuer's own site needs no such bridge.
    let managed = cluster(EKS[0], None, &[1]);
    assert_eq!(refused(&mount(&[&managed]), &cluster(EKS[0], None, &[2]), &MountOptions::default(), &none()), None);
}

#[test]
fn who_was_shut_out_by_a_bound_issuer_is_checked_when_it_is_cleared() {
    let (a, b) = (cluster(EKS[0], None, &[1]), cluster(EKS[1], None, &[2]));
    let mut there = mount(&[&a, &b]);
    there["bound_issuer"] = json!(EKS[0]);
    let clear = MountOptions { clear_bound_issuer: true, ..MountOptions::default() };
    let unbound = roles(json!({"role_type": "jwt"}));
    assert!(matches!(refused(&there, &b, &clear, &unbound), Some(EnrollmentError::UnboundRoles { .. })));
    assert_eq!(refused(&there, &b, &clear, &none()), None);
}

#[test]
fn nobody_is_enrolled_without_a_mark() {
    let a = cluster("https://a", Some("1"), &[1]);
    let mut there = mount(&[&a]);
    there["jwt_validation_pubkeys"] = json!([key(1).key.pem().trim()]);
    let plan = plan(Some(&there), &[signing(&a, true, Some(1))], &MountOptions::default(), &none());
    assert!(matches!(plan.members[0], Err(EnrollmentError::Unmarked { keys: 1, .. })), "{:?}", plan.members);
}
