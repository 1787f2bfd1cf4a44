//! Row 4 and similar: certificates, bundles, names and addresses that look like the victim's. Each
//! fake gets real tokens, even those of `kube-system`; only the connection reveals it.

use super::clusters::{NAME, thief, victim};
use super::entries::Entry;
use super::forged;
use super::scene::{Attack, Refusal, Scene};
use harness::certificates::{Authority, Certificate};
use harness::each_product;
use harness::server::{ConnectProxy, Honest, Presented, Relay, RelayOptions, Tokens};

/// The name under which pods reach every cluster.
const EVERYWHERE: &str = "kubernetes.default.svc";

/// One way to look like the victim.
struct Way {
    name: &'static str,
    relay: Relay,
    entry: Entry,
    refusal: Refusal,
}

/// A stand-in with these certificates, and the best tokens there are.
fn stand_in(presented: &Presented, options: RelayOptions) -> Relay {
    let options = RelayOptions { tokens: Tokens::Relayed(thief()), ..options };
    Relay::start(victim(), presented, options).expect("a stand-in starts")
}

fn with_own_authority() -> Relay {
    stand_in(&Presented::Own(vec![NAME.to_owned()]), RelayOptions::default())
}

/// A stand-in with a certificate of the victim's own authority.
fn by_victims_authority(name: &'static str, certificate: Certificate, host: Option<&str>, refusal: Refusal) -> Way {
    let relay = stand_in(&Presented::These(vec![certificate]), RelayOptions::default());
    let entry = Entry::revil(&relay).trusting(victim().ca_pem());
    let entry = match host {
        Some(host) => entry.named(host),
        None => entry.unnamed(),
    };
    Way { name, relay, entry, refusal }
}

fn serving(names: &[&str]) -> Certificate {
    victim().authority().serving(names).expect("a certificate")
}

/// What the victim's API server itself presents. The private key stands for a
/// proxy that passes a connection on: the bytes on the wire are the same.
fn real() -> Certificate {
    let read = |name: &str| std::fs::read_to_string(victim().scratch().path().join(name)).expect("a file");
    Certificate { certificate: read("server.crt"), key: read("server.key") }
}

/// The certificate of an authority besides `first`, which was made by it.
fn both(first: &str) -> String {
    format!("{first}{}", victim().ca_pem())
}

