//! A cluster whose issuer changes repeatedly keeps its roles, and gets no roles of others.

use super::scene::{SharedMount, cluster, entry, inhabit};
use crate::support::fixture::{Fixture, Owned, ROLE, Ran};
use harness::NEVER_FLAKY;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, InterceptingProxy, Issuer, Point, Product, VaultOptions};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;

const FIRST: &str = "https://first.place.svc";
const SECOND: &str = "https://second.place.svc";
const THIRD: &str = "https://third.place.svc";
const FOURTH: &str = "https://fourth.place.svc";

fn issuers(place: &SharedMount, role: &str) -> Value {
    place.scene.fixture.data(&format!("auth/jwt/role/{role}"))["bound_claims"]["iss"].clone()
}

#[test]
fn its_own_roles_and_no_others() {
    let options = ClusterOptions { issuer: Issuer::Url(FIRST.to_owned()), ..ClusterOptions::default() };
    let mut a = Cluster::start(options).expect("a cluster starts");
    inhabit(&a);
    let staging = cluster("https://staging.place.svc");
    let stranger = || staging.token("shop", "app", &["vault"]).expect("a token");
    let entries = [entry("a", &a), entry("staging", &staging)];
    let places = [Product::Vault, Product::OpenBao].map(|product| SharedMount::new(product, None));
    for place in &places {
        place.enroll("a", &[], &entries);
        let also = ["--role", "also", "--service-account", "shop:app", "--policy", "app-read"];
        place.types(&[&["setup", "--context", "a"], &also[..]].concat(), &entries).ok();
        place.types(&["setup", "--context", "staging", "--same-trust-domain"], &entries).ok();
        // A pattern, and a claim by its pointer: neither is only this issuer.
        let mut role = place.scene.fixture.data("auth/jwt/role/also");
        role["bound_claims_type"] = json!("glob");
        place.scene.fixture.write("auth/jwt/role/pattern", role.clone());
        role["bound_claims_type"] = json!("string");
        role["bound_claims"]["/iss"] = json!(FIRST);
        place.scene.fixture.write("auth/jwt/role/pointer", role);
    }
    let strays = |place: &SharedMount, from: &str, role: &str| {
        let moved = format!("it has no keys of issuer \"{from}\" that this cluster could have moved from");
        for flags in [&["--role", role][..], &["--all-roles"]] {
            let words = [&["setup", "--context", "staging", "--move-from", from], flags].concat();
            place.refused(1, &words, &entries, &[&moved]);
        }
        for role in ["app", "also", "pattern", "pointer"] {
            assert!(!place.scene.logs_in(role, &stranger()), "{NEVER_FLAKY}: {}: {role}", place.name);
        }
    };
    for place in &places {
        strays(place, FIRST, "app");
        let still = format!("the issuer of the cluster is still \"{FIRST}\"");
        place.refused(1, &["setup", "--context", "a", "--move-from", FIRST], &entries, &[&still]);
    }
    a.change_issuer(SECOND).expect("it gets a new issuer");
    for place in &places {
        for role in ["pattern", "pointer"] {
            let exactly = format!("role \"{role}\" on auth mount \"jwt/\" is not bound to exactly issuer \"{FIRST}\"");
            let words = ["setup", "--context", "a", "--move-from", FIRST, "--role", role];
            place.refused(1, &words, &entries, &[&exactly, "by hand"]);
        }
        let missing = ["setup", "--context", "a", "--move-from", FIRST, "--role", "missing"];
        place.refused(1, &missing, &entries, &["role \"missing\" does not exist"]);
        let done = place.types(&["setup", "--context", "a", "--move-from", FIRST, "--role", "app"], &entries).ok();
        let by_hand = "role \"pattern\" accepts the old issuer among others";
        assert!(done.stderr.contains(by_hand), "{}", done.stderr);
        place.lets_in(&a);
        strays(place, FIRST, "also");
        // What is left is done later.
        place.types(&["setup", "--context", "a", "--move-from", FIRST, "--role", "also"], &entries).ok();
        assert_eq!(issuers(place, "also"), json!([FIRST, SECOND]));
    }
    a.change_issuer(THIRD).expect("it gets a new issuer");
    for place in &places {
        place.types(&["setup", "--context", "a", "--move-from", SECOND, "--all-roles"], &entries).ok();
        for role in ["app", "also"] {
            assert_eq!(issuers(place, role), json!([FIRST, SECOND, THIRD]));
        }
        place.lets_in(&a);
        assert!(!place.scene.logs_in("app", &stranger()), "{NEVER_FLAKY}");
    }
    // Issuer and keys at once: no token can show that it is the same cluster.
    a.rotate(Alg::Rs256).expect("it rotates");
    a.change_issuer(FOURTH).expect("it gets a new issuer");
    for place in places {
        place.begins();
        let moves = format!("setup --context a --mount jwt --move-from {THIRD}\n");
        let ran = place.refused(1, &["sync", "--context", "a"], &entries, &[&moves]);
        let words = super::scene::hinted(&ran.stderr);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        place.refused(1, &words, &entries, &["no token verified that it is that cluster", "add --replace-keys"]);
        place.types(&[&words[..], &["--replace-keys", "--role", "app"]].concat(), &entries).ok();
        place.lets_in(&a);
        place.end(3);
    }
}

// Another writer deletes one role and narrows another between the plan and the write.
#[test]
fn roles_that_change_meanwhile() {
    for product in [Product::Vault, Product::OpenBao] {
        let options = ClusterOptions { issuer: Issuer::Url(FIRST.to_owned()), ..ClusterOptions::default() };
        let cluster = Cluster::start(options).expect("a cluster starts");
        inhabit(&cluster);
        // The intercepting proxy speaks plain http.
        let mut fixture =
            Fixture::with(Owned::Own(Box::new(cluster)), VaultOptions { tls: false, ..VaultOptions::new(product) });
        fixture.setup(&ROLE).ok();
        let also = ["--role", "also", "--service-account", "shop:app", "--policy", "app-read", "--policy", "more"];
        fixture.setup(&also).ok();
        if let Owned::Own(cluster) = &mut fixture.cluster {
            cluster.change_issuer(SECOND).expect("it gets a new issuer");
        }
        let port = fixture.vault.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let proxy = InterceptingProxy::start(port).expect("the proxy starts");
        let held = proxy.hold(Point::BeforeForwarding, "POST", "auth/jwt/config", 1);
        let mut command = fixture.setup_command(&["--move-from", FIRST, "--all-roles"]);
        command.env("VAULT_ADDR", proxy.address()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        assert!(held.wait(Duration::from_secs(60)), "{product:?}: it never wrote the keys");
        fixture.vault.http("DELETE", "auth/jwt/role/app", None).expect("Vault answers");
        let mut narrow = fixture.data("auth/jwt/role/also");
        for field in ["policies", "token_policies"] {
            narrow[field] = json!(["app-read"]);
        }
        fixture.write("auth/jwt/role/also", narrow);
        held.release();
        let ran: Ran = child.wait_with_output().expect("it ends").into();
        let ran = ran.ok();
        assert!(ran.stderr.contains("warning: role \"app\" was deleted by another writer\n"), "{}", ran.stderr);
        assert!(fixture.data("auth/jwt/role/app").is_null(), "{NEVER_FLAKY}: {product:?}: it is there again");
        let also = fixture.data("auth/jwt/role/also");
        assert_eq!(also["token_policies"], json!(["app-read"]), "{NEVER_FLAKY}: {product:?}");
        assert_eq!(also["bound_claims"]["iss"], json!([FIRST, SECOND]));
    }
}
