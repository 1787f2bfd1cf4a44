//! Mounts that others changed, and what the commands do with them: a table of case, expected and
//! actual result, printed with `cargo test -p tests --test e2e mount_states -- --nocapture`.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use crate::support::provenance_fixture::ManagedKey;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::{Cluster, ClusterOptions, Issuer, VaultOptions};
use serde_json::{Value, json};

/// Issuer of the table's cluster. It has an RSA key and an EC key, and signs
/// with the EC key.
const ISSUER: &str = "https://alpha.svc";

/// A cluster that has just rotated from RS256 to ES256.
fn rotated() -> Cluster {
    let options = ClusterOptions { issuer: Issuer::Url(ISSUER.to_owned()), ..ClusterOptions::default() };
    let cluster = Cluster::rotating(options).expect("a cluster starts");
    cluster.create_service_account("shop", "app").expect("a service account is made");
    cluster.rotate(Alg::Es256).expect("the cluster rotates");
    cluster
}

/// One mount, changed by somebody, and one run on it.
struct Case {
    name: &'static str,
    /// From the configuration as set up to what somebody left.
    change: fn(&mut Value, &Cluster),
    command: &'static [&'static str],
    expected: &'static str,
}

/// What a run made of the elements: for each its mark's first letters, or
/// what else it is; then algorithms and bound issuer where they are not as
/// usual; then the exit code, and the error's last words.
fn seen(fixture: &Fixture, ran: &Ran, before: &Value) -> String {
    let config = fixture.data("auth/jwt/config");
    let end = if &config == before { "unchanged".to_owned() } else { elements(&config) };
    let error = ran.stderr.lines().find_map(|line| line.strip_prefix("error: "));
    let about = error.map(|words| words.rsplit("its keys: ").next().unwrap_or(words)).unwrap_or_default();
    let about = about.rsplit("can be refreshed: ").next().unwrap_or(about);
    format!("{end}; {}{}", ran.code, if about.is_empty() { String::new() } else { format!(": {about}") })
}

