//! A cluster whose issuer, or whose source of keys, changes: what the change is based on,
//! and the text of each refusal.

use super::*;
use crate::keychain::authority::{Authority, AuthorityId, Root};
use crate::keychain::element::authorities;

fn way(name: &str) -> Authority {
    Authority::Direct { id: AuthorityId::of_spki(b"ca"), name: format!("{name}.example.com") }
}

/// A mount where these clusters are enrolled, each over its way.
fn enrolled(clusters: &[(&Resolved, Authority)]) -> Document {
    let grounds: Vec<Grounds> = clusters
        .iter()
        .map(|(cluster, way)| {
            let mut grounds = Grounds::new(cluster, Evidence::NONE, vec![], Some(way.clone()));
            grounds.signer = Some(cluster.keys.keys[0].key.id());
            grounds.enroll(cluster, vec![way.clone()]);
            grounds
        })
        .collect();
    let members: Vec<Member<'_>> = clusters
        .iter()
        .zip(&grounds)
        .map(|((cluster, _), grounds)| Member { grounds, name: "prod", ..member(cluster, true) })
        .collect();
    let options = allowing(|allow| (allow.same_trust_domain, allow.same_issuer) = (true, true));
    plan(None, &members, &options, &none()).document
}

/// A context that reaches `cluster`, which was `from`, with this evidence.
fn moving<'a>(cluster: &'a Resolved, from: &Owner, reached: Reached, possession: bool) -> Member<'a> {
    let site = cluster.source == KeySource::IssuerSite;
    let evidence = Evidence { reached, recorded: true, possession, site, ..Evidence::NONE };
    let mut grounds = Grounds::new(cluster, evidence, vec![way("api")], Some(way("api")));
    grounds.from = Some(from.clone());
    grounds.no_possession = Some("forbidden".into());
    Member { grounds: Box::leak(Box::new(grounds)), ..member(cluster, true) }
}

fn done(
    document: &Document,
    member: Member<'_>,
    options: &MountOptions,
    roles: &Roles,
) -> Result<Document, EnrollmentError> {
    let plan = plan(Some(document), &[member], options, roles);
    let outcome = plan.members.into_iter().next().unwrap();
    assert_eq!(plan.write, outcome.is_ok());
    if outcome.is_err() {
        assert_eq!(&plan.document, document);
    }
    outcome.map(|_| plan.document)
}

fn why(document: &Document, member: Member<'_>) -> Option<EnrollmentError> {
    done(document, member, &MountOptions::default(), &none()).err()
}

#[test]
fn the_keys_of_the_old_issuer_become_those_of_the_new_one() {
    let old = cluster("https://old", Some("u1"), &[1, 2]);
    let other = cluster("https://other", Some("u2"), &[3]);
    let there = enrolled(&[(&old, way("api")), (&other, way("other"))]);
    for new in [cluster("https://new", Some("u1"), &[2, 4]), cluster("https://new", None, &[2, 4])] {
        let member = moving(&new, &old.owner, Reached::Direct, true);
        let after = done(&there, member, &MountOptions::default(), &none()).unwrap();
        let after = elements(Some(&after));
        assert!(!after.iter().any(|element| element.is_of(&old.owner)));
        let ours: Vec<_> = after.iter().filter(|element| element.is_of(&new.owner)).collect();
        assert_eq!(ours.len(), 3);
        // The key that is no longer published is retired, and not lost.
        let retired = ours.iter().filter(|e| e.provenance().is_some_and(|mark| mark.retired.is_some()));
        assert_eq!(retired.filter_map(|e| e.id()).collect::<Vec<_>>(), [key(1).key.id()]);
        assert_eq!(authorities(&after, &new.owner), [way("api")]);
        assert_eq!(authorities(&after, &other.owner), [way("other")]);
        // Done again, nothing changes.
        let again = plan(
            Some(&StaticKeys::read(Some(&there)).unwrap().with(&after, &[])),
            &[moving(&new, &old.owner, Reached::Direct, true)],
            &MountOptions::default(),
            &none(),
        );
        assert!(again.members[0].as_ref().is_ok_and(|chain| !chain.changes()));
    }
}

