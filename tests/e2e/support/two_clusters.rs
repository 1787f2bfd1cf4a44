//! Two real clusters with different issuers, for tests that do not change them. The issuers are
//! names inside the cluster, so no issuer URL is requested.

use harness::server::{Cluster, ClusterOptions, Issuer};

fn shared(issuer: &str) -> &'static Cluster {
    let options = ClusterOptions { issuer: Issuer::Url(issuer.to_owned()), ..ClusterOptions::default() };
    let cluster = Cluster::shared(options).expect("a cluster starts");
    cluster.create_service_account("shop", "app").expect("a service account is made");
    cluster
}

pub fn alpha() -> &'static Cluster {
    shared("https://alpha.svc")
}

pub fn beta() -> &'static Cluster {
    shared("https://beta.svc")
}

/// The flags that choose a cluster.
pub fn of(cluster: &Cluster) -> [&str; 2] {
    ["--kubeconfig", cluster.kubeconfig().to_str().expect("a path")]
}
