//! Attacks with the flags that move keys to another owner or change their source.

use super::clusters::{NAME, inhabit, published, victim};
use super::entries::Entry;
use super::scene::{Attack, Refusal, Scene};
use crate::support::fixture::ROLE;
use harness::keys::{Alg, SigningKey};
use harness::process::Scratch;
use harness::server::{Cluster, ClusterOptions, CopyOptions, Issuer, Product};

const PRODUCTS: [Product; 2] = [Product::Vault, Product::OpenBao];
const EVIL: &str = "evil.clusters.example";
const NEW: &str = "https://new.evil.svc";

/// A real API server with the victim's UID and keys, and a key of its own, that names
/// another issuer than the victim.
#[test]
fn a_copy_that_says_its_issuer_changed() {
    let options = CopyOptions { server_names: vec![NAME.to_owned()], ..CopyOptions::default() };
    let mut evil = Cluster::copy_of(victim(), &options).expect("a copy starts");
    inhabit(&evil);
    evil.change_issuer(NEW).expect("it gets another issuer");
    let old = victim().issuer();
    let entries = [Entry::prod(), Entry::of("revil", &evil, NAME)];
    let token = evil.token("shop", "app", &["vault"]).expect("a token");
    for product in PRODUCTS {
        let scene = Scene::new(product);
        let setup = ["setup", "--context", "revil", "--move-from", &old];
        let all = ["--same-trust-domain", "--allow-same-issuer", "--allow-existing-roles", "--replace-keys"];
        for flags in
            [&[][..], &["--role", "app"], &["--all-roles"], &["--keys-from=api-server"], &all, &["--trust-issuer"]]
        {
            scene.attack(&Attack {
                name: "a copy with another issuer",
                words: &[&setup[..], flags].concat(),
                entries: entries.to_vec(),
                token: Some(token.clone()),
                refusal: Refusal::Other,
            });
        }
        scene.end();
    }
}

/// A neighbor on the mount, over its own recorded way, that takes the victim's names.
#[test]
fn a_neighbor_that_moves_into_anothers_place() {
    let own = ClusterOptions {
        issuer: Issuer::Url("https://evil.svc".to_owned()),
        server_names: vec![EVIL.to_owned()],
        ..ClusterOptions::default()
    };
    let mut evil = Cluster::start(own).expect("a cluster starts");
    inhabit(&evil);
    let entries = [Entry::prod(), Entry::of("revil", &evil, EVIL)];
    let scenes = PRODUCTS.map(Scene::new);
    for scene in &scenes {
        scene.run(&["setup", "--context", "revil", "--same-trust-domain"], &entries).ok();
    }
    evil.change_issuer(&victim().issuer()).expect("it takes the victim's issuer");
    let tries = |scene: &Scene, evil: &Cluster, flags: &[&str]| {
        // Its key is on the mount, for its own issuer; the mount is one trust domain.
        let words = [&["setup", "--context", "revil", "--move-from", "https://evil.svc"], flags].concat();
        let (name, entries, refusal) = ("a neighbor that moves", entries.to_vec(), Refusal::Other);
        scene.attack(&Attack { name, words: &words, entries, token: None, refusal });
        let _ = evil;
    };
    for scene in &scenes {
        for flags in [&[][..], &["--all-roles"], &["--allow-existing-roles"], &["--same-trust-domain"]] {
            tries(scene, &evil, flags);
        }
    }
    evil.take_the_uid_of(victim()).expect("it takes the UID");
    for scene in scenes {
        for flags in [&[][..], &["--allow-same-issuer", "--allow-existing-roles"], &["--all-roles", "--replace-keys"]] {
            tries(&scene, &evil, flags);
        }
        scene.end();
    }
}

/// Another source of keys is no way around the connection.
#[test]
fn a_stranger_that_brings_another_source() {
    let folder = Scratch::new("keys").expect("a folder is made");
    let own = SigningKey::generate(Alg::Rs256).expect("a key");
    let both = format!("{}{}", victim().signing_key().public_pem(), own.public_pem());
    let file = folder.write("sa.pub", both).expect("a file is written");
    let file = format!("--keys-from=file:{}", file.display());
    let options = CopyOptions { server_names: vec![NAME.to_owned()], ..CopyOptions::default() };
    let evil = Cluster::copy_of(victim(), &options).expect("a copy starts");
    inhabit(&evil);
    let entries = [Entry::prod(), Entry::of("revil", &evil, NAME)];
    let token = evil.token("shop", "app", &["vault"]).expect("a token");
    for product in PRODUCTS {
        let scene = Scene::new(product);
        for (flag, refusal) in [
            ("--keys-from=api-server", Refusal::AnotherWay),
            ("--keys-from=issuer", Refusal::Other),
            (&file, Refusal::Other),
        ] {
            for more in [&[][..], &["--trust-issuer"], &["--replace-keys", "--adopt"]] {
                scene.attack(&Attack {
                    name: "another source",
                    words: &[&["setup", "--context", "revil", flag], more].concat(),
                    entries: entries.to_vec(),
                    token: Some(token.clone()),
                    refusal,
                });
            }
        }
        scene.end();
    }
}

/// The victim's keys are read at its issuer's URL: whoever names that issuer is not it.
#[test]
fn a_stranger_that_names_the_issuer_of_a_url() {
    let prey = published();
    let options = ClusterOptions {
        issuer: Issuer::Url(prey.issuer()),
        server_names: vec![EVIL.to_owned()],
        ..ClusterOptions::default()
    };
    let evil = Cluster::start(options).expect("a cluster starts");
    inhabit(&evil);
    let entries = [Entry::of("prod", prey, NAME), Entry::of("revil", &evil, EVIL)];
    let token = evil.token("shop", "app", &["vault"]).expect("a token");
    for product in PRODUCTS {
        let mut scene = Scene::empty(product);
        scene.trusts = Some(prey.ca_pem());
        scene.run(&[&["setup", "--context", "prod"], &ROLE[..]].concat(), &entries).ok();
        for flags in [
            &["--keys-from=api-server"][..],
            &["--keys-from=api-server", "--same-trust-domain", "--allow-existing-roles"],
            &["--keys-from=issuer"],
            &[],
        ] {
            scene.attack(&Attack {
                name: "the issuer of a URL",
                words: &[&["setup", "--context", "revil"], flags].concat(),
                entries: entries.to_vec(),
                token: Some(token.clone()),
                refusal: Refusal::Other,
            });
        }
        scene.end_without_victim();
    }
}
