//! Attempts that must fail: other issuers, other clusters, mounts of others.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use harness::each_product;
use harness::keys::{Alg, SigningKey};
use harness::server::{Cluster, ClusterOptions, Issuer, Product, VaultOptions};
use serde_json::{Value, json};

/// Refused with these words, and the mount as it was.
fn refused(fixture: &Fixture, flags: &[&str], error: &str, hint: &str) {
    let before = fixture.mount_state();
    let ran: Ran = fixture.setup(flags);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.ends_with(&format!("error: {error}\nhint: {hint}\n")), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(fixture.mount_state(), before);
}

each_product!(a_role_of_another_issuer, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&[]).ok();
    fixture.write(
        "auth/jwt/role/app",
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
               "bound_claims": {"iss": "https://other.example.com"}, "token_policies": ["other"]}),
    );
    let name: String = fixture.cluster.context().to_owned();
    refused(
        &fixture,
        &[&ROLE[..], &["--replace-role"]].concat(),
        &format!(
            "on auth mount \"jwt/\", role \"app\" is bound to issuer \"https://other.example.com\", not to \"{}\"",
            fixture.cluster.issuer()
        ),
        &format!("choose another name, for example --role {name}-app"),
    );
});

each_product!(a_role_that_would_change_what_it_gives, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let wider = ["--role", "app", "--service-account", "shop:app", "--policy", "app-read", "--policy", "admin"];
    refused(
        &fixture,
        &wider,
        "on auth mount \"jwt/\", role \"app\" is there already, and the change adds policy \"admin\"",
        "if that is meant, add --replace-role",
    );
    fixture.setup(&[&wider[..], &["--replace-role"]].concat()).ok();
    assert_eq!(fixture.data("auth/jwt/role/app")["token_policies"], json!(["app-read", "admin"]));
});

each_product!(the_policy_in_the_readme_is_enough, |product| {
    let fixture = Fixture::new(product);
    let readme = std::fs::read_to_string(harness::workspace::root().join("README.md")).expect("the README");
    let policy = readme.split("```hcl\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an hcl block");
    fixture.vault.write_policy("operator", policy).expect("the policy is written");
    fixture
        .vault
        .write_policy("app-read", "path \"kv/app\" { capabilities = [\"read\"] }")
        .expect("the policy is written");
    let operator = fixture.vault.token_with(&["operator"]).expect("a token");
    for flags in [&ROLE[..], &[&ROLE[..], &["--ttl", "10m"]].concat()] {
        let mut command = fixture.setup_command(flags);
        let ran = crate::support::fixture::run(command.env("VAULT_TOKEN", operator.expose())).ok();
        assert!(!ran.stderr.contains("warning: ") && !ran.stderr.contains("- "), "{}", ran.stderr);
    }
});

each_product!(a_role_written_by_the_old_names, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    fixture.write("auth/jwt/role/app", json!({"role_type": "jwt", "policies": ["old"], "ttl": 1800, "max_ttl": 7200}));
    assert_eq!(fixture.data("auth/jwt/role/app")["ttl"], json!(1800));
    fixture.setup(&[&ROLE[..], &["--ttl", "10m", "--replace-role"]].concat()).ok();
    let role = fixture.data("auth/jwt/role/app");
    assert_eq!((&role["token_ttl"], &role["token_policies"]), (&json!(600), &json!(["app-read"])));
    // And what is written stays as it is.
    let again = fixture.setup(&ROLE).ok();
    assert!(again.stderr.ends_with("✓ nothing to change\n"), "{}", again.stderr);
});

/// What a newcomer is told of roles that accept its tokens already.
fn existing(fixture: &Fixture, flags: &[&str], role: &str, how: &str) {
    let words = format!(
        "auth mount \"jwt/\" cannot take this cluster's keys: role \"{role}\"{how} already accepts tokens of issuer \"{}\": \
         this cluster's pods could log in with a role that was made for another cluster",
        fixture.cluster.issuer()
    );
    let hint = format!(
        "delete the role if it is not for this cluster; if it is, add --allow-existing-roles:\n\
         vault read auth/jwt/role/{role}\nvault delete auth/jwt/role/{role}"
    );
    refused(fixture, flags, &words, &hint);
}

fn log_in(fixture: &Fixture, cluster: &Cluster, role: &str) -> u16 {
    let jwt = cluster.token("shop", "app", &["vault"]).expect("the cluster issues a token");
    let body = json!({"role": role, "jwt": jwt.expose()});
    fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").status
}

