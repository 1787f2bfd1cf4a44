//! Requests a fresh token from a cluster and checks it: the proof that its API server and
//! the issuer belong together.

use crate::cluster::service_account::ServiceAccount;
use crate::cluster::{Cluster, ClusterError};
use crate::command::{Progress, Step};
use crate::issuer::proof::{self, Proof};
use crate::issuer::{CloudAnswer, EndpointMismatch, ProofError, Resolved};
use jiff::Timestamp;
use shared::Secret;
use shared::text::one_line;
use std::collections::BTreeSet;

/// Lifetime asked for; Kubernetes grants no less (600 s).
pub const LIFETIME: i64 = 600;

/// A token that proved the issuer.
#[derive(Debug)]
pub struct Proven {
    pub account: ServiceAccount,
    pub token: Secret,
    pub proof: Proof,
    /// Why an account that was to be asked first gave none.
    pub rejected: Option<ClusterError>,
}

/// Why the issuer is not proven.
#[derive(Debug, thiserror::Error)]
pub enum IssuerProofError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the issuer is not proven: {0}")]
    Contradicted(#[source] ProofError),
    /// The key that signs is not at the issuer's URL.
    #[error("the issuer is not proven: {source}")]
    NotPublished { source: ProofError, url: String },
    /// With the first reason.
    #[error("the issuer is not proven, because no token could be created{}", .0.as_ref().map(|s| format!(": {s}")).unwrap_or_default())]
    NoToken(Option<ClusterError>),
    #[error("issuer \"{}\" cannot be believed: neither a token nor the API server's own key set shows that it is this cluster's: {why}", one_line(.issuer))]
    NoKeySet { issuer: String, why: String },
    /// A tunnel without a proof of what is behind it.
    #[error("no token proves whose API server this is, and {}", .gap.about(&one_line(.id)))]
    EndpointMismatch {
        /// The cluster, in its cloud.
        id: String,
        gap: EndpointMismatch,
    },
}

impl IssuerProofError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(error) => error.hint(),
            Self::Contradicted(ProofError::Expired { .. } | ProofError::NotYetValid { .. }) => Some(
                "nothing was changed; compare the clocks of this machine and of the API server, which may differ by 5 minutes: date -u"
                    .to_owned(),
            ),
            Self::Contradicted(_) => Some(
                "nothing was changed; see what the API server claims: kubectl get --raw /.well-known/openid-configuration".to_owned(),
            ),
            Self::NotPublished { url, .. } => Some(format!(
                "nothing was changed; if the cluster has a new key, add it to the key set at \"{}\" (the API server's: kubectl get --raw /openid/v1/jwks)",
                one_line(url)
            )),
            Self::NoToken(Some(ClusterError::TokenForbidden { account, .. })) => Some(format!(
                "get the right to 'create serviceaccounts/token' (kubectl auth can-i create serviceaccounts --subresource=token -n {}), or believe the issuer with --trust-issuer",
                account.namespace
            )),
            Self::NoKeySet { .. } => Some(
                "let a cluster administrator bind the ClusterRole system:service-account-issuer-discovery to you".to_owned(),
            ),
            Self::EndpointMismatch { gap: EndpointMismatch::Pod, .. } => {
                Some("let the pod's service account 'create serviceaccounts/token'".to_owned())
            }
            Self::EndpointMismatch { .. } => Some(
                "get the right to 'create serviceaccounts/token', or use the kubeconfig that the cloud's own command writes"
                    .to_owned(),
            ),
            Self::NoToken(_) => Some("name a namespace that has one with --namespace, or create a service account, or believe the issuer with --trust-issuer".to_owned()),
        }
    }
}

/// Whether `--trust-issuer` may replace a proof: the API server publishes a
/// key of the issuer, and is not a tunnel to an unknown place.
pub fn can_be_believed(cluster: &Resolved) -> Result<(), IssuerProofError> {
    match (&cluster.cloud, &cluster.api_keys_unread) {
        (CloudAnswer::Unconfirmed(described, gap), _) => {
            Err(IssuerProofError::EndpointMismatch { id: described.id.clone(), gap: *gap })
        }
        (_, Some(why)) => Err(IssuerProofError::NoKeySet { issuer: cluster.owner.issuer.clone(), why: why.clone() }),
        _ => Ok(()),
    }
}

