//! The document `auth/<mount>/config`: what in it allows adding keys, what forbids it, and
//! the full document to send. Pure.
//!
//! A write replaces every field (vault-plugin-auth-jwt `path_config.go` `pathConfigWrite`;
//! hashicorp/vault-plugin-auth-jwt#413 proposes a merge), so everything that the server
//! returned is sent back, and is right under both rules.

use crate::keychain::element::MountKey;
use crate::vault::Document;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::text::one_line;

pub const KEYS: &str = "jwt_validation_pubkeys";
/// The field that lists accepted algorithms; empty means all.
pub const ALGORITHMS: &str = "jwt_supported_algs";
/// The mount-wide issuer; empty means any.
pub const BOUND_ISSUER: &str = "bound_issuer";

/// The field that the server computes and would not take back (OpenBao
/// `path_config.go` `pathConfigRead`).
pub(super) const READ_ONLY: &str = "status";

/// Other sources of keys; at most one source may be set.
const OTHER_SOURCES: &[&str] = &["jwks_url", "oidc_discovery_url", "jwks_pairs"];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigConflict {
    #[error("it takes its keys from {field} ({value})")]
    OtherSource { field: &'static str, value: String },
    /// It holds a secret that cannot be read back, so a write would lose it.
    #[error("it is set up for OIDC logins ({0} is set), whose secret cannot be read back and would be lost")]
    Secret(&'static str),
    #[error("its {KEYS} is not a list of texts")]
    Shape,
}

#[derive(Clone, Copy, Debug)]
pub struct MountSnapshot<'a> {
    /// As Vault returned it; `None` where nothing is configured.
    pub document: Option<&'a Document>,
    /// When a change of it is planned: by Vault's clock where it sends the time.
    pub now: Timestamp,
}

/// A configuration that is empty or holds static keys only.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticKeys {
    /// Every field but the keys.
    document: Document,
    keys: Vec<String>,
}

/// Whether a value counts as not set.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl StaticKeys {
    /// Checks that keys may be written to what is configured now.
    pub fn read(current: Option<&Document>) -> Result<Self, ConfigConflict> {
        let mut document = current.cloned().unwrap_or_default();
        let set = |field: &str| document.get(field).filter(|v| !is_empty(v));
        for field in OTHER_SOURCES {
            if let Some(value) = set(field) {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                return Err(ConfigConflict::OtherSource { field, value: one_line(&shown) });
            }
        }
        if let Some(field) = secret(current) {
            return Err(ConfigConflict::Secret(field));
        }
        let keys: Vec<String> = match set(KEYS) {
            None => Vec::new(),
            Some(value) => serde_json::from_value(value.clone()).map_err(|_| ConfigConflict::Shape)?,
        };
        document.remove(KEYS);
        Ok(Self { document, keys })
    }

    pub fn elements(&self) -> Vec<MountKey> {
        self.keys.iter().map(|text| MountKey::read(text)).collect()
    }

    /// Every field but the keys.
    pub fn rest(&self) -> &Document {
        &self.document
    }

    /// The one issuer that every token of the mount must carry, where one is
    /// configured.
    pub fn bound_issuer(&self) -> Option<&str> {
        self.document.get(BOUND_ISSUER).and_then(Value::as_str).filter(|issuer| !issuer.is_empty())
    }

    /// Accepts tokens of any issuer.
    pub fn clear_bound_issuer(&mut self) {
        self.document.insert(BOUND_ISSUER.to_owned(), json!(""));
    }

    /// The algorithms to accept when `elements` are on the mount. None (which means
    /// all) stays none where keys are there already. A list is widened for
    /// what managed elements sign with, and narrowed by what the provenance of a
    /// removed key names, unless a key that stays could use it.
    fn algorithms(&self, elements: &[MountKey], ours: &[String]) -> Vec<String> {
        let listed: Vec<String> = match self.document.get(ALGORITHMS) {
            Some(Value::Array(items)) => items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        if listed.is_empty() && !self.keys.is_empty() {
            return Vec::new();
        }
        let usable: Vec<Option<Vec<String>>> = elements.iter().map(MountKey::algorithms).collect();
        let left: Vec<String> = self
            .elements()
            .iter()
            .filter(|standing| !elements.iter().any(|stays| stays.id() == standing.id()))
            .filter_map(|standing| standing.provenance().map(|mark| mark.alg.clone()))
            .collect();
        // What cannot be read could use anything.
        let used = |alg: &String| usable.iter().any(|algs| algs.as_ref().is_none_or(|algs| algs.contains(alg)));
        let mut next: Vec<String> = listed.iter().filter(|alg| !left.contains(alg) || used(alg)).cloned().collect();
        for alg in ours {
            if !next.contains(alg) {
                next.push(alg.clone());
            }
        }
        // An empty list would accept all.
        if next.is_empty() { listed } else { next }
    }

    /// The full document with `elements` on it, where tokens of the owner at
    /// hand carry `algorithms`.
    pub fn with(&self, elements: &[MountKey], algorithms: &[String]) -> Document {
        let mut document = self.document.clone();
        document.remove(READ_ONLY);
        document.entry(BOUND_ISSUER).or_insert_with(|| json!(""));
        document.entry("default_role").or_insert_with(|| json!(""));
        document.insert(KEYS.to_owned(), elements.iter().map(|element| &*element.text).collect());
        document.insert(ALGORITHMS.to_owned(), json!(self.algorithms(elements, algorithms)));
        document
    }

    /// Whether `current` says what `document` (made by [`StaticKeys::with`])
    /// says.
    pub fn same(current: Option<&Document>, document: &Document) -> bool {
        current.is_some_and(|current| differing(current, document).is_empty())
    }
}

