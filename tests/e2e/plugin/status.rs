//! `status`: shows what is on a mount.

use crate::support::fixture::{Fixture, ROLE, Ran, run};
use crate::support::provenance_fixture::{ManagedKey, unmanaged};
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::{Cluster, ClusterOptions};
use serde_json::{Value, json};

fn status(fixture: &Fixture, flags: &[&str]) -> Ran {
    run(&mut fixture.kubectl(&[&["vaultjwt", "status"], flags].concat()))
}

/// The cells of a line.
fn cells(line: &str) -> Vec<&str> {
    line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

fn key<'a>(issuer: &'a str, uid: Option<&'a str>, retired: Option<&'a str>) -> ManagedKey<'a> {
    ManagedKey { issuer, uid, kid: "k1", cluster: "prod", retired }
}

each_product!(one_read_and_a_row_for_each_key, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let seen = fixture.seen();
    let ran = status(&fixture, &[]).ok();
    assert_eq!(fixture.requests_since(seen), ["read auth/jwt/config"]);
    assert_eq!(ran.stderr, "");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(cells(lines[0]), ["CLUSTER", "ISSUER", "KID", "ALG", "AGE", "STATE"]);
    let row = cells(lines[1]);
    assert_eq!((row[3], row[5], lines.len()), ("RS256", "active", 2), "{}", ran.stdout);
    // Just added, by Vault's own clock.
    assert!(row[4].strip_suffix('s').is_some_and(|n| n.parse::<u8>().is_ok()), "{row:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'), "no colour where no terminal is");

    let wide = status(&fixture, &["-o", "wide"]).ok().stdout;
    let lines: Vec<&str> = wide.lines().collect();
    assert_eq!(
        cells(lines[0]),
        [
            "CLUSTER",
            "ISSUER",
            "KID",
            "ALG",
            "AGE",
            "STATE",
            "PROOF",
            "CLUSTER-UID",
            "TYPE",
            "ADDED",
            "RETIRED",
            "AUTHORITIES",
            "FINGERPRINT"
        ]
    );
    let row = cells(lines[1]);
    let (issuer, uid) = (fixture.cluster.issuer(), fixture.cluster.uid().expect("a UID"));
    assert_eq!(
        (row[0], row[1], row[6], row[7], row[8], row[10]),
        (fixture.cluster.context(), issuer.as_str(), "token", uid.as_str(), "RSA-2048", "<none>")
    );
    let fingerprint = *row.last().expect("a row");
    assert_eq!(status(&fixture, &["-o", "name"]).ok().stdout, format!("key/{fingerprint}\n"));

    let report: Value = serde_json::from_str(&status(&fixture, &["-o", "json"]).ok().stdout).expect("JSON");
    let freshness = json!({"by": "nothing", "since": report["keys"][0]["added"]});
    // Over which ways its keys may change: its own name, and what its pods trust.
    let authorities = report["owners"][0]["authorities"].clone();
    let ways: Vec<&str> = authorities.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(
        ways.len() == 2
            && ways[0].starts_with("sha256:")
            && ways[0].ends_with(&format!(" {}", fixture.cluster.server_name()))
            && ways[1].starts_with("pod sha256:"),
        "{ways:?}"
    );
    assert_eq!(
        report["owners"],
        json!([{"issuer": issuer, "clusterUid": uid, "keys": 1, "rotation": null, "freshness": freshness,
            "authorities": authorities}])
    );
    assert_eq!(report["keys"][0]["proof"], "token");
    assert_eq!(report["supportedAlgorithms"], json!(["RS256"]));
    assert_eq!((&report["mount"], &report["boundIssuer"]), (&json!("jwt"), &Value::Null));
    assert_eq!(report["address"], json!(fixture.vault.address()));
    assert_eq!(report["keys"][0]["kid"], json!(row[2]));
    assert_eq!(report["keys"][0]["fingerprint"], json!(fingerprint));
    let yaml = status(&fixture, &["-o", "yaml"]).ok().stdout;
    assert!(yaml.contains(&format!("fingerprint: {fingerprint}\n")), "{yaml}");
});