/// Asks for a token of the first of `wanted` that gives one, else of accounts that always
/// exist, and checks it against what `cluster` publishes. `audiences` hold one that is random,
/// and so proves the token fresh. `now` is the local time of this very request: a run over many
/// clusters can take longer than clocks may differ.
pub async fn ask(
    cluster: &dyn Cluster,
    progress: &dyn Progress,
    resolved: &Resolved,
    wanted: &[ServiceAccount],
    audiences: &[String],
    now: Timestamp,
) -> Result<Proven, IssuerProofError> {
    let mut rejected: Option<ClusterError> = None;
    for account in candidates(cluster, wanted) {
        let token = match cluster.token(&account, audiences, LIFETIME).await {
            Ok(token) => token,
            Err(
                e @ (ClusterError::ServiceAccountMissing { .. }
                | ClusterError::NamespaceMissing { .. }
                | ClusterError::TokenForbidden { .. }),
            ) => {
                progress.step(Step::Detail(e.to_string()));
                // The first one is about what the user asked for.
                rejected = rejected.or(Some(e));
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let claim = proof::ProofRequest {
            issuer: &resolved.owner.issuer,
            keys: &resolved.keys.keys,
            subject: &account.subject(),
            audiences,
            now,
        };
        let proof = proof::check(&token, claim).map_err(|error| match (&error, &resolved.keys_url) {
            (ProofError::NoKey { .. }, Some(url)) => IssuerProofError::NotPublished { source: error, url: url.clone() },
            _ => IssuerProofError::Contradicted(error),
        })?;
        return Ok(Proven { account, token, proof, rejected });
    }
    Err(IssuerProofError::NoToken(rejected))
}

/// Whom to ask for a token: the wanted ones, then `default` of the same
/// namespaces and of the places where it always is.
fn candidates(cluster: &dyn Cluster, wanted: &[ServiceAccount]) -> Vec<ServiceAccount> {
    let default = |namespace: &str| ServiceAccount { namespace: namespace.to_owned(), name: "default".to_owned() };
    let mut all: Vec<ServiceAccount> = wanted.to_vec();
    all.extend(wanted.iter().map(|account| default(&account.namespace)));
    all.extend([default(&cluster.target().namespace), default("default"), default("kube-system")]);
    let mut seen = BTreeSet::new();
    all.retain(|account| seen.insert(account.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud_api::ClusterDescription;
    use crate::issuer::{KeySource, NamedBy};
    use crate::keychain::Owner;
    use crate::keychain::jwk::KeySet;

    fn resolved(cloud: CloudAnswer, api_keys_unread: Option<&str>) -> Resolved {
        Resolved {
            owner: Owner { issuer: "https://i".into(), cluster_uid: None },
            named_by: NamedBy::Cloud,
            keys: KeySet { keys: vec![], skipped: vec![] },
            source: KeySource::IssuerSite,
            keys_url: None,
            site_unused: None,
            api_keys_unread: api_keys_unread.map(str::to_owned),
            difference: Default::default(),
            standing: None,
            cloud,
        }
    }

    /// A run with `--trust-issuer` does not get the hint to use it.
    #[test]
    fn an_issuer_that_cannot_be_believed_is_refused_with_something_else_to_do() {
        let described =
            ClusterDescription { id: "arn:c".into(), issuer: None, no_issuer: None, hosts: vec![], authority: None };
        for believed in [CloudAnswer::NotAsked, CloudAnswer::NoCloud, CloudAnswer::Confirmed(described.clone())] {
            assert!(can_be_believed(&resolved(believed, None)).is_ok());
        }
        for (cluster, words, hint) in [
            (
                resolved(CloudAnswer::NotAsked, Some("forbidden")),
                "issuer \"https://i\" cannot be believed: neither a token nor the API server's own key set shows that it is \
                 this cluster's: forbidden",
                "let a cluster administrator bind the ClusterRole system:service-account-issuer-discovery to you",
            ),
            (
                resolved(CloudAnswer::Unconfirmed(described.clone(), EndpointMismatch::Elsewhere), None),
                "no token proves whose API server this is, and the kubeconfig does not lead straight to arn:c",
                "get the right to 'create serviceaccounts/token', or use the kubeconfig that the cloud's own command writes",
            ),
            (
                resolved(CloudAnswer::Unconfirmed(described.clone(), EndpointMismatch::Pod), None),
                "no token proves whose API server this is, and nothing shows that this pod runs in arn:c",
                "let the pod's service account 'create serviceaccounts/token'",
            ),
            (
                resolved(CloudAnswer::Unconfirmed(described, EndpointMismatch::OtherAuthority), Some("forbidden")),
                "no token proves whose API server this is, and the kubeconfig leads to arn:c, but trusts a certificate \
                 authority that is not the cluster's",
                "get the right to 'create serviceaccounts/token', or use the kubeconfig that the cloud's own command writes",
            ),
        ] {
            let error = can_be_believed(&cluster).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (words, Some(hint)));
        }
    }

    #[test]
    fn a_wrong_clock_is_told_from_a_wrong_issuer() {
        let (expired, now) = ("2026-11-24T11:00:00Z".to_owned(), "2026-11-24T12:00:00Z".to_owned());
        let error = IssuerProofError::Contradicted(ProofError::Expired { expired, now });
        assert_eq!(
            error.to_string(),
            "the issuer is not proven: the API server answered with a token that expired at 2026-11-24T11:00:00Z \
             (local time: 2026-11-24T12:00:00Z)"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some(
                "nothing was changed; compare the clocks of this machine and of the API server, which may differ by 5 \
                 minutes: date -u"
            )
        );
    }
}