/// The field with a secret that a write would lose.
pub fn secret(document: Option<&Document>) -> Option<&'static str> {
    let set = |field: &&str| document.and_then(|d| d.get(*field)).is_some_and(|value| !is_empty(value));
    ["oidc_client_id", "provider_config"].into_iter().find(|field| set(field))
}

/// Whether the server can have CEL roles: `OpenBao`, which alone says how it
/// finds its configuration.
pub fn has_cel_roles(document: &Document) -> bool {
    document.contains_key(READ_ONLY)
}

/// The fields of `wanted` that `found` does not hold with the same value,
/// where absent and empty are the same.
pub fn differing(found: &Document, wanted: &Document) -> Vec<String> {
    let empty = Value::Null;
    let differs = |field: &str, value: &Value| {
        let standing = found.get(field).unwrap_or(&empty);
        standing != value && !(is_empty(standing) && is_empty(value))
    };
    wanted.iter().filter(|(field, value)| differs(field, value)).map(|(field, _)| field.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::Owner;
    use crate::keychain::jwk::PublishedKey;
    use crate::keychain::key::{Curve, PublicKey};
    use crate::keychain::provenance::Provenance;
    use std::collections::BTreeMap;

    fn document(value: Value) -> Document {
        value.as_object().cloned().unwrap()
    }

    fn read(value: Value) -> StaticKeys {
        StaticKeys::read(Some(&document(value))).unwrap()
    }

    fn keys(texts: &[&str]) -> Vec<MountKey> {
        texts.iter().map(|text| MountKey::read(text)).collect()
    }

    /// A managed element that signs with `alg`, one key for each `alg`.
    fn ours(alg: &str) -> MountKey {
        let key = match alg {
            "ES256" => {
                use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let point = pair.public_key().as_ref();
                PublicKey::ec(Curve::P256, &point[1..33], &point[33..]).unwrap()
            }
            _ => {
                use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
                PublicKey::ed25519(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap().public_key().as_ref())
                    .unwrap()
            }
        };
        let published = PublishedKey { key, kid: None, alg: Some(alg.into()) };
        let provenance = Provenance {
            previous_issuers: vec![],
            owner: Owner { issuer: "https://a".into(), cluster_uid: None },
            kid: String::new(),
            alg: alg.into(),
            cluster: "a".into(),
            added: "2026-11-24T12:00:00Z".into(),
            retired: None,
            proof: None,
            authorities: vec![],
            unknown: BTreeMap::new(),
        };
        MountKey::write(&published, &provenance)
    }

    #[test]
    fn a_fresh_mount_gets_a_full_document() {
        let next = StaticKeys::read(None).unwrap().with(&keys(&["k1"]), &["RS256".into()]);
        assert_eq!(
            Value::Object(next),
            json!({"jwt_validation_pubkeys": ["k1"], "jwt_supported_algs": ["RS256"], "bound_issuer": "", "default_role": ""})
        );
    }

    #[test]
    fn every_field_is_sent_back_but_read_only_ones() {
        let standing = document(json!({
            "jwt_validation_pubkeys": ["k1"], "jwt_supported_algs": ["RS256"], "default_role": "app",
            "bound_issuer": "https://a", "namespace_in_state": false, "jwks_pairs": [], "new_field": 3, "status": "valid"
        }));
        let config = StaticKeys::read(Some(&standing)).unwrap();
        assert_eq!(config.bound_issuer(), Some("https://a"));
        let next = config.with(&keys(&["k2", "k1"]), &["ES256".into()]);
        assert_eq!(
            Value::Object(next.clone()),
            json!({
                "jwt_validation_pubkeys": ["k2", "k1"], "jwt_supported_algs": ["RS256", "ES256"], "default_role": "app",
                "bound_issuer": "https://a", "namespace_in_state": false, "jwks_pairs": [], "new_field": 3
            })
        );
        assert!(!StaticKeys::same(Some(&standing), &next));
        assert!(StaticKeys::same(Some(&standing), &config.with(&keys(&["k1"]), &["RS256".into()])));
    }

    #[test]
    fn all_algorithms_stay_all_while_keys_are_there() {
        let next = read(json!({"jwt_validation_pubkeys": ["k1"], "jwt_supported_algs": []}))
            .with(&keys(&["k2"]), &["ES256".into()]);
        assert_eq!(next.get(ALGORITHMS), Some(&json!([])));
    }

    #[test]
    fn algorithms_are_narrowed_by_what_left_and_nothing_else() {
        let (es, ed) = (ours("ES256"), ours("EdDSA"));
        let unmarked_es = MountKey::read(
            es.text.split_once("-----BEGIN").map(|(_, key)| format!("-----BEGIN{key}")).unwrap().as_str(),
        );
        let config = |elements: &[&MountKey], algs: &[&str]| {
            read(
                json!({"jwt_validation_pubkeys": elements.iter().map(|e| &*e.text).collect::<Vec<_>>(), "jwt_supported_algs": algs}),
            )
        };
        let both = config(&[&es, &ed], &["RS256", "ES256", "EdDSA"]);
        for (stays, expected) in [
            (vec![ed.clone()], json!(["RS256", "EdDSA"])),
            (vec![es.clone(), ed.clone()], json!(["RS256", "ES256", "EdDSA"])),
            // Something that could use it stays.
            (vec![ed.clone(), unmarked_es], json!(["RS256", "ES256", "EdDSA"])),
            (vec![ed.clone(), MountKey::read("unreadable")], json!(["RS256", "ES256", "EdDSA"])),
        ] {
            assert_eq!(both.with(&stays, &[]).get(ALGORITHMS), Some(&expected));
        }
        // What comes in the same write takes its place.
        let es = config(&[&es], &["ES256"]);
        assert_eq!(es.with(std::slice::from_ref(&ed), &["EdDSA".into()]).get(ALGORITHMS), Some(&json!(["EdDSA"])));
        // Empty would mean all.
        assert_eq!(es.with(&[ed], &[]).get(ALGORITHMS), Some(&json!(["ES256"])));
    }

    #[test]
    fn an_issuer_that_bound_the_mount_can_be_let_go() {
        let mut config = read(json!({"bound_issuer": "https://b", "jwt_validation_pubkeys": ["k"]}));
        config.clear_bound_issuer();
        assert_eq!(config.bound_issuer(), None);
        assert_eq!(config.with(&keys(&["k"]), &[]).get(BOUND_ISSUER), Some(&json!("")));
    }

    #[test]
    fn what_must_not_be_written() {
        for (standing, words) in [
            (json!({"jwks_url": "https://x/keys"}), "it takes its keys from jwks_url (https://x/keys)"),
            (json!({"oidc_discovery_url": "https://x"}), "it takes its keys from oidc_discovery_url (https://x)"),
            (json!({"jwks_pairs": [{"jwks_url": "u"}]}), "it takes its keys from jwks_pairs ([{\"jwks_url\":\"u\"}])"),
            (
                json!({"jwt_validation_pubkeys": ["k"], "oidc_client_id": "id"}),
                "it is set up for OIDC logins (oidc_client_id is set), whose secret cannot be read back and would be lost",
            ),
            (
                json!({"provider_config": {"provider": "azure"}}),
                "it is set up for OIDC logins (provider_config is set), whose secret cannot be read back and would be lost",
            ),
            (json!({"jwt_validation_pubkeys": "k1,k2"}), "its jwt_validation_pubkeys is not a list of texts"),
        ] {
            let error = StaticKeys::read(Some(&document(standing))).unwrap_err();
            assert_eq!(error.to_string(), words);
        }
    }
}
