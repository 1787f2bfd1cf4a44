//! Row 3: a path of the victim's own API server leads to the attacker. The certificate, the
//! authority and the name are the victim's; the responses are the attacker's. It uses real
//! aggregation: an APIService of a tenant who may create one.

use super::clusters::{tenant, victim};
use super::entries::Entry;
use super::forged;
use super::scene::{Attack, Refusal, Scene};
use harness::each_product;
use harness::server::{Presented, Product, Relay, RelayOptions, Tokens};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

const SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// Makes an object of the victim; it must succeed.
fn create(path: &str, object: &Value) {
    let answer = victim().http("POST", path, Some(object)).expect("the victim answers");
    assert!(answer.is_success(), "POST {path}: {}: {}", answer.status, answer.text);
}

/// Requests to `/apis/<group>/v1` of the victim go to the stand-in from now on.
fn aggregate(group: &str, relay: &Relay) {
    // The API server resolves the name itself: there are no endpoints at a
    // loopback address.
    let service = json!({"metadata": {"name": group.replace('.', "-")},
        "spec": {"type": "ExternalName", "externalName": "localhost"}});
    create("/api/v1/namespaces/team-a/services", &service);
    let service = json!({"namespace": "team-a", "name": group.replace('.', "-"), "port": relay.port()});
    let registration = json!({"metadata": {"name": format!("v1.{group}")}, "spec": {"group": group, "version": "v1",
        "service": service, "insecureSkipTLSVerify": true, "groupPriorityMinimum": 1, "versionPriority": 1}});
    create(SERVICES, &registration);
    let serves = || {
        let read = victim().http("GET", &format!("{SERVICES}/v1.{group}"), None).expect("the victim answers").json();
        let path = format!("/apis/{group}/v1/openid/v1/jwks");
        let passed = victim().http("GET", &path, None).expect("the victim answers");
        let conditions = read["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let available = conditions.iter().any(|one| one["type"] == "Available" && one["status"] == "True");
        (available && passed.is_success(), read["status"].to_string() + &passed.text)
    };
    for _ in 0..300 {
        if serves().0 {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("the APIService does not serve: {}", serves().1);
}

each_product!(a_path_of_the_victims_own_api_server, |product| {
    let scene = Scene::new(product);
    let group = match product {
        Product::Vault => "evil-vault.example",
        Product::OpenBao => "evil-openbao.example",
    };
    let options = RelayOptions {
        prefix: format!("/apis/{group}/v1"),
        tokens: Tokens::Relayed(tenant()),
        ..RelayOptions::default()
    };
    // The API server speaks TLS to it; with whose certificate does not matter.
    let relay = Relay::start(victim(), &Presented::Own(Vec::new()), options).expect("a stand-in starts");
    aggregate(group, &relay);
    let prod = Entry::prod();
    let server = format!("{}/apis/{group}/v1", victim().url());
    let revil = Entry { name: "revil", namespace: "team-a", server, ..prod.clone() };
    for words in [
        &["sync", "--all-contexts"][..],
        &["sync", "--context", "revil"],
        &["setup", "--context", "revil"],
        &["setup", "--context", "revil", "--trust-issuer"],
    ] {
        scene.attack(&Attack {
            name: "an APIService",
            words,
            entries: vec![prod.clone(), revil.clone()],
            token: forged(&relay),
            refusal: Refusal::AnotherWay,
        });
    }
    scene.attack(&Attack {
        name: "an APIService",
        words: &["remove", "--context", "revil", "--yes"],
        entries: vec![revil],
        token: None,
        refusal: Refusal::NotShown,
    });
    let deleted = victim().http("DELETE", &format!("{SERVICES}/v1.{group}"), None).expect("the victim answers");
    assert!(deleted.is_success(), "{}", deleted.text);
    scene.end();
});
