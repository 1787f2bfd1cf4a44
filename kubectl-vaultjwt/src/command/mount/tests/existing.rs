//! Roles that accept a cluster's tokens before it is enrolled: which cluster they were made
//! for is not known.

use super::*;

/// Role `pay` of this document.
fn pay(role: Value) -> Roles {
    Roles::Read { roles: BTreeMap::from([("pay".to_owned(), role.as_object().cloned().unwrap())]), cel: vec![] }
}

fn to_issuer(iss: Value) -> Roles {
    pay(json!({"role_type": "jwt", "bound_claims_type": "string", "bound_claims": {"iss": iss, "sub": "x"}}))
}

fn allowed() -> MountOptions {
    allowing(|allow| allow.existing_roles = true)
}

const END: &str = ": this cluster's pods could log in with a role that was made for another cluster";
const HINT: &str = "delete the role if it is not for this cluster; if it is, add --allow-existing-roles:\n\
                    vault read auth/jwt/role/pay\nvault delete auth/jwt/role/pay";

#[test]
fn a_role_that_a_removed_cluster_left_is_not_taken_over() {
    let k = cluster("https://k", Some("u2"), &[2]);
    let empty = Document::new();
    for (left, how) in [
        (to_issuer(json!("https://k")), ""),
        (to_issuer(json!(["https://a", "https://k"])), " (in a list of issuers)"),
        (
            pay(json!({"role_type": "jwt", "bound_claims_type": "glob", "bound_claims": {"iss": "https://*"}})),
            " (pattern \"https://*\")",
        ),
        (pay(json!({"role_type": "jwt", "bound_subject": "x"})), " (bound to no issuer)"),
    ] {
        says(
            refused(&empty, &k, &MountOptions::default(), &left),
            &format!("role \"pay\"{how} already accepts tokens of issuer \"https://k\"{END}"),
            HINT,
        );
        // Alone on the mount, nothing is shared: that flag is about something else.
        let unbound = allowing(|allow| allow.unbound_roles = true);
        assert!(matches!(refused(&empty, &k, &unbound, &left), Some(EnrollmentError::ExistingRoles { .. })));
        assert_eq!(refused(&empty, &k, &allowed(), &left), None);
    }
    for other in [
        to_issuer(json!("https://other")),
        pay(json!({"role_type": "jwt", "bound_claims_type": "glob", "bound_claims": {"iss": "https://o*"}})),
        pay(json!({"role_type": "oidc"})),
        none(),
    ] {
        assert_eq!(refused(&empty, &k, &MountOptions::default(), &other), None);
    }
}

/// The site of an issuer shows whose its keys are, not for whom a role was made.
#[test]
fn a_managed_cluster_is_asked_too() {
    let a = cluster(EKS[0], None, &[1]);
    let left = to_issuer(json!(EKS[0]));
    assert!(matches!(
        refused(&Document::new(), &a, &MountOptions::default(), &left),
        Some(EnrollmentError::ExistingRoles { .. })
    ));
}

#[test]
fn cel_roles_cannot_be_judged() {
    let k = cluster("https://k", Some("u2"), &[2]);
    let cel = Roles::Read { roles: BTreeMap::new(), cel: vec!["prog".into()] };
    says(
        refused(&Document::new(), &k, &MountOptions::default(), &cel),
        &format!("role \"prog\" (CEL) may already accept tokens of issuer \"https://k\"{END}"),
        "delete the role if it is not for this cluster; if it is, add --allow-existing-roles:\n\
         vault read auth/jwt/cel/role/prog\nvault delete auth/jwt/cel/role/prog",
    );
}

#[test]
fn many_roles_are_named_up_to_ten() {
    let k = cluster("https://k", Some("u2"), &[2]);
    let role = json!({"role_type": "jwt", "bound_claims": {"iss": "https://k"}}).as_object().cloned().unwrap();
    let many = |count: usize| {
        let roles = (1..=count).map(|number| (format!("r{number:02}"), role.clone())).collect();
        refused(&Document::new(), &k, &MountOptions::default(), &Roles::Read { roles, cel: vec!["prog".into()] })
            .unwrap()
    };
    let end = "may already accept tokens of issuer \"https://k\": this cluster's pods could log in with roles that were made \
               for another cluster";
    assert_eq!(many(1).to_string(), format!("roles \"r01\", \"prog\" (CEL) {end}"));
    let ten: Vec<String> = (1..=10).map(|number| format!("\"r{number:02}\"")).collect();
    assert_eq!(many(12).to_string(), format!("roles {} and 3 more {end}", ten.join(", ")));
    assert_eq!(
        many(12).hint(&MountPath::parse("jwt").unwrap()).as_deref(),
        Some(
            "delete each role that is not for this cluster; if all others are, add --allow-existing-roles:\n\
             vault read auth/jwt/role/r01\nvault delete auth/jwt/role/r01"
        )
    );
}

