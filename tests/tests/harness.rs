//! Tests the harness with the real servers.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use harness::each_product;
use harness::http::Http;
use harness::keys::{Alg, SigningKey};
use harness::server::{
    Cluster, ClusterOptions, CopyOptions, Credentials, Honest, Issuer, PooledVault, Presented, Product, Relay,
    RelayOptions, Storage, Tokens, VaultOptions, VaultServer, shared_cluster,
};
use serde_json::json;
use shared::Secret;

/// The key ids of the published JWKS.
fn published(cluster: &Cluster) -> Vec<String> {
    let jwks = cluster.http("GET", "/openid/v1/jwks", None).unwrap().json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The key ids of the cluster's own keys.
fn own(cluster: &Cluster) -> Vec<String> {
    cluster.signing_keys().iter().map(SigningKey::kid).collect()
}

/// Does the API server accept a token of this key?
fn accepts(cluster: &Cluster, key: &SigningKey) -> bool {
    let account = cluster.http("GET", "/api/v1/namespaces/default/serviceaccounts/default", None).unwrap().json();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let account = json!({"name": "default", "uid": account["metadata"]["uid"]});
    let claims = json!({"iss": cluster.issuer(), "aud": [cluster.issuer()], "iat": now, "nbf": now, "exp": now + 600,
        "sub": "system:serviceaccount:default:default",
        "kubernetes.io": {"namespace": "default", "serviceaccount": account}});
    let token = Secret::new(key.sign(&claims).unwrap());
    let config = cluster.kubeconfig_with("default", &Credentials::Token(token)).unwrap();
    let mut kubectl = cluster.kubectl_command(&[]).unwrap();
    kubectl.env("KUBECONFIG", config).args(["auth", "whoami"]).output().unwrap().status.success()
}

#[test]
fn a_cluster_rotates_its_keys() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let first = cluster.signing_key();
    assert_eq!(published(&cluster), [first.kid()]);

    cluster.rotate(Alg::Es256).unwrap();
    let second = cluster.signing_key();
    assert_eq!((first.alg(), second.alg()), (Alg::Rs256, Alg::Es256));
    assert_eq!(published(&cluster), own(&cluster));
    assert_eq!(published(&cluster), [first.kid(), second.kid()]);
    assert!(accepts(&cluster, &first) && accepts(&cluster, &second));

    cluster.drop_old_keys().unwrap();
    assert_eq!(published(&cluster), [second.kid()]);
    assert!(!accepts(&cluster, &first) && accepts(&cluster, &second));
    assert!(!accepts(&cluster, &SigningKey::generate(Alg::Rs256).unwrap()));
}

