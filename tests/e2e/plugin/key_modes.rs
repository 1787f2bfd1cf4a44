//! Mounts for which Vault itself fetches the keys (JWKS URL, discovery).

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use harness::each_product;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, Issuer, Product, VaultOptions};
use serde_json::{Value, json};

/// An API server that is its issuer's own site, for Vault too.
fn options() -> ClusterOptions {
    ClusterOptions { issuer: Issuer::Own, anonymous_oidc: true, ..ClusterOptions::default() }
}

/// Such a cluster, for tests that leave it as it is.
fn shared() -> &'static Cluster {
    Cluster::shared(options()).expect("a cluster starts")
}

/// One whose keys may change.
fn own() -> Cluster {
    Cluster::start(options()).expect("a cluster starts")
}

/// A fixture of a cluster, and the file with its authority.
fn fixture(product: Product, cluster: Owned) -> (Fixture, String) {
    let fixture = Fixture::with(cluster, VaultOptions::new(product));
    let ca = authority(&fixture.cluster);
    (fixture, ca)
}

fn authority(cluster: &Cluster) -> String {
    cluster.ca_file().to_str().expect("a path").to_owned()
}

fn setup(fixture: &Fixture, ca: &str, flags: &[&str]) -> Ran {
    fixture.setup(&[&["--issuer-ca-cert", ca], flags].concat())
}

fn report(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok().stdout).expect("JSON")
}

fn refused(ran: Ran, error: &str, hint: &str) {
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&format!("error: {error}\nhint: {hint}\n")), "{}", ran.stderr);
}

/// Whether a fresh token of shop:app logs in.
fn logs_in(fixture: &Fixture, cluster: &Cluster, role: &str) -> bool {
    let jwt = cluster.token("shop", "app", &["vault"]).expect("a token");
    let body = json!({"role": role, "jwt": jwt.expose()});
    fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").is_success()
}

const MIXED: &str = "choose another path with --mount; or, if that is meant, add --convert-keys";

each_product!(vault_fetches_the_keys_of_one_issuer, |product| {
    let (fixture, ca) = fixture(product, Owned::Own(Box::new(own())));
    for (mode, field) in [("jwks-url", "jwks_url"), ("oidc-discovery", "oidc_discovery_url")] {
        let mode = format!("--keys={mode}");
        let issuer = fixture.cluster.issuer();
        let flags = [&[mode.as_str()], &ROLE[..]].concat();
        let done = report(setup(&fixture, &ca, &[&flags[..], &["-o", "json"]].concat()));
        assert_eq!(done["login"]["result"], "proven", "{done}");
        assert_eq!(done["freshness"], json!({"by": "vault"}));
        let config = fixture.data("auth/jwt/config");
        let url = if field == "jwks_url" { format!("{issuer}/openid/v1/jwks") } else { issuer.clone() };
        assert_eq!((&config[field], &config["bound_issuer"]), (&json!(url), &json!(issuer)));
        assert_eq!(config["jwt_validation_pubkeys"], json!([]));

        // Again: nothing to write, and it says who fetches.
        let seen = fixture.seen();
        let ran = setup(&fixture, &ca, &flags).ok();
        assert!(
            ran.stderr.contains(&format!("configuration unchanged: Vault fetches the keys itself from {url}\n")),
            "{}",
            ran.stderr
        );
        let writes =
            fixture.requests_since(seen).into_iter().filter(|r| r.starts_with("update auth/jwt/config")).count();
        assert_eq!(writes, 0);

        // A rotation needs nobody, even to another kind of key.
        fixture.cluster.rotate(Alg::Es256).expect("the key is rotated");
        assert!(logs_in(&fixture, &fixture.cluster, "app"), "{mode}");

        // Another cluster's keys do not come to this mount.
        let second = shared();
        let kubeconfig = second.kubeconfig().to_str().expect("a path").to_owned();
        let ca2 = authority(second);
        let before = fixture.data("auth/jwt/config");
        refused(
            fixture.setup(&["--kubeconfig", &kubeconfig, "--issuer-ca-cert", &ca2, &mode]),
            &format!(
                "auth mount \"jwt/\" cannot take this cluster's keys by --keys: it takes keys from {url}, which is not this cluster's alone"
            ),
            "choose another path with --mount: what other clusters log in with is not thrown away",
        );
        // Nor does a list, unless it is told.
        refused(
            setup(&fixture, &ca, &ROLE),
            &format!("auth mount \"jwt/\" cannot take this cluster's keys: it takes its keys from {field} ({url})"),
            "choose another path with --mount, which gets static keys (vault read auth/jwt/config)",
        );
        assert_eq!(fixture.data("auth/jwt/config"), before);
        let ran = run(&mut fixture.kubectl(&["vaultjwt", "sync", "--issuer-ca-cert", &ca]));
        refused(
            ran,
            &format!("the keys on auth mount \"jwt/\" cannot be refreshed: it takes its keys from {field} ({url})"),
            "nothing to refresh: Vault fetches the keys of that mount itself",
        );
        let done = report(setup(&fixture, &ca, &[&ROLE[..], &["--convert-keys", "-o", "json"]].concat()));
        assert_eq!((&done["keysMode"], &done["login"]["result"]), (&json!("static"), &json!("proven")));
        let config = fixture.data("auth/jwt/config");
        assert_eq!(
            (config[field].as_str(), config["jwt_validation_pubkeys"].as_array().map(Vec::len)),
            (Some(""), Some(fixture.cluster.signing_keys().len()))
        );
        fixture.vault.ok("DELETE", "sys/auth/jwt", None).expect("the next mode begins anew");
    }
});

