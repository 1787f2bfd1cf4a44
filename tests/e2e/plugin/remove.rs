//! `remove`: removes one owner's keys and leaves all others.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, data, run};
use crate::support::provenance_fixture::{ManagedKey, unmanaged};
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::server::{Cluster, ClusterOptions, Product, VaultOptions, shared_cluster};
use serde_json::{Value, json};
use std::process::Stdio;

fn remove(fixture: &Fixture, flags: &[&str]) -> Ran {
    run(fixture.kubectl(&[&["vaultjwt", "remove"], flags].concat()).stdin(Stdio::null()))
}

/// Refused with these words, and the mount as it was.
#[track_caller]
fn refused(fixture: &Fixture, flags: &[&str], error: &str, hint: &str) {
    let before = fixture.mount_state();
    let ran = remove(fixture, flags);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&format!("error: {error}\nhint: {hint}\n")), "{}", ran.stderr);
    assert_eq!(fixture.mount_state(), before);
}

fn keys(fixture: &Fixture) -> Vec<String> {
    let config = fixture.data("auth/jwt/config");
    let keys = config["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|k| k.as_str().unwrap_or_default().to_owned()).collect()
}

fn other(issuer: &'static str, uid: Option<&'static str>) -> String {
    ManagedKey { issuer, uid, kid: "k1", cluster: "other", retired: None }.element()
}

/// Puts elements on the mount behind those that are there.
fn add(fixture: &Fixture, elements: &[String]) {
    let mut config = fixture.data("auth/jwt/config");
    config.as_object_mut().expect("a configuration").remove("status");
    let all = [keys(fixture), elements.to_vec()].concat();
    config["jwt_validation_pubkeys"] = json!(all);
    let algorithms = config["jwt_supported_algs"].as_array_mut().expect("algorithms");
    algorithms.push(json!("ES256"));
    fixture.write("auth/jwt/config", config);
}

/// A Vault token that shop:app of a cluster got.
fn login(fixture: &Fixture, cluster: &Cluster) -> Option<String> {
    let jwt = cluster.token("shop", "app", &["vault"]).expect("the cluster issues a token");
    let body = json!({"role": "app", "jwt": jwt.expose()});
    let answer = fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers");
    answer.json()["auth"]["client_token"].as_str().map(str::to_owned)
}

fn alive(fixture: &Fixture, token: &str) -> bool {
    let token = shared::Secret::new(token);
    let answer = fixture.vault.http_as(&token, "", "GET", "auth/token/lookup-self", None).expect("Vault answers");
    data(&answer) != Value::Null
}

/// A role bound to `issuers`.
fn role(issuers: Value) -> Value {
    json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
           "bound_claims": {"iss": issuers}, "token_policies": ["app-read"]})
}