#[test]
fn who_may_do_what_in_a_cluster() {
    let options = ClusterOptions { issuer: Issuer::Own, anonymous_oidc: true, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).unwrap();
    let anyone = Http::new(cluster.issuer(), Some(&cluster.ca_pem()), None).unwrap();
    let discovery = anyone.send("GET", "/.well-known/openid-configuration", &[], None).unwrap();
    assert_eq!(discovery.json()["issuer"], cluster.url());

    let says = |config: PathBuf, arguments: &[&str]| {
        let output = cluster.kubectl_command(&[]).unwrap().env("KUBECONFIG", config).args(arguments).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let create_token = ["create", "token", "default"];
    let user = cluster.kubeconfig_for_user("jane", None).unwrap();
    assert!(says(user, &create_token).contains("User \"jane\" cannot create resource \"serviceaccounts/token\""));
    let account = cluster.kubeconfig_for_service_account("default", "default").unwrap();
    assert!(says(account, &["auth", "whoami"]).contains("system:serviceaccount:default:default"));
    let expired = cluster.kubeconfig_expired().unwrap();
    let said = says(expired, &create_token);
    assert_eq!(said, "error: failed to create token: Unauthorized\n");

    cluster.stop_api_server();
    assert!(says(cluster.kubeconfig().to_path_buf(), &create_token).contains("connection refused"));
    cluster.restart_api_server().unwrap();
    assert_eq!(says(cluster.kubeconfig().to_path_buf(), &create_token).matches('.').count(), 2);
}

#[test]
fn a_cluster_has_a_name_of_its_own() {
    let (one, other) = (shared_cluster().unwrap(), Cluster::shared_second(ClusterOptions::default()).unwrap());
    let name = one.server_name();
    assert!(name.starts_with("api-") && name.ends_with(".clusters.example") && name != other.server_name(), "{name}");
    assert!(!name.contains(one.context()), "a test may replace the context of a kubeconfig");
    let admin = Credentials::Certificate(one.admin().clone());
    for config in [one.kubeconfig().to_path_buf(), one.kubeconfig_at(&one.url(), "admin", &admin).unwrap()] {
        let config = fs::read_to_string(config).unwrap();
        let way = format!("    server: {}\n    tls-server-name: {name}\n", one.url());
        assert!(config.contains(&way), "{config}");
    }
    // Its certificate bears the name of every cluster, and no other's own.
    let ready = |name: &str| {
        let said = one.kubectl(&["get", "--raw", "/readyz", "--tls-server-name", name]).unwrap();
        String::from_utf8([said.stdout, said.stderr].concat()).unwrap()
    };
    assert_eq!(["kubernetes.default.svc", "127.0.0.1", name].map(ready), ["ok"; 3]);
    assert!(ready(other.server_name()).contains("certificate is valid for"), "{}", ready(other.server_name()));
    // What a controller manager makes is there at once.
    for namespace in ["default", "kube-system"] {
        let get = |what: &str| one.http("GET", &format!("/api/v1/namespaces/{namespace}/{what}"), None).unwrap();
        assert_eq!(get("configmaps/kube-root-ca.crt").json()["data"]["ca.crt"], one.ca_pem());
        assert_eq!(get("serviceaccounts/default").status, 200);
    }
}

/// The kid of a token's header.
fn kid(token: &Secret) -> String {
    use base64::Engine as _;
    let header = token.expose().split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_copy_shows_all_that_can_be_copied_and_signs_with_its_own_key() {
    let victim = shared_cluster().unwrap();
    let copy = Cluster::copy_of(victim, &CopyOptions::default()).unwrap();
    assert_eq!((copy.issuer(), copy.uid().unwrap()), (victim.issuer(), victim.uid().unwrap()));
    assert_eq!(published(&copy), [published(victim), vec![copy.signing_key().kid()]].concat());
    let token = copy.token("default", "default", &[]).unwrap();
    assert_eq!(kid(&token), copy.signing_key().kid());
    assert!(!own(victim).contains(&kid(&token)));
    // Neither is taken for the other by TLS.
    assert!(Http::new(copy.url(), Some(&victim.ca_pem()), None).unwrap().send("GET", "/livez", &[], None).is_err());

    // A stand-in has the victim sign for it.
    victim.create_service_account("kube-system", "default").unwrap();
    let credentials = victim.token("kube-system", "default", &[]).unwrap();
    let options = RelayOptions {
        tokens: Tokens::Relayed(credentials),
        honest: Honest::Below("/honest".to_owned()),
        ..RelayOptions::default()
    };
    let relay = Relay::start(victim, &Presented::Own(vec!["prod.example".to_owned()]), options).unwrap();
    let http = Http::new(relay.url(), Some(&relay.ca_pem()), None).unwrap();
    let get = |path: &str| http.send("GET", path, &[], None).unwrap();
    let kids = |path: &str| -> Vec<String> {
        let keys = get(path).json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kids("/openid/v1/jwks"), [own(victim), vec![relay.key().kid()]].concat());
    assert_eq!(kids("/honest/openid/v1/jwks"), own(victim));
    assert_eq!(get("/api/v1/namespaces/kube-system").json()["metadata"]["uid"], victim.uid().unwrap());
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let asked = http.send("POST", path, &[], Some(&json!({"spec": {"audiences": ["vault"]}}))).unwrap();
    // The victim's own answer: this service account may not.
    assert_eq!(asked.status, 403, "{}", asked.text);
    relay.issue(Tokens::Forged);
    let forged = http.send("POST", path, &[], Some(&json!({"spec": {"audiences": ["vault"]}}))).unwrap().json();
    assert_eq!(kid(&Secret::new(forged["status"]["token"].as_str().unwrap())), relay.key().kid());
    assert_eq!((relay.handshakes(), relay.resumed()), (1, 0));
    assert_eq!(relay.requests()[0], "GET /openid/v1/jwks");
}

each_product!(starts_with_tls_and_audit, |product| {
    let vault = VaultServer::start(VaultOptions::new(product)).unwrap();
    vault.ok("PUT", "sys/mounts/kv", Some(&json!({"type": "kv"}))).unwrap();
    let requests = vault.audit_requests();
    let last = requests.last().unwrap();
    assert_eq!((last.operation.as_str(), last.path.as_str()), ("update", "sys/mounts/kv"));
    let status = vault.cli(&["status", "-format=json"]).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["sealed"], false);
});

each_product!(starts_in_every_other_mode, |product| {
    for (storage, tls, audit) in [(Storage::Raft, false, false), (Storage::Dev, false, true)] {
        let options = VaultOptions { storage, tls, audit, ..VaultOptions::new(product) };
        let vault = VaultServer::start(options).unwrap();
        let lookup = vault.ok("GET", "auth/token/lookup-self", None).unwrap();
        assert_eq!(
            lookup["data"]["path"],
            if storage == Storage::Dev { "auth/token/create" } else { "auth/token/root" }
        );
        assert_eq!(vault.audit_requests().iter().any(|request| request.path == "auth/token/lookup-self"), audit);
    }
});

#[test]
fn openbao_has_nested_namespaces() {
    let options = VaultOptions { namespaces: vec!["admin/team".into()], ..VaultOptions::new(Product::OpenBao) };
    let bao = VaultServer::start(options).unwrap();
    let mounts = bao.http_as(bao.root_token(), "admin/team", "GET", "sys/mounts", None).unwrap();
    assert_eq!(mounts.status, 200);
}

each_product!(comes_back_after_a_seal_and_after_a_stop, |product| {
    let vault = VaultServer::start(VaultOptions::new(product)).unwrap();
    vault.ok("PUT", "sys/mounts/kv", Some(&json!({"type": "kv"}))).unwrap();
    vault.seal().unwrap();
    assert_eq!(vault.http("GET", "sys/mounts", None).unwrap().status, 503);
    vault.unseal().unwrap();
    vault.stop();
    assert!(vault.http("GET", "sys/mounts", None).is_err());
    vault.restart().unwrap();
    assert_eq!(vault.ok("GET", "sys/mounts/kv", None).unwrap()["type"], "kv");
});

// What one test leaves, the next one does not find.
each_product!(a_pooled_server_is_as_new, |product| {
    let options = VaultOptions::new(product);
    let vault = PooledVault::take(options.clone()).unwrap();
    let shown = |vault: &VaultServer| {
        ["sys/auth", "sys/mounts", "sys/policies/acl?list=true", "auth/token/accessors?list=true"]
            .map(|path| vault.ok("GET", path, None).unwrap()["data"].clone())
    };
    let (address, new) = (vault.address().to_owned(), shown(&vault));
    vault.ok("POST", "sys/auth/jwt", Some(&json!({"type": "jwt"}))).unwrap();
    vault.ok("POST", "sys/auth/a/b", Some(&json!({"type": "userpass"}))).unwrap();
    vault.ok("PUT", "sys/mounts/kv", Some(&json!({"type": "kv"}))).unwrap();
    vault.write_policy("reader", "path \"kv/x\" { capabilities = [\"read\"] }").unwrap();
    let token = vault.token_with(&["reader"]).unwrap();
    if product == Product::OpenBao {
        vault.create_namespace("admin/team").unwrap();
    }
    assert_ne!(shown(&vault), new);
    drop(vault);

    let vault = PooledVault::take(options.clone()).unwrap();
    assert_eq!((vault.address(), vault.audit_requests()), (address.as_str(), Vec::new()));
    assert_eq!(shown(&vault), new);
    assert_eq!(vault.http_as(&token, "", "GET", "auth/token/lookup-self", None).unwrap().status, 403);
    if product == Product::OpenBao {
        assert_eq!(vault.http("GET", "sys/namespaces?list=true", None).unwrap().status, 404);
    }

    // What cannot be undone: the next one gets another server.
    vault
        .ok("PUT", "sys/policies/acl/default", Some(&json!({"policy": "path \"x\" { capabilities = [\"read\"] }"})))
        .unwrap();
    drop(vault);
    let vault = PooledVault::take(options.clone()).unwrap();
    assert_ne!(vault.address(), address);
    let address = vault.address().to_owned();
    vault.seal().unwrap();
    vault.unseal().unwrap();
    drop(vault);
    assert_ne!(PooledVault::take(options).unwrap().address(), address);
});

#[test]
fn a_rotating_cluster_rotates_for_itself_alone() {
    let base = shared_cluster().unwrap();
    let [one, other] = [(); 2].map(|()| Cluster::rotating(ClusterOptions::default()).unwrap());
    assert_eq!([published(&one), published(&other)], [published(base), published(base)]);
    assert_ne!((one.url(), one.context()), (other.url(), other.context()));
    one.rotate(Alg::Es256).unwrap();
    let first = base.signing_key().kid();
    let second = one.signing_key().kid();
    assert_eq!(published(&one), [first.clone(), second.clone()]);
    let signer = |cluster: &Cluster| kid(&cluster.token("default", "default", &["vault"]).unwrap());
    assert_eq!((signer(&one), signer(&other), signer(base)), (second.clone(), first.clone(), first.clone()));
    // Whoever rotates the same way has the same keys.
    other.rotate(Alg::Es256).unwrap();
    assert_eq!(published(&other), published(&one));
    other.drop_old_keys().unwrap();
    assert_eq!((published(&other), published(&one)), (vec![second.clone()], vec![first.clone(), second]));
    // And who stops, for himself.
    other.stop_api_server();
    assert!(other.http("GET", "/readyz", None).is_err());
    assert_eq!((one.http("GET", "/readyz", None).unwrap().status, published(base)), (200, vec![first]));
    other.restart_api_server().unwrap();
    assert_eq!(other.http("GET", "/readyz", None).unwrap().status, 200);
    assert!(Cluster::rotating(ClusterOptions { issuer: Issuer::Own, ..ClusterOptions::default() }).is_err());
}
