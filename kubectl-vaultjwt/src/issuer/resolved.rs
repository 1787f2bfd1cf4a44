//! An issuer, its keys, and their owner: the result of `resolve`; and how the key set at the
//! issuer's URL differs from the API server's, which it can lag behind. Pure.

use crate::issuer::cloud_answer::CloudAnswer;
use crate::issuer::request::NamedBy;
use crate::keychain::Owner;
use crate::keychain::jwk::{KeySet, PublishedKey};
use crate::keychain::key_id::KeyId;
use crate::shell::word;
use serde::Serialize;
use shared::text::one_line;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    IssuerSite,
    /// The API server's `/openid/v1/jwks`.
    ApiServer,
    /// A file (`--keys-from=file:PATH`).
    File,
}

/// Why an issuer's own site was passed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteUnused {
    /// There is none outside the cluster.
    #[error("{0}")]
    None(&'static str),
    /// There may be one, but it could not be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Issuer, owner and keys of a cluster: claimed, not yet proven.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The issuer and, where its site could not be read, the cluster.
    pub owner: Owner,
    pub named_by: NamedBy,
    pub keys: KeySet,
    /// Where its own site has them, where that was read.
    pub keys_url: Option<String>,
    pub source: KeySource,
    pub site_unused: Option<SiteUnused>,
    /// Why the API server's own key set could not be compared with the site's.
    pub api_keys_unread: Option<String>,
    /// How the API server's own key set differs from the site's, where both were read.
    pub difference: KeyDifference,
    /// The owner of this cluster on the mount, by its issuer and UID, whichever
    /// form it has.
    pub standing: Option<Owner>,
    pub cloud: CloudAnswer,
}

/// Keys that only the API server, or only the issuer's own site, publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyDifference {
    pub api_server_only: Vec<PublishedKey>,
    pub site_only: Vec<KeyId>,
}

impl KeyDifference {
    pub fn between(site: &KeySet, api_server: &KeySet) -> Self {
        let lacks = |set: &KeySet, key: &PublishedKey| !set.keys.iter().any(|known| known.key == key.key);
        Self {
            api_server_only: api_server.keys.iter().filter(|key| lacks(site, key)).cloned().collect(),
            site_only: site.keys.iter().filter(|key| lacks(api_server, key)).map(|key| key.key.id()).collect(),
        }
    }
}

/// The key set at an issuer's URL is out of date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    pub context: String,
    /// The URL of the key set.
    pub url: String,
    /// Names of the keys that it lacks, and that are not on the mount.
    pub keys: Vec<String>,
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<String> = self.keys.iter().map(|key| format!("\"{}\"", one_line(key))).collect();
        let (noun, that) = if quoted.len() == 1 { ("key", "it") } else { ("keys", "them") };
        let (url, keys) = (one_line(&self.url), quoted.join(", "));
        write!(
            f,
            "the key set at \"{url}\" is out of date: it lacks {noun} {keys}, which the API server publishes; \
             Vault refuses tokens signed with {that}"
        )
    }
}

impl Lag {
    pub fn hint(&self) -> String {
        let (key, url) = (if self.keys.len() == 1 { "the key" } else { "the keys" }, one_line(&self.url));
        format!(
            "add {key} to the key set at \"{url}\", then retry; the API server's key set: kubectl --context {} get --raw /openid/v1/jwks",
            word(&self.context)
        )
    }
}

impl Resolved {
    /// Whether the issuer's URL lacks a key that the API server publishes, and that the
    /// mount has not either.
    pub fn lag(&self, context: &str, on_mount: impl Fn(KeyId) -> bool) -> Option<Lag> {
        let url = self.keys_url.clone().filter(|_| self.source == KeySource::IssuerSite)?;
        let lacking = self.difference.api_server_only.iter().filter(|key| !on_mount(key.key.id()));
        let name = |key: &PublishedKey| key.kid.clone().unwrap_or_else(|| key.key.id().to_string());
        let keys: Vec<String> = lacking.map(name).collect();
        (!keys.is_empty()).then(|| Lag { context: context.to_owned(), url, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        let (context, url) = ("my prod".to_owned(), "https://i/keys".to_owned());
        let one = Lag { context: context.clone(), url: url.clone(), keys: vec!["k1".into()] };
        assert_eq!(
            one.to_string(),
            "the key set at \"https://i/keys\" is out of date: it lacks key \"k1\", which the API server publishes; \
             Vault refuses tokens signed with it"
        );
        assert_eq!(
            one.hint(),
            "add the key to the key set at \"https://i/keys\", then retry; the API server's key set: kubectl --context \
             'my prod' get --raw /openid/v1/jwks"
        );
        let two = Lag { context, url, keys: vec!["k1".into(), "k\n2".into()] };
        assert!(two.to_string().contains("it lacks keys \"k1\", \"k\\u{a}2\", which the API server publishes"));
    }
}
