//! The other ways a Vault and a cluster run: dev mode over plain http, ES256.
//! All other tests have TLS, raft storage and an audit device.

use crate::rig::{Owned, ROLE, Rig, run};
use harness::each_product;
use harness::keys::Alg;
use harness::server::{Cluster, ClusterOptions, Storage, VaultOptions, shared_cluster};

/// Setup, then a login in the pod.
fn whole_path(rig: &Rig) {
    rig.setup(&ROLE).ok();
    let (jwt, token) = (rig.jwt_file(), rig.folder.path().join("token"));
    run(&mut rig.login_command(&jwt, &token)).ok();
    assert!(std::fs::metadata(&token).expect("the token file is there").len() > 0);
}

fn shared() -> Owned {
    Owned::Shared(shared_cluster().expect("the shared cluster starts"))
}

each_product!(dev_mode_over_plain_http, |product| {
    let options = VaultOptions { tls: false, storage: Storage::Dev, audit: false, ..VaultOptions::new(product) };
    whole_path(&Rig::with(shared(), options));
});

each_product!(a_cluster_that_signs_with_es256, |product| {
    let cluster =
        Cluster::shared(ClusterOptions { alg: Alg::Es256, ..ClusterOptions::default() }).expect("a cluster starts");
    let rig = Rig::with(Owned::Shared(cluster), VaultOptions::new(product));
    whole_path(&rig);
    assert_eq!(rig.data("auth/jwt/config")["jwt_supported_algs"], serde_json::json!(["ES256"]));
});
