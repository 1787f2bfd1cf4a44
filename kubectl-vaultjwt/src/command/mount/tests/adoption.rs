//! Unmanaged keys on a mount: whose they are, and when they can be adopted.

use super::*;
use crate::keychain::authority::{Authority, AuthorityId};

/// A mount with key 1 by hand, and, where `enrolled`, the cluster with key 2.
fn there(enrolled: bool, way: &Authority) -> Document {
    let owned = cluster("https://k", Some("u1"), &[2]);
    let mut grounds = Grounds::new(&owned, Evidence::NONE, vec![], Some(way.clone()));
    grounds.signer = Some(key(2).key.id());
    grounds.enroll(&owned, vec![way.clone()]);
    let member = Member { grounds: &grounds, ..member(&owned, true) };
    let mut document = plan(None, &[member], &MountOptions::default(), &none()).document;
    let owned = document[crate::vault::mount::config::KEYS].as_array().unwrap().clone();
    let by_hand = json!(key(1).key.pem().trim());
    let keys = if enrolled { [owned, vec![by_hand]].concat() } else { vec![by_hand] };
    document.insert(crate::vault::mount::config::KEYS.into(), Value::Array(keys));
    document
}

/// What becomes of key 1: every case of who publishes it, what is known, what is asked
/// for, and how the cluster was reached.
#[test]
fn every_case_of_a_key_by_hand() {
    let way = Authority::Direct { id: AuthorityId::of_spki(b"ca"), name: "api.example.com".into() };
    let published = cluster("https://k", Some("u1"), &[1, 2]);
    let mut rows = 0;
    for enrolled in [false, true] {
        let document = there(enrolled, &way);
        for adopt in [false, true] {
            for known in [&[][..], &[1], &[2], &[1, 2]] {
                for reached in [Reached::Direct, Reached::Indirect, Reached::Unrecorded] {
                    let evidence = Evidence { reached, recorded: enrolled, ..Evidence::NONE };
                    let seen = if enrolled { vec![way.clone()] } else { vec![] };
                    let mut grounds = Grounds::new(&published, evidence, seen, Some(way.clone()));
                    grounds.no_possession = Some("forbidden".into());
                    grounds.adoptable = known.iter().map(|number| key(*number).key.id()).collect();
                    if !enrolled {
                        grounds.enroll(&published, vec![way.clone()]);
                    }
                    let policy = Policy { adopt, ..Policy::default() };
                    let member = Member { grounds: &grounds, ..member(&published, true) };
                    let made =
                        plan(Some(&document), &[member], &MountOptions { policy, ..MountOptions::default() }, &none());
                    let action = made
                        .members
                        .into_iter()
                        .next()
                        .unwrap()
                        .map(|chain| chain.steps.iter().find(|step| step.id == key(1).key.id()).unwrap().action);
                    let adopted = adopt && known.contains(&1);
                    let case = format!("enrolled {enrolled}, adopt {adopt}, known {known:?}, {reached:?}");
                    match (enrolled, reached) {
                        // Its own way is recorded with it.
                        (false, _) if known.contains(&1) && adopted => {
                            assert_eq!(action, Ok(KeyAction::Adopt), "{case}")
                        }
                        (false, _) if known.contains(&1) => assert_eq!(action, Ok(KeyAction::KeepUnmanaged), "{case}"),
                        // Whose key it is, is not known.
                        (false, _) => {
                            assert!(matches!(action, Err(EnrollmentError::TrustDomain { .. })), "{case}: {action:?}");
                        }
                        (true, Reached::Unrecorded) => {
                            assert!(matches!(action, Err(EnrollmentError::AnotherWay { .. })), "{case}: {action:?}");
                        }
                        (true, Reached::Indirect) if adopted => {
                            assert!(matches!(action, Err(EnrollmentError::NoPossession { .. })), "{case}: {action:?}");
                        }
                        (true, _) if adopted => assert_eq!(action, Ok(KeyAction::Adopt), "{case}"),
                        (true, _) => assert_eq!(action, Ok(KeyAction::KeepUnmanaged), "{case}"),
                    }
                    rows += 1;
                }
            }
        }
    }
    assert_eq!(rows, 48);
}