fn ways() -> Vec<Way> {
    let another = Refusal::AnotherWay;
    let way = |name, relay: Relay, change: &dyn Fn(Entry, &Relay) -> Entry, refusal| {
        let entry = change(Entry::revil(&relay), &relay);
        Way { name, relay, entry, refusal }
    };
    let own = Authority::new("kubernetes").expect("an authority");
    let leaf = own.server_for(&[NAME]).expect("a certificate");
    let chain = Certificate { certificate: both(&format!("{}{}", leaf.certificate, own.pem())), key: leaf.key.clone() };
    let pinned = leaf.certificate.clone();
    let changing = |certificates: [Certificate; 2]| {
        stand_in(&Presented::These(certificates.into()), RelayOptions { closes: true, ..RelayOptions::default() })
    };
    let bundle = both(&own.pem());
    vec![
        way("an authority of the same name", with_own_authority(), &|entry, _| entry, another),
        way("a bundle, the victim's last", with_own_authority(), &|e, r| e.trusting(both(&r.ca_pem())), another),
        way(
            "a bundle, the victim's first",
            with_own_authority(),
            &|e, r| e.trusting(format!("{}{}", victim().ca_pem(), r.ca_pem())),
            another,
        ),
        way(
            "the victim's authority at the end of the chain",
            stand_in(&Presented::These(vec![chain]), RelayOptions::default()),
            &|e, _| e.trusting(bundle.clone()),
            another,
        ),
        way(
            "a certificate that is trusted itself",
            stand_in(&Presented::These(vec![leaf.clone()]), RelayOptions::default()),
            &|e, _| e.trusting(pinned.clone()),
            Refusal::Other,
        ),
        way(
            "a root certificate that vouches for itself in the list",
            with_own_authority(),
            &|e, r| e.trusting(both(&r.ca_pem())).named("localhost"),
            another,
        ),
        way("a bundle, by the address", with_own_authority(), &|e, r| e.trusting(both(&r.ca_pem())).unnamed(), another),
        way(
            "a handshake that changes after the first one",
            changing([real(), leaf.clone()]),
            &|e, _| e.trusting(bundle.clone()),
            Refusal::Other,
        ),
        way(
            "a first handshake of somebody else",
            changing([leaf.clone(), real()]),
            &|e, _| e.trusting(bundle.clone()),
            another,
        ),
        by_victims_authority("a kubelet's certificate", serving(&["node-1", "127.0.0.1"]), Some("node-1"), another),
        by_victims_authority("a kubelet's certificate, by address", serving(&["node-1", "127.0.0.1"]), None, another),
        by_victims_authority("an ingress for all names", serving(&["*.clusters.example"]), Some(NAME), another),
        by_victims_authority("an ingress for the name", serving(&[NAME]), Some(NAME), another),
        by_victims_authority("the name of every cluster", serving(&[EVERYWHERE]), Some(EVERYWHERE), another),
        by_victims_authority("loopback", serving(&["localhost", EVERYWHERE]), Some("localhost"), another),
        by_victims_authority(
            "another cluster of the same authority",
            serving(&[EVERYWHERE, "other.clusters.example"]),
            Some("other.clusters.example"),
            another,
        ),
        by_victims_authority(
            "an address of the service network",
            serving(&[EVERYWHERE, "10.0.0.1"]),
            Some("10.0.0.1"),
            another,
        ),
        by_victims_authority(
            "an expired certificate",
            victim().authority().expired_serving(&[NAME, EVERYWHERE]).expect("a certificate"),
            Some(NAME),
            Refusal::NoConnection,
        ),
        by_victims_authority(
            "a client's certificate",
            victim().authority().client(NAME, None).expect("a certificate"),
            Some(NAME),
            Refusal::NoConnection,
        ),
    ]
}

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    what_looks_like_the_victim,
    |product| {
        let scene = Scene::new(product);
        for words in [&["sync", "--context", "revil"][..], &["setup", "--context", "revil"]] {
            // Anew for each: a server that presents another certificate later begins again.
            for Way { name, relay, entry, refusal } in ways() {
                // `setup` requests a token before it compares ways, and sees both servers.
                let both = words[0] == "setup" && name == "a first handshake of somebody else";
                let refusal = if both { Refusal::Unsteady } else { refusal };
                scene.attack(&Attack {
                    name,
                    words,
                    entries: vec![Entry::prod(), entry.clone()],
                    token: forged(&relay),
                    refusal,
                });
            }
        }
        scene.end();
    }
);

// Not a forgery of a certificate, but of what the product keeps of one.
each_product!(a_session_is_never_resumed, |product| {
    let scene = Scene::empty(product);
    let presented = Presented::Own(vec![NAME.to_owned()]);
    let options = RelayOptions { closes: true, honest: Honest::Below(String::new()), ..RelayOptions::default() };
    let relay = Relay::start(victim(), &presented, options).expect("a stand-in starts");
    scene.run(&["setup", "--context", "revil"], &[Entry::revil(&relay)]).ok();
    assert!(relay.handshakes() > 1, "void: there was one connection");
    assert_eq!(relay.resumed(), 0, "a handshake without a certificate");
});

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_proxy_that_answers_itself,
    |product| {
        let scene = Scene::new(product);
        let (proxy, relay) = (ConnectProxy::start().expect("a proxy starts"), with_own_authority());
        proxy.route(&format!("{NAME}:6443"), relay.port());
        let server = format!("https://{NAME}:6443");
        let entry = Entry { proxy: Some(proxy.url()), server, ..Entry::revil(&relay).unnamed() };
        for authorities in [relay.ca_pem(), both(&relay.ca_pem())] {
            scene.attack(&Attack {
                name: "a proxy with an authority of its own",
                words: &["sync", "--context", "revil"],
                entries: vec![Entry::prod(), entry.clone().trusting(authorities)],
                token: forged(&relay),
                refusal: Refusal::AnotherWay,
            });
        }
        scene.end();
    }
);
