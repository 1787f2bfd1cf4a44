//! Owns the port to all clusters of a kubeconfig: read once, however many
//! contexts are asked for.

use super::api_server::ApiServer;
use super::kubeconfig::Contexts;
use super::{Cluster, ClusterError, Clusters};
use async_trait::async_trait;

/// The clusters of the kubeconfig that flags and environment name.
pub struct KubeconfigClusters(pub Contexts);

#[async_trait]
impl Clusters for KubeconfigClusters {
    async fn connect(&self, context: Option<&str>) -> Result<Box<dyn Cluster>, ClusterError> {
        let connection = self.0.resolve(context)?;
        Ok(Box::new(ApiServer::connect(connection).await?))
    }
}