each_product!(two_clusters_of_one_issuer, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let second = Cluster::shared_second(ClusterOptions::default()).expect("a cluster starts");
    second.create_service_account("shop", "app").expect("a service account is made");
    let kubeconfig = second.kubeconfig().to_str().expect("a path").to_owned();
    let sharing = ["--kubeconfig", &kubeconfig, "--same-trust-domain", "--allow-same-issuer", "--allow-existing-roles"];
    fixture.setup(&[&ROLE[..], &sharing].concat()).ok();
    let (issuer, uid, second_uid) =
        (fixture.cluster.issuer(), fixture.cluster.uid().expect("a UID"), second.uid().expect("a UID"));
    assert_eq!(keys(&fixture).len(), 2, "{NEVER_FLAKY}");

    refused(
        &fixture,
        &["--issuer", &issuer, "--yes"],
        &format!(
            "auth mount \"jwt/\" holds keys of several owners with issuer \"{issuer}\": \
             {issuer} (cluster {second_uid}), {issuer} (cluster {uid})"
        ),
        "say which with --cluster-uid",
    );

    // This context's, though the same issuer is there twice. The role is the other's too.
    let left = keys(&fixture)[0].clone();
    let token = login(&fixture, &fixture.cluster).expect("a login before");
    let seen = fixture.seen();
    let ran = remove(&fixture, &["--roles", "--yes"]).ok();
    let kid = fixture.cluster.signing_key().kid();
    assert_eq!(ran.stdout, format!("key \"{kid}\" removed\n"));
    assert_eq!(
        ran.stderr,
        format!(
            "✓ this cluster's keys are those of {issuer} (cluster {uid})\n\
             warning: role \"app\" stays: {issuer} (cluster {second_uid}) uses it too\n\
             ✓ keys written: 1 removed, 1 kept\n\
             ✓ keys read back: they are gone\n\
             Vault tokens that pods of {issuer} (cluster {uid}) hold live until their leases end. To revoke them now:\n\
             \x20 vault lease revoke -prefix auth/jwt/login\n\
             It revokes every Vault token that \"jwt/\" issued, those of {issuer} (cluster {second_uid}) too.\n"
        )
    );
    let writes: Vec<String> = fixture.requests_since(seen).into_iter().filter(|r| !r.starts_with("read ")).collect();
    let lists = |r: &&String| !r.starts_with("list ");
    assert_eq!(
        writes.iter().filter(lists).collect::<Vec<_>>(),
        ["update sys/capabilities-self", "update auth/jwt/config", "update auth/jwt/config"]
    );
    assert_eq!(keys(&fixture), [left], "{NEVER_FLAKY}");
    assert_eq!(fixture.data("auth/jwt/config")["jwt_supported_algs"], json!(["RS256"]));
    assert!(login(&fixture, &fixture.cluster).is_none());
    assert!(login(&fixture, second).is_some());

    // A token from before lives until the printed command is run, which hits the other's too.
    let others = login(&fixture, second).expect("a login");
    assert!(alive(&fixture, &token) && alive(&fixture, &others), "{NEVER_FLAKY}");
    let revoked = fixture.vault.cli(&["lease", "revoke", "-prefix", "auth/jwt/login"]).expect("the CLI runs");
    assert!(revoked.status.success(), "{revoked:?}");
    let gone = || !alive(&fixture, &token) && !alive(&fixture, &others);
    assert!((0..50).any(|_| gone() || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        false
    }));

    // Once more: it is not there, and the other one is not taken for it.
    let root = format!(
        "auth mount \"jwt/\" holds no key of {issuer} (cluster {uid}); it holds keys of {issuer} (cluster {second_uid})"
    );
    refused(
        &fixture,
        &["--yes"],
        &root,
        &format!("if that is the one, name it with --issuer {issuer} --cluster-uid {second_uid}"),
    );
    // The last one.
    refused(
        &fixture,
        &["--issuer", &issuer, "--yes", "--roles"],
        &format!(
            "auth mount \"jwt/\" holds no keys but those of {issuer} (cluster {second_uid}), and Vault refuses a list without keys"
        ),
        "disable the mount, which deletes its roles and revokes every Vault token it issued: vault auth disable jwt",
    );
});

