//! Malicious key sets: the messages, what is written, and that no text from them acts on a
//! terminal or a mount. One row for each key set.

use crate::support::fixture::{ROLE, Ran};
use crate::support::fleet::{Fleet, by_hand, elements, foreign, is_plain};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::{FakeApiServers, FakeApiServersOptions, FakeIssuers, PooledVault, Product, VaultOptions};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

const CONFIG: &str = "auth/jwt/config";
const DRIP: &str = "slow drip";
const TABLE: &str = "CONTEXT   KEPT   ADDED   RETIRED   REMOVED   RESULT\n";
const LOOK: &str = "look at the key set: kubectl get --raw /openid/v1/jwks";
const SYNC: [&str; 3] = ["sync", "--contexts", "c0"];

fn raft(product: Product) -> PooledVault {
    PooledVault::take(VaultOptions { audit: false, ..VaultOptions::new(product) }).expect("Vault starts")
}

fn two_clusters() -> FakeApiServers {
    FakeApiServers::start(2, FakeApiServersOptions::default()).expect("the clusters start")
}

/// `setup` as everybody runs it.
fn setup(fleet: &Fleet<'_>, flags: &[&str]) -> Ran {
    let role = [&ROLE[..4], &["--policy", "default"]].concat();
    fleet.run(&[&["setup", "--context", "c0"], &role[..], flags].concat())
}

/// A place that nobody should ask, and never answers.
fn silent() -> TcpListener {
    let place = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    place.set_nonblocking(true).expect("it does not wait");
    place
}

fn nobody_came(place: &TcpListener) -> bool {
    place.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// A key set of these keys.
fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// A JWK with one member more, or another one.
fn with(key: &SigningKey, member: &str, value: impl Into<Value>) -> Value {
    let mut jwk = key.jwk();
    jwk[member] = value.into();
    jwk
}

/// Whether Vault takes a token for role `app`.
fn logs_in(fleet: &Fleet<'_>, jwt: &str) -> bool {
    let body = json!({"role": "app", "jwt": jwt});
    fleet.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").is_success()
}

fn token(fleet: &Fleet<'_>) -> String {
    fleet.clusters.token(0, "shop", "app", &["vault"]).expect("a token").expose().to_owned()
}

/// A key set, and the words with which it is refused.
struct Refused {
    name: &'static str,
    publish: Box<dyn Fn(&FakeApiServers)>,
    error: String,
    hint: String,
}

/// Answered as a key set with status 200.
fn body(name: &'static str, body: impl Into<Vec<u8>>, error: &str) -> Refused {
    let body = body.into();
    Refused {
        name,
        publish: Box::new(move |clusters| clusters.publish_raw(0, 200, "application/jwk-set+json", body.clone())),
        error: error.to_owned(),
        hint: LOOK.to_owned(),
    }
}

/// Refused because of what the set is.
fn unusable(name: &'static str, set: impl Into<Vec<u8>>, why: &str) -> Refused {
    body(name, set, &format!("the key set of the API server is not usable: {why}"))
}

/// Refused because of how it is answered.
fn answered(clusters: &FakeApiServers, name: &'static str, hint: &str, words: &str) -> Refused {
    let error = format!("API server \"{}\" of context \"c0\" {words}", clusters.url(0));
    Refused { hint: hint.to_owned(), ..body(name, "", &error) }
}

/// `elsewhere` is where a redirect leads.
fn refused(clusters: &FakeApiServers, elsewhere: String) -> Vec<Refused> {
    let key = SigningKey::generate(Alg::Es256).expect("a key");
    let good = key.jwk();
    let mut enc = with(&key, "kid", "\u{9b}1m\u{202e},");
    enc["use"] = json!("enc\u{7}");
    let look = "kubectl cluster-info --context c0";
    let larger = "answered \"GET /openid/v1/jwks\" with more than 1024 KiB";
    let small = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([7; 32])});
    vec![
        unusable(
            "private member",
            set(&[good.clone(), with(&key, "d", "AAAA")]),
            &format!("it publishes private key material (member \"d\" of key \"{}\")", key.kid()),
        ),
        unusable(
            "private member under a kid that steers",
            set(&[with(&key, "kid", "a\u{1b}[2J\nb"), json!({"kty": "oct", "k": "AAAA", "kid": "a\u{1b}[2J\nb"})]),
            "it publishes private key material (member \"k\" of key \"a\\u{1b}[2J\\u{a}b\")",
        ),
        unusable("empty set", set(&[]), "it holds no key that Vault can verify with"),
        unusable(
            "nothing usable, under a kid that steers",
            set(&[enc]),
            "it holds no key that Vault can verify with; skipped key \"\\u{9b}1m\\u{202e},\": its use is \"enc\\u{7}\", not \"sig\"",
        ),
        unusable(
            "HTML",
            "<!DOCTYPE html><html><body>Sign in</body></html>",
            "it is not a JWKS: expected value at line 1 column 1",
        ),
        unusable("nothing at all", "", "it is not a JWKS: EOF while parsing a value at line 1 column 0"),
        unusable(
            "cut off",
            &set(std::slice::from_ref(&good)).as_bytes()[..20],
            "it is not a JWKS: EOF while parsing a string at line 1 column 20",
        ),
        unusable(
            "keys are no list",
            json!({"keys": {"kid": "a"}}).to_string(),
            "it is not a JWKS: invalid type: map, expected a sequence at line 1 column 8",
        ),
        unusable(
            "keys twice",
            "{\"keys\":[],\"keys\":[]}",
            "it is not a JWKS: duplicate field `keys` at line 1 column 17",
        ),
        unusable("a set without keys", "{}", "it is not a JWKS: missing field `keys` at line 1 column 2"),
        unusable("10,000 small keys", set(&vec![small; 10_000]), "it holds 10000 keys, more than 100"),
        Refused {
            publish: Box::new(move |clusters| {
                clusters.publish_raw(0, 200, "application/json", set(&vec![good.clone(); 10_000]));
            }),
            ..answered(clusters, "10,000 keys", look, larger)
        },
        Refused {
            publish: Box::new(|clusters| {
                clusters.publish_raw(0, 200, "application/json", vec![b' '; 8 << 20]);
            }),
            ..answered(clusters, "8 MB", look, larger)
        },
        Refused {
            publish: Box::new(|clusters| clusters.drip(0, Duration::from_millis(100))),
            ..answered(
                clusters,
                DRIP,
                "give it longer with --request-timeout, or look with: kubectl cluster-info --context c0",
                "did not answer \"GET /openid/v1/jwks\" within 4s",
            )
        },
        Refused {
            publish: Box::new(move |clusters| clusters.redirect(0, &elsewhere)),
            ..answered(clusters, "redirect to another host", look, "answered \"GET /openid/v1/jwks\" with 302: Found")
        },
    ]
}

