//! What happens to a role, new or existing.

use super::*;

fn spec() -> RoleSpec {
    RoleSpec {
        name: "app".into(),
        issuer: "https://a".into(),
        subjects: vec!["system:serviceaccount:shop:app".into()],
        policies: vec!["app-read".into()],
        audiences: None,
        ttl: None,
        max_ttl: None,
        user_claim: None,
        replace: false,
    }
}

fn words(spec: &RoleSpec, existing: &Document) -> String {
    spec.document(Some(existing)).map_err(|e| e.to_string()).unwrap_err()
}

#[test]
fn a_new_role_is_sent_whole() {
    let role = Value::Object(spec().document(None).unwrap());
    assert_eq!(role["role_type"], "jwt");
    assert_eq!(role["bound_audiences"], json!(["vault"]));
    assert_eq!(role["bound_claims"], json!({"iss": "https://a", "sub": ["system:serviceaccount:shop:app"]}));
    assert_eq!(role["user_claim"], "/kubernetes.io/serviceaccount/uid");
    assert_eq!((&role["token_ttl"], &role["token_max_ttl"]), (&json!(3600), &json!(86400)));
    assert_eq!(role["bound_subject"], "");
}

#[test]
fn a_longer_lease_lifts_the_longest_one() {
    let long = RoleSpec { ttl: Some(200_000), ..spec() };
    assert_eq!(long.document(None).unwrap()["token_max_ttl"], json!(200_000));
}

#[test]
fn the_same_again_changes_nothing() {
    let mut standing = spec().document(None).unwrap();
    // Vault adds fields and may store a single value without its list.
    standing.insert("max_age".into(), json!(0));
    standing.insert("oidc_scopes".into(), Value::Null);
    standing.insert("bound_claims".into(), json!({"iss": ["https://a"], "sub": "system:serviceaccount:shop:app"}));
    let role = spec().document(Some(&standing)).unwrap();
    assert!(changed_fields(&standing, &role).is_empty());
}

#[test]
fn order_and_repetition_mean_nothing() {
    let two = |policies: [&str; 2]| RoleSpec { policies: policies.map(str::to_owned).to_vec(), ..spec() };
    let standing = two(["a", "b"]).document(None).unwrap();
    assert!(changed_fields(&standing, &two(["b", "a"]).document(Some(&standing)).unwrap()).is_empty());
    let once = two(["a", "a"]).document(None).unwrap();
    assert_eq!(once["token_policies"], json!(["a"]));
}

#[test]
fn what_was_not_asked_for_keeps_its_value() {
    let mut standing = spec().document(None).unwrap();
    standing.insert("token_ttl".into(), json!(600));
    standing.insert("token_bound_cidrs".into(), json!(["10.0.0.0/8"]));
    standing.insert("bound_audiences".into(), json!(["other"]));
    standing["bound_claims"]["/kubernetes.io/namespace"] = json!("shop");
    // Old names are returned beside the new ones, and must not come back.
    standing.insert("ttl".into(), json!(600));
    standing.insert("policies".into(), json!(["app-read"]));
    let role = RoleSpec { max_ttl: Some(7_200), ..spec() }.document(Some(&standing)).unwrap();
    assert_eq!(role["token_ttl"], json!(600));
    assert_eq!(role["token_bound_cidrs"], json!(["10.0.0.0/8"]));
    assert_eq!(role["bound_audiences"], json!(["other"]));
    assert_eq!(role["bound_claims"]["/kubernetes.io/namespace"], json!("shop"));
    assert!(!role.contains_key("ttl") && !role.contains_key("policies"));
    assert_eq!(changed_fields(&standing, &role), ["token_max_ttl"]);
}

#[test]
fn a_role_without_audience_gets_one() {
    let mut standing = spec().document(None).unwrap();
    standing.insert("bound_audiences".into(), Value::Null);
    assert_eq!(words(&spec(), &standing), "role \"app\" is there already, and the change accepts audience \"vault\"");
    let role = RoleSpec { replace: true, ..spec() }.document(Some(&standing)).unwrap();
    assert_eq!(role["bound_audiences"], json!(["vault"]));
}

