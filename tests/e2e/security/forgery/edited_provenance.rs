//! Edited provenance, and an owner in both forms. Edited provenance never allows more than
//! provenance that the program itself writes.

use super::clusters::{NAME, published, tenant, thief, victim};
use super::entries::Entry;
use super::forged;
use super::scene::{Attack, Refusal, Scene};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::certificates::Authority;
use harness::each_product;
use harness::server::{Presented, Published, Relay, RelayOptions, Tokens};

/// An authority as marks have it.
fn hash(authority: &Authority) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &authority.public_key());
    format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest))
}

/// An element with these lines in front of its block, and without those that
/// begin with `without`.
fn edited(element: &str, without: &str, lines: &[String]) -> String {
    let (text, block) = element.split_once("-----BEGIN").expect("a block");
    let kept = text.lines().filter(|line| without.is_empty() || !line.starts_with(without)).map(str::to_owned);
    let lines: Vec<String> = kept.chain(lines.iter().cloned()).collect();
    format!("{}\n-----BEGIN{block}", lines.join("\n"))
}

/// The newest of the victim's elements, edited, in front of the others.
fn edit(scene: &Scene, without: &str, lines: &[String]) {
    let elements = scene.elements();
    let newest = edited(&elements[0], without, lines);
    scene.put(&[&[newest], &elements[1..]].concat());
}

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    authorities_that_somebody_wrote_there,
    |product| {
        let scene = Scene::new(product);
        let evil = Authority::new("kubernetes").expect("an authority");
        let certificate = evil.server_for(&[NAME]).expect("a certificate");
        let options = RelayOptions { tokens: Tokens::Relayed(tenant()), ..RelayOptions::default() };
        let relay = Relay::start(victim(), &Presented::These(vec![certificate]), options).expect("a stand-in starts");
        let revil = Entry::revil(&relay).trusting(evil.pem());
        let victims = hash(victim().authority());
        let original = scene.elements();
        let ninth: Vec<String> = (2..=8)
            .map(|number| format!("authority-{number}: {victims} c{number}.clusters.example"))
            .chain([format!("authority-9: {} {NAME}", hash(&evil))])
            .collect();
        for (name, lines) in [
            ("a ninth authority", ninth),
            ("an authority for another name", vec![format!("authority-2: {} evil.clusters.example", hash(&evil))]),
            ("an authority without a name", vec![format!("authority-2: {}", hash(&evil))]),
            (
                "an authority for every cluster's name",
                vec![format!("authority-2: {} kubernetes.default.svc", hash(&evil))],
            ),
            ("an authority for loopback", vec![format!("authority-2: {} localhost", hash(&evil))]),
            ("an authority with another hash", vec![format!("authority-2: sha1:AAAA {NAME}")]),
            ("an authority without a number", vec![format!("authority: {} {NAME}", hash(&evil))]),
            ("number zero", vec![format!("authority-0: {} {NAME}", hash(&evil))]),
            ("a number with a zero in front", vec![format!("authority-02: {} {NAME}", hash(&evil))]),
        ] {
            edit(&scene, "", &lines);
            for entry in
                [revil.clone(), revil.clone().named("localhost"), revil.clone().named("kubernetes.default.svc")]
            {
                scene.attack(&Attack {
                    name,
                    words: &["sync", "--context", "revil"],
                    entries: vec![Entry::prod(), entry],
                    token: forged(&relay),
                    refusal: Refusal::Other,
                });
            }
            scene.put(&original);
        }
        scene.end();
    }
);

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    an_owner_without_authorities_waits_for_setup,
    |product| {
        let scene = Scene::new(product);
        edit(&scene, "authority-", &[]);
        let elements = scene.elements();
        // A key that the victim publishes, and that would be added.
        let missing = elements.iter().position(|element| !element.contains(victim().signing_key().public_pem().trim()));
        let left: Vec<String> = elements
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != missing)
            .map(|(_, e)| edited(e, "authority-", &[]))
            .collect();
        scene.put(&left);
        for words in [
            &["sync", "--context", "prod"][..],
            &["sync", "--all-contexts"],
            &["sync", "--context", "prod", "--enroll", "--same-trust-domain"],
        ] {
            scene.attack(&Attack {
                name: "no authority is recorded",
                words,
                entries: vec![Entry::prod()],
                token: None,
                refusal: Refusal::Other,
            });
        }
        scene.end();
    }
);

