//! A key set at an issuer's URL that lacks keys of the API server.

use crate::issuer::resolved::{KeySource, Resolved};
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_id::KeyId;
use crate::shell::word;
use shared::text::one_line;
use std::fmt;

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
