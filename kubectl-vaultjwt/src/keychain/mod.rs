//! The domain: public keys, their owners, and how several clusters' keys share one mount.
//! Pure: no I/O, no HTTP, no clock of its own.
//!
//! `jwk` reads what an issuer publishes, and verifies its tokens. `key` is one public key, `key_id` its identity,
//! `key_error` why one is refused; `key_file` reads keys from a file. `provenance` is the
//! text that is stored with a key, `key_proof` how it was verified, `authority` a recorded
//! way to a cluster, `element` one entry of Vault's `jwt_validation_pubkeys`. `evidence`
//! says which step needs which evidence.
//!
//! `refresh` says whose keys are to be right and what happens to each, `plan` what has to
//! change on a mount, `action` what happens to a key, `poll_history` when one is no longer
//! published, `freshness` whether keys are being refreshed,
//! `others` who else a mount serves, `transfer` keys that get another owner, `weak` the
//! keys that must not be trusted.

pub mod action;
pub mod authority;
pub mod element;
pub mod evidence;
pub mod freshness;
pub mod jwk;
pub mod key;
pub mod key_error;
pub mod key_file;
pub mod key_id;
pub mod key_proof;
pub mod others;
pub mod plan;
pub mod poll_history;
pub mod provenance;
pub mod refresh;
pub mod transfer;
pub mod weak;

use serde::Serialize;
use std::fmt;

/// The owner of a key: an issuer, and where its discovery document was not read at its own
/// https URL, the cluster too, because kubeadm, kind and k3s clusters all carry one issuer
/// string. The two forms never equal each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The issuer, compared byte for byte (AKS issuers end in `/`).
    pub issuer: String,
    /// UID of the cluster's `kube-system` namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_uid: Option<String>,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shared::text::one_line(&self.issuer))?;
        match &self.cluster_uid {
            Some(uid) => write!(f, " (cluster {})", shared::text::one_line(uid)),
            None => Ok(()),
        }
    }
}
