//! Owns what the reports of several commands have in common.

use crate::issuer::CloudWord;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::vault::{Document, Vault};
use serde::Serialize;
use shared::mount::MountPath;

/// Which Vault, which mount.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Vault's address.
    pub address: String,
    /// Its namespace, where not the root.
    pub namespace: Option<String>,
    /// The mount.
    pub mount: String,
}

impl Place {
    /// A mount of `vault`.
    pub fn of(vault: &dyn Vault, mount: &MountPath) -> Self {
        Self {
            address: vault.address().to_owned(),
            namespace: vault.namespace().map(str::to_owned),
            mount: mount.to_string(),
        }
    }
}

/// One key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyReport {
    /// SHA-256 of the SPKI, base64url.
    pub id: String,
    /// kid, where there is one.
    pub kid: Option<String>,
    /// What happens to it.
    pub action: KeyAction,
}

impl KeyReport {
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
    /// Of what was said, where anybody was asked.
    pub fn of(word: &CloudWord) -> Option<Self> {
        match word {
            CloudWord::NotAsked | CloudWord::Nobody => None,
            CloudWord::Failed(error) => {
                let error = Some(error.to_string());
                Some(Self { id: None, confirmed: false, unconfirmed: None, no_issuer: None, error })
            }
            CloudWord::Confirmed(described) | CloudWord::Behind(described, _) => Some(Self {
                id: Some(described.id.clone()),
                confirmed: matches!(word, CloudWord::Confirmed(_)),
                unconfirmed: match word {
                    CloudWord::Behind(_, gap) => Some(gap.about("it")),
                    _ => None,
                },
                no_issuer: described.no_issuer.clone(),
                error: None,
            }),
        }
    }
}
