//! Where a mount's keys come from: a list that is stored on it, or a place from which Vault
//! fetches them itself. Pure.
//!
//! Exactly one source may be set, and some fields go with one of them only
//! (vault-plugin-auth-jwt `path_config.go` `pathConfigWrite`): no `bound_issuer` and no
//! `jwks_ca_pem` beside `jwks_pairs`.

use crate::vault::Document;
use crate::vault::mount::config::{ALGORITHMS, BOUND_ISSUER, KEYS, READ_ONLY, differing};
use serde::Serialize;
use serde_json::{Value, json};

/// How a mount gets its keys: `--keys`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeysMode {
    /// A list on the mount, which we keep.
    #[default]
    Static,
    JwksUrl,
    /// Vault fetches one issuer's discovery document, and the key set it names.
    OidcDiscovery,
    /// Vault fetches several key sets (HashiCorp Vault 1.16 and later).
    JwksPairs,
}

impl KeysMode {
    pub fn flag(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::JwksUrl => "jwks-url",
            Self::OidcDiscovery => "oidc-discovery",
            Self::JwksPairs => "jwks-pairs",
        }
    }
}

/// A place that Vault fetches from, and whom it trusts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetUrl {
    pub url: String,
    /// Authorities, PEM; empty for the system's.
    pub ca: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKeySource {
    /// Nowhere yet, or from a list on the mount.
    Static,
    JwksUrl(KeySetUrl),
    OidcDiscovery(KeySetUrl),
    JwksPairs(Vec<KeySetUrl>),
}

