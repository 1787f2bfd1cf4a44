//! Which of the two forms the owner of a cluster's keys has on a mount: its issuer, where
//! the keys come from the issuer's URL, or issuer and UID, where they come from the API
//! server or a file.

use crate::cluster::Cluster;
use crate::issuer::IssuerError;
use crate::issuer::managed_hosts::is_a_clouds;
use crate::issuer::request::IssuerOverrides;
use crate::keychain::Owner;

/// The cluster as the mount knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownOwner {
    /// The owner that is this cluster, by its issuer and UID. Both can be copied: what may
    /// be done to that owner's keys is decided by the connection.
    pub(super) owner: Option<Owner>,
    /// The cluster's UID, where it had to be read.
    uid: Option<String>,
}

impl KnownOwner {
    pub(super) async fn find(
        cluster: &dyn Cluster,
        overrides: &IssuerOverrides,
        issuer: &str,
        enrolled: &[Owner],
    ) -> Result<Self, IssuerError> {
        let of_issuer = || enrolled.iter().filter(|owner| owner.issuer == issuer);
        let by_issuer = of_issuer().find(|owner| owner.cluster_uid.is_none()).cloned();
        if is_a_clouds(issuer) || !of_issuer().any(|owner| owner.cluster_uid.is_some()) {
            return Ok(Self { owner: by_issuer, uid: None });
        }
        match read_uid(cluster, overrides).await {
            Ok(uid) => {
                let by_uid = of_issuer().find(|owner| owner.cluster_uid.as_ref() == Some(&uid)).cloned();
                Ok(Self { owner: by_uid.or(by_issuer), uid: Some(uid) })
            }
            Err(_) if by_issuer.is_some() => Ok(Self { owner: by_issuer, uid: None }),
            // It may be one of those that are there, and must not be enrolled beside itself.
            Err(error) => Err(error),
        }
    }

    /// The cluster's UID; read once.
    pub(super) async fn uid(&self, cluster: &dyn Cluster, overrides: &IssuerOverrides) -> Result<String, IssuerError> {
        match &self.uid {
            Some(uid) => Ok(uid.clone()),
            None => read_uid(cluster, overrides).await,
        }
    }
}

/// The cluster's UID: its own, or the one given where it cannot be read.
async fn read_uid(cluster: &dyn Cluster, overrides: &IssuerOverrides) -> Result<String, IssuerError> {
    match (&overrides.cluster_uid, cluster.uid().await) {
        (Some(wanted), Ok(found)) if *wanted != found => Err(IssuerError::OtherUid { wanted: wanted.clone(), found }),
        (Some(wanted), _) => Ok(wanted.clone()),
        (None, found) => found.map_err(IssuerError::Uid),
    }
}
