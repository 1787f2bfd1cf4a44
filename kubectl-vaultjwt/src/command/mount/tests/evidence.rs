//! What an enrolled cluster's keys change by, and the text of each refusal.

use super::*;
use crate::keychain::authority::{Authority, AuthorityId};

fn way(name: &str) -> Authority {
    Authority::Direct { id: AuthorityId::of_spki(b"ca"), name: format!("{name}.example.com") }
}

const ID: &str = "sha256:aVkJcAHRBQGsfVTAvbjbYUIPZY8pIswm5G1TYRmjESY";

/// A context that reaches `cluster` with this evidence.
fn by(cluster: &Resolved, evidence: Evidence) -> Member<'_> {
    let seen = if evidence.recorded { vec![way("api")] } else { vec![] };
    let grounds = Grounds { no_possession: Some("forbidden".into()), ..Grounds::new(cluster, evidence, seen, None) };
    Member { grounds: Box::leak(Box::new(grounds)), ..member(cluster, true) }
}

/// A mount where `cluster` is enrolled over `ways`.
fn enrolled(cluster: &Resolved, ways: &[Authority]) -> Document {
    let mut grounds = Grounds::new(cluster, Evidence::NONE, vec![], None);
    grounds.signer = Some(cluster.keys.keys[0].key.id());
    grounds.enroll(cluster, ways.to_vec());
    let member = Member { grounds: &grounds, name: "prod", ..member(cluster, true) };
    plan(None, &[member], &MountOptions::default(), &none()).document
}

fn evidence(reached: Reached) -> Evidence {
    Evidence { reached, recorded: true, ..Evidence::NONE }
}

fn why(document: &Document, member: Member<'_>) -> Option<EnrollmentError> {
    let plan = plan(Some(document), &[member], &MountOptions::default(), &none());
    let why = plan.members.into_iter().next().unwrap().err();
    if why.is_some() {
        assert!(!plan.write);
        assert_eq!(&plan.document, document);
    }
    why
}

#[test]
fn another_way_is_refused_whether_anything_would_change_or_not() {
    let prod = cluster("https://k", Some("u1"), &[1]);
    let there = enrolled(&prod, &[way("api")]);
    for published in [&[1][..], &[1, 2], &[1, 9]] {
        let stranger = cluster("https://k", Some("u1"), published);
        // A relayed token changes nothing about it.
        for possession in [false, true] {
            let shown = Evidence { possession, ..evidence(Reached::Unrecorded) };
            says(
                why(&there, by(&stranger, shown)),
                "context \"c\" claims to be cluster \"prod\" (UID u1) but is reached by another way",
                &format!(
                    "it may be another cluster; recorded: {ID} api.example.com; if it is the same cluster, record the way: \
                     kubectl vaultjwt setup --context c --mount jwt"
                ),
            );
        }
    }
    assert_eq!(why(&there, by(&cluster("https://k", Some("u1"), &[1, 2]), evidence(Reached::Direct))), None);
}

#[test]
fn an_indirect_way_needs_a_token_where_something_changes() {
    let prod = cluster("https://k", Some("u1"), &[1]);
    let there = enrolled(&prod, &[way("api")]);
    let rotated = cluster("https://k", Some("u1"), &[1, 2]);
    assert_eq!(why(&there, by(&prod, evidence(Reached::Indirect))), None);
    says(
        why(&there, by(&rotated, evidence(Reached::Indirect))),
        "context \"c\" reaches cluster \"prod\" (UID u1) by an indirect way, and no token verified that it is that cluster: \
         forbidden",
        "if the cluster signs with a new key, or if you have no right to create tokens in kube-system, confirm it with: \
         kubectl vaultjwt setup --context c --mount jwt",
    );
    let shown = Evidence { possession: true, ..evidence(Reached::Indirect) };
    assert_eq!(why(&there, by(&rotated, shown)), None);
}

#[test]
fn what_an_earlier_version_enrolled_stays_and_does_not_change() {
    let prod = cluster("https://k", Some("u1"), &[1]);
    let there = enrolled(&prod, &[]);
    let shown = Evidence { possession: true, ..Evidence::NONE };
    let calm = plan(Some(&there), &[by(&prod, shown)], &MountOptions::default(), &none());
    assert!(calm.members[0].is_ok() && !calm.write);
    assert_eq!(
        calm.warnings,
        [
            "no way to https://k (cluster u1) is recorded on the mount: its keys stay and are not changed before you run: \
          kubectl vaultjwt setup --context c"
        ]
    );
    says(
        why(&there, by(&cluster("https://k", Some("u1"), &[1, 2]), shown)),
        "context \"c\" claims to be cluster \"prod\" (UID u1), and no way to that cluster is recorded, because an earlier \
         version enrolled it",
        "check that the context is that cluster, then record the way: kubectl vaultjwt setup --context c --mount jwt",
    );
}

