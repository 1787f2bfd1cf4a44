//! An issuer URL that several clusters share: the holder of any key there can log in as any of them.

use super::scene::{ISSUER, KEYS, SharedMount, Web, cluster, entry};
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::Cluster;
use serde_json::{Value, json};
use shared::Secret;

/// A token of shop:app, as the API server issues them, signed by somebody else.
fn forged(cluster: &Cluster, key: &SigningKey) -> Secret {
    let token = cluster.token("shop", "app", &["vault"]).expect("a token");
    let parts = shared::jwt::segments(token.expose()).expect("a JWT");
    let claims: Value = serde_json::from_slice(&parts.claims).expect("claims");
    Secret::new(key.sign(&claims).expect("it signs"))
}

each_product!(a_key_that_only_the_url_has_waits, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    let stranger = SigningKey::generate(Alg::Rs256).expect("a key");
    let with_stranger = |a: &Cluster| [a.signing_keys(), vec![stranger.clone()]].concat();
    web.site.add_keys(ISSUER, &with_stranger(&a));
    place.begins();
    let waits = format!(
        "warning: key \"{}\" at \"{KEYS}\" is not added: this API server does not publish it, and another cluster that uses the same issuer could log in with this cluster's roles",
        stranger.kid()
    );
    let ran = place.enroll("a", &[], &entries);
    assert!(ran.stderr.contains(&waits), "{}", ran.stderr);
    place.keeps_out(&forged(&a, &stranger));
    place.lets_in(&a);
    // The next key of this cluster comes, the other one still waits.
    a.rotate(Alg::Rs256).expect("it rotates");
    web.site.add_keys(ISSUER, &with_stranger(&a));
    for words in [&["sync", "--context", "a"][..], &["sync", "--all-contexts", "--prune"], &["setup", "--context", "a"]]
    {
        let ran = place.types(words, &entries).ok();
        assert!(ran.stderr.contains(&waits), "{}", ran.stderr);
        place.keeps_out(&forged(&a, &stranger));
        place.lets_in(&a);
    }
    // A ticket is not done by a key that waits.
    let expected = ["setup", "--context", "a", "--expect-key", &stranger.kid()];
    place.refused(1, &expected, &entries, &["would not be on auth mount \"jwt/\"", "nothing was changed"]);
    // Vault would fetch all of them.
    let fetching = ["setup", "--context", "a", "--mount", "fetched", "--keys=jwks-url"];
    place.refused(
        1,
        &fetching,
        &entries,
        &["publishes 1 key that this API server does not, and Vault would accept tokens"],
    );
    // A person who runs both clusters says so.
    place.types(&["sync", "--context", "a", "--allow-same-issuer"], &entries).ok();
    assert!(place.scene.logs_in("app", &forged(&a, &stranger)), "{}", place.name);
    place.end(7);
});

// Nobody but service accounts may read the API server's key set.
each_product!(a_key_set_that_cannot_be_compared, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    a.kubectl_ok(&["create", "clusterrole", "tokens", "--verb=create", "--resource=serviceaccounts/token"]).ok();
    a.kubectl_ok(&["create", "clusterrolebinding", "tokens", "--clusterrole=tokens", "--user=deployer"]).ok();
    let place = SharedMount::new(product, Some(&web));
    let deployer = a.authority().client("deployer", None).expect("a certificate");
    let mut near = entry("a", &a);
    near.credentials = harness::server::Credentials::Certificate(deployer);
    let entries = [near];
    let stranger = SigningKey::generate(Alg::Rs256).expect("a key");
    web.site.add_keys(ISSUER, &[a.signing_keys(), vec![stranger.clone()]].concat());
    let ran = place.enroll("a", &["--issuer", ISSUER], &entries);
    let said = "is not added: the API server's key set could not be read, which the ClusterRole system:service-account-issuer-discovery allows: ";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    // The key that signs is this cluster's.
    place.lets_in(&a);
    place.keeps_out(&forged(&a, &stranger));
    a.rotate(Alg::Rs256).expect("it rotates");
    web.site.add_keys(ISSUER, &[a.signing_keys(), vec![stranger.clone()]].concat());
    place.begins();
    place.types(&["sync", "--context", "a", "--issuer", ISSUER], &entries).ok();
    place.lets_in(&a);
    place.keeps_out(&forged(&a, &stranger));
    // Without a token either, the next key waits: that is no success, and the last one stays.
    a.rotate(Alg::Rs256).expect("it rotates");
    web.site.add_keys(ISSUER, &[vec![a.signing_key()], vec![stranger.clone()]].concat());
    let mut poor = entries.clone();
    let nobody = a.authority().client("nobody", None).expect("a certificate");
    poor[0].credentials = harness::server::Credentials::Certificate(nobody);
    let why = "are not added, because the API server's key set could not be read: ";
    place.refused(
        1,
        &["sync", "--context", "a", "--issuer", ISSUER],
        &poor,
        &[why, "bind the ClusterRole system:service"],
    );
    place.end(2);
});

// A copy of a key that somebody put there by hand, at a URL of one's own.
each_product!(a_copied_key_is_not_adopted, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    let by_hand = SigningKey::generate(Alg::Rs256).expect("a key");
    place.scene.put(&[place.scene.elements(), vec![by_hand.public_pem().trim().to_owned()]].concat());
    web.site.add_keys(ISSUER, &[a.signing_keys(), vec![by_hand.clone()]].concat());
    place.begins();
    place.enroll("a", &["--adopt"], &entries);
    place.types(&["sync", "--all-contexts", "--adopt"], &entries).ok();
    web.site.add_keys(ISSUER, &a.signing_keys());
    place.types(&["sync", "--context", "a", "--prune", "--adopt"], &entries).ok();
    let stays = place.scene.elements().iter().any(|text| text == by_hand.public_pem().trim());
    assert!(stays, "{}: {:?}", place.name, place.scene.elements());
    place.end(3);
});

/// What the two tests above rely on: a forged token has all that a real one has.
#[test]
fn a_forged_token_is_as_good_as_the_key() {
    let a = cluster(ISSUER);
    let token = forged(&a, &a.signing_key());
    let parts = shared::jwt::segments(token.expose()).expect("a JWT");
    let claims: Value = serde_json::from_slice(&parts.claims).expect("claims");
    assert_eq!(claims["iss"], json!(ISSUER));
}
