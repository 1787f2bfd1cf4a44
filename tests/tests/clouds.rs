//! Tests what stands for the cloud providers: moto with the real `aws`, the fake Azure, the issuer
//! sites, and the proxy that leads to them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::http::Http;
use harness::keys::{Alg, SigningKey};
use harness::peers::{self, Peer};
use harness::process::{Scratch, clean_environment};
use harness::server::{
    ArmCluster, ArmStub, Cluster, ClusterOptions, ConnectProxy, FakeAz, Moto, OidcSite, shared_cluster,
};
use serde_json::{Value, json};

/// The variables of somebody who uses this moto.
fn aws_environment(command: &mut Command, moto: &Moto) {
    command
        .env("AWS_ENDPOINT_URL", moto.url())
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_EC2_METADATA_DISABLED", "true");
}

fn aws(moto: &Moto, home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(peers::locate(Peer::Aws).unwrap());
    clean_environment(&mut command, home, &[]);
    aws_environment(&mut command, moto);
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat()
}

#[test]
fn moto_is_asked_by_aws_and_answers_what_it_is_told() {
    let moto = Moto::start().unwrap();
    let scratch = Scratch::new("aws").unwrap();
    let prod = moto.create_cluster("eu-central-1", "prod").unwrap();
    assert_eq!(prod.arn, "arn:aws:eks:eu-central-1:123456789012:cluster/prod");
    assert!(prod.issuer.starts_with("https://oidc.eks.eu-central-1.amazonaws.com/id/"), "{}", prod.issuer);
    assert!(moto.create_cluster("eu-central-1", "prod").is_err());

    let describe = |name: &str| {
        let query = ["--query", "cluster.identity.oidc.issuer", "--output", "text"];
        let arguments = ["--region", "eu-central-1", "eks", "describe-cluster", "--name", name];
        said(&aws(&moto, scratch.path(), &[&arguments[..], &query].concat()))
    };
    assert_eq!(describe("prod"), format!("{}\n", prod.issuer));
    assert!(describe("other").contains("(ResourceNotFoundException)"));
    let denied = json!({"message": "not you"});
    moto.answer_once("GET /clusters/prod", 403, "AccessDeniedException", &denied);
    assert!(describe("prod").contains("(AccessDeniedException) when calling the DescribeCluster operation: not you"));
    assert_eq!(describe("prod"), format!("{}\n", prod.issuer));
    moto.answer("GET /clusters/prod", 403, "AccessDeniedException", &denied);
    assert!(describe("prod").contains("not you") && describe("prod").contains("not you"));
    moto.pass_on();
    assert_eq!(describe("prod"), format!("{}\n", prod.issuer));

    let requests = moto.requests();
    assert_eq!(
        (requests.len(), requests[0].as_str(), requests[1].as_str()),
        (7, "GET /clusters/prod", "GET /clusters/other")
    );
    let scope = &moto.credential_scopes()[0];
    assert!(scope.starts_with("AKIDTEST/") && scope.ends_with("/eu-central-1/eks/aws4_request"), "{scope}");
}

