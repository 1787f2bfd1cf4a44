//! Rows 8 and 10: enrolled owners that attack other owners.

use super::clusters::{NAME, copy, inhabit, victim};
use super::entries::Entry;
use super::scene::{Attack, Refusal, Scene};
use crate::support::fixture::ROLE;
use crate::support::provenance_fixture::unmanaged;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::{Cluster, ClusterOptions, CopyOptions, Issuer, Product};

const PRODUCTS: [Product; 2] = [Product::Vault, Product::OpenBao];
const EVIL: &str = "evil.clusters.example";

fn cluster(issuer: Issuer, host: &str) -> Cluster {
    let options = ClusterOptions { issuer, server_names: vec![host.to_owned()], ..ClusterOptions::default() };
    let cluster = Cluster::start(options).expect("a cluster starts");
    inhabit(&cluster);
    cluster
}

/// The elements that hold a key.
fn with(scene: &Scene, key: &SigningKey) -> Vec<String> {
    scene.elements().into_iter().filter(|element| element.contains(key.public_pem().trim())).collect()
}

// Clusters change here, so both products see the same history of them.

#[test]
#[ignore = "takes minutes: cargo soak forgery"]
fn a_strangers_key_is_not_adopted_by_those_who_copy_it() {
    let scenes = PRODUCTS.map(Scene::new);
    let evil = cluster(Issuer::Url("https://evil.svc".to_owned()), EVIL);
    let stranger = SigningKey::generate(Alg::Rs256).expect("a key");
    let entries = [Entry::prod(), Entry::of("revil", &evil, EVIL)];
    for scene in &scenes {
        scene.run(&["setup", "--context", "revil", "--same-trust-domain"], &entries).ok();
        scene.put(&[scene.elements(), vec![stranger.public_pem().trim().to_owned()]].concat());
    }
    evil.publish_copies(std::slice::from_ref(&stranger)).expect("it publishes a copy");
    for scene in &scenes {
        let before = with(scene, &stranger);
        for words in [
            &["sync", "--context", "revil", "--adopt"][..],
            &["setup", "--context", "revil", "--adopt"],
            &["sync", "--all-contexts", "--adopt"],
        ] {
            let ran = scene.run(words, &entries);
            let name = format!("{} (exit code {})\n{}{}", words.join(" "), ran.code, ran.stdout, ran.stderr);
            scene.expect(&name, with(scene, &stranger) == before, "the stranger's key is marked");
        }
    }
    evil.drop_old_keys().expect("it publishes its own keys alone");
    for scene in scenes {
        for words in [
            &["sync", "--context", "revil", "--prune"][..],
            &["setup", "--context", "revil", "--grace", "0s"],
            &["remove", "--context", "revil", "--yes"],
        ] {
            let ran = scene.run(words, &entries);
            let name = format!("{} (exit code {})\n{}{}", words.join(" "), ran.code, ran.stdout, ran.stderr);
            scene.expect(&name, !with(&scene, &stranger).is_empty(), "the stranger's key is gone");
        }
        scene.end();
    }
}

#[test]
#[ignore = "takes minutes: cargo soak forgery"]
fn a_neighbor_that_publishes_a_key_first_blocks_nobody() {
    let prey = cluster(Issuer::Url("https://prey.svc".to_owned()), NAME);
    let evil = cluster(Issuer::Url("https://evil.svc".to_owned()), EVIL);
    let entries = [Entry::of("prod", &prey, NAME), Entry::of("revil", &evil, EVIL)];
    let scenes = PRODUCTS.map(Scene::empty);
    for scene in &scenes {
        scene.run(&[&["setup", "--context", "prod"], &ROLE[..]].concat(), &entries).ok();
        scene.run(&["setup", "--context", "revil", "--same-trust-domain"], &entries).ok();
    }
    prey.rotate(Alg::Rs256).expect("it rotates");
    evil.publish_copies(&[prey.signing_key()]).expect("it publishes a copy");
    for scene in scenes {
        // It may do so, but not keep the owner from its key.
        scene.run(&["sync", "--context", "revil"], &entries);
        let owner = scene.run(&["sync", "--context", "prod"], &entries);
        let name = format!("sync --context prod\n{}{}", owner.stdout, owner.stderr);
        scene.expect(&name, owner.code == 0, "the owner's sync fails");
        scene.expect("its next key", scene.lets_in(&prey), "the owner's tokens do not log in");
        let uid = evil.uid().expect("a UID");
        let remove = ["remove", "--issuer", "https://evil.svc", "--cluster-uid", &uid, "--yes"];
        let removed = scene.run(&remove, &entries);
        let name = format!("remove --issuer https://evil.svc\n{}{}", removed.stdout, removed.stderr);
        scene.expect(
            &name,
            removed.code == 0 && scene.lets_in(&prey),
            "it fails, or the key is gone with the neighbor",
        );
        scene.end_without_victim();
    }
}

