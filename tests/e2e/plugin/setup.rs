//! `setup`: what it does, and that a second run changes nothing.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, data, run};
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, Product, VaultOptions};
use serde_json::{Value, json};
use std::process::Stdio;

/// Key texts on the mount, in order.
fn keys(fixture: &Fixture) -> Vec<String> {
    let config = fixture.data("auth/jwt/config");
    let keys = config["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|k| k.as_str().unwrap_or_default().to_owned()).collect()
}

each_product!(twice_changes_nothing, |product| {
    let fixture = Fixture::new(product);
    let first = fixture.setup(&ROLE).ok();
    let issuer = fixture.cluster.issuer();
    assert_eq!(
        first.stderr,
        format!(
            "✓ issuer \"{issuer}\", 1 key from the API\n\
             ✓ issuer proven by a token of service account \"shop:app\"\n\
             warning: policy \"app-read\" does not exist yet\n\
             ✓ auth mount \"jwt/\" enabled\n\
             ✓ keys written: 1 added, 0 kept\n\
             ✓ role \"app\" created\n\
             ✓ logged in as \"shop:app\" with role \"app\": policies app-read, default, lease 1h\n\
             ✓ that Vault token is revoked\n\
             ✓ keys read back: they stand as written\n"
        )
    );
    let before = fixture.mount_state();
    let seen = fixture.seen();
    let second = fixture.setup(&ROLE).ok();
    let requests = fixture.requests_since(seen);
    assert_eq!(
        requests,
        [
            "read sys/auth",
            "read auth/jwt/config",
            "read auth/jwt/role/app",
            "update auth/jwt/login",
            "update auth/token/revoke-self"
        ]
    );
    assert_eq!(second.stdout, first.stdout);
    assert!(second.stderr.ends_with("✓ nothing to change\n"), "{}", second.stderr);
    assert_eq!(fixture.mount_state(), before);
    // No token of the login is left behind: what is alive is the operator's.
    let accessors = fixture.data("auth/token/accessors?list=true");
    assert_eq!(accessors["keys"].as_array().map(Vec::len), Some(1), "{accessors}");
});

each_product!(the_report_is_complete, |product| {
    let fixture = Fixture::new(product);
    let report: Value =
        serde_json::from_str(&fixture.setup(&[&ROLE[..], &["-o", "json"]].concat()).ok().stdout).expect("JSON");
    assert_eq!(
        report["owner"],
        json!({"issuer": fixture.cluster.issuer(), "clusterUid": fixture.cluster.uid().expect("UID")})
    );
    assert_eq!(report["issuerProof"]["serviceAccount"], "shop:app");
    assert_eq!(report["keys"][0]["action"], "add");
    assert_eq!((&report["changed"], &report["dryRun"]), (&json!(true), &json!(false)));
    assert_eq!(report["config"]["before"], Value::Null);
    assert_eq!(report["config"]["after"], fixture.data("auth/jwt/config"));
    assert_eq!(report["role"]["after"], fixture.data("auth/jwt/role/app"));
    assert_eq!(report["login"]["result"], "proven");
    assert_eq!(report["login"]["revoked"], json!(true));
});

each_product!(a_dry_run_changes_nothing, |product| {
    let fixture = Fixture::new(product);
    let before = fixture.mount_state();
    let seen = fixture.seen();
    let dry = fixture.setup(&[&ROLE[..], &["--dry-run=client"]].concat()).ok();
    assert!(dry.stdout.starts_with("auth mount \"jwt/\" enabled (dry run)\nkey \""), "{}", dry.stdout);
    assert!(dry.stdout.contains("\nrole \"app\" created (dry run)\n"), "{}", dry.stdout);
    assert_eq!(fixture.requests_since(seen), ["read sys/auth", "read sys/policies/acl/app-read"]);
    assert_eq!(fixture.mount_state(), before);
});

each_product!(the_pod_snippet_is_accepted, |product| {
    let fixture = Fixture::new(product);
    let snippet = fixture.setup(&ROLE).ok().stdout;
    let file = fixture.folder.write("pod.yaml", &snippet).expect("the snippet is written");
    let applied = run(fixture.kubectl(&["apply", "--dry-run=server", "-f"]).arg(file)).ok();
    assert_eq!(applied.stdout, "pod/app created (server dry run)\n");
    for part in
        ["fsGroup: 65532", "\"0640\"", "medium: Memory, sizeLimit: 1Mi", "audience: \"vault\", expirationSeconds: 600"]
    {
        assert!(snippet.contains(part), "{part}\n{snippet}");
    }
    // The README shows the same text.
    let readme = std::fs::read_to_string(harness::workspace::root().join("README.md")).expect("the README");
    let shown = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a yaml block");
    let printed: String =
        snippet.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(printed.replace(fixture.vault.address(), "https://vault.example.com:8200"), shown);
});

each_product!(a_rotated_key_is_added_and_none_is_lost, |product| {
    let cluster = Cluster::rotating(ClusterOptions::default()).expect("a cluster starts");
    let fixture = Fixture::with(Owned::Own(Box::new(cluster)), VaultOptions::new(product));
    let old = fixture.cluster.token("shop", "app", &["vault"]);
    assert!(old.is_ok(), "{old:?}");
    fixture.setup(&ROLE).ok();
    let before = keys(&fixture);
    fixture.cluster.rotate(Alg::Es256).expect("the cluster rotates");
    let after = fixture.setup(&ROLE).ok();
    assert!(after.stderr.contains("✓ keys written: 1 added, 1 kept\n"), "{}", after.stderr);
    // The newest is first, the old one is there byte for byte, both algorithms are taken.
    // Only the record of the ways moves to the newest key.
    let without_ways = |texts: &[String]| -> Vec<String> {
        let ways = |line: &&str| !line.starts_with("authority-");
        texts.iter().map(|text| text.lines().filter(ways).collect::<Vec<_>>().join("\n")).collect()
    };
    assert_eq!(without_ways(&keys(&fixture)[1..]), without_ways(&before), "{NEVER_FLAKY}");
    assert_eq!(fixture.data("auth/jwt/config")["jwt_supported_algs"], json!(["RS256", "ES256"]));
    // No longer published: it stays, since tokens of it may still be about, and says so.
    fixture.cluster.drop_old_keys().expect("the cluster drops the old key");
    let again = fixture.setup(&ROLE).ok();
    assert!(again.stderr.contains("✓ keys written: 1 retired, 1 kept\n"), "{}", again.stderr);
    assert!(
        keys(&fixture).get(1).is_some_and(|key| key.contains("\nretired: 20")),
        "{NEVER_FLAKY}: {:?}",
        keys(&fixture)
    );
    let again = fixture.setup(&ROLE).ok();
    assert!(again.stderr.ends_with("✓ nothing to change\n"), "{}", again.stderr);
    // Until its grace is over.
    let late = fixture.setup(&[&ROLE[..], &["--grace", "0s"]].concat()).ok();
    assert!(late.stderr.contains("✓ keys written: 1 removed, 1 kept\n"), "{}", late.stderr);
    assert_eq!(fixture.data("auth/jwt/config")["jwt_supported_algs"], json!(["ES256"]));
});

each_product!(several_at_once_do_not_hurt_each_other, |product| {
    let fixture = Fixture::new(product);
    let roles: Vec<String> = (1..=6).map(|n| format!("app-{n}")).collect();
    let started: Vec<_> = roles
        .iter()
        .map(|role| {
            let flags = ["--role", role, "--service-account", "shop:app", "--policy", "app-read"];
            fixture.setup_command(&flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("setup starts")
        })
        .collect();
    for setup in started {
        Ran::from(setup.wait_with_output().expect("setup ends")).ok();
    }
    assert_eq!(keys(&fixture).len(), 1);
    assert_eq!(fixture.data("auth/jwt/role?list=true")["keys"], json!(roles));
});

each_product!(a_service_account_that_is_not_there_yet, |product| {
    let fixture = Fixture::new(product);
    let flags = ["--role", "later", "--service-account", "shop:later", "--policy", "app-read"];
    let early = fixture.setup(&flags).ok();
    assert!(
        early.stderr.ends_with(&format!(
            "✓ role \"later\" created\n\
             - login not proven: service account \"shop:later\" does not exist at API server \"{}\" of context \"{}\"\n\
             warning: role \"later\" is not proven: when that is mended, run the same command again\n\
             ✓ keys read back: they stand as written\n",
            fixture.cluster.url(),
            fixture.cluster.context()
        )),
        "{}",
        early.stderr
    );
});

each_product!(typing_errors_are_told, |product| {
    let fixture = Fixture::new(product);
    fixture
        .vault
        .write_policy("app-read", "path \"kv/app\" { capabilities = [\"read\"] }")
        .expect("the policy is written");
    let flags = [
        &ROLE[..],
        &["--service-account", "shop:typo", "--policy", "tpyo", "--audience", "https://kubernetes.default.svc"],
    ];
    let ran = fixture.setup(&flags.concat()).ok();
    for words in [
        "warning: service account \"shop:typo\" does not exist at ",
        "warning: policy \"tpyo\" does not exist yet\n",
        "✓ logged in as \"shop:app\" (of the others, none was tried) with role \"app\"",
        "warning: role \"app\" takes tokens for audience \"https://kubernetes.default.svc\", which the API server takes too: \
         Vault gets to see a credential for it\n",
    ] {
        assert!(ran.stderr.contains(words), "{words}\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("policy \"app-read\""), "{}", ran.stderr);
});

each_product!(without_the_right_to_create_tokens, |product| {
    let fixture = Fixture::new(product);
    // A user of its own: may discover and read the UID, nothing else.
    let kubeconfig = fixture.cluster.kubeconfig_for_user("reader", None).expect("a kubeconfig is written");
    let kubeconfig = kubeconfig.to_str().expect("a path");
    for (verb, words) in [
        (
            "discovery",
            [
                "clusterrolebinding",
                "reader-discovery",
                "--clusterrole=system:service-account-issuer-discovery",
                "--user=reader",
            ],
        ),
        ("uid", ["clusterrole", "reader-uid", "--verb=get", "--resource=namespaces"]),
        ("binding", ["clusterrolebinding", "reader-uid", "--clusterrole=reader-uid", "--user=reader"]),
    ] {
        // The other product's run of this test may have made it already.
        let made = fixture.cluster.kubectl(&[&["create"], &words[..]].concat()).expect("kubectl runs");
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success() || said.contains("already exists"), "{verb}: {said}");
    }
    let before = fixture.mount_state();
    let refused = fixture.setup(&[&ROLE[..], &["--kubeconfig", kubeconfig]].concat());
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.ends_with(
            "hint: get the right to 'create serviceaccounts/token' (kubectl auth can-i create serviceaccounts --subresource=token -n shop), \
             or believe the issuer with --trust-issuer\n"
        ),
        "{}",
        refused.stderr
    );
    assert_eq!(fixture.mount_state(), before);
    let trusted = fixture.setup(&[&ROLE[..], &["--kubeconfig", kubeconfig, "--trust-issuer"]].concat()).ok();
    assert!(
        trusted.stderr.contains(&format!(
            "warning: the issuer \"{}\" is believed without proof (--trust-issuer)\n",
            fixture.cluster.issuer()
        )),
        "{}",
        trusted.stderr
    );
    assert!(
        trusted.stderr.contains("- login not proven: no right to create serviceaccounts/token for \"shop:app\""),
        "{}",
        trusted.stderr
    );
});