/// The provider alone signs for its issuers: their keys follow their site, whichever
/// way the API server is reached.
#[test]
fn a_managed_issuers_keys_follow_its_site() {
    let prod = cluster(EKS[0], None, &[1]);
    let there = enrolled(&prod, &[way("api")]);
    let rotated = cluster(EKS[0], None, &[1, 2]);
    let site = Evidence { site: true, ..evidence(Reached::Unrecorded) };
    assert_eq!(why(&there, by(&rotated, site)), None);
    says(
        why(&there, by(&rotated, evidence(Reached::Direct))),
        &format!("the keys of {} are read at its issuer URL only, which could not be read: ", EKS[0]),
        "run this where the issuer URL can be read (--issuer-ca-cert, HTTPS_PROXY)",
    );
    // Anyone can put a site up; a self-hosted issuer's API server counts too.
    let own = cluster("https://issuer.example.com", None, &[1]);
    let there = enrolled(&own, &[way("api")]);
    let rotated = cluster("https://issuer.example.com", None, &[1, 2]);
    assert!(matches!(why(&there, by(&rotated, site)), Some(EnrollmentError::AnotherWay { .. })));
    assert_eq!(why(&there, by(&rotated, Evidence { site: true, ..evidence(Reached::Direct) })), None);
}

#[test]
fn ways_that_cannot_be_recorded() {
    let (prod, other) = (cluster("https://k", Some("u1"), &[1]), cluster("https://m", Some("u2"), &[2]));
    let mut there = enrolled(&prod, &[way("api")]);
    let mut grounds = Grounds::new(&other, Evidence::NONE, vec![], None);
    grounds.enroll(&other, vec![way("api")]);
    let mut options = allowing(|allow| (allow.same_trust_domain, allow.unbound_roles) = (true, true));
    options.allow.existing_roles = true;
    let squatter = Member { grounds: &grounds, ..member(&other, true) };
    let refused = plan(Some(&there), &[squatter], &options, &none()).members.remove(0).err();
    says(
        refused,
        &format!("\"{ID} api.example.com\" is recorded as the way to https://k (cluster u1) already"),
        "one API server is one cluster; if that one is gone, remove it: kubectl vaultjwt remove --mount jwt \
         --issuer https://k --cluster-uid u1",
    );
    let eight: Vec<Authority> = (1..8).map(|number| way(&number.to_string())).collect();
    let mut grounds = Grounds::new(&prod, evidence(Reached::Direct), vec![way("api")], None);
    grounds.record(eight.clone());
    let more = Member { grounds: &grounds, ..member(&prod, true) };
    there = plan(Some(&there), &[more], &options, &none()).document;
    grounds.record(vec![way("ninth")]);
    let ninth = Member { grounds: &grounds, ..member(&prod, true) };
    says(
        plan(Some(&there), &[ninth], &options, &none()).members.remove(0).err(),
        "it has 8 recorded ways to https://k (cluster u1) already",
        "list the recorded ways, and remove one that is not used (kubectl vaultjwt remove --authority): kubectl vaultjwt \
         status --mount jwt -o json",
    );
    says(
        Some(Grounds::new(&prod, Evidence::NONE, vec![], None).recordable("c").unwrap_err()),
        "context \"c\" reached servers whose certificates do not lead to the same authority, or its URL is longer than 512 \
         bytes",
        "use a kubeconfig that leads straight to one API server",
    );
}

#[test]
fn a_way_that_is_not_the_one_a_person_named() {
    says(
        Some(EnrollmentError::NotThisWay { context: "c".into(), way: way("evil") }),
        &format!(
            "context \"c\" is reached by the way \"{ID} evil.example.com\", and not by the one that --authority names"
        ),
        "compare it with the one that the cluster's administrator sees ('kubectl vaultjwt issuer' prints it)",
    );
}

