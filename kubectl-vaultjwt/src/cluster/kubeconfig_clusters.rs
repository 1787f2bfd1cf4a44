//! The port to all clusters of a kubeconfig: the files are read once, however many contexts
//! are used.

use crate::cluster::api_server::ApiServer;
use crate::cluster::kubeconfig::Contexts;
use crate::cluster::{Cluster, ClusterError, Clusters};
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
