//! The clusters of these tests: the victim, its users, and a real cluster that claims to be the
//! victim. The tests do not change them.

use harness::http::Http;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, CopyOptions, Issuer};
use serde_json::json;
use shared::Secret;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

/// The name that the victim alone has.
pub const NAME: &str = "prod.clusters.example";

/// Service accounts that real clusters have, and one to log in.
pub fn inhabit(cluster: &Cluster) {
    for (namespace, name) in [("shop", "app"), ("kube-system", "default"), ("team-a", "default")] {
        cluster.create_service_account(namespace, name).expect("a service account is made");
    }
}

/// A kubeadm-like cluster with two keys. Its tenant has `edit` in one
/// namespace.
pub fn victim() -> &'static Cluster {
    static VICTIM: OnceLock<Cluster> = OnceLock::new();
    VICTIM.get_or_init(|| {
        let options = ClusterOptions { server_names: vec![NAME.to_owned()], ..ClusterOptions::default() };
        let cluster = Cluster::start(options).expect("the victim starts");
        cluster.rotate(Alg::Rs256).expect("the victim gets a second key");
        inhabit(&cluster);
        cluster.create_service_account("team-a", "dev").expect("a service account is made");
        cluster.create_service_account("kube-system", "thief").expect("a service account is made");
        // What `edit` is made of: no controller manager is there to do it.
        let bind = |kind: &str, name: &str, role: &str, account: &str| {
            let words = ["create", kind, name, "--clusterrole", role, "--serviceaccount", account, "-n", "team-a"];
            cluster.kubectl_ok(&words).expect("a binding");
        };
        bind("rolebinding", "dev", "system:aggregate-to-edit", "team-a:dev");
        bind("clusterrolebinding", "thief", "cluster-admin", "kube-system:thief");
        cluster
    })
}

/// A token with which `namespace:name` of the victim asks its API server, once
/// the API server lets it have tokens of `namespace`.
fn credentials(namespace: &str, name: &str) -> Secret {
    let victim = victim();
    let token = victim.token(namespace, name, &[]).expect("a token");
    let http = Http::new(victim.url(), Some(&victim.ca_pem()), None).expect("a client");
    let bearer = format!("Bearer {}", token.expose());
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default/token");
    let asked = || http.send("POST", &path, &[("authorization", &bearer)], Some(&json!({"spec": {}})));
    // The authorizer learns of a binding a moment after it is stored.
    let granted = (0..100).any(|_| {
        sleep(Duration::from_millis(50));
        asked().expect("the victim answers").is_success()
    });
    assert!(granted, "{namespace}:{name} gets no tokens");
    token
}

/// What a tenant of the victim has: `edit` in namespace `team-a`.
pub fn tenant() -> Secret {
    static TOKEN: OnceLock<Secret> = OnceLock::new();
    TOKEN.get_or_init(|| credentials("team-a", "dev")).clone()
}

/// What a stolen administrator's token gives.
pub fn thief() -> Secret {
    static TOKEN: OnceLock<Secret> = OnceLock::new();
    TOKEN.get_or_init(|| credentials("kube-system", "thief")).clone()
}

/// A real API server that shows the victim's issuer, keys and UID, with an
/// authority, and a signing key, of its own. It even has the victim's name.
pub fn copy() -> &'static Cluster {
    static COPY: OnceLock<Cluster> = OnceLock::new();
    COPY.get_or_init(|| {
        let options = CopyOptions { server_names: vec![NAME.to_owned()], ..CopyOptions::default() };
        let copy = Cluster::copy_of(victim(), &options).expect("the copy starts");
        inhabit(&copy);
        assert_eq!(copy.uid().expect("a UID"), victim().uid().expect("a UID"), "void: the UID was not copied");
        copy
    })
}

/// A cluster whose keys are read at its issuer's own site, and where that site
/// is believed only with the authority in its `ca.crt`.
pub fn published() -> &'static Cluster {
    static PUBLISHED: OnceLock<Cluster> = OnceLock::new();
    PUBLISHED.get_or_init(|| {
        let options = ClusterOptions {
            issuer: Issuer::Own,
            anonymous_oidc: true,
            server_names: vec![NAME.to_owned()],
            ..ClusterOptions::default()
        };
        let cluster = Cluster::start(options).expect("a cluster starts");
        inhabit(&cluster);
        cluster
    })
}
