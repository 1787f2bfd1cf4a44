//! A cluster that gets a new issuer: a `--service-account-issuer` in front of the old one.

use super::scene::{ISSUER, SharedMount, Web, entry, inhabit, owners};
use crate::support::fixture::{ROLE, run};
use harness::NEVER_FLAKY;
use harness::server::{Cluster, ClusterOptions, Issuer, Product};
use serde_json::{Value, json};

const OLD: &str = "https://old.place.svc";
const NEW: &str = "https://new.place.svc";

fn old_cluster() -> Cluster {
    let options = ClusterOptions { issuer: Issuer::Url(OLD.to_owned()), ..ClusterOptions::default() };
    let cluster = Cluster::start(options).expect("a cluster starts");
    inhabit(&cluster);
    cluster
}

/// The issuers that a role is bound to.
fn issuers(place: &SharedMount, role: &str) -> Value {
    place.scene.fixture.data(&format!("auth/jwt/role/{role}"))["bound_claims"]["iss"].clone()
}

#[test]
fn a_new_issuer() {
    let mut a = old_cluster();
    let places = [Product::Vault, Product::OpenBao].map(|product| SharedMount::new(product, None));
    let entries = [entry("a", &a)];
    let uid = a.uid().expect("a UID");
    for place in &places {
        place.enroll("a", &[], &entries);
        // Another role of the cluster, and one that is not bound to it alone.
        let also =
            ["setup", "--context", "a", "--role", "also", "--service-account", "shop:app", "--policy", "app-read"];
        place.types(&also, &entries).ok();
        let mut listed = place.scene.fixture.data("auth/jwt/role/also");
        listed["bound_claims"]["iss"] = json!([OLD, "https://third.svc"]);
        place.scene.fixture.write("auth/jwt/role/listed", listed);
    }
    a.change_issuer(NEW).expect("it gets a new issuer");
    for place in places {
        place.keeps_out(&a.token("shop", "app", &["vault"]).expect("a token"));
        place.begins();
        let moved = format!(
            "error: context \"a\": context \"a\" is cluster \"a\", which is enrolled with issuer \"{OLD}\", and its issuer is now \"{NEW}\""
        );
        let hint = format!("setup --context a --mount jwt --move-from {OLD}\n");
        let ran = place.refused(1, &["sync", "--context", "a"], &entries, &[&moved, &hint]);
        // What would be done, and that only the role that is named gets the new issuer.
        let preview = place.follows(&ran, &["--role", "app", "--dry-run=client"], &entries).ok();
        let become_keys = format!("keys of {OLD} (cluster {uid}) become keys of {NEW} (cluster {uid}) (dry run)\n");
        assert!(preview.stdout.contains(&become_keys), "{}", preview.stdout);
        assert!(preview.stdout.contains("role \"app\" changed (dry run)\n"), "{}", preview.stdout);
        let done = place.follows(&ran, &["--role", "app"], &entries).ok();
        assert!(done.stderr.contains("✓ logged in as \"shop:app\" with role \"app\""), "{}", done.stderr);
        let also = "warning: role \"also\" is bound to the old issuer and refuses this cluster's new tokens; run the command again with --role also";
        let listed = "warning: role \"listed\" accepts the old issuer among others and refuses this cluster's new tokens; add the new issuer to it by hand";
        assert!(done.stderr.contains(listed), "{}", done.stderr);
        assert!(done.stderr.contains(also), "{}", done.stderr);
        assert_eq!(issuers(&place, "app"), json!([OLD, NEW]));
        assert_eq!(
            (issuers(&place, "also"), issuers(&place, "listed")),
            (json!(OLD), json!([OLD, "https://third.svc"]))
        );
        place.lets_in(&a);
        let found = owners(&place.scene.elements());
        assert!(found.contains(&json!({"issuer": NEW, "uid": uid})), "{found:?}");
        assert!(!found.contains(&json!({"issuer": OLD, "uid": uid})), "{found:?}");
        place.unchanged(&["sync", "--context", "a"], &entries);
        // The other roles, later.
        place.unchanged(&["setup", "--context", "a", "--move-from", OLD, "--all-roles"], &entries);
        assert_eq!(
            (issuers(&place, "also"), issuers(&place, "listed")),
            (json!([OLD, NEW]), json!([OLD, "https://third.svc"]))
        );
        // When the old issuer is gone.
        let removed = place.types(&["remove", "--issuer", OLD, "--roles", "--yes"], &[]).ok();
        assert!(removed.stderr.contains("role \"app\" changed"), "{}", removed.stderr);
        assert_eq!((issuers(&place, "app"), issuers(&place, "also")), (json!(NEW), json!(NEW)));
        assert_eq!(issuers(&place, "listed"), json!("https://third.svc"), "{}", removed.stderr);
        place.lets_in(&a);
        place.end(6);
    }
}

/// A cluster whose new issuer has a URL, as after `az aks update --enable-oidc-issuer`.
#[test]
fn a_new_issuer_with_a_url() {
    let (mut a, web) = (old_cluster(), Web::start());
    let places = [Product::Vault, Product::OpenBao].map(|product| SharedMount::new(product, Some(&web)));
    let entries = [entry("a", &a)];
    for place in &places {
        place.enroll("a", &[], &entries);
    }
    a.change_issuer(ISSUER).expect("it gets a new issuer");
    web.site.add(ISSUER, &a);
    for place in places {
        place.begins();
        let error = format!("error: context \"a\" is cluster \"a\", which is enrolled with issuer \"{OLD}\"");
        let setup = [&["setup", "--context", "a"], &ROLE[..]].concat();
        let ran = run(&mut place.scene.command(&setup, &entries));
        assert_eq!(ran.code, 1, "{NEVER_FLAKY}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("role \"app\" is bound to issuer") || ran.stderr.contains(&error),
            "{}",
            ran.stderr
        );
        let ran = place.refused(1, &["setup", "--context", "a"], &entries, &[&error]);
        place.follows(&ran, &["--all-roles"], &entries).ok();
        place.lets_in(&a);
        assert!(owners(&place.scene.elements()).contains(&json!({"issuer": ISSUER, "uid": null})));
        place.end(2);
    }
}