#[test]
fn leases_that_contradict_are_refused_before_anything_is_written() {
    let both = RoleSpec { ttl: Some(172_800), max_ttl: Some(86_400), ..spec() };
    let refused = "role \"app\" would have a lease of 48h, longer than its longest lease of 24h";
    assert_eq!(both.document(None).map_err(|e| e.to_string()), Err(refused.to_owned()));
    // The longest lease of an existing role is kept, so the same holds there.
    let standing = spec().document(None).unwrap();
    assert_eq!(words(&RoleSpec { ttl: Some(172_800), ..spec() }, &standing), refused);
    let short = RoleSpec { max_ttl: Some(600), ..spec() }.document(None).unwrap();
    assert_eq!(short["token_ttl"], json!(600));
}

#[test]
fn bounds_that_let_nobody_in_or_everybody_are_not_replaced_silently() {
    for (iss, sub, change) in [
        (json!([]), json!("system:serviceaccount:shop:app"), "binds it to this issuer, which it was not"),
        (json!("https://a"), json!(null), "binds it to service accounts, which it was not"),
    ] {
        let mut standing = spec().document(None).unwrap();
        standing["bound_claims"]["iss"] = iss;
        standing["bound_claims"]["sub"] = sub;
        assert_eq!(words(&spec(), &standing), format!("role \"app\" is there already, and the change {change}"));
    }
}

#[test]
fn a_kept_bound_never_changes_its_meaning() {
    let mut standing = spec().document(None).unwrap();
    standing.insert("bound_claims_type".into(), json!("glob"));
    standing["bound_claims"]["/kubernetes.io/namespace"] = json!("sh*");
    assert_eq!(
        words(&RoleSpec { replace: true, ..spec() }, &standing),
        "role \"app\" binds \"/kubernetes.io/namespace\" by a pattern, which is not kept"
    );
}

#[test]
fn a_role_of_another_issuer_is_never_taken() {
    let theirs = RoleSpec { issuer: "https://b".into(), ..spec() }.document(None).unwrap();
    for replace in [false, true] {
        let words = words(&RoleSpec { replace, ..spec() }, &theirs);
        assert_eq!(words, "role \"app\" is bound to issuer \"https://b\", not to \"https://a\"");
    }
    let mut both = spec().document(None).unwrap();
    both["bound_claims"]["iss"] = json!(["https://a", "https://b"]);
    assert_eq!(words(&spec(), &both), "role \"app\" is bound to issuer \"https://b\", not to \"https://a\"");
}

#[test]
fn delicate_changes_need_the_users_word() {
    let standing = spec().document(None).unwrap();
    let wider = RoleSpec {
        policies: vec!["admin".into()],
        subjects: vec!["system:serviceaccount:shop:other".into()],
        audiences: Some(vec!["v2".into()]),
        ..spec()
    };
    assert_eq!(
        words(&wider, &standing),
        "role \"app\" is there already, and the change adds policy \"admin\", and takes away policy \"app-read\", \
         and lets in \"system:serviceaccount:shop:other\", and shuts out \"system:serviceaccount:shop:app\", and accepts audience \"v2\", and drops audience \"vault\""
    );
    let role = RoleSpec { replace: true, ..wider }.document(Some(&standing)).unwrap();
    assert_eq!(role["token_policies"], json!(["admin"]));
}

#[test]
fn the_manual_procedures_role_is_not_taken_silently() {
    let by_hand = json!({
        "role_type": "jwt", "bound_audiences": ["vault"], "bound_subject": "system:serviceaccount:shop:app",
        "bound_claims": null, "bound_claims_type": "string", "user_claim": "sub", "token_policies": ["app-read"]
    });
    let by_hand = by_hand.as_object().unwrap();
    assert_eq!(
        words(&spec(), by_hand),
        "role \"app\" is there already, and the change drops bound_subject \"system:serviceaccount:shop:app\", \
         and binds it to this issuer, which it was not"
    );
    let replaced = RoleSpec { replace: true, ..spec() }.document(Some(by_hand)).unwrap();
    assert_eq!(replaced["bound_claims"], json!({"iss": "https://a", "sub": ["system:serviceaccount:shop:app"]}));
    // The alias stays what it was: changing it would orphan the entity.
    assert_eq!(replaced["user_claim"], "sub");
}