each_product!(progress_and_results_keep_to_their_streams, |product| {
    let fixture = Fixture::new(product);
    let mut command = fixture.setup_command(&[&ROLE[..], &["-v", "6"]].concat());
    let ran = run(command.stdin(Stdio::null()));
    let ran = ran.ok();
    assert!(ran.stdout.starts_with("# A pod that logs in"), "{}", ran.stdout);
    assert!(!ran.stderr.contains('\u{1b}'), "no colour where no terminal is: {}", ran.stderr);
    assert!(ran.stderr.contains("POST auth/jwt/login: 200"), "{}", ran.stderr);
    // Not even the loudest level shows a token.
    for secret in [fixture.vault.root_token().expose(), "eyJ", "hvs."] {
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "{secret}");
    }
});

/// Namespaces are OpenBao's (and Vault Enterprise's).
#[test]
fn wholly_inside_a_namespace() {
    let options = VaultOptions { namespaces: vec!["admin/team".into()], ..VaultOptions::new(Product::OpenBao) };
    let fixture =
        Fixture::with(Owned::Shared(harness::server::shared_cluster().expect("the shared cluster starts")), options);
    let ran = fixture.setup(&[&ROLE[..], &["--vault-namespace", "admin/team"]].concat()).ok();
    assert!(ran.stdout.contains("- {name: VAULT_NAMESPACE, value: \"admin/team\"}\n"), "{}", ran.stdout);
    let inside = |path: &str| {
        data(
            &fixture
                .vault
                .http_as(fixture.vault.root_token(), "admin/team", "GET", path, None)
                .expect("OpenBao answers"),
        )
    };
    assert_eq!(inside("auth/jwt/role/app")["token_policies"], json!(["app-read"]));
    // Nothing outside.
    assert_eq!(fixture.data("auth/jwt/config"), Value::Null);
    let (jwt, token) = (fixture.jwt_file(), fixture.folder.path().join("token"));
    run(fixture.login_command(&jwt, &token).env("VAULT_NAMESPACE", "admin/team/")).ok();
    assert!(std::fs::metadata(&token).expect("the token file is there").len() > 0);
    let outside = run(&mut fixture.login_command(&jwt, &token));
    assert_eq!(outside.code, 77, "{}", outside.stderr);
}
