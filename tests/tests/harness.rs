//! Proves the harness on the real servers.

use harness::each_product;
use harness::server::{Cluster, ClusterOptions, Product, Storage, VaultOptions, VaultServer};
use serde_json::json;

#[test]
fn a_cluster_issues_tokens_with_its_own_keys() {
    let cluster = Cluster::start(ClusterOptions::default()).unwrap();
    let jwks = cluster.kubectl_ok(&["get", "--raw", "/openid/v1/jwks"]).unwrap();
    let jwks: serde_json::Value = serde_json::from_str(&jwks).unwrap();
    assert_eq!(jwks["keys"][0]["kid"], cluster.signing_key().kid());
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
