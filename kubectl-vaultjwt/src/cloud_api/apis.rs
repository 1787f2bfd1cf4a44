//! Owns which clouds this build can ask.

use super::{CloudError, Clouds, Described};
use crate::cloud::Verdict;
use async_trait::async_trait;

/// As whom a cloud is asked, where flags say so. What they leave open, each
/// cloud's own tools and environment decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `--aws-profile`
    pub aws_profile: Option<String>,
}

/// The clouds' own APIs.
#[derive(Clone, Debug, Default)]
pub struct Apis {
    /// As whom they are asked.
    pub credentials: Credentials,
}

#[async_trait]
impl Clouds for Apis {
    async fn describe(&self, cluster: &Verdict) -> Result<Option<Described>, CloudError> {
        match cluster {
            #[cfg(feature = "eks")]
            Verdict::Eks(cluster) => super::eks::describe(cluster, &self.credentials).await.map(Some),
            #[cfg(feature = "aks")]
            Verdict::Aks(cluster) => super::aks::describe(cluster).await.map(Some),
            // GKE's issuer is in the names. It needs nobody to be asked.
            _ => Ok(None),
        }
    }
}
