//! Owns one element of a mount's `jwt_validation_pubkeys`: its exact text,
//! the key in it, and whose it is.

use super::Owner;
use super::authority::Authority;
use super::jwk::PublishedKey;
use super::key::{KeyId, PublicKey};
use super::provenance::{FAMILY, Provenance};
use std::sync::Arc;

/// Where the PEM block begins (RFC 7468 section 2).
const BEGIN: &str = "-----BEGIN ";

/// Whose an element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No mark of ours: put there by hand or by another tool.
    None,
    /// A mark that cannot be read (another version, or damaged). Never
    /// touched: it may belong to anybody.
    Unreadable(String),
    /// A mark of ours.
    Marked(Arc<Provenance>),
}

/// One element as it stands on the mount, byte for byte. Cheap to clone: a run
/// over hundreds of clusters plans each of them on a list of hundreds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The text exactly as Vault returned it, or as it will be sent.
    pub text: Arc<str>,
    /// The key; `None` where the text holds no key we can read (Vault also
    /// takes certificates).
    pub key: Option<Arc<PublicKey>>,
    /// Whose it is.
    pub mark: Mark,
}

impl Element {
    /// Takes an element of a mount apart. Never fails: what cannot be read is
    /// foreign, and stays as it is.
    pub fn read(text: &str) -> Self {
        let preamble = text.find(BEGIN).map_or("", |at| &text[..at]);
        let key = pem::parse(text).ok().and_then(|block| PublicKey::from_spki(block.contents()).ok());
        let mark = match preamble.trim_start() {
            marked if marked.starts_with(FAMILY) => match Provenance::parse(marked) {
                // A mark without a key that can be told is nobody's to manage.
                Ok(_) if key.is_none() => Mark::Unreadable("no key that can be read follows it".to_owned()),
                Ok(provenance) => Mark::Marked(Arc::new(provenance)),
                Err(why) => Mark::Unreadable(why.to_string()),
            },
            _ => Mark::None,
        };
        Self { text: text.into(), key: key.map(Arc::new), mark }
    }

    /// A new element for a key that `provenance.owner` publishes. The text is
    /// trimmed as Vault trims it, so that it reads back equal.
    pub fn write(published: &PublishedKey, provenance: &Provenance) -> Self {
        Self::marked(Arc::new(published.key.clone()), provenance.clone())
    }

    fn marked(key: Arc<PublicKey>, provenance: Provenance) -> Self {
        let text = provenance.to_text() + &key.pem();
        Self { text: text.trim().into(), key: Some(key), mark: Mark::Marked(Arc::new(provenance)) }
    }

    /// The same key with another mark; an element without a mark stays as it is.
    pub fn remarked(&self, change: impl FnOnce(&mut Provenance)) -> Self {
        match (&self.mark, &self.key) {
            (Mark::Marked(provenance), Some(key)) => {
                let mut provenance = provenance.as_ref().clone();
                change(&mut provenance);
                Self::marked(key.clone(), provenance)
            }
            _ => self.clone(),
        }
    }

    /// The key's identity, where it can be read.
    pub fn id(&self) -> Option<KeyId> {
        self.key.as_ref().map(|key| key.id())
    }

    /// Whether it is marked as `owner`'s.
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.provenance().is_some_and(|provenance| provenance.owner == *owner)
    }

    /// The algorithms its tokens may carry; `None` where that is not known.
    pub fn algorithms(&self) -> Option<Vec<String>> {
        let key = self.key.as_ref()?;
        match self.provenance() {
            Some(mark) if !mark.alg.is_empty() => Some(vec![mark.alg.clone()]),
            _ => Some(key.algorithms().iter().map(|alg| (*alg).to_owned()).collect()),
        }
    }

    /// The provenance, where there is one.
    pub fn provenance(&self) -> Option<&Provenance> {
        match &self.mark {
            Mark::Marked(provenance) => Some(provenance),
            Mark::None | Mark::Unreadable(_) => None,
        }
    }
}

/// The ways recorded for an owner: the union over its keys, in order.
pub fn authorities(elements: &[Element], owner: &Owner) -> Vec<Authority> {
    let mut all = Vec::new();
    for provenance in elements.iter().filter_map(Element::provenance).filter(|mark| mark.owner == *owner) {
        for authority in &provenance.authorities {
            if !all.contains(authority) {
                all.push(authority.clone());
            }
        }
    }
    all
}
