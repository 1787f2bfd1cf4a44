//! Where keys come from: the port to one cluster's API server, and what it
//! answers. `kubeconfig` resolves files, environment and flags as kubectl
//! does; `api_server` is the port's one implementation.

pub mod api_server;
mod cached_clusters;
mod certificate_expiry;
pub mod error;
mod handshake;
pub mod kubeconfig;
pub mod service_account;
mod way;

pub use cached_clusters::CachedClusters;
pub use error::ClusterError;

use crate::cloud::Entry;
use crate::cluster::service_account::ServiceAccount;
use crate::keychain::authority::{Authority, AuthorityId};
use crate::keychain::evidence::Reached;
use async_trait::async_trait;
use shared::Secret;

/// Which cluster is talked to, for messages and reports. All of it comes from
/// a kubeconfig and is escaped before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTarget {
    /// The context's name; `None` for in-cluster configuration.
    pub context: Option<String>,
    /// The cluster entry's name; `in-cluster` for in-cluster configuration.
    pub cluster: String,
    pub server: String,
    /// The namespace that applies where none is given (`default` if unset).
    pub namespace: String,
}

#[async_trait]
pub trait Clusters: Send + Sync {
    /// Connects to the cluster of a context; `None` is the current one.
    async fn connect(&self, context: Option<&str>) -> Result<Box<dyn Cluster>, ClusterError>;
}

#[async_trait]
pub trait Cluster: Send + Sync {
    fn target(&self) -> &ClusterTarget;

    /// What the kubeconfig says about it, as far as that shows whose it is.
    fn entry(&self) -> Option<&Entry> {
        None
    }

    /// Body of `GET /.well-known/openid-configuration`, at most 1 MiB.
    async fn discovery_document(&self) -> Result<Vec<u8>, ClusterError>;

    /// Body of `GET /openid/v1/jwks`, at most 1 MiB. The raw path is asked
    /// for, never the `jwks_uri` that the discovery document advertises: on
    /// EKS that names an internal host.
    async fn key_set(&self) -> Result<Vec<u8>, ClusterError>;

    /// UID of the namespace `kube-system`, which identifies the cluster: it
    /// lives as long as the cluster and cannot be chosen.
    async fn uid(&self) -> Result<String, ClusterError>;

    /// The authorities in the ConfigMap `kube-root-ca.crt` of kube-system: what the
    /// cluster's pods trust.
    async fn root_authorities(&self) -> Result<Vec<AuthorityId>, ClusterError>;

    /// How the API server was reached in this run, compared with the ways that are
    /// recorded for an owner. Before the first request: unrecorded.
    fn reached(&self, recorded: &[Authority]) -> Reached;

    /// The way that it was reached over, as it is recorded; `None` before the first
    /// request, or where connections of this run ended at different servers.
    fn way(&self) -> Option<Authority>;

    /// The authorities that the kubeconfig, or the pod, trusts; none for the
    /// system's roots.
    fn trusted(&self) -> Vec<AuthorityId>;

    /// A token for `account` by TokenRequest, for `audiences`, valid for
    /// `seconds` (600 is the least that Kubernetes grants).
    async fn token(&self, account: &ServiceAccount, audiences: &[String], seconds: i64)
    -> Result<Secret, ClusterError>;
}
