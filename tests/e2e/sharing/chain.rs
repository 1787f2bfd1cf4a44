//! Several clusters on one mount: which may be enrolled, what a role then accepts, and what no role
//! can prevent.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use crate::support::two_clusters::{alpha, beta, of};
use harness::each_product;
use harness::http::Answer;
use harness::server::{Cluster, ClusterOptions, Product, VaultOptions};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

fn fixture(product: Product) -> Fixture {
    Fixture::with(Owned::Shared(alpha()), VaultOptions::new(product))
}

/// Refused with these words, and the mount as it was.
#[track_caller]
fn refused(fixture: &Fixture, flags: &[&str], error: &str, hint: &str) {
    let before = fixture.mount_state();
    let ran: Ran = fixture.setup(flags);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let words = format!("error: auth mount \"jwt/\" cannot take this cluster's keys: {error}\nhint: {hint}\n");
    assert!(ran.stderr.ends_with(&words), "{}\nwanted:\n{words}", ran.stderr);
    assert_eq!(fixture.mount_state(), before);
}

fn log_in(fixture: &Fixture, role: &str, jwt: &str) -> Answer {
    let body = json!({"role": role, "jwt": jwt});
    fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers")
}

fn token(cluster: &Cluster) -> String {
    cluster.token("shop", "app", &["vault"]).expect("the cluster issues a token").expose().to_owned()
}

const BETA_ROLE: [&str; 6] = ["--role", "beta-app", "--service-account", "shop:app", "--policy", "app-read"];
const SHARE: &str = "choose another path with --mount; or, if everybody who runs one of these clusters may act as any of them, add --same-trust-domain";

/// What the manual procedure leaves: a key without a mark, and a role that is
/// bound to a subject and to no issuer.
fn by_hand(fixture: &Fixture) {
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    fixture.write("auth/jwt/config", json!({"jwt_validation_pubkeys": [alpha().signing_key().public_pem()]}));
    fixture.write(
        "auth/jwt/role/app",
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
               "bound_subject": "system:serviceaccount:shop:app", "token_policies": ["app-read"]}),
    );
}

each_product!(two_clusters_share_a_mount, |product| {
    let fixture = fixture(product);
    fixture.setup(&ROLE).ok();
    let joining = [&BETA_ROLE[..], &of(beta())].concat();
    refused(
        &fixture,
        &joining,
        &format!(
            "it serves others already: keys of https://alpha.svc (cluster {}); whoever holds one key of a mount can sign for every issuer on it",
            alpha().uid().expect("a UID")
        ),
        SHARE,
    );
    let before = fixture.data("auth/jwt/config")["jwt_validation_pubkeys"].clone();
    fixture.setup(&[&joining[..], &["--same-trust-domain"]].concat()).ok();
    let keys = fixture.data("auth/jwt/config")["jwt_validation_pubkeys"].clone();
    assert_eq!((keys.as_array().map(Vec::len), &keys[1]), (Some(2), &before[0]));

    // Service accounts of both log in, and neither with the other's role.
    for (role, cluster, other) in [("app", alpha(), beta()), ("beta-app", beta(), alpha())] {
        assert_eq!(log_in(&fixture, role, &token(cluster)).status, 200);
        let answer = log_in(&fixture, role, &token(other));
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.json()["errors"][0],
            json!("error validating claims: claim \"iss\" does not match any associated bound claim values")
        );
    }

    // What the documents say: whoever holds a key of the mount is every cluster on it.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let forged = json!({
        "iss": "https://alpha.svc", "sub": "system:serviceaccount:shop:app", "aud": ["vault"],
        "iat": now, "nbf": now, "exp": now + 600,
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "app", "uid": "forged"}},
    });
    let forged = beta().signing_key().sign(&forged).expect("the key signs");
    let answer = log_in(&fixture, "app", &forged);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["auth"]["policies"], json!(["app-read", "default"]));
});