each_product!(key_sets_that_are_refused, |product| {
    let (clusters, vault) = (two_clusters(), raft(product));
    let fleet = Fleet::new(&clusters, &vault);
    setup(&fleet, &[]).ok();
    let mut config = by_hand(&elements(&fleet.config("jwt")), &foreign(), "");
    config["jwt_supported_algs"] = json!(["RS256", "ES256"]);
    fleet.write(CONFIG, &config);
    let role = || vault.ok("GET", "auth/jwt/role/app", None).expect("the role is read")["data"].clone();
    let before = (fleet.config("jwt"), role());
    let elsewhere = silent();
    let port = elsewhere.local_addr().expect("an address").port();
    for row in refused(&clusters, format!("https://localhost:{port}/openid/v1/jwks")) {
        (row.publish)(&clusters);
        // Every byte of the drip comes in time, the whole does not.
        let patience = ["--request-timeout", if row.name == DRIP { "4s" } else { "1m" }];
        let synced = fleet.run(&[&SYNC[..], &patience].concat());
        is_plain(&synced);
        let (error, hint) = (&row.error, &row.hint);
        assert_eq!(
            (synced.code, synced.stdout, synced.stderr),
            (
                1,
                format!("{TABLE}c0        -      -       -         -         failed\n"),
                format!("error: context \"c0\": {error}\nhint: {hint}\n")
            ),
            "{}",
            row.name
        );
        let set_up = setup(&fleet, &patience);
        is_plain(&set_up);
        assert_eq!(
            (set_up.code, set_up.stdout, set_up.stderr),
            (1, String::new(), format!("error: {error}\nhint: {hint}\n")),
            "{}",
            row.name
        );
        assert_eq!((fleet.config("jwt"), role()), before, "{NEVER_FLAKY}: {}", row.name);
        clusters.recover(0);
    }
    assert!(nobody_came(&elsewhere), "nobody followed the redirect");
    assert!(logs_in(&fleet, &token(&fleet)), "{NEVER_FLAKY}");
});