#[test]
fn a_cluster_is_reached_as_on_eks() {
    let moto = Moto::start().unwrap();
    let prod = moto.create_cluster("us-east-1", "prod").unwrap();
    let host = prod.endpoint.trim_start_matches("https://").trim_end_matches('/');
    let options = ClusterOptions { server_names: vec![host.to_owned()], aws_tokens: true, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).unwrap();
    let proxy = ConnectProxy::start().unwrap();
    proxy.route(&format!("{host}:443"), cluster.port());

    // The CA of moto's clusters is none.
    let mut answer = moto.describe("us-east-1", "prod").unwrap();
    answer["cluster"]["certificateAuthority"]["data"] = json!(STANDARD.encode(cluster.ca_pem()));
    moto.answer("GET /clusters/prod", 200, "", &answer);
    let config = cluster.scratch().path().join("eks.kubeconfig");
    let update = ["--region", "us-east-1", "eks", "update-kubeconfig", "--name", "prod", "--kubeconfig"];
    let output = aws(&moto, cluster.scratch().path(), &[&update[..], &[config.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert!(fs::read_to_string(&config).unwrap().contains(&format!("name: {}", prod.arn)));

    let program = peers::locate(Peer::Aws).unwrap();
    let kubectl = |arguments: &[&str]| {
        let mut command = cluster.kubectl_command(&[program.parent().unwrap()]).unwrap();
        aws_environment(&mut command, &moto);
        // Not --proxy-url: aws fetches what such an option names.
        command.env("HTTPS_PROXY", proxy.url());
        said(&command.env("KUBECONFIG", &config).args(arguments).output().unwrap())
    };
    let who = kubectl(&["auth", "whoami"]);
    assert!(who.contains("kubernetes-admin") && who.contains("system:masters"), "{who}");
    assert!(proxy.connections(&format!("{}:443", host.to_lowercase())) > 0);
    let is_taken = |token: &str| {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        cluster.http("POST", path, Some(&review)).unwrap().json()["status"]["authenticated"] == true
    };
    assert!(is_taken("k8s-aws-v1.x") && !is_taken("k8s-aws-v1.") && !is_taken("k8s-aws-v2.x"));

    proxy.block(&format!("{host}:443"));
    assert!(kubectl(&["get", "--raw", "/readyz"]).contains("EOF"));
    proxy.unblock(&format!("{host}:443"));
    assert_eq!(kubectl(&["get", "--raw", "/readyz"]), "ok");
}

#[test]
fn issuers_have_sites() {
    let cluster = shared_cluster().unwrap();
    let (eks, aks) = ("https://oidc.eks.us-east-1.amazonaws.com/id/A", "https://westus2.oic.prod-aks.azure.com/t/c/");
    let site = OidcSite::start(&["oidc.eks.us-east-1.amazonaws.com", "westus2.oic.prod-aks.azure.com"]).unwrap();
    let proxy = ConnectProxy::start().unwrap();
    let get = |url: &str| Http::through(&proxy.url(), url, &site.ca_pem()).unwrap().send("GET", "", &[], None);
    assert!(get(&format!("{eks}/keys")).is_err(), "there is no route");
    proxy.route("oidc.eks.us-east-1.amazonaws.com:443", site.port());
    proxy.route("westus2.oic.prod-aks.azure.com:443", site.port());
    assert_eq!(get(&format!("{eks}/keys")).unwrap().status, 404);

    site.add(eks, cluster);
    let stolen = SigningKey::generate(Alg::Es256).unwrap();
    site.add_keys(aks, std::slice::from_ref(&stolen));
    for (issuer, kid) in [(eks, cluster.signing_key().kid()), (aks, stolen.kid())] {
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovery = get(&discovery).unwrap().json();
        assert_eq!(discovery["issuer"], issuer);
        let keys = get(discovery["jwks_uri"].as_str().unwrap()).unwrap().json();
        assert_eq!(keys["keys"][0]["kid"], kid);
    }
    assert_eq!(
        site.requests(),
        [
            "GET /id/A/keys",
            "GET /id/A/.well-known/openid-configuration",
            "GET /id/A/keys",
            "GET /t/c/.well-known/openid-configuration",
            "GET /t/c/openid/v1/jwks",
        ]
    );
    site.answer("GET /id/A/keys", 503, "text/plain", "later");
    assert_eq!(get(&format!("{eks}/keys")).unwrap().text, "later");
    site.recover();
    assert!(get(&format!("{eks}/keys")).unwrap().is_success());

    assert_eq!(proxy.connections("oidc.eks.us-east-1.amazonaws.com:443"), 6);
    proxy.block("oidc.eks.us-east-1.amazonaws.com:443");
    assert!(get(&format!("{eks}/keys")).is_err());
    assert_eq!(proxy.asked().len(), 9);
}

#[test]
fn azure_tells_about_its_clusters() {
    let azure = ArmStub::start().unwrap();
    let proxy = ConnectProxy::start().unwrap();
    for host in ArmStub::hosts() {
        proxy.route(&host, azure.port());
    }
    let at = |host: &str| Http::through(&proxy.url(), format!("https://{host}"), &azure.ca_pem()).unwrap();
    let login = at("login.chinacloudapi.cn");
    let token = login.send("POST", "/tenant/oauth2/v2.0/token", &[], Some(&json!({}))).unwrap().json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let discovery = login.send("GET", "/tenant/v2.0/.well-known/openid-configuration", &[], None).unwrap().json();
    assert_eq!(discovery["token_endpoint"], "https://login.chinacloudapi.cn/tenant/oauth2/v2.0/token");

    for (name, issuer, old_spelling) in
        [("a", Some("https://i/"), false), ("b", Some("https://i/"), true), ("c", None, false)]
    {
        azure.add_cluster(ArmCluster {
            subscription: "s1".into(),
            resource_group: "rg".into(),
            name: name.into(),
            location: "eastus".into(),
            fqdn: format!("{name}-rg-1.hcp.eastus.azmk8s.io"),
            issuer: issuer.map(str::to_owned),
            old_spelling,
            ..ArmCluster::default()
        });
    }
    azure.add_subscription("s2", "Empty");
    let arm = at("management.azure.com");
    let get = |path: &str| {
        let path = if path.contains('?') { path.to_owned() } else { format!("{path}?api-version=2025-10-01") };
        arm.send("GET", &path, &[("authorization", bearer.as_str())], None).unwrap()
    };
    let subscriptions = get("/subscriptions").json();
    assert_eq!(
        (&subscriptions["value"][0]["subscriptionId"], &subscriptions["value"][1]["displayName"]),
        (&json!("s1"), &json!("Empty"))
    );

    let provider = "providers/Microsoft.ContainerService/managedClusters";
    let one = |name: &str| get(&format!("/subscriptions/S1/resourceGroups/RG/{provider}/{name}"));
    let profile = |name: &str| one(name).json()["properties"]["oidcIssuerProfile"].clone();
    assert_eq!(profile("A"), json!({"enabled": true, "issuerURL": "https://i/"}));
    assert_eq!(profile("b"), json!({"enabled": true, "issuerUrl": "https://i/"}));
    assert_eq!(profile("c"), Value::Null);
    let message = "The Resource 'Microsoft.ContainerService/managedClusters/X' under resource group 'RG' was not found. \
                   For more details please go to https://aka.ms/ARMResourceNotFoundFix";
    let missing = one("X");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json(), json!({"error": {"code": "ResourceNotFound", "message": message}}));

    azure.page_size(2);
    let page = get(&format!("/subscriptions/s1/{provider}")).json();
    let next = page["nextLink"].as_str().unwrap().trim_start_matches("https://management.azure.com").to_owned();
    let last = get(&next).json();
    assert_eq!((page["value"].as_array().unwrap().len(), &last["value"][0]["name"]), (2, &json!("c")));
    assert_eq!((last["value"].as_array().unwrap().len(), &last["nextLink"]), (1, &Value::Null));

    let anyone = arm.send("GET", "/subscriptions?api-version=2022-12-01", &[], None).unwrap();
    assert_eq!((anyone.status, &anyone.json()["error"]["code"]), (401, &json!("AuthenticationFailed")));
    azure.fail("GET /subscriptions/s1", 403, "AuthorizationFailed", "not you");
    azure.answer("GET /subscriptions/s2", 429, &[("Retry-After", "1")], "<html>");
    let empty = get(&format!("/subscriptions/s2/{provider}"));
    assert_eq!(
        (one("a").json()["error"]["code"].as_str(), empty.status, empty.text.as_str()),
        (Some("AuthorizationFailed"), 429, "<html>")
    );
    azure.recover();
    assert_eq!(one("a").status, 200);
    assert_eq!(azure.requests()[0], "POST /tenant/oauth2/v2.0/token");
    assert_eq!(azure.requests_to("management.azure.com")[0], "GET /subscriptions");
}

#[test]
fn az_gives_the_token_or_says_that_nobody_is_logged_in() {
    let scratch = Scratch::new("az").unwrap();
    let ask = |az: &FakeAz, arguments: &str| {
        let mut command = Command::new("sh");
        clean_environment(&mut command, scratch.path(), &[az.folder()]);
        command.args(["-c", &format!("cd /bin && az {arguments}")]).output().unwrap()
    };
    let az = FakeAz::logged_in(&scratch.path().join("in")).unwrap();
    let token = "account get-access-token -o json --scope https://management.azure.com/.default";
    let answer: Value = serde_json::from_slice(&ask(&az, token).stdout).unwrap();
    assert_eq!((&answer["accessToken"], answer["expires_on"].is_u64()), (&json!("arm-token"), true));
    assert_eq!(ask(&az, "vm list").status.code(), Some(2));
    assert_eq!(az.calls(), [token, "vm list"]);

    let az = FakeAz::logged_out(&scratch.path().join("out")).unwrap();
    let output = ask(&az, token);
    assert_eq!(
        (output.status.code(), said(&output).as_str()),
        (Some(1), "ERROR: Please run 'az login' to setup account.\n")
    );
}