each_product!(a_list_of_keys_is_converted_when_told_and_only_if_it_is_ours, |product| {
    let (fixture, ca) = fixture(product, Owned::Shared(shared()));
    setup(&fixture, &ca, &ROLE).ok();
    let url = format!("{}/openid/v1/jwks", fixture.cluster.issuer());
    let mixed = "auth mount \"jwt/\" cannot take this cluster's keys by --keys: it holds 1 static key already, which --keys=jwks-url would replace";
    let before = fixture.mount_state();
    refused(setup(&fixture, &ca, &["--keys=jwks-url"]), mixed, MIXED);
    // A dry run, the commands and the difference show it, and change nothing.
    let dry = setup(&fixture, &ca, &["--keys=jwks-url", "--convert-keys", "--dry-run=client"]).ok();
    assert!(dry.stdout.contains(&format!("config jwks_url: \"\" -> \"{url}\"\n")), "{}", dry.stdout);
    let commands =
        setup(&fixture, &ca, &["--keys=jwks-url", "--convert-keys", "--dry-run=client", "-o", "commands"]).ok();
    assert!(commands.stdout.contains(&format!("\"jwks_url\": \"{url}\"")), "{}", commands.stdout);
    let diff =
        run(&mut fixture.kubectl(&["vaultjwt", "diff", "--issuer-ca-cert", &ca, "--keys=jwks-url", "--convert-keys"]));
    assert!(diff.code == 1 && diff.stdout.contains("jwks_url"), "{}{}", diff.stdout, diff.stderr);
    assert_eq!(fixture.mount_state(), before);

    let ran = setup(&fixture, &ca, &[&["--keys=jwks-url", "--convert-keys"], &ROLE[..]].concat()).ok();
    assert!(
        ran.stderr.contains(&format!("configuration written: Vault fetches the keys itself from {url}\n")),
        "{}",
        ran.stderr
    );
    assert!(logs_in(&fixture, &fixture.cluster, "app"));

    // Somebody else's key would be thrown away.
    let config = fixture.data("auth/jwt/config");
    let other = harness::keys::SigningKey::generate(Alg::Es256).expect("a key");
    let keys = json!([other.public_pem()]);
    fixture.write("auth/jwt/config", json!({"jwt_validation_pubkeys": keys}));
    refused(
        setup(&fixture, &ca, &["--keys=jwks-url", "--convert-keys"]),
        "auth mount \"jwt/\" cannot take this cluster's keys by --keys: it holds 1 static key, which is not this cluster's alone",
        "choose another path with --mount: what other clusters log in with is not thrown away",
    );
    drop(config);
});

