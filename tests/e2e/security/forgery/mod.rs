//! Attacks with real servers: copying or relaying what names a cluster changes nothing on a mount.
//! Each attack succeeded against a version that trusted issuers, UIDs, keys and tokens.

mod aggregated;
pub mod clusters;
mod edited_provenance;
mod enrollment;
pub mod entries;
mod honest;
mod hosts;
mod in_pod;
mod moves;
mod owners;
mod roles;
pub mod scene;
mod ways;
mod weak;

use clusters::{copy, published, tenant, victim};
use entries::Entry;
use harness::each_product;
use harness::server::{Presented, Published, Relay, RelayOptions, Tokens};
use scene::{Attack, Refusal, Scene};
use shared::Secret;

/// What every role of these attacks is for.
const DEV: [&str; 6] = ["--role", "dev", "--service-account", "shop:app", "--policy", "app-read"];

/// A stand-in with an authority of its own, that relays token requests with
/// the rights of a tenant.
fn relay(options: RelayOptions) -> Relay {
    let options = match options.tokens {
        Tokens::Refused => RelayOptions { tokens: Tokens::Relayed(tenant()), ..options },
        _ => options,
    };
    Relay::start(victim(), &Presented::Own(vec![clusters::NAME.to_owned()]), options).expect("a stand-in starts")
}

/// What an attacker logs in with.
fn forged(relay: &Relay) -> Option<Secret> {
    Some(relay.token("shop", "app", &["vault"]).expect("it signs"))
}

/// The commands by which a stranger's key comes on the mount, with what they
/// are refused for.
const COMMANDS: [(&str, &[&str]); 9] = [
    ("all contexts", &["sync", "--all-contexts"]),
    ("one context", &["sync", "--context", "revil"]),
    ("named beside the real one", &["sync", "--contexts", "prod,revil"]),
    ("everything allowed", &["sync", "--context", "revil", "--enroll", "--same-trust-domain", "--allow-same-issuer"]),
    ("replaced", &["sync", "--context", "revil", "--replace-keys"]),
    ("adopted", &["sync", "--context", "revil", "--adopt"]),
    ("pruned", &["sync", "--context", "revil", "--prune"]),
    ("set up", &["setup", "--context", "revil"]),
    ("set up and believed", &["setup", "--context", "revil", "--trust-issuer"]),
];

/// Every command, then `setup` with a role, then the watcher.
fn by_every_command(scene: &Scene, revil: &Entry, token: &Secret) {
    let entries = [Entry::prod(), revil.clone()];
    let role = [&["setup", "--context", "revil"], &DEV[..]].concat();
    for (name, words) in COMMANDS.into_iter().chain([("set up with a role", &role[..])]) {
        scene.attack(&Attack {
            name,
            words,
            entries: entries.to_vec(),
            token: Some(token.clone()),
            refusal: Refusal::AnotherWay,
        });
    }
    scene.watch("watched", &entries, token);
}

// Row 1.
fn revil_of_copy() -> (Entry, Secret) {
    let copy = copy();
    let revil = Entry { name: "revil", ..Entry::of("revil", copy, clusters::NAME) };
    (revil, copy.token("shop", "app", &["vault"]).expect("a token"))
}

each_product!(a_real_api_server_that_copies_all_that_can_be_copied, |product| {
    let scene = Scene::new(product);
    let (revil, token) = revil_of_copy();
    let entries = [Entry::prod(), revil];
    for words in [&["sync", "--all-contexts"][..], &["setup", "--context", "revil"]] {
        scene.attack(&Attack {
            name: "copied",
            words,
            entries: entries.to_vec(),
            token: Some(token.clone()),
            refusal: Refusal::AnotherWay,
        });
    }
    scene.watch("watched", &entries, &token);
    scene.end();
});

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_real_api_server_by_every_command,
    |product| {
        let scene = Scene::new(product);
        let (revil, token) = revil_of_copy();
        by_every_command(&scene, &revil, &token);
        scene.end();
    }
);