/// One row of `sync -o json`.
fn synced(fleet: &Fleet<'_>, flags: &[&str]) -> Value {
    let ran = fleet.run(&[&SYNC[..], &["-o", "json"], flags].concat()).ok();
    is_plain(&ran);
    let report: Value = serde_json::from_str(&ran.stdout).expect("the report is JSON");
    report["clusters"][0].clone()
}

/// The kids with which this happened to a key.
fn kids(row: &Value, action: &str) -> Vec<String> {
    let keys = row["keys"].as_array().into_iter().flatten().filter(|key| key["action"] == action);
    keys.map(|key| key["kid"].as_str().unwrap_or_default().to_owned()).collect()
}

fn publish(clusters: &FakeApiServers, keys: &[Value]) {
    clusters.publish_raw(0, 200, "application/jwk-set+json", set(keys));
}

each_product!(kids_that_would_break_out, |product| {
    let (clusters, vault) = (two_clusters(), raft(product));
    let fleet = Fleet::new(&clusters, &vault);
    setup(&fleet, &[]).ok();
    fleet.write(CONFIG, &by_hand(&elements(&fleet.config("jwt")), &foreign(), ""));
    let mut last = clusters.keys(0)[0].kid();
    let pem = SigningKey::generate(Alg::Es256).expect("a key").public_pem().to_owned();
    let long = "é".repeat(1_000);
    for kid in [
        "two\nlines\r\nand a third",
        "a,b,,c",
        "\u{1b}[31mred\u{1b}[0m\u{9b}2J\u{7}\u{202e}",
        "-----BEGIN PUBLIC KEY-----",
        &pem,
        "a\nissuer: https://issuer-1.svc\nvaultjwt/v1",
        " %0A% ",
        &long,
        "\0",
    ] {
        let new = clusters.rotate(0).expect("a key is made");
        publish(&clusters, &[with(&new, "kid", kid)]);
        // The new key alone is published: nothing else connects it with the old one.
        let row = synced(&fleet, &["--replace-keys", "--same-trust-domain", "--allow-existing-roles"]);
        // The kid of the key that goes is the one its mark was written with.
        assert_eq!((kids(&row, "add"), kids(&row, "retire")), (vec![kid.to_owned()], vec![last]), "{row}");
        let config = fleet.config("jwt");
        let [element] =
            &elements(&config).into_iter().filter(|e| e.contains(new.public_pem().trim())).collect::<Vec<_>>()[..]
        else {
            panic!("{kid:?}: {config}");
        };
        assert!(fleet.is_of(0, element) && !fleet.is_of(1, element), "{NEVER_FLAKY}: {element}");
        assert_eq!(element.matches("-----BEGIN").count(), 1, "{element}");
        assert!(element.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{element}");
        assert!(!element.contains(','), "{element}");
        assert!(logs_in(&fleet, &token(&fleet)), "{NEVER_FLAKY}: {kid:?}");
        // What was written is what would be written.
        for ran in [fleet.run(&[&SYNC[..], &["-v", "6"]].concat()).ok(), setup(&fleet, &["-v", "6"]).ok()] {
            is_plain(&ran);
        }
        assert_eq!(fleet.config("jwt"), config, "{NEVER_FLAKY}: {kid:?}");
        // No more of a kid than fits a line: 256 bytes, in whole characters.
        last = if kid == long { "é".repeat(128) } else { kid.to_owned() };
    }
});

each_product!(keys_that_stand_twice, |product| {
    let (clusters, vault) = (two_clusters(), raft(product));
    let fleet = Fleet::new(&clusters, &vault);
    setup(&fleet, &[]).ok();
    let old = clusters.keys(0).remove(0);
    let new = clusters.rotate(0).expect("a key is made");
    let count = |key: &SigningKey| {
        elements(&fleet.config("jwt")).iter().filter(|element| element.contains(key.public_pem().trim())).count()
    };
    // The same key twice, and once more by another name.
    publish(&clusters, &[old.jwk(), new.jwk(), new.jwk(), with(&new, "kid", "again"), old.jwk()]);
    let row = synced(&fleet, &[]);
    assert_eq!((kids(&row, "add"), kids(&row, "keep")), (vec![new.kid()], vec![old.kid()]), "{row}");
    assert_eq!((count(&old), count(&new)), (1, 1), "{NEVER_FLAKY}");
    assert!(logs_in(&fleet, &token(&fleet)), "{NEVER_FLAKY}");
    // Two keys by the same name: Vault does not look at names.
    let newest = clusters.rotate(0).expect("a key is made");
    publish(&clusters, &[with(&new, "kid", "same"), with(&newest, "kid", "same"), old.jwk()]);
    let row = synced(&fleet, &[]);
    assert_eq!((kids(&row, "add"), row["keys"].as_array().map(Vec::len)), (vec!["same".to_owned()], Some(3)), "{row}");
    let jwt = token(&fleet);
    let claims = jwt.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).expect("claims");
    let claims: Value = serde_json::from_slice(&claims).expect("claims are JSON");
    for key in [&old, &new, &newest] {
        let header = json!({"alg": "ES256", "kid": "same"});
        assert!(logs_in(&fleet, &key.sign_with_header(&header, &claims).expect("it signs")), "{NEVER_FLAKY}: {key:?}");
    }
    assert_eq!(synced(&fleet, &[])["outcome"], json!("unchanged"));
});