// Its authority is recorded, for the owner that it was.
#[test]
#[ignore = "takes minutes: cargo soak forgery"]
fn an_enrolled_cluster_that_takes_anothers_uid() {
    let options = CopyOptions { uid: false, keys: false, server_names: vec![EVIL.to_owned()] };
    let evil = Cluster::copy_of(victim(), &options).expect("a cluster starts");
    inhabit(&evil);
    let entries = [Entry::prod(), Entry::of("revil", &evil, EVIL)];
    let scenes = PRODUCTS.map(Scene::new);
    for scene in &scenes {
        let setup =
            ["setup", "--context", "revil", "--same-trust-domain", "--allow-same-issuer", "--allow-existing-roles"];
        scene.run(&setup, &entries).ok();
    }
    evil.rotate(Alg::Rs256).expect("it gets a key that is not on the mount");
    evil.drop_old_keys().expect("it publishes that one alone");
    evil.publish_copies(&victim().signing_keys()).expect("it publishes copies");
    evil.take_the_uid_of(victim()).expect("it takes the UID");
    let token = evil.token("shop", "app", &["vault"]).expect("a token");
    for scene in scenes {
        for words in
            [&["sync", "--context", "revil"][..], &["sync", "--all-contexts"], &["setup", "--context", "revil"]]
        {
            scene.attack(&Attack {
                name: "a neighbor with the victim's UID",
                words,
                entries: entries.to_vec(),
                token: Some(token.clone()),
                refusal: Refusal::AnotherWay,
            });
        }
        scene.end();
    }
}

// Row 10.
each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_copy_that_comes_first_is_no_reason_to_stay_away,
    |product| {
        let scene = Scene::empty(product);
        let entries = [Entry::prod(), Entry { name: "revil", ..Entry::of("revil", copy(), NAME) }];
        // So that the list never becomes empty.
        scene.fixture.write("sys/auth/jwt", serde_json::json!({"type": "jwt"}));
        scene.fixture.write("auth/jwt/config", serde_json::json!({"jwt_validation_pubkeys": [unmanaged()]}));
        let evil = ["setup", "--context", "revil", "--same-trust-domain"];
        scene.run(&evil, &entries).ok();
        for key in victim().signing_keys() {
            let copied = with(&scene, &key);
            let listed = copied.iter().all(|element| element.contains("\nproof: listed\n"));
            scene.expect("a copied key", listed, &format!("it is not marked as listed:\n{}", copied.join("\n")));
        }
        let own = with(&scene, &copy().signing_key());
        let proven = own.iter().all(|element| element.contains("\nproof: token\n"));
        scene.expect("its own key", proven, &format!("it is not marked as proven by a token:\n{}", own.join("\n")));
        // The victim does not become one with it by itself.
        let token = copy().token("shop", "app", &["vault"]).expect("a token");
        for words in [&["setup", "--context", "prod"][..], &["sync", "--context", "prod"]] {
            scene.attack(&Attack {
                name: "the victim beside its copy",
                words,
                entries: vec![Entry::prod()],
                token: Some(token.clone()),
                refusal: Refusal::Other,
            });
        }
        // A person who knows which is which removes the copy by name.
        let (issuer, uid) = (victim().issuer(), victim().uid().expect("a UID"));
        scene.run(&["remove", "--issuer", &issuer, "--cluster-uid", &uid, "--yes"], &entries).ok();
        scene.run(&[&["setup", "--context", "prod", "--same-trust-domain"], &ROLE[..]].concat(), &entries).ok();
        scene.expect("the copy", !scene.logs_in("app", &token), "its tokens still log in");
        for key in victim().signing_keys() {
            let managed = with(&scene, &key).iter().any(|element| element.contains(&format!("cluster-uid: {uid}")));
            scene.expect("the victim's key", managed, "it is not managed");
        }
        scene.end();
    }
);
