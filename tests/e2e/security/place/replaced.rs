//! All keys of a cluster are replaced at once, and a cluster that no longer exists.

use super::scene::{SharedMount, cluster, entry, hinted};
use crate::support::watching::Watching;
use harness::each_product;
use harness::keys::Alg;
use serde_json::Value;

each_product!(all_keys_at_once, |product| {
    let a = cluster("https://place.svc");
    let (place, entries) = (SharedMount::new(product, None), [entry("a", &a)]);
    place.enroll("a", &[], &entries);
    let old = a.signing_key().kid();
    a.rotate(Alg::Rs256).expect("it rotates");
    a.drop_old_keys().expect("it drops its first key");
    let new = a.signing_key().kid();
    let none = "is published any more: all keys of the cluster were replaced at once, or this is another cluster with the same UID";
    let hint = "setup --context a --mount jwt --replace-keys;";
    place.begins();
    let watching = Watching::start(place.scene.command(&[], &entries), &["--contexts", "a", "--interval", "1s"]);
    watching.wait_for(hint);
    watching.stop();
    let ran = place.refused(1, &["sync", "--context", "a"], &entries, &[none, hint]);
    // Both lists, when, and how it is reached, before anybody decides.
    let shown =
        [format!("warning: on the mount: key \"{old}\", added 20"), format!("warning: published now: key \"{new}\"\n")];
    let way = format!("{}\n", a.server_name());
    let shown = [&shown[0], &shown[1], "warning: recorded: sha256:", "warning: this run: sha256:", &way];
    place.refused(1, &["setup", "--context", "a"], &entries, &[&shown[..], &[none, hint]].concat());
    let done = place.follows(&ran, &[], &entries).ok();
    for shown in shown {
        assert!(done.stderr.contains(shown), "no \"{shown}\"\n{}", done.stderr);
    }
    place.lets_in(&a);
    // The old key retires, and does not vanish.
    let status: Value = serde_json::from_str(&place.types(&["status", "-o", "json"], &[]).ok().stdout).expect("JSON");
    let keys = status["keys"].as_array().expect("keys");
    let states: Vec<_> = keys.iter().filter(|key| key["kid"] == old.as_str()).map(|key| &key["state"]).collect();
    assert_eq!(states, ["retired"]);
    place.unchanged(&["sync", "--context", "a"], &entries);
    place.end(5);
});

// Something between could answer too, and no key of before signs: it may be another cluster.
each_product!(all_keys_at_once_behind_a_proxy, |product| {
    let a = cluster("https://place.svc");
    let (place, entries) = (SharedMount::new(product, None), [entry("a", &a).unnamed()]);
    place.enroll("a", &[], &entries);
    a.rotate(Alg::Rs256).expect("it rotates");
    a.drop_old_keys().expect("it drops its first key");
    place.begins();
    let ran =
        place.refused(1, &["sync", "--context", "a"], &entries, &["setup --context a --mount jwt --replace-keys;"]);
    let no_token = "context \"a\" reaches cluster \"a\" (UID ";
    let replace = hinted(&ran.stderr);
    let words: Vec<&str> = replace.iter().map(String::as_str).collect();
    let ran = place.refused(1, &words, &entries, &[no_token, " --mount jwt --replace-keys --authority '"]);
    let confirmed = hinted(&ran.stderr);
    let words: Vec<&str> = confirmed.iter().map(String::as_str).collect();
    place.refused(1, &words, &entries, &["it serves others already", "add --same-trust-domain"]);
    let words = [&words[..], &["--same-trust-domain"]].concat();
    place.refused(1, &words, &entries, &["role \"app\" already accepts tokens", "add --allow-existing-roles"]);
    place.types(&[&words[..], &["--allow-existing-roles"]].concat(), &entries).ok();
    place.lets_in(&a);
    place.unchanged(&["sync", "--context", "a"], &entries);
    place.end(6);
});

// Nothing is left of it but its keys and roles on the mount.
each_product!(a_cluster_that_is_gone, |product| {
    let a = cluster("https://place.svc");
    let (place, entries) = (SharedMount::new(product, None), [entry("a", &a)]);
    place.enroll("a", &[], &entries);
    let uid = a.uid().expect("a UID");
    let jwt = a.token("shop", "app", &["vault"]).expect("a token");
    for flags in [&[][..], &["--cluster-uid", &uid]] {
        place.begins();
        let words = [&["remove", "--issuer", "https://place.svc", "--roles", "--yes"], flags].concat();
        let mut command = place.scene.command(&words, &[]);
        command.env("KUBECONFIG", "/nonexistent/config").env_remove("HOME");
        crate::support::fixture::run(&mut command).ok();
        place.keeps_out(&jwt);
        assert!(place.scene.fixture.data("auth/jwt/role/app").is_null());
        assert!(!place.scene.elements().iter().any(|text| text.contains(&uid)));
        place.enroll("a", &[], &entries);
    }
    place.end(1);
});