// kubeadm, kind and k3s clusters all have the same issuer, and their roles
// outlive them.
each_product!(a_role_that_a_removed_cluster_left, |product| {
    let fixture = Fixture::new(product);
    let pay = ["--role", "pay", "--service-account", "shop:app", "--policy", "app-read"];
    let first = Cluster::shared_second(ClusterOptions::default()).expect("a cluster starts");
    first.create_service_account("shop", "app").expect("a service account is made");
    let of_first = ["--kubeconfig", first.kubeconfig().to_str().expect("a path")];
    assert_eq!(first.issuer(), fixture.cluster.issuer());
    fixture.setup(&[&pay[..], &of_first].concat()).ok();
    assert_eq!(log_in(&fixture, first, "pay"), 200);
    // Vault refuses a list without keys: one that nobody manages stays there meanwhile.
    let mut config = fixture.data("auth/jwt/config");
    config["jwt_validation_pubkeys"]
        .as_array_mut()
        .expect("keys")
        .push(json!(crate::support::provenance_fixture::unmanaged().trim()));
    config.as_object_mut().expect("an object").remove("status");
    fixture.write("auth/jwt/config", config);
    run(&mut fixture.kubectl(&[&["vaultjwt", "remove", "--yes"][..], &of_first].concat())).ok();

    // That key is nobody's: the mount is shared with it.
    let shared = ["--same-trust-domain"];
    for flags in [&[][..], &ROLE, &pay, &["--replace-keys"], &["--allow-unbound-roles"]] {
        existing(&fixture, &[flags, &shared].concat(), "pay", "");
    }
    let before = fixture.mount_state();
    for command in [&["sync", "--enroll", "--same-trust-domain"][..], &["diff", "--same-trust-domain"]] {
        let ran = run(&mut fixture.kubectl(&[&["vaultjwt"][..], command].concat()));
        assert!(ran.code > 0, "{command:?}: {}", ran.stdout);
        assert!(ran.stderr.contains("role \"pay\" already accepts tokens of issuer "), "{command:?}: {}", ran.stderr);
        assert_eq!(fixture.mount_state(), before);
    }
    assert_eq!(log_in(&fixture, &fixture.cluster, "pay"), 400);

    // With the word it goes on, and says what it found; afterwards nobody is asked.
    let ran = fixture.setup(&["--allow-existing-roles", "--same-trust-domain"]).ok();
    let warning = "warning: role \"pay\" already accepts tokens of this cluster's issuer\n";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert_eq!(log_in(&fixture, &fixture.cluster, "pay"), 200);
    fixture.setup(&ROLE).ok();
});

each_product!(roles_that_were_written_in_advance, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let issuer = fixture.cluster.issuer();
    let pattern = format!("{}*", &issuer[..12]);
    for (name, kind, iss, how) in [
        ("exact", "string", json!(issuer), ""),
        ("list", "string", json!(["https://other", issuer]), " (in a list of issuers)"),
        ("glob", "glob", json!(pattern), format!(" (pattern \"{pattern}\")").as_str()),
    ] {
        let role = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
                          "bound_claims_type": kind, "bound_claims": {"iss": iss}});
        let path = format!("auth/jwt/role/{name}");
        fixture.write(&path, role);
        existing(&fixture, &ROLE, name, how);
        fixture.vault.ok("DELETE", &path, None).expect("the role is deleted");
    }
    // Roles of others keep nobody out.
    let other = json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
                       "bound_claims": {"iss": "https://other"}});
    fixture.write("auth/jwt/role/other", other);
    fixture.setup(&ROLE).ok();
});

each_product!(roles_that_come_alive_with_the_keys, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    fixture.write(
        "auth/jwt/role/admin",
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": ["admin"]}),
    );
    existing(&fixture, &ROLE, "admin", " (bound to no issuer)");
    // Without the right to read roles, nobody knows.
    let policy = "path \"sys/auth\" { capabilities = [\"read\"] }\n\
                  path \"auth/jwt/config\" { capabilities = [\"read\", \"update\"] }\n";
    fixture.vault.write_policy("operator", policy).expect("the policy is written");
    let operator = fixture.vault.token_with(&["operator"]).expect("a token");
    let before = fixture.mount_state();
    let ran = run(fixture.setup_command(&[]).env("VAULT_TOKEN", operator.expose()));
    assert_eq!(ran.code, 1);
    let words = "its roles could not be read, and some of them may accept this cluster's tokens: Vault refused LIST auth/jwt/role (403): ";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert_eq!(fixture.mount_state(), before);
    // With the word, they need not be read.
    run(fixture.setup_command(&["--allow-existing-roles"]).env("VAULT_TOKEN", operator.expose())).ok();
    assert_eq!(log_in(&fixture, &fixture.cluster, "admin"), 200);
});