#[test]
fn what_a_move_rests_on() {
    let (old, new) = (cluster("https://old", Some("u1"), &[1]), cluster("https://new", Some("u1"), &[1]));
    let there = enrolled(&[(&old, way("api"))]);
    for (reached, possession) in [(Reached::Direct, false), (Reached::Indirect, false)] {
        says(
            why(&there, moving(&new, &old.owner, reached, possession)),
            "context \"c\" reaches cluster \"prod\" (UID u1), but no token verified that it is that cluster: forbidden",
            "get the right to create tokens of service account kube-system/default, then retry; if the signing keys were \
             replaced too, and the way is direct, add --replace-keys: kubectl vaultjwt setup --context c --mount jwt \
             --move-from https://old",
        );
    }
    for possession in [false, true] {
        says(
            why(&there, moving(&new, &old.owner, Reached::Unrecorded, possession)),
            "context \"c\" claims to be cluster \"prod\" (UID u1) with another issuer, but is not reached by a recorded way",
            "it may be another cluster: use a kubeconfig with a recorded way, or enroll it on a mount of its own: kubectl \
             vaultjwt setup --context c --mount NAME",
        );
    }
    assert_eq!(why(&there, moving(&new, &old.owner, Reached::Indirect, true)), None);
}

#[test]
fn what_a_change_of_the_source_rests_on() {
    let (by_uid, by_issuer) = (cluster("https://i", Some("u1"), &[1]), cluster("https://i", None, &[1]));
    for (old, new) in [(&by_uid, &by_issuer), (&by_issuer, &by_uid)] {
        let there = enrolled(&[(old, way("api"))]);
        assert_eq!(why(&there, moving(new, &old.owner, Reached::Direct, false)), None);
        assert_eq!(why(&there, moving(new, &old.owner, Reached::Indirect, true)), None);
        let error = why(&there, moving(new, &old.owner, Reached::Indirect, false));
        assert!(matches!(error, Some(EnrollmentError::NoPossession { .. })), "{error:?}");
        let error = why(&there, moving(new, &old.owner, Reached::Unrecorded, true));
        assert!(matches!(error, Some(EnrollmentError::AnotherWay { .. })), "{error:?}");
    }
}

#[test]
fn what_is_new_by_a_new_issuer_is_asked_about() {
    let (old, new) = (cluster("https://old", Some("u1"), &[1]), cluster("https://new", Some("u1"), &[1]));
    let there = enrolled(&[(&old, way("api"))]);
    let member = || moving(&new, &old.owner, Reached::Direct, true);
    let bound = |iss: Value| roles(json!({"role_type": "jwt", "bound_claims": {"iss": iss}}));
    let made_for_another = bound(json!("https://new"));
    let error = done(&there, member(), &MountOptions::default(), &made_for_another).unwrap_err();
    assert!(matches!(error, EnrollmentError::ExistingRoles { .. }), "{error}");
    let allowed = allowing(|allow| allow.existing_roles = true);
    assert!(done(&there, member(), &allowed, &made_for_another).is_ok());
    // These accepted its tokens before.
    for known in [bound(json!("https://old")), bound(json!(["https://old", "https://new"])), bound(json!(null))] {
        assert!(done(&there, member(), &MountOptions::default(), &known).is_ok());
    }
    let cel = Roles::Read { roles: BTreeMap::new(), cel: vec!["c".into()] };
    assert!(matches!(
        done(&there, member(), &MountOptions::default(), &cel),
        Err(EnrollmentError::ExistingRoles { .. })
    ));
    // Another cluster has the issuer.
    let there = enrolled(&[(&old, way("api")), (&cluster("https://new", Some("u2"), &[2]), way("other"))]);
    let error = done(&there, member(), &MountOptions::default(), &none()).unwrap_err();
    assert!(matches!(error, EnrollmentError::SameIssuer { .. }), "{error}");
}

#[test]
fn a_provider_that_no_longer_holds_the_keys_is_asked_about() {
    let (old, new) = (cluster(EKS[0], None, &[1]), cluster("https://new", Some("u1"), &[1]));
    let there = enrolled(&[(&old, way("api")), (&cluster(EKS[1], None, &[2]), way("other"))]);
    let member = || moving(&new, &old.owner, Reached::Direct, true);
    let error = done(&there, member(), &MountOptions::default(), &none()).unwrap_err();
    assert!(matches!(error, EnrollmentError::TrustDomain { .. }), "{error}");
    assert!(done(&there, member(), &allowing(|allow| allow.same_trust_domain = true), &none()).is_ok());
}