#[test]
fn a_key_that_two_clusters_publish_is_told() {
    let victim = cluster("https://k", Some("u1"), &[1]);
    let there = enrolled(&victim, &[way("api")]);
    let copy = cluster("https://m", Some("u2"), &[2, 1]);
    let options =
        allowing(|allow| (allow.same_trust_domain, allow.unbound_roles, allow.existing_roles) = (true, true, true));
    let plan = plan(Some(&there), &[by(&copy, Evidence::NONE)], &options, &none());
    assert_eq!(plan.members[0].as_ref().unwrap().count(KeyAction::Withhold), 1);
    assert_eq!(
        plan.warnings,
        [
            "key \"kid-1\" of https://m (cluster u2) is not added: it belongs to https://k (cluster u1), and nothing verifies \
          that https://m (cluster u2) has its private key"
        ]
    );
    let mut grounds = Grounds::new(&copy, Evidence::NONE, vec![], None);
    grounds.signer = Some(key(1).key.id());
    let member = Member { grounds: &grounds, ..member(&copy, true) };
    let both = super::plan(Some(&there), &[member], &options, &none());
    assert_eq!(
        both.warnings,
        [
            "key \"kid-1\" belongs to both https://m (cluster u2) and https://k (cluster u1): one cluster is a copy of the \
          other, and each can act as the other"
        ]
    );
}

/// Another run enrolled the cluster after this one saw that it was not enrolled: one more
/// that claims to be it brings neither keys nor a way.
#[test]
fn whom_another_run_enrolled_meanwhile_is_not_enrolled_once_more() {
    let ca = AuthorityId::of_spki(b"other");
    let evil = Authority::Direct { id: ca, name: "evil.example.com".into() };
    let pod = Authority::Pod { id: AuthorityId::of_spki(b"ca") };
    let (prod, copy) = (cluster("https://k", Some("u1"), &[1]), cluster("https://k", Some("u1"), &[1, 9]));
    // Any cluster can publish what pods trust.
    let there = enrolled(&prod, &[way("api"), pod.clone()]);
    let joining = |way: Option<Authority>| {
        let mut grounds = Grounds::new(&copy, Evidence::NONE, vec![], way.clone());
        grounds.enroll(&copy, [way, Some(pod.clone())].into_iter().flatten().collect());
        grounds
    };
    let tried = |there: &Document, grounds: &Grounds| why(there, Member { grounds, ..member(&copy, true) });
    says(
        tried(&there, &joining(Some(evil.clone()))),
        "context \"c\" claims to be cluster \"prod\" (UID u1) but is reached by another way",
        &format!(
            "it may be another cluster; recorded: {ID} api.example.com, pod {ID}; if it is the same cluster, record the \
             way: kubectl vaultjwt setup --context c --mount jwt"
        ),
    );
    // Without a recorded way, nothing shows which program wrote it.
    assert_eq!(tried(&enrolled(&prod, &[]), &joining(Some(evil))), Some(EnrollmentError::Meanwhile));
    // By this run's own write, or over the same way, it is the same cluster.
    assert_eq!(tried(&there, &joining(Some(way("api")))), None);
    // Many clusters may answer at one URL.
    let url =
        Authority::Indirect { root: crate::keychain::authority::Root::System, url: "https://t".into(), name: None };
    let shared = enrolled(&prod, std::slice::from_ref(&url));
    assert_eq!(tried(&shared, &joining(Some(url))), Some(EnrollmentError::Meanwhile));
}

#[test]
fn a_managed_issuers_way_is_not_added_by_one_who_came_too_late() {
    let prod = cluster(EKS[0], None, &[1]);
    let there = enrolled(&prod, &[way("api")]);
    let mut grounds = Grounds::new(&prod, Evidence { site: true, ..Evidence::NONE }, vec![], Some(way("evil")));
    grounds.enroll(&prod, vec![way("evil")]);
    let late = Member { grounds: &grounds, ..member(&prod, true) };
    assert!(matches!(why(&there, late), Some(EnrollmentError::AnotherWay { .. })));
}