/// Programs that decide themselves, in front of a cluster that comes first.
#[test]
fn cel_roles_that_were_written_in_advance() {
    let fixture = Fixture::new(Product::OpenBao);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    fixture.write(
        "auth/jwt/cel/role/prog",
        json!({"bound_audiences": ["vault"], "cel_program": {"expression": "claims.sub == 'x' ? pb.Auth{policies: ['p'], display_name: 'x'} : pb.Auth{}"}}),
    );
    refused(
        &fixture,
        &ROLE,
        &format!(
            "auth mount \"jwt/\" cannot take this cluster's keys: role \"prog\" (CEL) may already accept tokens of issuer \
             \"{}\": this cluster's pods could log in with a role that was made for another cluster",
            fixture.cluster.issuer()
        ),
        "delete the role if it is not for this cluster; if it is, add --allow-existing-roles:\n\
         vault read auth/jwt/cel/role/prog\nvault delete auth/jwt/cel/role/prog",
    );
    let ran = fixture.setup(&[&ROLE[..], &["--allow-existing-roles"]].concat()).ok();
    let warning = "warning: CEL role \"prog\" may already accept tokens of this cluster's issuer\n";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
}

each_product!(what_was_there_is_not_lost_with_the_error, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    // From now on the role takes nobody from here.
    fixture.write("auth/jwt/role/app", json!({"role_type": "jwt", "token_bound_cidrs": ["10.0.0.0/8"]}));
    let before = fixture.data("auth/jwt/role/app");
    let ran = fixture.setup(&[&ROLE[..], &["--ttl", "10m", "-o", "json"]].concat());
    assert_eq!(ran.code, 1);
    let error = "keys and role are in place, but the login as \"shop:app\" with role \"app\" failed: ";
    assert!(ran.stderr.contains(&format!("error: {error}")), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(report["failure"].as_str().is_some_and(|f| f.starts_with(error)), "{report}");
    assert_eq!(report["role"]["before"], before);
});

each_product!(mounts_that_belong_to_others, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/users", json!({"type": "userpass"}));
    refused(
        &fixture,
        &[&ROLE[..], &["--mount", "users"]].concat(),
        "auth mount \"users/\" is of type \"userpass\", not \"jwt\"",
        "choose another path with --mount",
    );
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    let by_hand = SigningKey::generate(Alg::Rs256).expect("a key").public_pem().to_owned();
    let choose = "choose another path with --mount, which gets static keys (vault read auth/jwt/config)";
    for (config, error, hint) in [
        (
            json!({"jwt_validation_pubkeys": [by_hand]}),
            "auth mount \"jwt/\" cannot take this cluster's keys: it serves others already: 1 key without a mark; whoever holds one key of a mount can sign for every issuer on it".to_owned(),
            "choose another path with --mount; or, if everybody who runs one of these clusters may act as any of them, add --same-trust-domain",
        ),
        (
            json!({"jwt_validation_pubkeys": [by_hand], "bound_issuer": "https://other"}),
            "auth mount \"jwt/\" cannot take this cluster's keys: its bound_issuer is \"https://other\"".to_owned(),
            "choose another path with --mount; or, if the mount is to serve more than that issuer, add --clear-bound-issuer (vault read auth/jwt/config)",
        ),
    ] {
        fixture.write("auth/jwt/config", config);
        refused(&fixture, &ROLE, &error, hint);
    }
    // Vault fetches the set itself: from a real issuer, since it checks at the write.
    let issuer =
        Cluster::shared(ClusterOptions { issuer: Issuer::Own, anonymous_oidc: true, ..ClusterOptions::default() })
            .expect("a cluster starts");
    let (url, ca) = (issuer.url(), issuer.ca_pem());
    let keys_url = format!("{url}/openid/v1/jwks");
    for (config, field, value) in [
        (json!({"jwks_url": keys_url, "jwks_ca_pem": ca}), "jwks_url", keys_url.as_str()),
        (json!({"oidc_discovery_url": url, "oidc_discovery_ca_pem": ca}), "oidc_discovery_url", url.as_str()),
        (
            json!({"oidc_discovery_url": url, "oidc_discovery_ca_pem": ca, "oidc_client_id": "id", "oidc_client_secret": "secret"}),
            "oidc_discovery_url",
            url.as_str(),
        ),
    ] {
        fixture.write("auth/jwt/config", config);
        refused(
            &fixture,
            &ROLE,
            &format!("auth mount \"jwt/\" cannot take this cluster's keys: it takes its keys from {field} ({value})"),
            choose,
        );
    }
});