#[test]
fn several_clusters_by_jwks_pairs() {
    let (fixture, ca) = fixture(Product::Vault, Owned::Shared(shared()));
    let pairs = ["--keys=jwks-pairs", "-o", "json"];
    let done = report(setup(&fixture, &ca, &[&pairs[..], &ROLE[..]].concat()));
    assert_eq!(done["login"]["result"], "proven", "{done}");
    let second = own();
    second.create_service_account("shop", "app").expect("a service account");
    let kubeconfig = second.kubeconfig().to_str().expect("a path").to_owned();
    let ca2 = authority(&second);
    let role = ["--role", "second", "--service-account", "shop:app", "--policy", "app-read"];
    let join = [&["--kubeconfig", &kubeconfig, "--issuer-ca-cert", &ca2], &pairs[..], &role[..]].concat();
    // Whoever runs a cluster of his own can sign for the other.
    let ran = fixture.setup(&join);
    assert!(ran.code == 1 && ran.stderr.contains("add --same-trust-domain"), "{}", ran.stderr);
    let done = report(fixture.setup(&[&join[..], &["--same-trust-domain"]].concat()));
    assert_eq!(done["login"]["result"], "proven", "{done}");
    let config = fixture.data("auth/jwt/config");
    assert_eq!((config["jwks_pairs"].as_array().map(Vec::len), &config["bound_issuer"]), (Some(2), &json!("")));
    for (cluster, own, others) in [(&*fixture.cluster, "app", "second"), (&second, "second", "app")] {
        assert!(logs_in(&fixture, cluster, own) && !logs_in(&fixture, cluster, others));
    }
    second.rotate(Alg::Es256).expect("the key is rotated");
    assert!(logs_in(&fixture, &second, "second"));
    let seen = fixture.seen();
    fixture.setup(&[&join[..], &["--same-trust-domain"]].concat()).ok();
    assert!(!fixture.requests_since(seen).iter().any(|request| request.starts_with("update auth/jwt/config")));
}

#[test]
fn openbao_has_no_jwks_pairs() {
    let (fixture, ca) = fixture(Product::OpenBao, Owned::Shared(shared()));
    setup(&fixture, &ca, &["--keys=jwks-url"]).ok();
    refused(
        setup(&fixture, &ca, &["--keys=jwks-pairs", "--convert-keys"]),
        "auth mount \"jwt/\" cannot take this cluster's keys by --keys: OpenBao has no jwks_pairs",
        "choose another path with --mount for each cluster, and --keys=jwks-url",
    );
}

each_product!(a_site_that_vault_cannot_read, |product| {
    // Vault does not trust its certificate: no --issuer-ca-cert went with it.
    let (fixture, ca) = fixture(product, Owned::Shared(shared()));
    let mut command = fixture.setup_command(&["--keys=jwks-url"]);
    let ran = run(command.env("SSL_CERT_FILE", &ca));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("error checking jwks URL"), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with(
            "hint: Vault cannot read that address itself (its log says why): leave --keys out, and keep the keys fresh with \
             'kubectl vaultjwt sync --watch'\n"
        ),
        "{}",
        ran.stderr
    );
    // One that nobody can read.
    let plain = Fixture::new(product);
    refused(
        plain.setup(&["--keys=oidc-discovery"]),
        "auth mount \"jwt/\" cannot take this cluster's keys by --keys: the issuer's own site was not read (its host exists only \
         inside the cluster), and Vault could not be sent there",
        "leave --keys out, and keep the keys fresh with 'kubectl vaultjwt sync --watch'",
    );
});
