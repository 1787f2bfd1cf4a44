//! The domain: public keys, whose they are, and how several clusters' keys
//! live on one mount. Pure: no I/O, no HTTP, no clock of its own.
//!
//! `jwk` reads what an issuer publishes, `key` is one public key, `key_file` reads
//! such keys from a file, `provenance` the text that travels with a key, `key_proof` how
//! it came to be believed, `authority` a
//! recorded way to a cluster, `evidence` which step needs which evidence, `element` one
//! entry of Vault's `jwt_validation_pubkeys`. `refresh` says whose keys are to be right
//! and what becomes of each, `plan` what has to change on a mount, `action` what happens
//! to a key, `recent` when one counts as gone, `removal` what to take off, `others` who
//! else a mount serves, `transfer` keys that get another owner, `weak` the keys that must
//! not be trusted.

pub mod action;
pub mod authority;
pub mod element;
pub mod evidence;
pub mod freshness;
pub mod jwk;
pub mod key;
pub mod key_file;
pub mod key_proof;
pub mod others;
pub mod plan;
pub mod provenance;
pub mod recent;
pub mod refresh;
pub mod removal;
pub mod signature;
pub mod transfer;
pub mod weak;

use serde::Serialize;
use std::fmt;

/// Who answers for a key: an issuer, and where its discovery document was not
/// read at its own https URL, the cluster too, because kubeadm, kind and k3s
/// clusters all carry one issuer string. The two forms never equal each other.
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
