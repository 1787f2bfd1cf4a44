//! The clouds that this build can query.

use crate::cloud::Verdict;
use crate::cloud_api::{CloudCredentials, CloudError, Clouds, ClusterDescription};
use async_trait::async_trait;

#[derive(Clone, Debug, Default)]
pub struct CloudClients {
    /// As whom they are asked.
    pub credentials: CloudCredentials,
}

#[async_trait]
impl Clouds for CloudClients {
    async fn describe(&self, cluster: &Verdict) -> Result<Option<ClusterDescription>, CloudError> {
        match cluster {
            #[cfg(feature = "eks")]
            Verdict::Eks(cluster) => crate::cloud_api::eks::describe(cluster, &self.credentials).await.map(Some),
            #[cfg(feature = "aks")]
            Verdict::Aks(cluster) => crate::cloud_api::aks::describe(cluster).await.map(Some),
            // GKE's issuer is in the names. It needs no request.
            _ => Ok(None),
        }
    }
}
