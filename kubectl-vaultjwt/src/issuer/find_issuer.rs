//! Finds the issuer of a cluster's tokens: from the flag, the cluster's cloud, the names
//! that GKE makes its issuers of, the API server's discovery document, or a token.
//!
//! A cloud that names one is not trusted alone: where the API server can be queried too,
//! both must name the same.

use crate::cluster::service_account::ServiceAccount;
use crate::cluster::{Cluster, ClusterError};
use crate::issuer::IssuerError;
use crate::issuer::cloud_answer::CloudAnswer;
use crate::issuer::cloud_lookup::CloudQuery;
use crate::issuer::request::{CloudLookup, IssuerOverrides, NamedBy};
use crate::issuer::site::Discovery;
use shared::jwt::{self, DEFAULT_AUDIENCE};

/// Lifetime of the token that is asked for its issuer; Kubernetes grants no less.
const LIFETIME: i64 = 600;

/// The issuer, and who says so.
pub(super) async fn find_issuer(
    cluster: &dyn Cluster,
    cloud: &mut CloudQuery<'_>,
    overrides: &IssuerOverrides,
) -> Result<(String, NamedBy), IssuerError> {
    if let Some(issuer) = &overrides.issuer {
        return Ok((issuer.clone(), NamedBy::Flag));
    }
    if overrides.ask == CloudLookup::Always
        && let Some((issuer, by)) = issuer_from_cloud(cloud).await?
    {
        return agreed(cluster, issuer, by).await;
    }
    match cluster.discovery_document().await {
        Ok(document) => Ok((claimed(&document)?, NamedBy::ApiServer)),
        // By default only service accounts may read it.
        Err(error) if error.is_of_rights() => match issuer_from_cloud(cloud).await? {
            Some(named) => Ok(named),
            None => issuer_from_token(cluster, cloud, error).await,
        },
        Err(error) => Err(error.into()),
    }
}

/// What the cluster's cloud says, or its names stand for.
async fn issuer_from_cloud(cloud: &mut CloudQuery<'_>) -> Result<Option<(String, NamedBy)>, IssuerError> {
    if let Some(issuer) = cloud.implied_issuer() {
        return Ok(Some((issuer, NamedBy::Kubeconfig)));
    }
    let described = cloud.ask().await?.described();
    Ok(described.and_then(|described| described.issuer.clone()).map(|issuer| (issuer, NamedBy::Cloud)))
}

/// The API server's own word, where it may be asked, must be the same.
async fn agreed(cluster: &dyn Cluster, issuer: String, by: NamedBy) -> Result<(String, NamedBy), IssuerError> {
    match cluster.discovery_document().await {
        Ok(document) => match claimed(&document)? {
            theirs if theirs == issuer => Ok((issuer, by)),
            theirs => Err(IssuerError::Differ { by, issuer, theirs }),
        },
        Err(error) if error.is_of_rights() => Ok((issuer, by)),
        Err(error) => Err(error.into()),
    }
}

/// The issuer that a fresh token carries. `refused` is why the API server's
/// document could not be read.
async fn issuer_from_token(
    cluster: &dyn Cluster,
    cloud: &CloudQuery<'_>,
    refused: ClusterError,
) -> Result<(String, NamedBy), IssuerError> {
    let account = ServiceAccount { namespace: cluster.target().namespace.clone(), name: "default".to_owned() };
    let token = cluster.token(&account, &[DEFAULT_AUDIENCE.to_owned()], LIFETIME).await;
    let issuer = token.ok().and_then(|token| {
        let parts = jwt::segments(token.expose()).ok()?;
        serde_json::from_slice::<jwt::Claims>(&parts.claims).ok()?.iss
    });
    match (issuer, &cloud.word) {
        (Some(issuer), _) => Ok((issuer, NamedBy::Token)),
        // Of two that could not be asked, the cloud is the one that people can
        // log in to.
        (None, CloudAnswer::Failed(error)) => Err(IssuerError::Cloud(Box::new(error.clone()))),
        (None, _) => Err(refused.into()),
    }
}

fn claimed(body: &[u8]) -> Result<String, IssuerError> {
    let document: Discovery = serde_json::from_slice(body).map_err(|e| IssuerError::Discovery(e.to_string()))?;
    Ok(document.issuer)
}