/// What the connection was compared with is no longer what is recorded.
#[test]
fn ways_that_another_run_changed_meanwhile() {
    let prod = cluster("https://k", Some("u1"), &[1]);
    let rotated = cluster("https://k", Some("u1"), &[1, 2]);
    let there = enrolled(&prod, &[way("new")]);
    let changed = |evidence: Evidence, seen: &[Authority]| {
        let grounds = Grounds::new(&rotated, evidence, seen.to_vec(), None);
        why(&there, Member { grounds: &grounds, ..member(&rotated, true) })
    };
    assert_eq!(changed(evidence(Reached::Direct), &[way("old")]), Some(EnrollmentError::Meanwhile));
    assert_eq!(changed(Evidence::NONE, &[]), Some(EnrollmentError::Meanwhile));
    let url =
        Authority::Indirect { root: crate::keychain::authority::Root::System, url: "https://t".into(), name: None };
    let there = enrolled(&prod, std::slice::from_ref(&url));
    let grounds = Grounds::new(&rotated, evidence(Reached::Indirect), vec![url], None);
    // Nothing was to change when it was looked at, so that no token was requested.
    let error = why(&there, Member { grounds: &grounds, ..member(&rotated, true) });
    says(error, "it was changed by another writer while this command ran", "run the command again");
}

/// A server that answers one connection itself can pass the next one on.
#[test]
fn connections_that_were_made_later_count() {
    let prod = cluster("https://k", Some("u1"), &[1]);
    let (api, evil) = (way("api"), way("evil"));
    let judged = |evidence: Evidence| Grounds::new(&prod, evidence, vec![api.clone()], Some(api.clone()));
    let direct = judged(evidence(Reached::Direct));
    // Several servers of one cluster may have certificates of their own.
    for way in [Some(&api), None] {
        assert_eq!(direct.ensure_unchanged("c", Reached::Direct, way, false), Ok(()));
    }
    for less in [Reached::Indirect, Reached::Unrecorded] {
        assert_eq!(
            direct.ensure_unchanged("c", less, Some(&api), false),
            Err(EnrollmentError::Unsteady { context: "c".into() })
        );
    }
    let unknown = judged(Evidence::NONE);
    assert_eq!(unknown.ensure_unchanged("c", Reached::Unrecorded, Some(&api), true), Ok(()));
    for other in [None, Some(&evil)] {
        assert!(unknown.ensure_unchanged("c", Reached::Unrecorded, other, true).is_err());
    }
}

/// An earlier version's key that is retired is kept for its grace: nothing changes.
#[test]
fn what_stays_as_it_is_needs_no_evidence() {
    let prod = cluster("https://k", Some("u1"), &[1, 2]);
    let rotated = cluster("https://k", Some("u1"), &[2]);
    let there = enrolled(&prod, &[way("api")]);
    let retiring = plan(Some(&there), &[by(&rotated, evidence(Reached::Direct))], &MountOptions::default(), &none());
    assert!(retiring.write);
    let there = retiring.document;
    let later = by(&rotated, evidence(Reached::Indirect));
    let outlook = later.outlook(&elements(Some(&there)), now(), Policy::default()).unwrap();
    assert!(!outlook.changes() && outlook.count(KeyAction::KeepRetired) == 1);
    assert_eq!(why(&there, later), None);
}

/// How a cluster is reached, and where its keys are read, are two things.
#[test]
fn a_way_is_recorded_while_the_issuers_url_cannot_be_read() {
    let prod = cluster("https://i", None, &[1]);
    let there = enrolled(&prod, &[way("api")]);
    let mut down = prod.clone();
    down.source = KeySource::ApiServer;
    let member = |published: &[u16], reached: Reached, record: Option<Authority>| {
        let mut cluster = down.clone();
        cluster.keys = self::cluster("https://i", None, published).keys;
        let cluster: &'static Resolved = Box::leak(Box::new(cluster));
        let mut grounds = Grounds::new(cluster, evidence(reached), vec![way("api")], Some(way("new")));
        if let Some(way) = record {
            grounds.record(vec![way]);
        }
        Member { grounds: Box::leak(Box::new(grounds)), ..self::member(cluster, true) }
    };
    // By another writer's change, the judgment may be of ways that are no longer there.
    let gone = enrolled(&prod, &[way("other")]);
    let recorded = || member(&[1], Reached::Direct, Some(way("new")));
    assert_eq!(why(&there, recorded()), None);
    assert_eq!(why(&gone, recorded()), Some(EnrollmentError::Meanwhile));
    // A key does not come by it.
    let error = why(&there, member(&[1, 2], Reached::Direct, Some(way("new"))));
    assert!(matches!(error, Some(EnrollmentError::NoSite { .. })), "{error:?}");
    for published in [&[1][..], &[1, 2]] {
        let error = why(&there, member(published, Reached::Unrecorded, None));
        assert!(matches!(error, Some(EnrollmentError::AnotherWay { .. })), "{error:?}");
    }
}
