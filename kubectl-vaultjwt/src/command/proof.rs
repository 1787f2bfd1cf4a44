//! Owns asking a cluster for a fresh token and checking it: the proof that its
//! API server and the issuer belong together.

use super::{Progress, Step};
use crate::cluster::{Cluster, ClusterError, ServiceAccount};
use crate::issuer::proof::{self, Proof};
use crate::issuer::{ProofError, Resolved};
use shared::Secret;

/// Lifetime asked for; Kubernetes grants no less (600 s).
pub const LIFETIME: i64 = 600;

/// A token that proved the issuer.
#[derive(Debug)]
pub struct Proven {
    /// Whose it is.
    pub account: ServiceAccount,
    /// The token.
    pub token: Secret,
    /// What it showed.
    pub proof: Proof,
    /// Why an account that was to be asked first gave none.
    pub passed_over: Option<ClusterError>,
}

/// Why the issuer is not proven.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// The API server did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A token contradicts the issuer.
    #[error("the issuer is not proven: {0}")]
    Refuted(#[source] ProofError),
    /// No token to prove it with, for the first reason.
    #[error("the issuer is not proven, because no token could be created{}", .0.as_ref().map(|s| format!(": {s}")).unwrap_or_default())]
    NoToken(Option<ClusterError>),
}

impl Unproven {
    /// The one thing to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(error) => error.hint(),
            Self::Refuted(_) => Some(
                "nothing was changed; see what the API server claims: kubectl get --raw /.well-known/openid-configuration".to_owned(),
            ),
            Self::NoToken(Some(ClusterError::TokenForbidden { account, .. })) => Some(format!(
                "get the right to 'create serviceaccounts/token' (kubectl auth can-i create serviceaccounts --subresource=token -n {}), or believe the issuer with --trust-issuer",
                account.namespace
            )),
            Self::NoToken(_) => Some("create a service account, or believe the issuer with --trust-issuer".to_owned()),
        }
    }
}

/// Asks for a token of the first of `wanted` that gives one, else of accounts
/// that are always there, and checks it against what `cluster` publishes.
/// `audiences` hold one that is random, and so proves the token fresh.
pub async fn ask(
    cluster: &dyn Cluster,
    progress: &dyn Progress,
    resolved: &Resolved,
    wanted: &[ServiceAccount],
    audiences: &[String],
) -> Result<Proven, Unproven> {
    let mut passed_over: Option<ClusterError> = None;
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
                passed_over = passed_over.or(Some(e));
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let claim = proof::Claim {
            issuer: &resolved.owner.issuer,
            keys: &resolved.keys.keys,
            subject: &account.subject(),
            audiences,
        };
        let proof = proof::check(&token, claim).map_err(Unproven::Refuted)?;
        return Ok(Proven { account, token, proof, passed_over });
    }
    Err(Unproven::NoToken(passed_over))
}

/// Whom to ask for a token: the wanted ones, then `default` of the same
/// namespaces and of the places where it always is.
fn candidates(cluster: &dyn Cluster, wanted: &[ServiceAccount]) -> Vec<ServiceAccount> {
    let default = |namespace: &str| ServiceAccount { namespace: namespace.to_owned(), name: "default".to_owned() };
    let mut all: Vec<ServiceAccount> = wanted.to_vec();
    all.extend(wanted.iter().map(|account| default(&account.namespace)));
    all.extend([default(&cluster.target().namespace), default("default"), default("kube-system")]);
    let mut seen = Vec::new();
    all.retain(|account| {
        let new = !seen.contains(account);
        seen.push(account.clone());
        new
    });
    all
}
