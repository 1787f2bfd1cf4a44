//! Parts that the reports of several commands share.

use crate::issuer::CloudAnswer;
use crate::issuer::proof::Proof;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::vault::{Document, Vault};
use serde::Serialize;
use shared::mount::MountPath;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultLocation {
    pub address: String,
    /// Its namespace, where not the root.
    pub namespace: Option<String>,
    pub mount: String,
}

impl VaultLocation {
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
    pub kid: Option<String>,
    pub action: KeyAction,
}

impl KeyChangeReport {
    pub fn of(step: &KeyStep) -> Self {
        Self { id: step.id.to_string(), kid: step.kid.clone(), action: step.action }
    }
}

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

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofReport {
    /// `namespace:name` of the service account whose token it was.
    pub service_account: String,
    #[serde(flatten)]
    pub proof: Proof,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudReport {
    /// Its full id there.
    pub id: Option<String>,
    /// Whether the kubeconfig leads straight to that cluster, or the pod is its own.
    pub confirmed: bool,
    /// Why it does not, where it does not.
    pub unconfirmed: Option<String>,
    pub no_issuer: Option<String>,
    pub error: Option<String>,
}

impl CloudReport {
    /// Of the answer, where the cloud was queried.
    pub fn of(word: &CloudAnswer) -> Option<Self> {
        let (described, unconfirmed) = match word {
            CloudAnswer::NotAsked | CloudAnswer::NoCloud => return None,
            CloudAnswer::Failed(error) => return Some(Self { error: Some(error.to_string()), ..Self::default() }),
            CloudAnswer::Confirmed(described) => (described, None),
            CloudAnswer::Unconfirmed(described, gap) => (described, Some(gap.about("it"))),
        };
        Some(Self {
            id: Some(described.id.clone()),
            confirmed: unconfirmed.is_none(),
            unconfirmed,
            no_issuer: described.no_issuer.clone(),
            error: None,
        })
    }
}
