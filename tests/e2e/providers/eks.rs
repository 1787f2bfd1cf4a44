//! EKS: a kubeconfig that the real aws wrote, EKS's API by moto, and no flags about the cluster.

use crate::support::cloud_fixture::{Clouds, host_of, with_vault};
use crate::support::fixture::{ROLE, run};
use harness::each_product;
use harness::server::{PooledVault, VaultOptions};
use serde_json::{Value, json};

const ARN: &str = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";

each_product!(setup_after_update_kubeconfig, |product| {
    let clouds = Clouds::start();
    let (cluster, known, kubeconfig) = clouds.eks("eu-central-1", "prod", &[]);
    cluster.create_service_account("shop", "app").expect("a service account is made");
    let vault = PooledVault::take(VaultOptions::new(product)).expect("Vault starts");
    let before = clouds.moto.requests().len();

    let setup = [&["vaultjwt", "setup"], &ROLE[..], &["-o", "json", "-v=1"]].concat();
    let ran = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &setup), &vault)).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["owner"], json!({"issuer": known.issuer}));
    assert_eq!((&report["keySource"], &report["namedBy"]), (&json!("issuerSite"), &json!("cloud")));
    assert_eq!((&report["cloud"]["id"], &report["cloud"]["confirmed"]), (&json!(ARN), &json!(true)));
    assert_eq!(report["login"]["result"], "proven");
    assert_eq!(report["rotation"], json!({"by": "EKS", "everyDays": 7}));
    // Who is known by name is asked for by name: one request.
    assert_eq!(clouds.moto.requests()[before..], ["GET /clusters/prod"]);
    assert!(ran.stderr.contains(&format!("the cluster's cloud confirms {ARN}\n")), "{}", ran.stderr);
    // The last word is that it does not last.
    assert!(ran.stderr.contains("EKS replaces this cluster's signing key every 7 days"), "{}", ran.stderr);

    // A refresh needs nobody at AWS.
    let before = clouds.moto.requests().len();
    let sync = ["vaultjwt", "sync", "-o", "json"];
    let ran = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &sync), &vault)).ok();
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).expect("JSON")["clusters"][0]["outcome"], "unchanged");
    assert_eq!(clouds.moto.requests().len(), before);

    // AWS rotates the key, and a sync is recorded: the warning has had its day.
    let status = ["vaultjwt", "status"];
    let said = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &status), &vault)).ok().stderr;
    assert!(said.contains("is recorded since they came"), "{said}");
    cluster.rotate(harness::keys::Alg::Rs256).expect("the key is rotated");
    let ran = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &sync), &vault)).ok();
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).expect("JSON")["clusters"][0]["outcome"], "changed");
    let ran = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &setup), &vault)).ok();
    assert!(!ran.stderr.contains("EKS replaces"), "{}", ran.stderr);
    let said = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &status), &vault)).ok().stderr;
    assert!(!said.contains("is recorded"), "{said}");

    // Inside a VPC the issuer's name is nowhere: AWS vouches for the API server,
    // and the owner is the same.
    clouds.proxy.block(&format!("{}:443", host_of(&known.issuer).split('/').next().expect("a host")));
    for words in [&setup[..], &sync[..]] {
        let before = clouds.moto.requests().len();
        let ran = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], words), &vault)).ok();
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(report["config"]["written"], false, "{}", ran.stdout);
        assert_eq!(clouds.moto.requests()[before..], ["GET /clusters/prod"]);
    }
    // Without AWS's word it is refused.
    clouds.moto.answer("GET /clusters/prod", 403, "AccessDeniedException", &json!({"message": "not you"}));
    let why = format!(
        "the keys of issuer \"{}\" can only be taken from its own site, which could not be read: ",
        known.issuer
    );
    let and = "; and EKS could not be asked about cluster \"prod\" in eu-central-1: AccessDeniedException: not you\n\
               hint: see who is asking, and let it read the cluster: aws sts get-caller-identity\n";
    let ran = run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &setup), &vault));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&why) && ran.stderr.ends_with(and), "{}", ran.stderr);
});