each_product!(without_any_cluster_and_with_its_roles, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let by_hand = unmanaged();
    add(&fixture, &[other("https://gone", None), by_hand.clone(), other("https://gone", Some("7"))]);
    let before = fixture.data("auth/jwt/config");
    let ours = keys(&fixture)[0].clone();
    fixture.write("auth/jwt/role/gone", role(json!("https://gone")));
    fixture.write("auth/jwt/role/both", role(json!(["https://gone", "https://else"])));
    let gone = ["--issuer", "https://gone", "--kubeconfig", "/nonexistent"];
    refused(
        &fixture,
        &[&gone[..], &["--yes"]].concat(),
        "auth mount \"jwt/\" holds keys of several owners with issuer \"https://gone\": https://gone, https://gone (cluster 7)",
        "say which with --cluster-uid; 'none' means the one without",
    );
    // One form, without its roles: the other form uses them.
    let ran = remove(&fixture, &[&gone[..], &["--cluster-uid", "none", "--yes"]].concat()).ok();
    assert!(
        ran.stderr.starts_with(
            "warning: role \"both\" stays: https://gone (cluster 7) uses it too\n\
             warning: role \"gone\" stays: https://gone (cluster 7) uses it too\n"
        ),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.ends_with(&format!(
            "It revokes every Vault token that \"jwt/\" issued, those of {} (cluster {}), https://gone (cluster 7), \
             whoever signs with 1 key of no known owner too.\n",
            fixture.cluster.issuer(),
            fixture.cluster.uid().expect("a UID")
        )),
        "{}",
        ran.stderr
    );
    assert_eq!(keys(&fixture).len(), 3, "{NEVER_FLAKY}");

    // While keys of nobody known are there, the role may be theirs.
    let ran = remove(&fixture, &[&gone[..], &["--roles", "--dry-run"]].concat()).ok();
    assert!(
        ran.stderr.contains(
            "warning: role \"gone\" stays: keys of no known owner are on the mount, and may be of a cluster with the same issuer\n"
        ),
        "{}",
        ran.stderr
    );
    let mut config = fixture.data("auth/jwt/config");
    config.as_object_mut().expect("a configuration").remove("status");
    let without: Vec<String> = keys(&fixture).into_iter().filter(|key| *key != by_hand.trim()).collect();
    config["jwt_validation_pubkeys"] = json!(without);
    fixture.write("auth/jwt/config", config);

    // The other, first to see.
    let state = fixture.mount_state();
    let dry = remove(&fixture, &[&gone[..], &["--roles", "--dry-run"]].concat()).ok();
    assert_eq!(
        dry.stdout,
        "key \"k1\" removed (dry run)\n\
         config jwt_supported_algs: [\"RS256\",\"ES256\"] -> [\"RS256\"]\n\
         role \"gone\" deleted (dry run)\n\
         role \"both\" changed: issuer \"https://gone\" removed (dry run)\n"
    );
    assert_eq!(fixture.mount_state(), state);
    let ran = remove(&fixture, &[&gone[..], &["--roles", "--yes", "-o", "json"]].concat()).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["owner"], json!({"issuer": "https://gone", "clusterUid": "7"}));
    assert_eq!(report["config"]["after"], fixture.data("auth/jwt/config"));
    assert_eq!(report["config"]["before"]["jwt_validation_pubkeys"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["roles"]["deleted"][0]["name"], "gone");
    assert_eq!(report["roles"]["deleted"][0]["document"]["bound_claims"], json!({"iss": "https://gone"}));
    let changed = &report["roles"]["changed"][0];
    assert_eq!(
        (&changed["name"], changed["after"]["bound_claims"].clone()),
        (&json!("both"), json!({"iss": "https://else"}))
    );
    let both = fixture.data("auth/jwt/role/both");
    assert_eq!(both, changed["after"]);
    assert_eq!(report["leases"]["command"], "vault lease revoke -prefix auth/jwt/login");
    assert!(
        ran.stderr
            .contains("✓ keys written: 1 removed, 1 kept\n✓ keys read back: they are gone\n✓ role \"gone\" deleted\n"),
        "{}",
        ran.stderr
    );
    // Everything else is as it was, byte for byte.
    assert_eq!(keys(&fixture), [ours], "{NEVER_FLAKY}");
    assert_eq!(fixture.data("auth/jwt/role?list=true")["keys"], json!(["app", "both"]));
    let mut expected = before;
    expected["jwt_validation_pubkeys"] = json!(keys(&fixture));
    // Nothing that signs so is left.
    expected["jwt_supported_algs"] = json!(["RS256"]);
    assert_eq!(fixture.data("auth/jwt/config"), expected);
    // What is left, if a run was interrupted between keys and roles.
    fixture.write("auth/jwt/role/gone", role(json!("https://gone")));
    assert_eq!(remove(&fixture, &[&gone[..], &["--roles", "--yes"]].concat()).ok().stdout, "role \"gone\" deleted\n");
    refused(
        &fixture,
        &[&gone[..], &["--roles", "--yes"]].concat(),
        "auth mount \"jwt/\" holds no key of https://gone",
        "see whose keys are there: kubectl vaultjwt status --mount jwt",
    );
});

