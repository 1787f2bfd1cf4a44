//! Attacks during enrollment: a malicious context that claims to be the cluster that is being
//! enrolled, and a confirmation that must not count for another way.

use super::clusters::{NAME, tenant, victim};
use super::entries::Entry;
use super::scene::{Attack, Refusal, Scene};
use super::{forged, relay};
use harness::certificates::Authority;
use harness::each_product;
use harness::server::{Honest, Presented, Relay, RelayOptions, Tokens};
use serde_json::json;

each_product!(two_that_claim_to_be_one_newcomer, |product| {
    let scene = Scene::empty(product);
    scene.fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let relay = relay(RelayOptions::default());
    let entries = vec![Entry::prod(), Entry::revil(&relay)];
    for words in [
        &["sync", "--all-contexts", "--enroll"][..],
        &["sync", "--contexts", "prod,revil", "--enroll"],
        &["sync", "--contexts", "revil,prod", "--enroll"],
    ] {
        let (entries, token) = (entries.clone(), forged(&relay));
        scene.attack(&Attack { name: "both claim it", words, entries, token, refusal: Refusal::Contested });
    }
    // Either of them by itself, and then it is the other that comes by another way.
    scene.run(&["sync", "--context", "prod", "--enroll"], &entries).ok();
    let (token, words) = (forged(&relay), &["sync", "--all-contexts", "--enroll"][..]);
    scene.attack(&Attack { name: "one after the other", words, entries, token, refusal: Refusal::AnotherWay });
    scene.end_without_victim();
});

// The key that stands there by hand is the victim's: a relayed token signed by it is no
// reason to enroll whoever relays it, and does not make the victim's keys its own.
each_product!(a_relayed_token_adopts_nothing, |product| {
    let scene = Scene::empty(product);
    scene.fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let by_hand: Vec<String> = victim().signing_keys().iter().map(|key| key.public_pem().trim().to_owned()).collect();
    scene.put(&by_hand);
    let relay =
        relay(RelayOptions { uid: Some("5f0c4c44-1111-4222-8333-444455556666".to_owned()), ..RelayOptions::default() });
    for words in [
        &["sync", "--context", "revil", "--adopt"][..],
        &["sync", "--context", "revil", "--adopt", "--enroll"],
        &["sync", "--context", "revil", "--enroll"],
        &["setup", "--context", "revil"],
        &["setup", "--context", "revil", "--adopt"],
    ] {
        scene.attack(&Attack {
            name: "by hand",
            words,
            entries: vec![Entry::prod(), Entry::revil(&relay)],
            token: forged(&relay),
            refusal: Refusal::Other,
        });
    }
    // Its owner may.
    scene.run(&["setup", "--context", "prod", "--adopt"], &[Entry::prod()]).ok();
    scene.end_without_victim();
});

// Two servers behind one authority that is not the cluster's own: a person knows one.
each_product!(a_persons_word_is_for_one_way, |product| {
    let scene = Scene::new(product);
    let provider = Authority::new("provider").expect("an authority");
    let certificate = provider.serving(&["127.0.0.1"]).expect("a certificate");
    let start = |options| {
        let presented = Presented::These(vec![certificate.clone()]);
        Relay::start(victim(), &presented, options).expect("a server starts")
    };
    let front = start(RelayOptions { honest: Honest::Below(String::new()), ..RelayOptions::default() });
    let relay = start(RelayOptions { tokens: Tokens::Relayed(tenant()), ..RelayOptions::default() });
    let near = Entry { server: front.url(), ..Entry::prod().unnamed().trusting(provider.pem()) };
    let evil = Entry::revil(&relay).unnamed().trusting(provider.pem());
    let refused = scene.run(&["setup", "--context", "prod"], std::slice::from_ref(&near));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let (_, typed) = refused.stderr.split_once(" --authority ").expect("the hint names the way");
    let typed = typed.trim().trim_matches('\'').to_owned();
    assert!(typed.ends_with(&format!(" {}", front.url())), "{typed}");
    let (root, _) = typed.split_once(' ').expect("a root and an address");
    for (name, authority) in [("the way to another", typed.as_str()), ("a name", &format!("{root} {NAME}"))] {
        scene.attack(&Attack {
            name,
            words: &["setup", "--context", "revil", "--authority", authority],
            entries: vec![evil.clone()],
            token: forged(&relay),
            refusal: Refusal::AnotherWay,
        });
    }
    let alone = scene.run(&["setup", "--context", "revil", "--authority", root], std::slice::from_ref(&evil));
    scene.expect("the authority alone", alone.code == 2, &alone.stderr);
    scene.run(&["setup", "--context", "prod", "--authority", &typed], std::slice::from_ref(&near)).ok();
    scene.run(&["sync", "--context", "prod"], &[near]).ok();
    scene.end();
});
