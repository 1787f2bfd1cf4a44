//! The proof of issuer: a token of this API server, checked against the keys about to be
//! written. Where the role's own service account can give the token, it is used for the
//! test login too.

use crate::cluster::ClusterError;
use crate::cluster::service_account::ServiceAccount;
use crate::command::Step;
use crate::command::prove_issuer::{self, IssuerProofError, LIFETIME, Proven};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::role_plan::RolePlan;
use crate::issuer::proof::Proof;
use crate::issuer::{KeySource, Resolved};
use crate::keychain::key_id::KeyId;
use jiff::Timestamp;
use shared::Secret;
use shared::jwt::DEFAULT_AUDIENCE;

#[derive(Debug, Default)]
pub struct IssuerProof {
    /// The service account of the token, and what it showed; `None` where `--trust-issuer`
    /// replaced it.
    pub shown: Option<(ServiceAccount, Proof)>,
    /// A token that can log in with the role, and whose it is.
    pub login_token: Option<(ServiceAccount, Secret)>,
    /// Why there is no such token, where a role was asked for.
    pub no_login: Option<String>,
}

impl IssuerProof {
    /// The key that signed the token that proved the issuer.
    pub fn signer(&self) -> Option<KeyId> {
        self.shown.as_ref().map(|(_, proof)| proof.key)
    }
}

/// Proves the issuer, or refuses.
pub async fn issuer(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    role: Option<&RolePlan>,
) -> Result<IssuerProof, SetupError> {
    let audience = role.map_or_else(|| DEFAULT_AUDIENCE.to_owned(), |role| role.audience());
    // The second audience exists for this run only: no token from elsewhere has it.
    let audiences = [audience, input.nonce.clone()];
    let wanted: &[ServiceAccount] = role.map_or(&[], |role| &role.accounts);
    let refusal = match prove_issuer::ask(ports.cluster, ports.progress, cluster, wanted, &audiences, Timestamp::now())
        .await
    {
        Ok(Proven { account, token, proof, rejected }) => {
            ports.progress.step(Step::Done(format!("issuer proven by a token of service account \"{account}\"")));
            let serves = wanted.contains(&account);
            if serves && role.is_some_and(|role| role.write) {
                warn_of_missing(ports, wanted, &account, &audiences).await;
            }
            return Ok(IssuerProof {
                shown: Some((account.clone(), proof)),
                login_token: serves.then_some((account, token)),
                no_login: rejected.map(|e| e.to_string()),
            });
        }
        Err(IssuerProofError::NoToken(refusal)) if input.trust_issuer || cluster.source == KeySource::File => refusal,
        Err(unproven) => return Err(unproven.into()),
    };
    prove_issuer::can_be_believed(cluster)?;
    let issuer = shared::text::one_line(&cluster.owner.issuer);
    ports.progress.step(Step::Warning(match cluster.source {
        KeySource::File => format!(
            "no token could be created: nothing verifies that the keys of the file belong to issuer \"{issuer}\" (--keys-from)"
        ),
        _ => format!("the issuer \"{issuer}\" is believed without proof (--trust-issuer)"),
    }));
    Ok(IssuerProof { no_login: refusal.map(|e| e.to_string()), ..IssuerProof::default() })
}

/// A misspelt service account in a role is found here, or by a pod that does
/// not start.
async fn warn_of_missing(
    ports: SetupPorts<'_>,
    wanted: &[ServiceAccount],
    tried: &ServiceAccount,
    audiences: &[String],
) {
    for account in wanted.iter().filter(|account| *account != tried) {
        if let Err(e @ (ClusterError::ServiceAccountMissing { .. } | ClusterError::NamespaceMissing { .. })) =
            ports.cluster.token(account, audiences, LIFETIME).await
        {
            ports.progress.step(Step::Warning(e.to_string()));
        }
    }
}