#[test]
fn beside_others_each_flag_allows_its_own_roles() {
    let (a, b) = (cluster(EKS[0], None, &[1]), cluster(EKS[1], None, &[2]));
    let there = mount(&[&a]);
    let prepared = to_issuer(json!(EKS[1]));
    let error = refused(&there, &b, &allowing(|allow| allow.unbound_roles = true), &prepared);
    assert!(matches!(error, Some(EnrollmentError::ExistingRoles { .. })), "{error:?}");
    assert_eq!(refused(&there, &b, &allowed(), &prepared), None);
    // Bound to no issuer: the question of every mount that is shared, asked once.
    let unbound = pay(json!({"role_type": "jwt"}));
    let error = refused(&there, &b, &allowed(), &unbound);
    assert!(matches!(error, Some(EnrollmentError::UnboundRoles { .. })), "{error:?}");
    assert_eq!(refused(&there, &b, &allowing(|allow| allow.unbound_roles = true), &unbound), None);
}

/// `--allow-same-issuer` says that the roles are common; which they are is said
/// before that.
#[test]
fn roles_of_the_same_issuer_are_named() {
    let (one, two) = (cluster("https://k", Some("u1"), &[1]), cluster("https://k", Some("u2"), &[2]));
    let both = allowing(|allow| (allow.same_trust_domain, allow.same_issuer) = (true, true));
    let role = to_issuer(json!("https://k"));
    assert!(matches!(refused(&mount(&[&one]), &two, &both, &role), Some(EnrollmentError::ExistingRoles { .. })));
}

#[test]
fn an_enrolled_cluster_is_not_asked_until_its_keys_are_replaced() {
    let standing = cluster("https://k", Some("u1"), &[1]);
    let there = mount(&[&standing]);
    let left = to_issuer(json!("https://k"));
    let rotated = cluster("https://k", Some("u1"), &[1, 2]);
    for roles in [&left, &Roles::NotRead] {
        assert_eq!(refused(&there, &rotated, &MountOptions::default(), roles), None);
    }
    // None of its keys is published any more: it may be another cluster, unless it is
    // reached over a recorded direct way.
    let anew = cluster("https://k", Some("u1"), &[2]);
    let other = cluster("https://o", Some("u9"), &[9]);
    let shared = mount(&[&standing, &other]);
    let replace = MountOptions { replace_keys: true, ..MountOptions::default() };
    for there in [&there, &shared] {
        assert_eq!(refused(there, &anew, &replace, &left), None);
    }
    let replaced = |there: &Document, options: MountOptions, roles: &Roles| {
        for (reached, possession) in [(Reached::Direct, false), (Reached::Indirect, true)] {
            let evidence = Evidence { reached, recorded: true, possession, ..Evidence::NONE };
            let mut grounds = Grounds::new(&anew, evidence, vec![], None);
            grounds.confirmed = reached == Reached::Direct;
            let options = MountOptions { replace_keys: true, ..options };
            let plan = plan(Some(there), &[Member { grounds: &grounds, ..member(&anew, true) }], &options, roles);
            let error = plan.members.into_iter().next().unwrap().err();
            if !options.allow.existing_roles {
                assert!(matches!(error, Some(EnrollmentError::ExistingRoles { .. })), "{reached:?} {error:?}");
            } else if std::ptr::eq(there, &shared) {
                // And a cluster that is not enrolled, among others.
                assert!(matches!(error, Some(EnrollmentError::TrustDomain { .. })), "{reached:?} {error:?}");
            } else {
                assert_eq!(error, None, "{reached:?}");
            }
        }
    };
    replaced(&there, MountOptions::default(), &left);
    replaced(&there, allowed(), &left);
    replaced(&shared, allowed(), &none());
}

#[test]
fn what_could_not_be_read_is_refused_unless_no_role_matters() {
    let k = cluster("https://k", Some("u2"), &[2]);
    let closed = Roles::Unreadable("permission denied".into());
    let error = refused(&Document::new(), &k, &MountOptions::default(), &closed);
    assert!(matches!(error, Some(EnrollmentError::RolesUnreadable { .. })), "{error:?}");
    assert_eq!(refused(&Document::new(), &k, &allowed(), &closed), None);
    let (a, b) = (cluster(EKS[0], None, &[1]), cluster(EKS[1], None, &[2]));
    for one in [allowed(), allowing(|allow| allow.unbound_roles = true)] {
        let error = refused(&mount(&[&a]), &b, &one, &closed);
        assert!(matches!(error, Some(EnrollmentError::RolesUnreadable { .. })), "{error:?}");
    }
    let both = allowing(|allow| (allow.unbound_roles, allow.existing_roles) = (true, true));
    assert_eq!(refused(&mount(&[&a]), &b, &both, &closed), None);
}