each_product!(a_key_that_is_passed_over_is_told_in_plain_words, |product| {
    let (clusters, vault) = (two_clusters(), raft(product));
    let fleet = Fleet::new(&clusters, &vault);
    setup(&fleet, &[]).ok();
    let before = fleet.config("jwt");
    let other = SigningKey::generate(Alg::Es256).expect("a key");
    let mut strange = with(&other, "kid", "\u{1b}]0;pwned\u{7}\n-----BEGIN");
    strange["kty"] = json!("X\u{1b}[1mY");
    publish(&clusters, &[clusters.keys(0)[0].jwk(), strange]);
    let skipped = "skipped key \"\\u{1b}]0;pwned\\u{7}\\u{a}-----BEGIN\": its type \"X\\u{1b}[1mY\" is not supported";
    let ran = fleet.run(&SYNC).ok();
    is_plain(&ran);
    assert_eq!(ran.stderr, format!("warning: context \"c0\": {skipped}\n"));
    assert_eq!(ran.stdout, format!("{TABLE}c0        1      0       0         0         unchanged\n"));
    let ran = setup(&fleet, &[]).ok();
    is_plain(&ran);
    assert!(ran.stderr.contains(&format!("warning: {skipped}\n")), "{}", ran.stderr);
    assert_eq!(fleet.config("jwt"), before, "{NEVER_FLAKY}");
});

each_product!(an_issuer_without_tls_is_not_asked, |product| {
    let site = silent();
    let issuer = format!("http://{}/{{}}", site.local_addr().expect("an address"));
    let options = FakeApiServersOptions { issuers: FakeIssuers::Each(issuer), ..FakeApiServersOptions::default() };
    let clusters = FakeApiServers::start(2, options).expect("the clusters start");
    let vault = raft(product);
    let fleet = Fleet::new(&clusters, &vault);
    let ran = setup(&fleet, &[]).ok();
    let issuer = clusters.issuer(0);
    let begin = format!(
        "✓ issuer \"{issuer}\", 1 key from the API\n\
         ✓ issuer proven by a token of service account \"shop:app\"\n"
    );
    assert!(ran.stderr.starts_with(&begin), "{}", ran.stderr);
    let new = clusters.rotate(0).expect("a key is made");
    let row = synced(&fleet, &[]);
    assert_eq!(kids(&row, "add"), [new.kid()]);
    assert_eq!(row["owner"], json!({"issuer": issuer, "clusterUid": clusters.uid(0)}));
    assert!(logs_in(&fleet, &token(&fleet)), "{NEVER_FLAKY}");
    assert!(nobody_came(&site));
});