each_product!(nothing_without_a_word, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    add(&fixture, &[other("https://gone/", None)]);
    refused(
        &fixture,
        &[],
        "nobody can be asked, because this is no terminal; nothing was changed",
        "see what would be removed with --dry-run=client; --yes removes it without asking",
    );
    // People drop the slash at the end.
    refused(
        &fixture,
        &["--issuer", "https://gone", "--yes"],
        "auth mount \"jwt/\" holds no key of https://gone; it holds keys of https://gone/",
        "if that is the one, name it with --issuer https://gone/ --cluster-uid none",
    );
    let ran = remove(&fixture, &["--yes"]).ok();
    assert!(
        ran.stderr.contains("warning: role \"app\" is bound to this issuer alone and stays: --roles deletes it\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(fixture.data("auth/jwt/config")["jwt_supported_algs"], json!(["ES256"]));
});

each_product!(keys_that_stay_under_another_name_are_told, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    add(&fixture, &[fixture.cluster.signing_key().public_pem().to_owned()]);
    let ran = remove(&fixture, &["--yes"]).ok();
    assert!(
        ran.stderr.contains(&format!(
            "warning: 1 key of {} (cluster {}) also stands on \"jwt/\" without its mark and will stay: its tokens are still taken\n",
            fixture.cluster.issuer(),
            fixture.cluster.uid().expect("a UID")
        )),
        "{}",
        ran.stderr
    );
    assert!(login(&fixture, &fixture.cluster).is_some());
});

each_product!(mounts_that_are_not_for_it, |product| {
    let fixture = Fixture::new(product);
    let a = ["--issuer", "https://a", "--yes"];
    refused(&fixture, &a, "there is no auth mount \"jwt/\"", "see what is mounted: vault auth list");
    fixture.write("sys/auth/users", json!({"type": "userpass"}));
    refused(
        &fixture,
        &[&a[..], &["--mount", "users"]].concat(),
        "auth mount \"users/\" is of type \"userpass\", not \"jwt\"",
        "choose another path with --mount",
    );
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    // Vault reads the set at the write, without a token.
    let open = ClusterOptions { anonymous_oidc: true, ..ClusterOptions::default() };
    let publisher = Cluster::shared(open).expect("a cluster starts");
    let url = format!("{}/openid/v1/jwks", publisher.url());
    fixture.write("auth/jwt/config", json!({"jwks_url": url, "jwks_ca_pem": publisher.ca_pem()}));
    refused(
        &fixture,
        &a,
        &format!("the keys of auth mount \"jwt/\" cannot be changed: it takes its keys from jwks_url ({url})"),
        "look at it: vault read auth/jwt/config",
    );
});

