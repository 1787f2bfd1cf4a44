//! Hosts that many clusters share, told apart by path (Rancher, the connect gateway of GKE), by
//! port (IKS) or by credential (Teleport). The victim is enrolled over such a host, so its way is
//! indirect, and a neighbor on that host claims to be the victim.

use super::clusters::{tenant, thief, victim};
use super::entries::Entry;
use super::forged;
use super::scene::{Attack, Refusal, Scene};
use crate::support::fixture::ROLE;
use harness::certificates::{Authority, Certificate};
use harness::each_product;
use harness::http::Http;
use harness::server::{Credentials, Honest, Presented, Product, Published, Relay, RelayOptions, Tokens};
use serde_json::json;
use shared::Secret;

/// The name of the host.
const HOST: &str = "clusters.provider.example";

/// A certificate for the host, of an authority that everybody trusts there.
fn host() -> (Certificate, String) {
    let provider = Authority::new("provider").expect("an authority");
    (provider.serving(&[HOST]).expect("a certificate"), provider.pem())
}

fn start(certificate: &Certificate, options: RelayOptions) -> Relay {
    Relay::start(victim(), &Presented::These(vec![certificate.clone()]), options).expect("a stand-in starts")
}

fn entry(name: &'static str, server: String, authority: &str, token: &str) -> Entry {
    Entry {
        name,
        server,
        authorities: authority.to_owned(),
        tls_server_name: Some(HOST.to_owned()),
        insecure: false,
        proxy: None,
        namespace: if name == "prod" { "default" } else { "team-a" },
        credentials: Credentials::Token(Secret::new(token)),
    }
}

/// The victim enrolled over an indirect way, which refreshes it too.
fn enrolled(product: Product, prod: &Entry) -> Scene {
    let scene = Scene::empty(product);
    scene.run(&[&["setup", "--context", "prod"], &ROLE[..]].concat(), std::slice::from_ref(prod)).ok();
    let elements = scene.elements();
    // As if all keys but the one that signs had come since. The record of the ways is
    // on one key, and stays.
    let ways: String = elements
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| line.starts_with("authority-"))
        .map(|line| format!("{line}\n"))
        .collect();
    let signer = elements.iter().find(|text| text.contains("\nproof: token\n")).expect("one signed a token");
    let bare: String =
        signer.lines().filter(|line| !line.starts_with("authority-")).map(|line| format!("{line}\n")).collect();
    let begin = "-----BEGIN PUBLIC KEY-----";
    scene.put(&[bare.trim().replace(begin, &format!("{ways}{begin}"))]);
    scene.run(&["sync", "--context", "prod"], std::slice::from_ref(prod)).ok();
    assert_eq!(scene.elements().len(), elements.len());
    scene
}

fn try_it(scene: &Scene, name: &str, prod: &Entry, revil: &Entry, relay: &Relay, refusal: Refusal) {
    for words in [
        &["sync", "--context", "revil"][..],
        &["sync", "--all-contexts"],
        &["setup", "--context", "revil"],
        &["setup", "--context", "revil", "--trust-issuer"],
    ] {
        let entries = vec![prod.clone(), revil.clone()];
        scene.attack(&Attack { name, words, entries, token: forged(relay), refusal });
    }
}

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    one_host_and_two_paths,
    |product| {
        let (certificate, authority) = host();
        let options = RelayOptions {
            prefix: "/k8s/clusters/c-evil".to_owned(),
            honest: Honest::Below("/k8s/clusters/c-prod".to_owned()),
            tokens: Tokens::Relayed(thief()),
            ..RelayOptions::default()
        };
        let relay = start(&certificate, options);
        let at = |path: &str| format!("https://127.0.0.1:{}/k8s/clusters/{path}", relay.port());
        let prod = entry("prod", at("c-prod"), &authority, "admin");
        let scene = enrolled(product, &prod);
        for path in ["c-evil", "c-evil/", "c-prod/../c-evil", "%63-evil"] {
            let revil = entry("revil", at(path), &authority, "admin");
            // An address that leads nowhere is refused otherwise.
            let refusal = if path == "c-evil" { Refusal::AnotherWay } else { Refusal::Other };
            try_it(&scene, &format!("a neighbor at {path}"), &prod, &revil, &relay, refusal);
        }
        scene.end();
    }
);

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    one_host_and_two_ports,
    |product| {
        let (certificate, authority) = host();
        let honest =
            start(&certificate, RelayOptions { honest: Honest::Below(String::new()), ..RelayOptions::default() });
        let relay = start(&certificate, RelayOptions { tokens: Tokens::Relayed(thief()), ..RelayOptions::default() });
        let prod = entry("prod", honest.url(), &authority, "admin");
        let scene = enrolled(product, &prod);
        try_it(
            &scene,
            "a neighbor at another port",
            &prod,
            &entry("revil", relay.url(), &authority, "admin"),
            &relay,
            Refusal::AnotherWay,
        );
        scene.end();
    }
);

