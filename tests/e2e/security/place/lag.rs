//! A key set at an issuer URL that lacks a key of the API server.

use super::scene::{ISSUER, KEYS, SharedMount, Web, cluster, entry};
use crate::support::fixture::ROLE;
use crate::support::watching::Watching;
use harness::each_product;
use harness::keys::Alg;

each_product!(a_url_that_is_out_of_date, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    web.site.add(ISSUER, &a);
    place.enroll("a", &[], &entries);
    // The cluster gets a key, and signs with it; nobody uploads it.
    web.site.add_keys(ISSUER, &a.signing_keys());
    a.rotate(Alg::Rs256).expect("it rotates");
    place.keeps_out(&a.token("shop", "app", &["vault"]).expect("a token"));
    let key = a.signing_key().kid();
    let lacks = format!(
        "the key set at \"{KEYS}\" is out of date: it lacks key \"{key}\", which the API server publishes; Vault refuses tokens signed with it"
    );
    let update = format!("hint: add the key to the key set at \"{KEYS}\", then retry; ");
    place.begins();
    place.refused(1, &["sync", "--context", "a"], &entries, &[&format!("error: context \"a\": {lacks}"), &update]);
    place.refused(3, &["diff", "--context", "a"], &entries, &[&format!("error: {lacks}"), &update]);
    place.refused(1, &["status", "--check-clusters", "--context", "a"], &entries, &[&lacks, &update]);
    let setup = [&["setup", "--context", "a"], &ROLE[..]].concat();
    let unverified = format!("none of the 1 keys of issuer \"{ISSUER}\" verifies a token of this API server");
    let uploads =
        format!("hint: nothing was changed; if the cluster has a new key, add it to the key set at \"{KEYS}\" ");
    place.refused(1, &setup, &entries, &[&format!("warning: {lacks}"), &unverified, &uploads]);
    let watching = Watching::start(place.scene.command(&[], &entries), &["--contexts", "a", "--interval", "1s"]);
    watching.wait_for(&lacks);
    watching.stop();
    // Somebody uploads it.
    web.site.add(ISSUER, &a);
    place.types(&["sync", "--context", "a"], &entries).ok();
    place.lets_in(&a);
    place.end(5);
});

// All keys are replaced before anybody uploads one.
each_product!(a_url_without_any_key_of_now, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    web.site.add(ISSUER, &a);
    place.enroll("a", &[], &entries);
    web.site.add_keys(ISSUER, &a.signing_keys());
    a.rotate(Alg::Rs256).expect("it rotates");
    a.drop_old_keys().expect("it drops its first key");
    let words =
        format!("the key set at \"{KEYS}\" and this API server have no key in common: the key set is out of date");
    let update = format!("if the cluster replaced its keys, add the new ones to the key set at \"{KEYS}\"");
    place.begins();
    for (code, command) in [(1, "sync"), (3, "diff"), (1, "setup")] {
        place.refused(code, &[command, "--context", "a"], &entries, &[&words, &update]);
    }
    web.site.add(ISSUER, &a);
    place.types(&["sync", "--context", "a"], &entries).ok();
    place.lets_in(&a);
    place.end(4);
});
