//! An issuer URL that starts or stops to respond changes nothing on the mount.

use super::scene::{ISSUER, KEYS, SharedMount, Web, cluster, entry, owners};
use harness::each_product;
use harness::keys::Alg;
use serde_json::json;

each_product!(a_url_that_comes_up, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    web.site.add(ISSUER, &a);
    web.break_keys();
    place.enroll("a", &[], &entries);
    let uid = a.uid().expect("a UID");
    let by_uid = json!({"issuer": ISSUER, "uid": uid});
    assert!(owners(&place.scene.elements()).contains(&by_uid));
    // Somebody repairs the URL.
    web.site.recover();
    for words in [&["sync", "--context", "a"][..], &["diff", "--context", "a"], &["setup", "--context", "a"]] {
        place.unchanged(words, &entries);
    }
    a.rotate(Alg::Rs256).expect("it rotates");
    place.types(&["sync", "--context", "a"], &entries).ok();
    place.lets_in(&a);
    // The keys come from there when somebody says so.
    place.begins();
    let ran = place.types(&["setup", "--context", "a", "--keys-from=issuer"], &entries).ok();
    let said = format!("✓ the keys of {ISSUER} (cluster {uid}) are now keys of {ISSUER}\n");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    let by_issuer = json!({"issuer": ISSUER, "uid": null});
    let after = owners(&place.scene.elements());
    assert!(after.contains(&by_issuer) && !after.contains(&by_uid), "{after:?}");
    place.lets_in(&a);
    place.unchanged(&["sync", "--context", "a"], &entries);
    a.rotate(Alg::Rs256).expect("it rotates");
    place.types(&["sync", "--context", "a"], &entries).ok();
    place.lets_in(&a);
    place.end(3);
});

each_product!(a_url_that_goes_down, |product| {
    let (web, a) = (Web::start(), cluster(ISSUER));
    let (place, entries) = (SharedMount::new(product, Some(&web)), [entry("a", &a)]);
    web.site.add(ISSUER, &a);
    place.enroll("a", &[], &entries);
    web.break_keys();
    for words in [&["sync", "--context", "a"][..], &["diff", "--context", "a"], &["setup", "--context", "a"]] {
        let ran = place.unchanged(words, &entries);
        let said = match words[0] {
            "sync" => {
                "warning: context \"a\": the keys are not changed, because the URL of issuer \"https://oidc.place.example/id/a\" could not be read: its key set: "
            }
            _ => "- the issuer's own site was not used: its key set: ",
        };
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    // A key that only the API server has is not added: the keys come from the URL.
    a.rotate(Alg::Rs256).expect("it rotates");
    let why = format!("the keys of {ISSUER} are read at its issuer URL only, which could not be read: its key set: ");
    let hint = "setup --context a --mount jwt --keys-from=api-server\n";
    place.begins();
    let ran = place.refused(1, &["sync", "--context", "a"], &entries, &[&why, hint]);
    place.follows(&ran, &[], &entries).ok();
    place.lets_in(&a);
    let by_uid = json!({"issuer": ISSUER, "uid": a.uid().expect("a UID")});
    assert!(owners(&place.scene.elements()).contains(&by_uid));
    place.end(2);
    assert!(web.site.requests().contains(&format!("GET {}", KEYS.split_once(".example").expect("a path").1)));
});