fn elements(config: &Value) -> String {
    let keys = config["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
    let one = |key: &Value| {
        let text = key.as_str().unwrap_or_default();
        let issuer = text.lines().find_map(|line| line.strip_prefix("issuer: "));
        let retired = if text.contains("\nretired: ") { " retired" } else { "" };
        match issuer {
            Some(issuer) => format!("{}{retired}", issuer.trim_start_matches("https://")),
            None => "unmanaged".to_owned(),
        }
    };
    let mut words = keys.iter().map(one).collect::<Vec<_>>().join(", ");
    words.push_str(&format!("; {}", config["jwt_supported_algs"].as_array().map_or(0, Vec::len)));
    words.push_str(if config["jwt_supported_algs"].as_array().is_some_and(|a| a.len() == 1) {
        " alg"
    } else {
        " algs"
    });
    words
}

fn push(config: &mut Value, element: String, front: bool) {
    let keys = config["jwt_validation_pubkeys"].as_array_mut().expect("keys");
    if front { keys.insert(0, json!(element)) } else { keys.push(json!(element)) }
}

fn by_hand() -> String {
    SigningKey::generate(Alg::Rs256).expect("a key").public_pem().trim().to_owned()
}

fn managed(issuer: &'static str) -> String {
    ManagedKey { issuer, uid: None, kid: "k", cluster: "other", retired: None }.element()
}

/// A published key of the cluster under somebody else's mark.
fn stolen(cluster: &Cluster) -> String {
    let mark = managed("https://other");
    let head = mark.split("-----BEGIN").next().unwrap_or_default().replace("alg: ES256", "alg: RS256");
    format!("{head}{}", cluster.signing_keys()[0].public_pem().trim())
}

fn stripped(config: &mut Value) {
    for key in config["jwt_validation_pubkeys"].as_array_mut().expect("keys") {
        let text = key.as_str().unwrap_or_default();
        *key = json!(&text[text.find("-----BEGIN").unwrap_or(0)..]);
    }
}

/// Only the RSA key is on the mount yet.
fn behind(config: &mut Value) {
    let keys = config["jwt_validation_pubkeys"].as_array_mut().expect("keys");
    keys.retain(|key| key.as_str().is_some_and(|text| text.contains("alg: RS256")));
    config["jwt_supported_algs"] = json!(["RS256"]);
}

const SYNC: &[&str] = &["sync"];
const ADOPT: &[&str] = &["sync", "--adopt", "--same-trust-domain", "--allow-existing-roles"];

const CASES: &[Case] = &[
    Case {
        name: "a foreign key put there by hand, in front and behind",
        change: |config, _| {
            behind(config);
            push(config, by_hand(), true);
            push(config, by_hand(), false);
        },
        command: SYNC,
        expected: "alpha.svc, unmanaged, alpha.svc, unmanaged; 2 algs; 0",
    },
    Case {
        name: "the list rewritten by Terraform without our keys",
        change: |config, _| config["jwt_validation_pubkeys"] = json!([by_hand()]),
        command: SYNC,
        expected: "unchanged; 1: it holds no key of https://alpha.svc (cluster UID)",
    },
    Case {
        name: "the list rewritten with our keys, marks stripped",
        change: |config, _| stripped(config),
        command: SYNC,
        expected: "unchanged; 1: it holds 2 keys of https://alpha.svc (cluster UID), but without a mark that says so",
    },
    Case {
        name: "the same, adopted: the key that signs is managed again, the rest is not",
        change: |config, _| {
            push(config, by_hand(), false);
            push(config, managed("https://other"), false);
            stripped(config);
        },
        command: ADOPT,
        expected: "unmanaged, alpha.svc, unmanaged, unmanaged; 2 algs; 0",
    },
    Case {
        name: "adopting changes nobody else's mark",
        change: |config, _| {
            behind(config);
            push(config, managed("https://other"), true);
        },
        command: ADOPT,
        expected: "alpha.svc, other, alpha.svc; 2 algs; 0",
    },
    Case {
        name: "another owner's mark on a key we publish",
        change: |config, cluster| {
            behind(config);
            config["jwt_validation_pubkeys"] = json!([stolen(cluster), config["jwt_validation_pubkeys"][0]]);
        },
        command: ADOPT,
        expected: "alpha.svc, other, alpha.svc; 2 algs; 0",
    },
    Case {
        name: "the bound_issuer of somebody else",
        change: |config, _| {
            behind(config);
            config["bound_issuer"] = json!("https://other");
        },
        command: SYNC,
        expected: "unchanged; 1: its bound_issuer is \"https://other\"",
    },
    Case {
        name: "algorithms [RS256] and a cluster that signs ES256",
        change: |config, _| behind(config),
        command: SYNC,
        expected: "alpha.svc, alpha.svc; 2 algs; 0",
    },
    Case {
        name: "algorithms narrowed by somebody, keys all there",
        change: |config, _| config["jwt_supported_algs"] = json!(["RS256"]),
        command: SYNC,
        expected: "alpha.svc, alpha.svc; 2 algs; 0",
    },
    Case {
        name: "no list of algorithms stays none",
        change: |config, _| {
            behind(config);
            config["jwt_supported_algs"] = json!([]);
        },
        command: SYNC,
        expected: "alpha.svc, alpha.svc; 0 algs; 0",
    },
];

fn logs_in(fixture: &Fixture) -> bool {
    let jwt = fixture.cluster.token("shop", "app", &["vault"]).expect("the cluster issues a token");
    let body = json!({"role": "app", "jwt": jwt.expose()});
    fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").is_success()
}

fn foreign(config: &Value) -> Vec<Value> {
    let keys = config["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
    keys.into_iter().filter(|key| !key.as_str().is_some_and(|text| text.contains(ISSUER))).collect()
}

each_product!(what_others_did_to_a_mount, |product| {
    let fixture = Fixture::with(Owned::Own(Box::new(rotated())), VaultOptions::new(product));
    fixture.setup(&ROLE).ok();
    let uid = fixture.cluster.uid().expect("a UID");
    let mut set_up = fixture.data("auth/jwt/config");
    set_up.as_object_mut().expect("a configuration").remove("status");
    let mut failed = Vec::new();
    println!("{product}: case | expected | seen");
    for case in CASES {
        let mut changed = set_up.clone();
        (case.change)(&mut changed, &fixture.cluster);
        fixture.write("auth/jwt/config", changed);
        let before = fixture.data("auth/jwt/config");
        let ran = run(&mut fixture.kubectl(&[&["vaultjwt"], case.command].concat()));
        let expected = case.expected.replace("UID", &uid);
        let seen = seen(&fixture, &ran, &before);
        println!("{} | {expected} | {seen}", case.name);
        // Whatever the row says: what is not ours is there byte for byte, and in order.
        let kept = foreign(&fixture.data("auth/jwt/config"));
        let lost = case.command == SYNC && kept != foreign(&before);
        if seen != expected || lost {
            let lost = if lost { NEVER_FLAKY } else { "" };
            failed.push(format!("{} {lost}\n{}", case.name, ran.stderr));
        }
        if ran.code == 0 && !logs_in(&fixture) {
            failed.push(format!("{}: nobody logs in", case.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
});

// An OIDC secret cannot be read back, so it would be lost by any write.
each_product!(an_oidc_secret_is_never_lost, |product| {
    let issuer = ClusterOptions { issuer: Issuer::Own, anonymous_oidc: true, ..ClusterOptions::default() };
    let issuer = Cluster::shared(issuer).expect("a cluster starts");
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let secret = json!({"oidc_discovery_url": issuer.url(), "oidc_discovery_ca_pem": issuer.ca_pem(),
                        "oidc_client_id": "id", "oidc_client_secret": "secret"});
    fixture.write("auth/jwt/config", secret);
    let before = fixture.mount_state();
    let url = issuer.url();
    let from = format!("it takes its keys from oidc_discovery_url ({url})");
    let ran = run(&mut fixture.kubectl(&["vaultjwt", "sync", "--enroll", "--same-trust-domain"]));
    ran.failed(
        1,
        &format!(
            "error: the keys on auth mount \"jwt/\" cannot be refreshed: {from}\nhint: nothing to refresh: Vault fetches the keys of that mount itself\n"
        ),
    );
    assert_eq!(fixture.mount_state(), before, "{NEVER_FLAKY}");
});