each_product!(a_cluster_that_claims_anothers_issuer, |product| {
    let owner =
        Cluster::shared(ClusterOptions { issuer: Issuer::Own, anonymous_oidc: true, ..ClusterOptions::default() })
            .expect("a cluster starts");
    let issuer = owner.issuer();
    let liar = Cluster::shared(ClusterOptions { issuer: Issuer::Url(issuer.clone()), ..ClusterOptions::default() })
        .expect("a cluster starts");
    let authority = owner.ca_file();
    let authority = authority.to_str().expect("a path");
    let fixture = Fixture::with(Owned::Shared(liar), VaultOptions::new(product));
    let trusting = [&ROLE[..], &["--issuer-ca-cert", authority]].concat();
    refused(
        &fixture,
        &trusting,
        &format!(
            "the key set at \"{issuer}/openid/v1/jwks\" and this API server have no key in common: the key set is out of \
             date, or issuer \"{issuer}\" is not this cluster's"
        ),
        &format!(
            "compare the two (the API server's: kubectl get --raw /openid/v1/jwks); if the cluster replaced its keys, add the \
             new ones to the key set at \"{issuer}/openid/v1/jwks\""
        ),
    );
    assert_eq!(fixture.data("auth/jwt/config"), Value::Null);

    // The owner itself is enrolled by its own site, without a UID.
    let kubeconfig = owner.kubeconfig().to_str().expect("a path").to_owned();
    owner.create_service_account("shop", "app").expect("a service account is made");
    let own = [&trusting[..], &["--kubeconfig", &kubeconfig, "-o", "json"]].concat();
    let report: Value = serde_json::from_str(&fixture.setup(&own).ok().stdout).expect("JSON");
    assert_eq!(report["owner"], json!({"issuer": issuer}));
    assert_eq!(report["keySource"], "issuerSite");

    // Where the issuer's URL cannot be read, the liar claims to be the owner: refused.
    let before = fixture.mount_state();
    let ran = fixture.setup(&ROLE);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!(
            "error: context \"{}\" claims to be cluster \"{}\" (issuer {issuer}) but is reached by another way\n",
            liar.context(),
            owner.context()
        )),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("- the issuer's own site was not used: "), "{}", ran.stderr);
    assert_eq!(fixture.mount_state(), before);
});

each_product!(two_clusters_of_one_issuer, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let other = Cluster::shared_second(ClusterOptions::default()).expect("a cluster starts");
    other.create_service_account("shop", "app").expect("a service account is made");
    let kubeconfig = other.kubeconfig().to_str().expect("a path").to_owned();
    refused(
        &fixture,
        &[&ROLE[..], &["--kubeconfig", &kubeconfig]].concat(),
        &format!(
            "auth mount \"jwt/\" cannot take this cluster's keys: it serves another cluster with the same issuer already: {} (cluster {})",
            fixture.cluster.issuer(),
            fixture.cluster.uid().expect("a UID")
        ),
        "choose another path with --mount; --allow-same-issuer lets every role of that issuer take tokens of both clusters, unless each cluster's roles have an audience of their own",
    );
});

each_product!(an_issuer_given_by_hand_must_be_the_tokens, |product| {
    let fixture = Fixture::new(product);
    refused(
        &fixture,
        &[&ROLE[..], &["--issuer", "https://else.svc"]].concat(),
        &format!(
            "the issuer is not proven: the API server's tokens are issued by \"{}\", not by \"https://else.svc\"",
            fixture.cluster.issuer()
        ),
        "nothing was changed; see what the API server claims: kubectl get --raw /.well-known/openid-configuration",
    );
});
