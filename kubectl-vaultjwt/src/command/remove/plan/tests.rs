//! Which owner is meant, what is removed, what is asked.

use super::*;
use crate::command::remove::input::Uid;
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key::PublicKey;
use crate::keychain::provenance::Provenance;
use crate::vault::Config;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn owner(issuer: &str, uid: Option<&str>) -> Owner {
    Owner { issuer: issuer.into(), cluster_uid: uid.map(str::to_owned) }
}

/// An Ed25519 key; the byte tells them apart.
fn key(byte: u8) -> PublicKey {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    PublicKey::ed25519(Ed25519KeyPair::from_seed_unchecked(&[byte; 32]).unwrap().public_key().as_ref()).unwrap()
}

fn managed(byte: u8, owner: &Owner) -> MountKey {
    let published = PublishedKey { key: key(byte), kid: Some(format!("k{byte}")), alg: Some("EdDSA".into()) };
    let mark = Provenance {
        previous_issuers: vec![],
        owner: owner.clone(),
        kid: format!("k{byte}"),
        alg: "EdDSA".into(),
        cluster: "c".into(),
        added: "2026-11-24T12:00:00Z".into(),
        retired: None,
        proof: None,
        authorities: vec![],
        unknown: BTreeMap::new(),
    };
    MountKey::write(&published, &mark)
}

fn input(roles: bool) -> RemoveInput {
    RemoveInput {
        mount: MountPath::parse("jwt").unwrap(),
        issuer: None,
        cluster_uid: None,
        roles,
        yes: true,
        dry_run: false,
        now: "2026-11-24T12:00:00Z".parse().unwrap(),
        nonce: "n".into(),
    }
}

fn seen(owner: Option<Owner>, elements: &[MountKey], roles: &[(&str, Value)]) -> RemoveState {
    let texts: Vec<&str> = elements.iter().map(|e| &*e.text).collect();
    let document = json!({"jwt_validation_pubkeys": texts, "jwt_supported_algs": [], "default_role": "app"});
    let roles = roles.iter().map(|(name, role)| ((*name).to_owned(), role.as_object().cloned().unwrap())).collect();
    RemoveState {
        owner,
        published: vec![],
        config: Config { document: document.as_object().cloned(), date: None },
        roles: Ok(roles),
        namespace: None,
    }
}

fn issuer(issuer: &str, uid: Option<Uid>) -> (RemoveInput, Option<Owner>) {
    (RemoveInput { issuer: Some(issuer.into()), cluster_uid: uid, ..input(false) }, None)
}

#[test]
fn who_is_meant() {
    let (site, one, two) = (owner("https://a", None), owner("https://a", Some("1")), owner("https://b/", Some("2")));
    let all = [managed(1, &site), managed(2, &one), managed(3, &two)];
    for ((input, cluster), elements, expected) in [
        (issuer("https://b/", None), &all[..], Ok(two.clone())),
        (issuer("https://a", None), &all[1..], Ok(one.clone())),
        (issuer("https://a", Some(Uid::None)), &all[..], Ok(site.clone())),
        (issuer("https://a", Some(Uid::Of("1".into()))), &all[..], Ok(one.clone())),
        (issuer("https://a", Some(Uid::Of("9".into()))), &all[..], Ok(owner("https://a", Some("9")))),
        (issuer("https://c", None), &all[..], Ok(owner("https://c", None))),
        ((input(false), Some(one.clone())), &all[..], Ok(one.clone())),
        (
            issuer("https://a", None),
            &all[..],
            Err("auth mount \"jwt/\" holds keys of several owners with issuer \"https://a\": https://a, https://a (cluster 1)"
                .to_owned()),
        ),
    ] {
        assert_eq!(super::owner(&input, cluster.as_ref(), elements).map_err(|e| e.to_string()), expected, "{input:?}");
    }
}

#[test]
fn only_the_owner_leaves() {
    let (ours, theirs) = (owner("https://a", None), owner("https://a", Some("1")));
    let foreign = MountKey::read(&key(9).pem());
    let broken = MountKey::read(&format!("vaultjwt/v7\n{}", key(8).pem()));
    let all = [managed(1, &ours), foreign.clone(), managed(2, &theirs), managed(3, &ours), broken.clone()];
    let plan = RemovePlan::make(&input(false), &seen(Some(ours.clone()), &all, &[])).unwrap();
    assert_eq!(plan.config.remaining, [foreign, managed(2, &theirs), broken]);
    assert_eq!((plan.config.owners(), plan.config.strange()), (vec![theirs.clone()], 2));
    let standing: Vec<&str> = plan.config.remaining.iter().map(|e| &*e.text).collect();
    assert_eq!(plan.config.document.get("jwt_validation_pubkeys"), Some(&json!(standing)));
    // Once it is gone, the plan on what is left is to do nothing.
    let now = input(false).now;
    let left = plan.config.document.clone();
    let again = RemovalConfig::make(&input(false).mount, &ours, MountSnapshot { document: Some(&left), now }).unwrap();
    assert!(!again.write());
    assert_eq!(again.document, left);
    // An unmanaged copy of its key would still sign.
    assert_eq!((plan.left_behind(&[]), plan.left_behind(&[key(9).id()])), (0, 1));
}

#[test]
fn the_last_keys_and_none_at_all() {
    let ours = owner("https://a", None);
    let target = || Some(ours.clone());
    let last = RemovePlan::make(&input(false), &seen(target(), &[managed(1, &ours), managed(2, &ours)], &[]));
    assert!(matches!(last, Err(RemoveError::LastKeys { .. })), "{last:?}");
    let alone = json!({"role_type": "jwt", "bound_claims": {"iss": "https://a"}});
    let others = [managed(3, &owner("https://b", None))];
    let nothing = RemovePlan::make(&input(false), &seen(target(), &others, &[("app", alone.clone())]));
    assert!(matches!(nothing, Err(RemoveError::NotThere { .. })), "{nothing:?}");
    // Roles that an interrupted run left.
    let plan = RemovePlan::make(&input(true), &seen(target(), &others, &[("app", alone)])).unwrap();
    assert_eq!(
        (plan.config.write(), plan.deleted(), plan.default_role.as_deref()),
        (false, vec![&"app".to_owned()], Some("app"))
    );
    assert_eq!(plan.rights(&input(true).mount), [Right::new("auth/jwt/role/app".into(), &["read", "delete"])]);
    assert_eq!(
        plan.question(&input(true).mount, "https://v:8200"),
        "Delete role \"app\" from auth mount \"jwt/\" of Vault at \"https://v:8200\"?"
    );
}

#[test]
fn the_question_says_everything() {
    let (ours, theirs) = (owner("https://a", None), owner("https://b", None));
    let role = json!({"role_type": "jwt", "bound_claims": {"iss": "https://a"}});
    let roles = [("a", role.clone()), ("b", role)];
    let all = [managed(1, &ours), managed(2, &ours), managed(3, &theirs)];
    let seen = seen(Some(ours), &all, &roles);
    let question = |roles: bool| {
        let input = input(roles);
        RemovePlan::make(&input, &seen).unwrap().question(&input.mount, "https://v:8200")
    };
    assert_eq!(question(false), "Remove 2 keys of https://a from auth mount \"jwt/\" of Vault at \"https://v:8200\"?");
    assert_eq!(
        question(true),
        "Remove 2 keys of https://a, and delete roles \"a\", \"b\" from auth mount \"jwt/\" of Vault at \"https://v:8200\"?"
    );
}