/// Without `--move-from`, the same cluster is not enrolled beside itself.
#[test]
fn a_cluster_that_moved_is_told_how_to() {
    let old = cluster("https://old", Some("u1"), &[1]);
    let url = Authority::Indirect { root: Root::System, url: "https://t".into(), name: None };
    let tried = |recorded: &Authority, new: &Resolved, way: &Authority| {
        let mut grounds = Grounds::new(new, Evidence::NONE, vec![], Some(way.clone()));
        grounds.enroll(new, vec![way.clone()]);
        let options = allowing(|allow| allow.same_trust_domain = true);
        done(
            &enrolled(&[(&old, recorded.clone())]),
            Member { grounds: &grounds, ..member(new, true) },
            &options,
            &none(),
        )
    };
    let (same, unknown) = (cluster("https://new", Some("u1"), &[1]), cluster("https://new", None, &[1]));
    let moved = tried(&way("api"), &same, &way("api")).err();
    says(
        moved,
        "context \"c\" is cluster \"prod\", which is enrolled with issuer \"https://old\", and its issuer is now \
         \"https://new\"",
        "if its issuer was changed, move its keys: kubectl vaultjwt setup --context c --mount jwt --move-from https://old",
    );
    assert!(matches!(tried(&way("api"), &unknown, &way("api")), Err(EnrollmentError::Moved { .. })));
    assert!(matches!(tried(&url, &same, &url), Err(EnrollmentError::Moved { .. })));
    // Many clusters may answer at one URL.
    assert!(tried(&url, &cluster("https://new", Some("u2"), &[2]), &url).is_ok());
    // A copy of it that was given an issuer and a certificate authority of its own.
    assert!(tried(&way("api"), &cluster("https://new", Some("u1"), &[2]), &way("copy")).is_ok());
}

#[test]
fn what_cannot_be_moved() {
    let there = |owner: &str, uid: Option<&str>| Owner { issuer: owner.into(), cluster_uid: uid.map(str::to_owned) };
    says(
        Some(EnrollmentError::NotMoved { old: "https://old".into(), owners: vec![there("https://old", Some("u2"))] }),
        "it has no keys of issuer \"https://old\" that this cluster could have moved from; it has keys of https://old \
         (cluster u2)",
        "list the issuers on the mount: kubectl vaultjwt status --mount jwt",
    );
    says(
        Some(EnrollmentError::NotMoved { old: "https://old".into(), owners: vec![] }),
        "it has no keys of issuer \"https://old\" that this cluster could have moved from",
        "list the issuers on the mount: kubectl vaultjwt status --mount jwt",
    );
    says(
        Some(EnrollmentError::MovedAlready {
            old: there("https://old", Some("u1")),
            owner: there("https://new", None),
        }),
        "it has keys of https://new already, so that those of https://old (cluster u1) cannot become its keys",
        "compare the two clusters and their recorded ways: kubectl vaultjwt status --mount jwt -o wide",
    );
}

/// Clearing a bound issuer admits clusters that it shut out, also when a cluster moves.
#[test]
fn a_bound_issuer_that_is_cleared_by_a_move() {
    let (old, new) = (cluster("https://old", Some("u1"), &[1]), cluster("https://new", Some("u1"), &[1]));
    let mut there = enrolled(&[(&old, way("api")), (&cluster("https://other", Some("u2"), &[2]), way("other"))]);
    there["bound_issuer"] = json!("https://old");
    let member = || moving(&new, &old.owner, Reached::Direct, true);
    let any = roles(json!({"role_type": "jwt", "bound_claims": {"sub": "s"}}));
    let clear = MountOptions { clear_bound_issuer: true, ..MountOptions::default() };
    let error = done(&there, member(), &MountOptions::default(), &any).unwrap_err();
    assert!(matches!(error, EnrollmentError::BoundIssuer { .. }), "{error}");
    let error = done(&there, member(), &clear, &any).unwrap_err();
    assert!(matches!(error, EnrollmentError::TrustDomain { .. }), "{error}");
    let trusted = MountOptions { clear_bound_issuer: true, ..allowing(|allow| allow.same_trust_domain = true) };
    let error = done(&there, member(), &trusted, &any).unwrap_err();
    assert!(matches!(error, EnrollmentError::UnboundRoles { .. }), "{error}");
    assert!(done(&there, member(), &trusted, &none()).is_ok());
}
