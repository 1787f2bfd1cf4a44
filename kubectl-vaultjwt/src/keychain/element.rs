//! One element of a mount's `jwt_validation_pubkeys`: its exact text, the key in it, and
//! its owner.

use crate::keychain::Owner;
use crate::keychain::authority::Authority;
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key::PublicKey;
use crate::keychain::key_id::KeyId;
use crate::keychain::provenance::{FAMILY, Provenance};
use std::sync::Arc;

/// Where the PEM block begins (RFC 7468 section 2).
const BEGIN: &str = "-----BEGIN ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Management {
    /// No provenance: added by hand or by another tool.
    Unmanaged,
    /// Provenance that cannot be read (another version, or damaged). Never
    /// touched: it may belong to another tool.
    Unreadable(String),
    /// Readable provenance.
    Managed(Arc<Provenance>),
}

/// One element as it is on the mount, byte for byte. Cheap to clone: a run
/// over hundreds of clusters plans each of them on a list of hundreds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountKey {
    /// The text exactly as Vault returned it, or as it will be sent.
    pub text: Arc<str>,
    /// The key; `None` where the text holds no readable key (Vault also takes certificates).
    pub key: Option<Arc<PublicKey>>,
    pub management: Management,
}

impl MountKey {
    /// Parses an element of a mount. Never fails: what cannot be read is unmanaged, and stays
    /// as it is.
    pub fn read(text: &str) -> Self {
        let preamble = text.find(BEGIN).map_or("", |at| &text[..at]);
        let key = pem::parse(text).ok().and_then(|block| PublicKey::from_spki(block.contents()).ok());
        let management = match preamble.trim_start() {
            managed if managed.starts_with(FAMILY) => match Provenance::parse(managed) {
                // Provenance without a readable key: nothing to manage.
                Ok(_) if key.is_none() => Management::Unreadable("no key that can be read follows it".to_owned()),
                Ok(provenance) => Management::Managed(Arc::new(provenance)),
                Err(why) => Management::Unreadable(why.to_string()),
            },
            _ => Management::Unmanaged,
        };
        Self { text: text.into(), key: key.map(Arc::new), management }
    }

    /// A new element for a key that `provenance.owner` publishes. The text is
    /// trimmed as Vault trims it, so that it reads back equal.
    pub fn write(published: &PublishedKey, provenance: &Provenance) -> Self {
        Self::managed(Arc::new(published.key.clone()), provenance.clone())
    }

    fn managed(key: Arc<PublicKey>, provenance: Provenance) -> Self {
        let text = provenance.to_text() + &key.pem();
        Self { text: text.trim().into(), key: Some(key), management: Management::Managed(Arc::new(provenance)) }
    }

    /// The same key with other provenance; an unmanaged element stays as it is.
    pub fn remarked(&self, change: impl FnOnce(&mut Provenance)) -> Self {
        match (&self.management, &self.key) {
            (Management::Managed(provenance), Some(key)) => {
                let mut provenance = provenance.as_ref().clone();
                change(&mut provenance);
                Self::managed(key.clone(), provenance)
            }
            _ => self.clone(),
        }
    }

    /// The key's identity, where it can be read.
    pub fn id(&self) -> Option<KeyId> {
        self.key.as_ref().map(|key| key.id())
    }

    /// Whether its provenance names `owner`.
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.provenance().is_some_and(|provenance| provenance.owner == *owner)
    }

    /// The algorithms its tokens may carry; `None` where that is not known.
    pub fn algorithms(&self) -> Option<Vec<String>> {
        let alg = self.provenance().map(|mark| mark.alg.as_str()).filter(|alg| !alg.is_empty());
        Some(self.key.as_ref()?.algorithms(alg))
    }

    /// `kid` in its provenance.
    pub(super) fn kid(&self) -> Option<String> {
        self.provenance().and_then(Provenance::kid)
    }

    pub fn provenance(&self) -> Option<&Provenance> {
        match &self.management {
            Management::Managed(provenance) => Some(provenance),
            Management::Unmanaged | Management::Unreadable(_) => None,
        }
    }
}

/// The provenance of each of an owner's keys.
pub(super) fn provenance_of<'e>(elements: &'e [MountKey], owner: &Owner) -> impl Iterator<Item = &'e Provenance> {
    elements.iter().filter_map(MountKey::provenance).filter(move |mark| mark.owner == *owner)
}

/// The ways recorded for an owner.
pub fn authorities(elements: &[MountKey], owner: &Owner) -> Vec<Authority> {
    union(provenance_of(elements, owner).flat_map(|mark| &mark.authorities))
}

/// The issuers that an owner's cluster had before, as far as its keys say.
pub fn previous_issuers(elements: &[MountKey], owner: &Owner) -> Vec<String> {
    union(provenance_of(elements, owner).flat_map(|mark| &mark.previous_issuers))
}

/// Each once, in order.
fn union<'e, T: PartialEq + Clone + 'e>(items: impl Iterator<Item = &'e T>) -> Vec<T> {
    let mut all = Vec::new();
    for item in items {
        if !all.contains(item) {
            all.push(item.clone());
        }
    }
    all
}