impl MountKeySource {
    pub fn of(document: Option<&Document>) -> Self {
        let text = |field: &str| document.and_then(|d| d.get(field)).and_then(Value::as_str).unwrap_or_default();
        let place = |url: &str, ca: &str| {
            let url = text(url);
            (!url.is_empty()).then(|| KeySetUrl { url: url.to_owned(), ca: text(ca).to_owned() })
        };
        let pairs: Vec<KeySetUrl> = document
            .and_then(|d| d.get("jwks_pairs"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|pair| {
                let text = |field: &str| pair[field].as_str().unwrap_or_default().to_owned();
                KeySetUrl { url: text("jwks_url"), ca: text("jwks_ca_pem") }
            })
            .collect();
        if !pairs.is_empty() {
            return Self::JwksPairs(pairs);
        }
        let url = place("jwks_url", "jwks_ca_pem").map(Self::JwksUrl);
        url.or_else(|| place("oidc_discovery_url", "oidc_discovery_ca_pem").map(Self::OidcDiscovery))
            .unwrap_or(Self::Static)
    }

    pub fn mode(&self) -> KeysMode {
        match self {
            Self::Static => KeysMode::Static,
            Self::JwksUrl(_) => KeysMode::JwksUrl,
            Self::OidcDiscovery(_) => KeysMode::OidcDiscovery,
            Self::JwksPairs(_) => KeysMode::JwksPairs,
        }
    }

    pub fn urls(&self) -> Vec<&str> {
        match self {
            Self::Static => Vec::new(),
            Self::JwksUrl(place) | Self::OidcDiscovery(place) => vec![&place.url],
            Self::JwksPairs(pairs) => pairs.iter().map(|pair| pair.url.as_str()).collect(),
        }
    }
}

/// `current` without any source, and without what goes with one only.
pub fn without_source(current: Option<&Document>) -> Document {
    let mut document = current.cloned().unwrap_or_default();
    document.remove(READ_ONLY);
    for (field, value) in &mut document {
        match field.as_str() {
            KEYS | "jwks_pairs" => *value = json!([]),
            "jwks_url" | "jwks_ca_pem" | "oidc_discovery_url" | "oidc_discovery_ca_pem" => *value = json!(""),
            _ => {}
        }
    }
    document
}

/// The full document of a mount that fetches from `source`, whose tokens are
/// of `issuer`; in place of what `current` says.
///
/// The algorithms are left open where this program chose them: nothing widens them when the
/// issuer changes its kind of key.
pub fn fetching(current: Option<&Document>, source: &MountKeySource, issuer: &str) -> Document {
    let mut document = without_source(current);
    let mut set = |field: &str, value: Value| {
        document.insert(field.to_owned(), value);
    };
    match source {
        MountKeySource::Static => {}
        MountKeySource::JwksUrl(place) => {
            set("jwks_url", json!(place.url));
            set("jwks_ca_pem", json!(place.ca));
        }
        MountKeySource::OidcDiscovery(place) => {
            set("oidc_discovery_url", json!(place.url));
            set("oidc_discovery_ca_pem", json!(place.ca));
        }
        MountKeySource::JwksPairs(pairs) => {
            let pair = |place: &KeySetUrl| json!({"jwks_url": place.url, "jwks_ca_pem": place.ca});
            set("jwks_pairs", pairs.iter().map(pair).collect());
        }
    }
    let several = source.mode() == KeysMode::JwksPairs;
    set(BOUND_ISSUER, json!(if several { "" } else { issuer }));
    if MountKeySource::of(current).mode() == KeysMode::Static {
        set(ALGORITHMS, json!([]));
    }
    document.entry(KEYS).or_insert_with(|| json!([]));
    document.entry("default_role").or_insert_with(|| json!(""));
    document
}

/// Whether `current` says what `document` says. Vault trims what it stores.
pub fn same(current: Option<&Document>, document: &Document) -> bool {
    current.is_some_and(|current| differing(&trimmed(current), &trimmed(document)).is_empty())
}

fn trimmed(document: &Document) -> Document {
    fn trim(value: &Value) -> Value {
        match value {
            Value::String(text) => json!(text.trim()),
            Value::Array(items) => items.iter().map(trim).collect(),
            Value::Object(fields) => Value::Object(trimmed(fields)),
            other => other.clone(),
        }
    }
    document.iter().map(|(field, value)| (field.clone(), trim(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Value) -> Document {
        value.as_object().cloned().unwrap()
    }

    fn place(url: &str) -> KeySetUrl {
        KeySetUrl { url: url.into(), ca: String::new() }
    }

    #[test]
    fn each_source_is_read_as_it_is_written() {
        for source in [
            MountKeySource::JwksUrl(KeySetUrl { url: "https://i/keys".into(), ca: "CA".into() }),
            MountKeySource::OidcDiscovery(place("https://i/")),
            MountKeySource::JwksPairs(vec![
                place("https://a/keys"),
                KeySetUrl { url: "https://b/keys".into(), ca: "CA".into() },
            ]),
        ] {
            let written = fetching(None, &source, "https://i/");
            assert_eq!(MountKeySource::of(Some(&written)), source);
        }
        assert_eq!(MountKeySource::of(None), MountKeySource::Static);
        assert_eq!(
            MountKeySource::of(Some(&document(json!({"jwks_url": "", "jwks_pairs": []})))),
            MountKeySource::Static
        );
    }

    #[test]
    fn a_new_mount_word_for_word() {
        let written = fetching(None, &MountKeySource::JwksUrl(place("https://i/keys")), "https://i");
        assert_eq!(
            Value::Object(written),
            json!({"jwks_url": "https://i/keys", "jwks_ca_pem": "", "bound_issuer": "https://i", "default_role": "",
                "jwt_supported_algs": [], "jwt_validation_pubkeys": []})
        );
    }

    #[test]
    fn everything_else_stays_and_what_excludes_it_goes() {
        let standing = document(json!({
            "jwt_validation_pubkeys": ["k1"], "jwt_supported_algs": ["RS256"], "default_role": "app",
            "bound_issuer": "https://i", "namespace_in_state": false, "new_field": 3, "status": "valid",
            "jwks_url": "", "jwks_ca_pem": "", "jwks_pairs": []
        }));
        let pairs = fetching(Some(&standing), &MountKeySource::JwksPairs(vec![place("https://i/keys")]), "https://i");
        assert_eq!(
            Value::Object(pairs.clone()),
            json!({"jwt_validation_pubkeys": [], "jwt_supported_algs": [], "default_role": "app", "bound_issuer": "",
                "namespace_in_state": false, "new_field": 3, "jwks_url": "", "jwks_ca_pem": "",
                "jwks_pairs": [{"jwks_url": "https://i/keys", "jwks_ca_pem": ""}]})
        );
        // What was chosen for a mount that already fetches is kept.
        let mut chosen = pairs;
        chosen.insert(ALGORITHMS.into(), json!(["ES256"]));
        let again = fetching(Some(&chosen), &MountKeySource::JwksPairs(vec![place("https://i/keys")]), "https://i");
        assert!(same(Some(&chosen), &again));
        assert_eq!(without_source(Some(&chosen))["jwks_pairs"], json!([]));
    }

    #[test]
    fn what_vault_trims_is_no_difference() {
        let one = document(json!({"jwks_pairs": [{"jwks_url": "u", "jwks_ca_pem": "CA\n"}], "jwks_url": ""}));
        let other = document(json!({"jwks_pairs": [{"jwks_url": "u", "jwks_ca_pem": "CA"}]}));
        assert!(same(Some(&other), &one));
        assert!(!same(None, &one));
    }
}
