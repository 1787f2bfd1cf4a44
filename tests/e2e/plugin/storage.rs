//! Other ways to run Vault and a cluster: dev mode over plain HTTP, ES256. All other tests use
//! TLS, raft storage and an audit device.

use crate::support::fixture::{Fixture, Owned, ROLE, run};
use harness::each_product;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, Storage, VaultOptions, shared_cluster};

/// Setup, then a login in the pod.
fn whole_path(fixture: &Fixture) {
    fixture.setup(&ROLE).ok();
    let (jwt, token) = (fixture.jwt_file(), fixture.folder.path().join("token"));
    run(&mut fixture.login_command(&jwt, &token)).ok();
    assert!(std::fs::metadata(&token).expect("the token file is there").len() > 0);
}

fn shared() -> Owned {
    Owned::Shared(shared_cluster().expect("the shared cluster starts"))
}

each_product!(dev_mode_over_plain_http, |product| {
    let options = VaultOptions { tls: false, storage: Storage::Dev, audit: false, ..VaultOptions::new(product) };
    whole_path(&Fixture::with(shared(), options));
});

each_product!(a_cluster_that_signs_with_es256, |product| {
    let cluster =
        Cluster::shared(ClusterOptions { alg: Alg::Es256, ..ClusterOptions::default() }).expect("a cluster starts");
    let fixture = Fixture::with(Owned::Shared(cluster), VaultOptions::new(product));
    whole_path(&fixture);
    assert_eq!(fixture.data("auth/jwt/config")["jwt_supported_algs"], serde_json::json!(["ES256"]));
});