each_product!(whoever_shares_the_mount_is_told, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let damaged = key("https://a", None, None).element().replace("vaultjwt/v2", "vaultjwt/v9");
    let damaged_id = "the mark of key \"";
    fixture.write(
        "auth/jwt/config",
        json!({"jwt_validation_pubkeys": [
            key("https://a", None, None).element(),
            key("https://b", Some("1"), Some("2026-01-02T00:00:00Z")).element(),
            unmanaged(),
            damaged,
        ]}),
    );
    let ran = status(&fixture, &[]).ok();
    let states: Vec<Vec<&str>> = ran.stdout.lines().skip(1).map(cells).collect();
    assert_eq!((states[0][1], states[0][5]), ("a", "active"));
    assert!(states[1][1] == "b" && states[1][5].starts_with("retired "), "{}", ran.stdout);
    assert_eq!(states[2], ["<none>", "<none>", "<none>", "<none>", "<none>", "foreign"]);
    assert_eq!(states[3][5], "unreadable");
    let told = "note: trust is per mount: whoever holds one of these 4 keys can sign for every issuer on \"jwt/\"\n";
    assert!(ran.stderr.starts_with(&format!("{told}note: {damaged_id}")), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with("cannot be read: its version is neither vaultjwt/v2 nor vaultjwt/v1\n"),
        "{}",
        ran.stderr
    );
    // Documents stand alone.
    assert_eq!(status(&fixture, &["-o", "json"]).ok().stderr, "");
});

each_product!(what_a_mark_says_never_acts_on_the_terminal, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let odd = ManagedKey {
        issuer: "https://a%1B[31m%0Ab",
        uid: None,
        kid: "%9B",
        cluster: "%C2%9B%E2%80%AEx",
        retired: None,
    };
    fixture.write("auth/jwt/config", json!({"jwt_validation_pubkeys": [ManagedKey { kid: "k", ..odd }.element()]}));
    for format in ["table", "wide", "json", "yaml"] {
        let ran = status(&fixture, &["-o", format]).ok();
        let acts = |c: char| c != '\n' && shared::text::acts(c);
        assert!(!ran.stdout.chars().any(acts) && !ran.stderr.chars().any(acts), "{format}: {:?}", ran.stdout);
    }
    let report: Value = serde_json::from_str(&status(&fixture, &["-o", "json"]).ok().stdout).expect("JSON");
    assert_eq!(report["keys"][0]["issuer"], "https://a\u{1b}[31m\nb");
});

each_product!(where_there_is_nothing_to_show, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    for format in ["table", "wide", "name"] {
        let ran = status(&fixture, &["-o", format]).ok();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "no keys on auth mount \"jwt/\"\n"));
    }
    let report: Value = serde_json::from_str(&status(&fixture, &["-o", "json"]).ok().stdout).expect("JSON");
    assert_eq!(report["keys"], json!([]));
    // Not even mounted, or another method.
    status(&fixture, &["--mount", "k8s"])
        .failed(1, "error: there is no auth mount \"k8s/\"\nhint: see what is mounted: vault auth list\n");
    fixture.write("sys/auth/users", json!({"type": "userpass"}));
    // One with a configuration of its own.
    fixture.write("sys/auth/cert", json!({"type": "cert"}));
    for mount in ["users", "cert"] {
        status(&fixture, &["--mount", mount]).failed(
            1,
            &format!(
                "error: auth mount \"{mount}/\" is not of type \"jwt\"\nhint: choose another path with --mount (vault auth list)\n"
            ),
        );
    }
    // A token that may not read it.
    fixture.vault.write_policy("none", "path \"kv/x\" { capabilities = [\"read\"] }").expect("the policy is written");
    let token = fixture.vault.token_with(&["none"]).expect("a token");
    let mut command = fixture.kubectl(&["vaultjwt", "status"]);
    let ran = run(command.env("VAULT_TOKEN", token.expose()));
    assert!(ran.stderr.ends_with("path \"auth/jwt/config\" { capabilities = [\"read\"] }\n"), "{}", ran.stderr);
});

each_product!(where_vault_takes_its_keys_from_elsewhere, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    // Vault reads the set at the write, without a token.
    let open = ClusterOptions { anonymous_oidc: true, ..ClusterOptions::default() };
    let publisher = Cluster::shared(open).expect("a cluster starts");
    let url = format!("{}/openid/v1/jwks", publisher.url());
    fixture.write("auth/jwt/config", json!({"jwks_url": url, "jwks_ca_pem": publisher.ca_pem()}));
    let ran = status(&fixture, &[]).ok();
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        (
            "",
            format!("auth mount \"jwt/\" holds no keys of its own: Vault takes them from jwks_url ({url})\n").as_str()
        )
    );
    let report: Value = serde_json::from_str(&status(&fixture, &["-o", "json"]).ok().stdout).expect("JSON");
    assert_eq!(report["keySource"], json!({"field": "jwks_url", "value": url}));
    // Static keys of one issuer, beside an OIDC secret.
    let pem = SigningKey::generate(Alg::Rs256).expect("a key").public_pem().to_owned();
    fixture.write("sys/auth/bound", json!({"type": "jwt"}));
    fixture.write("auth/bound/config", json!({"jwt_validation_pubkeys": [pem], "bound_issuer": "https://other"}));
    assert_eq!(
        status(&fixture, &["--mount", "bound"]).ok().stderr,
        "note: only tokens of issuer \"https://other\" are let in (bound_issuer)\n"
    );
});
