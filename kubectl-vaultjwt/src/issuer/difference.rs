//! How the key set at an issuer's URL differs from the API server's own. Pure.

use crate::keychain::jwk::{KeySet, PublishedKey};
use crate::keychain::key_id::KeyId;

/// Keys that only one of the two has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyDifference {
    /// The API server publishes them, and the issuer's URL does not.
    pub api_server_only: Vec<PublishedKey>,
    /// The issuer's URL publishes them, and the API server does not.
    pub site_only: Vec<KeyId>,
}

impl KeyDifference {
    /// Compares the key set at the issuer's URL with the API server's.
    pub fn between(site: &KeySet, api_server: &KeySet) -> Self {
        let lacks = |set: &KeySet, key: &PublishedKey| !set.keys.iter().any(|known| known.key == key.key);
        Self {
            api_server_only: api_server.keys.iter().filter(|key| lacks(site, key)).cloned().collect(),
            site_only: site.keys.iter().filter(|key| lacks(api_server, key)).map(|key| key.key.id()).collect(),
        }
    }
}