// One issuer, once with its site and once without.
each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    the_form_with_a_uid_beside_the_form_without,
    |product| {
        let mut scene = Scene::empty(product);
        scene.trusts = Some(published().ca_pem());
        let owner = Entry::of("prod", published(), NAME);
        scene.run(&["setup", "--context", "prod"], std::slice::from_ref(&owner)).ok();
        let presented = Presented::Own(vec![NAME.to_owned()]);
        let options =
            RelayOptions { published: Published::VictimsAndOwn, tokens: Tokens::Forged, ..RelayOptions::default() };
        let relay = Relay::start(published(), &presented, options).expect("a stand-in starts");
        for (name, trusts) in [("the site is read", Some(published().ca_pem())), ("the site is not believed", None)] {
            scene.trusts = trusts;
            for words in [
                &["sync", "--context", "revil"][..],
                &["sync", "--context", "revil", "--enroll", "--same-trust-domain", "--allow-same-issuer"],
                &["setup", "--context", "revil", "--same-trust-domain", "--allow-same-issuer"],
                &["setup", "--context", "revil", "--trust-issuer"],
            ] {
                scene.attack(&Attack {
                    name,
                    words,
                    entries: vec![owner.clone(), Entry::revil(&relay)],
                    token: forged(&relay),
                    refusal: Refusal::Other,
                });
            }
        }
        scene.end_without_victim();
    }
);

// What a renewal of the CA looks like, told by the wrong side.
each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_bundle_and_a_config_map_that_agree,
    |product| {
        let scene = Scene::new(product);
        let evil = Authority::new("kubernetes").expect("an authority");
        let certificate = evil.server_for(&[NAME]).expect("a certificate");
        let bundle = format!("{}{}", victim().ca_pem(), evil.pem());
        let options =
            RelayOptions { tokens: Tokens::Relayed(thief()), root_ca: Some(bundle.clone()), ..RelayOptions::default() };
        let relay = Relay::start(victim(), &Presented::These(vec![certificate]), options).expect("a stand-in starts");
        scene.attack(&Attack {
            name: "kube-root-ca.crt of the stand-in",
            words: &["sync", "--context", "revil"],
            entries: vec![Entry::prod(), Entry::revil(&relay).trusting(bundle)],
            token: forged(&relay),
            refusal: Refusal::AnotherWay,
        });
        scene.end();
    }
);

// A UID by a flag is a name.
each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_uid_that_is_given_by_hand,
    |product| {
        let scene = Scene::new(product);
        let options = RelayOptions { tokens: Tokens::Relayed(tenant()), hides_uid: true, ..RelayOptions::default() };
        let relay = Relay::start(victim(), &Presented::Own(vec![NAME.to_owned()]), options).expect("a stand-in starts");
        let uid = victim().uid().expect("a UID");
        for words in [
            &["sync", "--context", "revil", "--cluster-uid", &uid][..],
            &["setup", "--context", "revil", "--cluster-uid", &uid],
            &["setup", "--context", "revil", "--cluster-uid", &uid, "--issuer", &victim().issuer()],
            &["sync", "--context", "revil", "--cluster-uid", &uid, "--trust-issuer"],
        ] {
            scene.attack(&Attack {
                name: "a UID by a flag",
                words,
                entries: vec![Entry::prod(), Entry::revil(&relay)],
                token: forged(&relay),
                refusal: Refusal::AnotherWay,
            });
        }
        scene.end();
    }
);