each_product!(rights_are_asked_for_before_the_first_write, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    add(&fixture, &[other("https://gone", None)]);
    let read =
        "path \"sys/auth\" { capabilities = [\"read\"] }\npath \"auth/jwt/config\" { capabilities = [\"read\"] }\n";
    // OpenBao's CEL roles are nobody's to delete here, so their list is not asked for.
    let roles = "path \"auth/jwt/role\" { capabilities = [\"list\"] }\npath \"auth/jwt/role/*\" { capabilities = [\"read\"] }\n";
    let write = "path \"auth/jwt/config\" { capabilities = [\"read\", \"update\"] }\n";
    let as_policy = |policy: &str, flags: &[&str]| {
        fixture.vault.write_policy("operator", policy).expect("the policy is written");
        let token = fixture.vault.token_with(&["operator"]).expect("a token");
        let mut command = fixture.kubectl(&[&["vaultjwt", "remove", "--yes"], flags].concat());
        run(command.env("VAULT_TOKEN", token.expose()))
    };
    let before = fixture.mount_state();
    let ran = as_policy(&format!("{read}{roles}"), &["--roles"]);
    assert!(
        ran.stderr.ends_with(
            "error: the Vault token may not do all that this needs; nothing was changed\n\
             hint: a policy of it must have:\n\
             path \"auth/jwt/config\" { capabilities = [\"read\", \"update\"] }\n\
             path \"auth/jwt/role/app\" { capabilities = [\"read\", \"delete\"] }\n"
        ),
        "{}",
        ran.stderr
    );
    let blind = as_policy(&format!("{read}{write}"), &["--roles"]);
    assert!(
        blind.stderr.contains("error: the roles of auth mount \"jwt/\" could not be read, nothing was changed: ")
            && blind.stderr.ends_with(
                "hint: leave out --roles, or let the token list and read them: path \"auth/jwt/role\" { capabilities = [\"list\"] }, \
                 path \"auth/jwt/role/*\" { capabilities = [\"read\", \"delete\"] }\n"
            ),
        "{}",
        blind.stderr
    );
    assert_eq!(fixture.mount_state(), before);
    // Without --roles it is only told.
    let ran = as_policy(&format!("{read}{write}"), &[]).ok();
    assert!(
        ran.stderr.contains("warning: roles bound to this issuer may stay on \"jwt/\"; they could not be read: "),
        "{}",
        ran.stderr
    );
    // And so much is enough for the roles.
    fixture.write("auth/jwt/role/gone", role(json!("https://gone")));
    add(&fixture, &[unmanaged()]);
    let all = format!("{read}{write}{roles}path \"auth/jwt/role/gone\" {{ capabilities = [\"read\", \"delete\"] }}\n");
    let ran = as_policy(&all, &["--roles", "--issuer", "https://gone"]).ok();
    assert_eq!(ran.stdout, "key \"k1\" removed\nrole \"gone\" deleted\n");
});

each_product!(a_cluster_that_does_not_answer, |product| {
    // The one refuses connections when it is stopped, the other ends them.
    let cluster = match product {
        Product::Vault => Cluster::start(ClusterOptions::default()),
        Product::OpenBao => Cluster::rotating(ClusterOptions::default()),
    };
    let fixture = Fixture::with(Owned::Own(Box::new(cluster.expect("a cluster starts"))), VaultOptions::new(product));
    fixture.setup(&ROLE).ok();
    add(&fixture, &[other("https://other", None)]);
    fixture.cluster.stop_api_server();
    let ran = remove(&fixture, &["--yes"]);
    assert!(
        ran.stderr.contains("error: whose keys to remove could not be learned from the cluster: ")
            && ran.stderr.ends_with(
                "hint: give the issuer with --issuer, and no cluster is asked ('kubectl vaultjwt status' shows the issuers)\n"
            ),
        "{}",
        ran.stderr
    );
    remove(&fixture, &["--yes", "--issuer", &fixture.cluster.issuer()]).ok();
    assert_eq!(keys(&fixture).len(), 1, "{NEVER_FLAKY}");
});

/// Inside a namespace, commands name it.
#[test]
fn inside_a_namespace() {
    let options = VaultOptions { namespaces: vec!["team".into()], ..VaultOptions::new(Product::OpenBao) };
    let fixture = Fixture::with(Owned::Shared(shared_cluster().expect("the shared cluster starts")), options);
    fixture.setup(&[&ROLE[..], &["--vault-namespace", "team"]].concat()).ok();
    let ran = remove(&fixture, &["--yes", "--vault-namespace", "team"]);
    assert!(
        ran.stderr.ends_with(
            "hint: disable the mount, which deletes its roles and revokes every Vault token it issued: vault auth disable -namespace=team jwt\n"
        ),
        "{}",
        ran.stderr
    );
}
