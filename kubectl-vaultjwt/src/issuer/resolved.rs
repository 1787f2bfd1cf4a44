//! An issuer, its keys, and their owner: the result of `resolve`.

use crate::issuer::cloud_answer::CloudAnswer;
use crate::issuer::difference::KeyDifference;
use crate::issuer::request::NamedBy;
use crate::keychain::Owner;
use crate::keychain::jwk::KeySet;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// The issuer's own https URL.
    IssuerSite,
    /// The API server's `/openid/v1/jwks`.
    ApiServer,
    /// A file (`--keys-from=file:PATH`).
    File,
}

/// Why an issuer's own site was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteUnused {
    /// There is none outside the cluster.
    None(&'static str),
    /// There may be one, but it could not be read.
    Unreadable(String),
}

impl std::fmt::Display for SiteUnused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None(why) => f.write_str(why),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// Issuer, owner and keys of a cluster: claimed, not yet proven.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The issuer and, where its site could not be read, the cluster.
    pub owner: Owner,
    pub named_by: NamedBy,
    /// What it publishes now.
    pub keys: KeySet,
    /// Where its own site has them, where that was read.
    pub keys_url: Option<String>,
    pub source: KeySource,
    /// Why the issuer's own site was not used, where it was not.
    pub site_unused: Option<SiteUnused>,
    /// Why the API server's own key set could not be compared with the site's, where it could
    /// not.
    pub api_keys_unread: Option<String>,
    /// How the API server's own key set differs from the site's, where both were read.
    pub difference: KeyDifference,
    /// The owner of this cluster on the mount, by its issuer and UID, whichever
    /// form it has.
    pub standing: Option<Owner>,
    /// What the cluster's cloud said.
    pub cloud: CloudAnswer,
}
