//! Owns one element of a mount's `jwt_validation_pubkeys`: its exact text,
//! the key in it, and whose it is.

use super::jwk::PublishedKey;
use super::key::{KeyId, PublicKey};
use super::provenance::{FAMILY, Provenance};

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
    Marked(Box<Provenance>),
}

/// One element as it stands on the mount, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The text exactly as Vault returned it, or as it will be sent.
    pub text: String,
    /// The key's identity; `None` where the text holds no key we can read
    /// (Vault also takes certificates).
    pub key: Option<KeyId>,
    /// Whose it is.
    pub mark: Mark,
}

impl Element {
    /// Takes an element of a mount apart. Never fails: what cannot be read is
    /// foreign, and stays as it is.
    pub fn read(text: &str) -> Self {
        let preamble = text.find(BEGIN).map_or("", |at| &text[..at]);
        let mark = match preamble.trim_start() {
            marked if marked.starts_with(FAMILY) => match Provenance::parse(marked) {
                Ok(provenance) => Mark::Marked(Box::new(provenance)),
                Err(why) => Mark::Unreadable(why.to_string()),
            },
            _ => Mark::None,
        };
        let key = pem::parse(text).ok().and_then(|block| PublicKey::from_spki(block.contents()).ok());
        Self { text: text.to_owned(), key: key.map(|k| k.id()), mark }
    }

    /// A new element for a key that `provenance.owner` publishes. The text is
    /// trimmed as Vault trims it, so that it reads back equal.
    pub fn write(published: &PublishedKey, provenance: &Provenance) -> Self {
        let text = provenance.to_text() + &published.key.pem();
        Self {
            text: text.trim().to_owned(),
            key: Some(published.key.id()),
            mark: Mark::Marked(Box::new(provenance.clone())),
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