each_product!(the_manual_procedures_role_stops_a_second_cluster, |product| {
    let fixture = fixture(product);
    by_hand(&fixture);
    assert_eq!(log_in(&fixture, "app", &token(alpha())).status, 200);
    // This is why: the role takes the same service account of any cluster.
    let joining = [&BETA_ROLE[..], &of(beta())].concat();
    refused(
        &fixture,
        &joining,
        "it serves others already: 1 key without a mark; whoever holds one key of a mount can sign for every issuer on it",
        SHARE,
    );
    let trusting = [&joining[..], &["--same-trust-domain"]].concat();
    let mend = "echo '{\"bound_claims\":{\"iss\":\"<the issuer of its cluster>\"},\"bound_claims_type\":\"string\",\"role_type\":\"jwt\"}' | vault write auth/jwt/role/app -";
    refused(
        &fixture,
        &trusting,
        "role \"app\" is bound to no issuer and would take tokens of any cluster on it",
        &format!("bind each to the issuer of the cluster it is for (or add --allow-unbound-roles):\n{mend}"),
    );
    // The printed command mends it, with the issuer filled in.
    let command = mend.replace("<the issuer of its cluster>", "https://alpha.svc");
    let mut shell = fixture.vault.cli_command().expect("the product has a CLI");
    let cli = shell.get_program().to_owned();
    let mut mending = std::process::Command::new("sh");
    mending.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    mending.arg("-c").arg(command.replace("| vault", "| \"$0\"")).arg(&cli);
    shell.stdin(Stdio::null());
    run(&mut mending).ok();
    let ran = fixture.setup(&trusting).ok();
    assert!(
        ran.stderr.contains(
            "warning: role \"app\" takes the claim \"sub\" for the identity: another cluster's tokens with the same value share its Vault entity\n"
        ),
        "{}",
        ran.stderr
    );
    assert_eq!(log_in(&fixture, "app", &token(alpha())).status, 200);
    assert_eq!(log_in(&fixture, "beta-app", &token(beta())).status, 200);
    assert_eq!(log_in(&fixture, "app", &token(beta())).status, 400);
});

each_product!(unbound_roles_can_be_allowed, |product| {
    let fixture = fixture(product);
    by_hand(&fixture);
    let flags = [&BETA_ROLE[..], &of(beta()), &["--same-trust-domain", "--allow-unbound-roles"]].concat();
    fixture.setup(&flags).ok();
    // And this is what was allowed.
    assert_eq!(log_in(&fixture, "app", &token(beta())).status, 200);
});

each_product!(roles_that_cannot_be_listed_stop_a_second_cluster, |product| {
    let fixture = fixture(product);
    fixture.setup(&ROLE).ok();
    let policy = "path \"sys/auth\" { capabilities = [\"read\"] }\n\
                  path \"auth/jwt/config\" { capabilities = [\"read\", \"update\"] }\n";
    fixture.vault.write_policy("operator", policy).expect("the policy is written");
    let operator = fixture.vault.token_with(&["operator"]).expect("a token");
    let joining = [&["--same-trust-domain"][..], &of(beta())].concat();
    let ran = run(fixture.setup_command(&joining).env("VAULT_TOKEN", operator.expose()));
    assert_eq!(ran.code, 1);
    let error = "error: auth mount \"jwt/\" cannot take this cluster's keys: its roles could not be read, and some of them may accept this cluster's tokens: Vault refused LIST auth/jwt/role (403): ";
    assert!(ran.stderr.contains(error), "{}", ran.stderr);
    let (_, lines) =
        ran.stderr.split_once("hint: let the token list and read them (cel is OpenBao's):\n").expect("a hint");
    fixture.vault.write_policy("operator", &format!("{policy}{lines}")).expect("the policy is written");
    run(fixture.setup_command(&joining).env("VAULT_TOKEN", operator.expose())).ok();
});

each_product!(one_issuer_twice, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let other = Cluster::shared_second(ClusterOptions::default()).expect("a cluster starts");
    other.create_service_account("shop", "app").expect("a service account is made");
    let joining = [&["--same-trust-domain"][..], &of(other)].concat();
    refused(
        &fixture,
        &joining,
        &format!(
            "it serves another cluster with the same issuer already: {} (cluster {})",
            fixture.cluster.issuer(),
            fixture.cluster.uid().expect("a UID")
        ),
        "choose another path with --mount; --allow-same-issuer lets every role of that issuer take tokens of both clusters, unless each cluster's roles have an audience of their own",
    );
    // Roles of that issuer accept the tokens of both: they are named.
    let same = [&joining[..], &["--allow-same-issuer"]].concat();
    refused(
        &fixture,
        &same,
        &format!(
            "role \"app\" already accepts tokens of issuer \"{}\": this cluster's pods could log in with a role that was \
             made for another cluster",
            fixture.cluster.issuer()
        ),
        "delete the role if it is not for this cluster; if it is, add --allow-existing-roles:\n\
         vault read auth/jwt/role/app\nvault delete auth/jwt/role/app",
    );
    fixture.setup(&[&same[..], &["--allow-existing-roles"]].concat()).ok();
    // The warning is true: no forging is needed.
    assert_eq!(log_in(&fixture, "app", &token(other)).status, 200);
});