// Row 2.
each_product!(a_stand_in_that_relays_a_tenants_tokens, |product| {
    let scene = Scene::new(product);
    let relay = relay(RelayOptions::default());
    let revil = Entry::revil(&relay);
    for words in [&["sync", "--all-contexts"][..], &["setup", "--context", "revil"]] {
        scene.attack(&Attack {
            name: "relayed",
            words,
            entries: vec![Entry::prod(), revil.clone()],
            token: forged(&relay),
            refusal: Refusal::AnotherWay,
        });
    }
    scene.end();
});

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_stand_in_that_relays_by_every_command,
    |product| {
        let scene = Scene::new(product);
        let relay = relay(RelayOptions::default());
        by_every_command(&scene, &Entry::revil(&relay), &forged(&relay).expect("a token"));
        scene.end();
    }
);

// Row 5.
each_product!(remove_asks_who_it_is_that_is_removed, |product| {
    let scene = Scene::new(product);
    // Else Vault itself would refuse a list without keys.
    scene.put(&[scene.elements(), vec![crate::support::provenance_fixture::unmanaged()]].concat());
    // No key of the victim is copied: a UID and an issuer are enough.
    let uid_alone = relay(RelayOptions { published: Published::Own, ..RelayOptions::default() });
    for words in [
        &["remove", "--context", "revil", "--yes"][..],
        &["remove", "--context", "revil", "--yes", "--roles"],
        &["remove", "--context", "revil", "--yes", "--cluster-uid", &victim().uid().expect("a UID")],
    ] {
        scene.attack(&Attack {
            name: "in the form with a UID",
            words,
            entries: vec![Entry::revil(&uid_alone)],
            token: None,
            refusal: Refusal::NotShown,
        });
    }
    scene.end();
});

each_product!(remove_asks_who_it_is_that_is_removed_by_issuer, |product| {
    let mut scene = Scene::empty(product);
    // Commands without a flag for it trust the site by the system's authorities.
    scene.trusts = Some(published().ca_pem());
    let owner = Entry::of("prod", published(), clusters::NAME);
    scene.run(&["setup", "--context", "prod"], std::slice::from_ref(&owner)).ok();
    scene.put(&[scene.elements(), vec![crate::support::provenance_fixture::unmanaged()]].concat());
    let presented = Presented::Own(vec![clusters::NAME.to_owned()]);
    let relay = Relay::start(published(), &presented, RelayOptions::default()).expect("a stand-in starts");
    scene.attack(&Attack {
        name: "in the form without a UID",
        words: &["remove", "--context", "revil", "--yes"],
        entries: vec![Entry::revil(&relay)],
        token: None,
        refusal: Refusal::NotShown,
    });
    scene.end_without_victim();
});

// Row 6.
each_product!(connections_that_nobody_checked, |product| {
    let plain = Relay::start(
        victim(),
        &Presented::Nothing,
        RelayOptions { tokens: Tokens::Relayed(tenant()), ..RelayOptions::default() },
    )
    .expect("a stand-in starts");
    let relay = relay(RelayOptions::default());
    let unchecked = Entry { insecure: true, ..Entry::revil(&relay).trusting("") };
    let honest = Entry { insecure: true, name: "revil", ..Entry::prod().trusting("").unnamed() };
    let entries = [
        ("certificate not checked", unchecked, forged(&relay)),
        ("http", Entry::revil(&plain).trusting("").unnamed(), forged(&plain)),
        ("the victim itself, not checked", honest, None),
    ];
    // On a mount where production is, and on one where nobody is.
    for scene in [Scene::new(product), Scene::empty(product)] {
        for (name, entry, token) in &entries {
            for words in [
                &["sync", "--context", "revil"][..],
                &["sync", "--context", "revil", "--enroll"],
                &["setup", "--context", "revil"],
                &["setup", "--context", "revil", "--trust-issuer"],
                &["remove", "--context", "revil", "--yes"],
            ] {
                scene.attack(&Attack {
                    name,
                    words,
                    entries: vec![Entry::prod(), entry.clone()],
                    token: token.clone(),
                    refusal: Refusal::NotVerified,
                });
            }
        }
        scene.end_without_victim();
    }
});
