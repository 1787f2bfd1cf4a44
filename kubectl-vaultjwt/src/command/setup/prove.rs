//! Owns the proof of issuer: a token of this API server, checked against the
//! keys about to be written. Where the role's own service account can give
//! the token, it serves the login too.

use super::error::SetupError;
use super::input::SetupInput;
use super::plan::Plan;
use super::{Ports, Step};
use crate::cluster::{ClusterError, ServiceAccount};
use crate::issuer::Resolved;
use crate::issuer::proof::{self, Proof};
use crate::vault::role::DEFAULT_AUDIENCE;
use shared::Secret;

/// Lifetime asked for; Kubernetes grants no less (600 s).
const LIFETIME: i64 = 600;

/// What came of the proof.
#[derive(Debug)]
pub struct IssuerProof {
    /// Who gave the token, and what it showed; `None` where `--trust-issuer`
    /// stood in for it.
    pub shown: Option<(ServiceAccount, Proof)>,
    /// A token that can log in with the role, and whose it is.
    pub login_token: Option<(ServiceAccount, Secret)>,
    /// Why there is no such token, where a role was asked for.
    pub no_login: Option<String>,
}

/// Proves the issuer, or refuses.
pub async fn issuer(
    ports: Ports<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    plan: &Plan,
) -> Result<IssuerProof, SetupError> {
    let audience = plan.role.as_ref().map_or_else(|| DEFAULT_AUDIENCE.to_owned(), |role| role.audience());
    // The second audience exists for this run only: no token from elsewhere has it.
    let audiences = [audience, input.nonce.clone()];
    let wanted: &[ServiceAccount] = input.role.as_ref().map_or(&[], |role| &role.service_accounts);
    let mut refusal: Option<ClusterError> = None;
    for account in candidates(ports, wanted) {
        let token = match ports.cluster.token(&account, &audiences, LIFETIME).await {
            Ok(token) => token,
            Err(
                e @ (ClusterError::ServiceAccountMissing { .. }
                | ClusterError::NamespaceMissing { .. }
                | ClusterError::TokenForbidden { .. }),
            ) => {
                ports.progress.step(Step::Detail(e.to_string()));
                // The first one is about what the user asked for.
                refusal = refusal.or(Some(e));
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        let claim = proof::Claim {
            issuer: &cluster.owner.issuer,
            keys: &cluster.keys.keys,
            subject: &account.subject(),
            audiences: &audiences,
        };
        let shown = proof::check(&token, claim).map_err(|source| SetupError::IssuerNotProven { source })?;
        ports.progress.step(Step::Done(format!("issuer proven by a token of service account \"{account}\"")));
        let serves = wanted.contains(&account);
        if serves && plan.role.as_ref().is_some_and(|role| role.write) {
            warn_of_missing(ports, wanted, &account, &audiences).await;
        }
        return Ok(IssuerProof {
            shown: Some((account.clone(), shown)),
            login_token: serves.then_some((account, token)),
            no_login: refusal.map(|e| e.to_string()),
        });
    }
    if !input.trust_issuer {
        return Err(SetupError::NoProof { source: refusal });
    }
    if let Some(why) = &cluster.no_witness {
        return Err(SetupError::NoWitness { issuer: cluster.owner.issuer.clone(), why: why.clone() });
    }
    ports.progress.step(Step::Warning(format!(
        "the issuer \"{}\" is believed without proof (--trust-issuer)",
        shared::text::one_line(&cluster.owner.issuer)
    )));
    Ok(IssuerProof { shown: None, login_token: None, no_login: refusal.map(|e| e.to_string()) })
}

/// A misspelt service account in a role is found here, or by a pod that does
/// not start.
async fn warn_of_missing(ports: Ports<'_>, wanted: &[ServiceAccount], tried: &ServiceAccount, audiences: &[String]) {
    for account in wanted.iter().filter(|account| *account != tried) {
        if let Err(e @ (ClusterError::ServiceAccountMissing { .. } | ClusterError::NamespaceMissing { .. })) =
            ports.cluster.token(account, audiences, LIFETIME).await
        {
            ports.progress.step(Step::Warning(e.to_string()));
        }
    }
}

/// Whom to ask for a token: those of the role, then `default` of the same
/// namespaces and of the places where it always is.
fn candidates(ports: Ports<'_>, wanted: &[ServiceAccount]) -> Vec<ServiceAccount> {
    let default = |namespace: &str| ServiceAccount { namespace: namespace.to_owned(), name: "default".to_owned() };
    let mut all: Vec<ServiceAccount> = wanted.to_vec();
    all.extend(wanted.iter().map(|account| default(&account.namespace)));
    all.extend([default(&ports.cluster.target().namespace), default("default"), default("kube-system")]);
    let mut seen = Vec::new();
    all.retain(|account| {
        let new = !seen.contains(account);
        seen.push(account.clone());
        new
    });
    all
}