each_product!(an_issuer_that_bound_the_mount, |product| {
    let fixture = fixture(product);
    fixture.setup(&ROLE).ok();
    let mut config = fixture.data("auth/jwt/config");
    config.as_object_mut().expect("a configuration").remove("status");
    config["bound_issuer"] = json!("https://alpha.svc");
    fixture.write("auth/jwt/config", config);
    let joining = [&BETA_ROLE[..], &of(beta()), &["--same-trust-domain"]].concat();
    refused(
        &fixture,
        &joining,
        "its bound_issuer is \"https://alpha.svc\"",
        "choose another path with --mount; or, if the mount is to serve more than that issuer, add --clear-bound-issuer (vault read auth/jwt/config)",
    );
    // Its own cluster is refreshed, and stays the only one.
    fixture.setup(&ROLE).ok();
    assert_eq!(fixture.data("auth/jwt/config")["bound_issuer"], json!("https://alpha.svc"));
    fixture.setup(&[&joining[..], &["--clear-bound-issuer"]].concat()).ok();
    assert_eq!(fixture.data("auth/jwt/config")["bound_issuer"], json!(""));
    assert_eq!(log_in(&fixture, "beta-app", &token(beta())).status, 200);
});

each_product!(one_identity_for_two_clusters_needs_a_word, |product| {
    let fixture = fixture(product);
    let by_sub = ["--user-claim", "sub"];
    fixture.setup(&[&ROLE[..], &by_sub].concat()).ok();
    let alias = |answer: &Answer| {
        let entity = answer.json()["auth"]["entity_id"].as_str().unwrap_or_default().to_owned();
        (fixture.data(&format!("identity/entity/id/{entity}"))["aliases"][0]["name"].clone(), entity)
    };
    let (name, entity) = alias(&log_in(&fixture, "app", &token(alpha())));
    assert_eq!(name, json!("system:serviceaccount:shop:app"));
    let joining = [&BETA_ROLE[..], &by_sub, &of(beta()), &["--same-trust-domain"]].concat();
    let before = fixture.mount_state();
    fixture.setup(&joining).failed_ending(
        "error: on auth mount \"jwt/\", role \"beta-app\" would take the claim \"sub\" for the identity, and another cluster's tokens can have the same value\n\
         hint: leave --user-claim out (the service account's UID is the identity then), or add --allow-shared-identity\n",
    );
    assert_eq!(fixture.mount_state(), before);
    fixture.setup(&[&joining[..], &["--allow-shared-identity"]].concat()).ok();
    // And this is what was allowed: one entity for two clusters' accounts.
    assert_eq!(alias(&log_in(&fixture, "beta-app", &token(beta()))), (name, entity));
});

/// Roles that are programs: nobody can say from outside whom they let in.
#[test]
fn cel_roles_stop_a_second_cluster() {
    let fixture = fixture(Product::OpenBao);
    fixture.setup(&ROLE).ok();
    fixture.write(
        "auth/jwt/cel/role/prog",
        json!({"bound_audiences": ["vault"], "cel_program": {"expression": "claims.sub == 'x' ? pb.Auth{policies: ['p'], display_name: 'x'} : pb.Auth{}"}}),
    );
    let joining = [&BETA_ROLE[..], &of(beta()), &["--same-trust-domain"]].concat();
    refused(
        &fixture,
        &joining,
        "role \"prog\" (CEL) is bound to no issuer and would take tokens of any cluster on it",
        "choose another path with --mount; or, if CEL roles check the issuer themselves, add --allow-unbound-roles",
    );
    assert_ne!(fixture.data("auth/jwt/cel/role/prog"), Value::Null);
}