#[test]
fn found_by_its_endpoint_where_the_kubeconfig_has_no_name() {
    let clouds = Clouds::start();
    for other in ["a", "b"] {
        clouds.moto.create_cluster("eu-central-1", other).expect("a cluster");
        // moto has one endpoint for all of them.
        let mut known = clouds.moto.describe("eu-central-1", other).expect("a cluster");
        known["cluster"]["endpoint"] =
            json!(format!("https://{other}{other}{other}.gr7.eu-central-1.eks.amazonaws.com"));
        clouds.moto.answer(&format!("GET /clusters/{other}"), 200, "", &known);
    }
    let (cluster, known, kubeconfig) = clouds.eks("eu-central-1", "prod", &[]);
    // Written by hand, for another way to log in.
    let admin = std::fs::read_to_string(cluster.kubeconfig()).expect("a kubeconfig");
    let file = clouds.folder.path().join("by-hand.kubeconfig");
    let server = format!("{}\n    proxy-url: {}", known.endpoint, clouds.proxy.url());
    std::fs::write(&file, admin.replace(&cluster.way(), &server)).expect("a kubeconfig");
    drop(kubeconfig);
    let before = clouds.moto.requests().len();
    let ran = clouds.vaultjwt(&cluster, &file, &["issuer", "-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["cloud"]["id"], &report["namedBy"]), (&json!(ARN), &json!("cloud")), "{}", ran.stdout);
    let asked = clouds.moto.requests()[before..].to_vec();
    assert_eq!(asked[0], "GET /clusters");
    assert!(asked.len() <= 4, "{asked:?}");
}

/// What goes wrong at AWS, as somebody sees it who asks for the issuer. The API
/// server may not be asked either, so that AWS is what everything hangs on.
#[test]
fn what_goes_wrong_at_aws() {
    let clouds = Clouds::start();
    let (cluster, known, kubeconfig) = clouds.eks("eu-central-1", "prod", &[]);
    let host = host_of(&known.endpoint);
    // The issuer's site is out of reach: AWS has to vouch.
    clouds.site.answer("GET /", 503, "text/plain", "");
    clouds.proxy.block("oidc.eks.eu-central-1.amazonaws.com:443");
    let ask = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = clouds.kubectl(&cluster, &kubeconfig, &[], &["vaultjwt", "issuer"]);
        change(&mut command);
        run(&mut command)
    };
    let denied = json!({"message": "User: arn:aws:iam::123456789012:user/jane is not authorized"});
    let missing = json!({"message": "No cluster found for name: prod."});
    let expired = json!({"message": "The security token included in the request is expired"});
    let of = "EKS could not be asked about cluster \"prod\" in eu-central-1: ";
    for (status, code, body, error, hint) in [
        (
            403,
            "AccessDeniedException",
            &denied,
            "AccessDeniedException: User: arn:aws:iam::123456789012:user/jane is not authorized",
            "see who is asking, and let it read the cluster: aws sts get-caller-identity",
        ),
        (
            404,
            "ResourceNotFoundException",
            &missing,
            "ResourceNotFoundException: No cluster found for name: prod.",
            "see which clusters there are: aws eks list-clusters --region eu-central-1",
        ),
        (
            403,
            "ExpiredTokenException",
            &expired,
            "ExpiredTokenException: The security token included in the request is expired",
            "log in again: aws sso login",
        ),
        (
            400,
            "InvalidParameterException",
            &json!({"message": "no\u{1b}[2J"}),
            "InvalidParameterException: no\\u{1b}[2J",
            "try it by hand: aws eks describe-cluster --name prod --region eu-central-1",
        ),
    ] {
        clouds.moto.answer("GET /clusters/prod", status, code, body);
        let ran = ask(&|_| {});
        let wanted = format!("; and {of}{error}\nhint: {hint}\n");
        assert!(ran.code == 1 && ran.stderr.ends_with(&wanted), "{}\nwanted: {wanted}", ran.stderr);
    }
    clouds.moto.pass_on();

    // Another account's cluster of that name.
    let mut theirs = clouds.described(&cluster, &known);
    theirs["cluster"]["arn"] = json!("arn:aws:eks:eu-central-1:999999999999:cluster/prod");
    clouds.moto.answer("GET /clusters/prod", 200, "", &theirs);
    let wanted = format!(
        "; and {of}these credentials see the cluster of that name in account 999999999999, not in 123456789012\n\
         hint: see whose the credentials are: aws sts get-caller-identity\n"
    );
    let ran = ask(&|_| {});
    assert!(ran.code == 1 && ran.stderr.ends_with(&wanted), "{}", ran.stderr);

    // A cluster that was made anew: another endpoint.
    let mut anew = clouds.described(&cluster, &known);
    anew["cluster"]["endpoint"] = json!("https://FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF.gr7.eu-central-1.eks.amazonaws.com");
    clouds.moto.answer("GET /clusters/prod", 200, "", &anew);
    let ran = ask(&|_| {});
    let wanted = format!(
        "error: the kubeconfig leads to \"{host}\", but {ARN} is at \
         \"ffffffffffffffffffffffffffffffff.gr7.eu-central-1.eks.amazonaws.com\"\n\
         hint: write the entry anew with the cloud's own command, or say which cluster it is with --cloud-cluster\n"
    );
    assert!(ran.code == 1 && ran.stderr.ends_with(&wanted), "{}", ran.stderr);

    // A cluster without an identity: the API server claims an issuer of EKS all the same.
    let mut without = clouds.described(&cluster, &known);
    without["cluster"]["identity"] = Value::Null;
    clouds.moto.answer("GET /clusters/prod", 200, "", &without);
    let ran = ask(&|_| {});
    let wanted = format!(
        "; and {ARN} has no issuer\nhint: run this where the issuer's URL can be reached (a proxy is taken from HTTPS_PROXY)\n"
    );
    assert!(ran.code == 1 && ran.stderr.ends_with(&wanted), "{}", ran.stderr);
    clouds.moto.pass_on();

    // Nobody is logged in; and aws, which gives the token for the API server,
    // says so first.
    let ran = ask(&|command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    });
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("error: credential plugin \"aws\" of user \"arn:aws:eks:"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("hint: log in: aws sso login\n"), "{}", ran.stderr);
    // With a credential of the cluster's own, AWS is missed only where it is needed.
    let admin = std::fs::read_to_string(cluster.kubeconfig()).expect("a kubeconfig");
    let server = format!("{}\n    proxy-url: {}", known.endpoint, clouds.proxy.url());
    let admin = admin.replace(&cluster.way(), &server).replace(cluster.context(), ARN);
    let file = clouds.folder.path().join("admin.kubeconfig");
    std::fs::write(&file, admin).expect("a kubeconfig");
    let ran = run(clouds
        .kubectl(&cluster, &file, &[], &["vaultjwt", "issuer"])
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY"));
    let wanted = format!("; and {of}no AWS credentials were found\nhint: log in: aws sso login\n");
    assert!(ran.code == 1 && ran.stderr.ends_with(&wanted), "{}", ran.stderr);
    // An SSO session that is over: a profile by flag, whose token is not there.
    let profiles = "[profile prod]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = admin\nregion = eu-central-1\n\n\
                    [sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = eu-central-1\n";
    let config = clouds.folder.write("aws-config", profiles).expect("a file");
    let ran = run(clouds
        .kubectl(&cluster, &file, &[], &["vaultjwt", "issuer", "--aws-profile", "prod"])
        .env("AWS_CONFIG_FILE", config));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&format!("; and {of}")), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("\nhint: log in again: aws sso login --profile prod\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("ProviderError") && !ran.stderr.contains('{'), "{}", ran.stderr);
    println!("{}", ran.stderr);
}

#[test]
fn the_role_of_the_kubeconfig_is_the_second_try() {
    let clouds = Clouds::start();
    let role = "arn:aws:iam::123456789012:role/admin";
    let (cluster, known, kubeconfig) = clouds.eks("eu-central-1", "prod", &["--role-arn", role]);
    let denied = json!({"message": "not you"});
    clouds.moto.answer_once("GET /clusters/prod", 403, "AccessDeniedException", &denied);
    let before = clouds.moto.requests().len();
    let ran = clouds.vaultjwt(&cluster, &kubeconfig, &["issuer", "-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["issuer"], &report["namedBy"]), (&json!(known.issuer), &json!("cloud")));
    let asked = clouds.moto.requests()[before..].to_vec();
    let describes = asked.iter().filter(|request| *request == "GET /clusters/prod").count();
    assert_eq!(describes, 2, "{asked:?}");

    // The caller's own account has a cluster of that name too: another account's
    // number, or another endpoint, shows that it is not this one.
    let mut own = clouds.described(&cluster, &known);
    own["cluster"]["arn"] = json!("arn:aws:eks:eu-central-1:999999999999:cluster/prod");
    let mut elsewhere = clouds.described(&cluster, &known);
    elsewhere["cluster"]["endpoint"] =
        json!("https://FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF.gr7.eu-central-1.eks.amazonaws.com");
    for other in [own, elsewhere] {
        clouds.moto.answer_once("GET /clusters/prod", 200, "", &other);
        let before = clouds.moto.requests().len();
        let ran = clouds.vaultjwt(&cluster, &kubeconfig, &["issuer", "-o", "json"]).ok();
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!((&report["namedBy"], &report["cloud"]["confirmed"]), (&json!("cloud"), &json!(true)));
        let asked = clouds.moto.requests()[before..].to_vec();
        let describes = asked.iter().filter(|request| *request == "GET /clusters/prod").count();
        assert_eq!(describes, 2, "{asked:?}");
    }

    // Neither may: both are told.
    clouds.moto.answer("GET /clusters/prod", 403, "AccessDeniedException", &denied);
    clouds.proxy.block("oidc.eks.eu-central-1.amazonaws.com:443");
    let ran = clouds.vaultjwt(&cluster, &kubeconfig, &["issuer"]);
    let wanted = format!(
        "AccessDeniedException: not you (tried: your AWS credentials: AccessDeniedException; role \"{role}\": \
         AccessDeniedException)\nhint: "
    );
    assert!(ran.code == 1 && ran.stderr.contains(&wanted), "{}", ran.stderr);
}

/// A profile that the kubeconfig gives as an argument goes before keys in the
/// environment, as with the aws command; one that it gives as a variable does not.
#[test]
fn whose_keys_are_used_where_the_kubeconfig_names_a_profile() {
    let clouds = Clouds::start();
    let keys = "[prod]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n";
    let credentials = clouds.folder.write("aws-credentials", keys).expect("a file");
    let (cluster, _, kubeconfig) = clouds.eks("eu-central-1", "prod", &[]);
    let written = std::fs::read_to_string(&kubeconfig).expect("a kubeconfig");
    assert!(written.contains("      - --region\n") && written.contains("      command: aws\n"), "{written}");
    for (from, to, key) in [
        ("      - --region\n", "      - --profile\n      - prod\n      - --region\n", "AKIDPROFILE/"),
        ("      command: aws\n", "      command: aws\n      env: [{name: AWS_PROFILE, value: prod}]\n", "AKIDTEST/"),
    ] {
        std::fs::write(&kubeconfig, written.replace(from, to)).expect("a kubeconfig");
        let before = clouds.moto.requests().len();
        let mut command = clouds.kubectl(&cluster, &kubeconfig, &[], &["vaultjwt", "issuer", "-o", "json"]);
        let ran = run(command.env("AWS_SHARED_CREDENTIALS_FILE", &credentials)).ok();
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!((&report["namedBy"], &report["verdict"]["profile"]), (&json!("cloud"), &json!("prod")));
        let scopes = clouds.moto.credential_scopes()[before..].to_vec();
        assert!(scopes.len() == 1 && scopes[0].starts_with(key), "{scopes:?}");
    }
}

#[test]
fn the_site_of_an_issuer_that_differs_by_a_slash() {
    let clouds = Clouds::start();
    let (cluster, known, kubeconfig) = clouds.eks("eu-central-1", "prod", &[]);
    let path = known.issuer.trim_start_matches("https://oidc.eks.eu-central-1.amazonaws.com");
    let document = json!({"issuer": format!("{}/", known.issuer), "jwks_uri": format!("{}/keys", known.issuer)});
    clouds.site.answer(
        &format!("GET {path}/.well-known/openid-configuration"),
        200,
        "application/json",
        &document.to_string(),
    );
    let ran = clouds.vaultjwt(&cluster, &kubeconfig, &["issuer"]);
    let issuer = &known.issuer;
    assert!(
        ran.stderr.ends_with(&format!(
            "error: the discovery document at \"{issuer}/.well-known/openid-configuration\" names issuer \"{issuer}/\", not \
             \"{issuer}\"\nhint: give the issuer that the cluster's tokens carry with --issuer\n"
        )),
        "{}",
        ran.stderr
    );
}

// Both keys of the last sync are gone: the issuer is AWS's, and no word is needed.
each_product!(not_synced_for_two_rotations, |product| {
    let clouds = Clouds::start();
    let (cluster, _, kubeconfig) = clouds.eks("eu-central-1", "prod", &[]);
    cluster.create_service_account("shop", "app").expect("a service account is made");
    let vault = PooledVault::take(VaultOptions::new(product)).expect("Vault starts");
    let vaultjwt = |words: &[&str]| {
        let words = [&["vaultjwt"], words].concat();
        run(with_vault(&mut clouds.kubectl(&cluster, &kubeconfig, &[], &words), &vault))
    };
    let logs_in = || {
        let jwt = cluster.token("shop", "app", &["vault"]).expect("a token");
        let body = json!({"role": "app", "jwt": jwt.expose()});
        vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").is_success()
    };
    vaultjwt(&[&["setup"], &ROLE[..]].concat()).ok();
    for _ in 0..2 {
        cluster.rotate(harness::keys::Alg::Rs256).expect("the key is rotated");
        cluster.drop_old_keys().expect("the old key is gone");
    }
    assert!(!logs_in());
    let status = vaultjwt(&["status", "--check-clusters"]).ok();
    let (_, command) = status.stderr.split_once("are out of date: kubectl vaultjwt ").expect("a command");
    let words: Vec<&str> = command.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!((words[0], words[3]), ("sync", "--mount"), "{}", status.stderr);
    let words: Vec<String> = words.iter().map(|word| word.trim_matches('\'').to_owned()).collect();
    vaultjwt(&words.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    assert!(logs_in(), "{}", harness::NEVER_FLAKY);
    assert!(vaultjwt(&["status", "--check-clusters"]).ok().stdout.contains("up to date"));
});