/// Pods and secrets of `kube-system` that tokens can be bound to.
fn bound() -> [serde_json::Value; 2] {
    let bearer = format!("Bearer {}", thief().expose());
    let http = Http::new(victim().url(), Some(&victim().ca_pem()), None).expect("a client");
    let container = json!({"name": "pause", "image": "pause"});
    let spec = json!({"serviceAccountName": "default", "containers": [container]});
    for (path, object) in [
        ("pods", json!({"metadata": {"name": "evil"}, "spec": spec})),
        ("secrets", json!({"metadata": {"name": "evil"}})),
    ] {
        let path = format!("/api/v1/namespaces/kube-system/{path}");
        let made = http.send("POST", &path, &[("authorization", &bearer)], Some(&object)).expect("the victim answers");
        assert!(made.is_success() || made.status == 409, "{}", made.text);
    }
    ["Pod", "Secret"].map(|kind| json!({"apiVersion": "v1", "kind": kind, "name": "evil"}))
}

// Here the way is the recorded one, to the byte: tokens alone tell the two
// apart.
each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    one_host_and_two_credentials,
    |product| {
        let (certificate, authority) = host();
        let honest = Honest::With(Secret::new("prod-credential"));
        let relay = start(&certificate, RelayOptions { honest, ..RelayOptions::default() });
        let prod = entry("prod", relay.url(), &authority, "prod-credential");
        let revil = entry("revil", relay.url(), &authority, "evil-credential");
        let scene = enrolled(product, &prod);
        let old = |namespace: &str| victim().token(namespace, "default", &["vault"]).expect("a token");
        let [pod, secret] = bound();
        for (name, tokens) in [
            ("a tenant's tokens", Tokens::Relayed(tenant())),
            ("a token bound to a pod", Tokens::BoundTo(thief(), pod)),
            ("a token bound to a secret", Tokens::BoundTo(thief(), secret)),
            ("an old token of kube-system", Tokens::Replayed(old("kube-system"))),
            ("an old token of a tenant", Tokens::Replayed(old("team-a"))),
            ("the random audience dropped", Tokens::ForAudiences(thief(), vec!["vault".to_owned()])),
            ("a token signed by the key that comes with it", Tokens::Forged),
            ("no tokens", Tokens::Refused),
        ] {
            relay.issue(tokens);
            try_it(&scene, name, &prod, &revil, &relay, Refusal::Other);
        }
        // And what it could show or hide besides. Vault itself would refuse a list
        // without keys.
        scene.put(&[scene.elements(), vec![crate::support::provenance_fixture::unmanaged()]].concat());
        relay.issue(Tokens::Relayed(tenant()));
        for (name, published, words) in [
            ("an older key left out", Published::NewestAndOwn, &["sync", "--context", "revil", "--grace", "0s"][..]),
            ("an older key pruned", Published::NewestAndOwn, &["sync", "--context", "revil", "--prune"]),
            ("all keys replaced", Published::Own, &["sync", "--context", "revil", "--replace-keys"]),
            ("all keys replaced by setup", Published::Own, &["setup", "--context", "revil", "--replace-keys"]),
            ("no keys", Published::Nothing, &["sync", "--context", "revil"]),
            ("removed", Published::Victims, &["remove", "--context", "revil", "--yes"]),
        ] {
            relay.publish(published);
            let entries = vec![prod.clone(), revil.clone()];
            scene.attack(&Attack { name, words, entries, token: forged(&relay), refusal: Refusal::Other });
        }
        scene.end();
    }
);
