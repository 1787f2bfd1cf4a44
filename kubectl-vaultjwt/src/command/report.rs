//! Parts that the reports of several commands share.

use crate::issuer::CloudAnswer;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::vault::{Document, Vault};
use serde::Serialize;
use shared::mount::MountPath;

/// Which Vault, which mount.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultLocation {
    pub address: String,
    /// Its namespace, where not the root.
    pub namespace: Option<String>,
    pub mount: String,
}

impl VaultLocation {
    /// A mount of `vault`.
    pub fn of(vault: &dyn Vault, mount: &MountPath) -> Self {
        Self {
            address: vault.address().to_owned(),
            namespace: vault.namespace().map(str::to_owned),
            mount: mount.to_string(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyChangeReport {
    /// SHA-256 of the SPKI, base64url.
    pub id: String,
    /// kid, where there is one.
    pub kid: Option<String>,
    pub action: KeyAction,
}

impl KeyChangeReport {
    /// A step of a plan.
    pub fn of(step: &KeyStep) -> Self {
        Self { id: step.id.to_string(), kid: step.kid.clone(), action: step.action }
    }
}

/// A document before and after.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// Whether it was, or would be, written.
    pub written: bool,
    /// As it was; `null` where there was none.
    pub before: Option<Document>,
    /// As it is, or would be.
    pub after: Document,
}

/// What the cluster's cloud says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudReport {
    /// Its full id there.
    pub id: Option<String>,
    /// Whether the kubeconfig leads straight to that cluster, or the pod is its own.
    pub confirmed: bool,
    /// Why it does not, where it does not.
    pub unconfirmed: Option<String>,
    /// Why it has no issuer.
    pub no_issuer: Option<String>,
    /// Why the cloud could not be asked.
    pub error: Option<String>,
}

impl CloudReport {
    /// Of the answer, where the cloud was queried.
    pub fn of(word: &CloudAnswer) -> Option<Self> {
        match word {
            CloudAnswer::NotAsked | CloudAnswer::NoCloud => None,
            CloudAnswer::Failed(error) => {
                let error = Some(error.to_string());
                Some(Self { id: None, confirmed: false, unconfirmed: None, no_issuer: None, error })
            }
            CloudAnswer::Confirmed(described) | CloudAnswer::Unconfirmed(described, _) => Some(Self {
                id: Some(described.id.clone()),
                confirmed: matches!(word, CloudAnswer::Confirmed(_)),
                unconfirmed: match word {
                    CloudAnswer::Unconfirmed(_, gap) => Some(gap.about("it")),
                    _ => None,
                },
                no_issuer: described.no_issuer.clone(),
                error: None,
            }),
        }
    }
}
