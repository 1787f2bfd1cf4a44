//! Two real clusters with issuers of their own, for tests that leave them as
//! they are: their issuers exist inside the cluster only, so that nobody asks
//! a site for them.

use harness::server::{Cluster, ClusterOptions, Issuer};

fn shared(issuer: &str) -> &'static Cluster {
    let options = ClusterOptions { issuer: Issuer::Url(issuer.to_owned()), ..ClusterOptions::default() };
    let cluster = Cluster::shared(options).expect("a cluster starts");
    cluster.create_service_account("shop", "app").expect("a service account is made");
    cluster
}

/// Issuer `https://alpha.svc`.
pub fn alpha() -> &'static Cluster {
    shared("https://alpha.svc")
}

/// Issuer `https://beta.svc`.
pub fn beta() -> &'static Cluster {
    shared("https://beta.svc")
}

/// The flags that choose a cluster.
pub fn of(cluster: &Cluster) -> [&str; 2] {
    ["--kubeconfig", cluster.kubeconfig().to_str().expect("a path")]
}
