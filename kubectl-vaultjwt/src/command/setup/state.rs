//! What is on the mount before `setup` changes it, and what becomes of its configuration.

use crate::command::mount::{self, Roles};
use crate::issuer::resolved::Resolved;
use crate::keychain::Owner;
use crate::keychain::element::MountKey;
use crate::keychain::plan::KeyListPlan;
use crate::keychain::transfer::transferred;
use crate::vault::mount::key_source::MountKeySource;
use crate::vault::{Config, Document};

/// What is at the mount path; a mount that does not exist has neither keys nor roles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MountState {
    pub exists: bool,
    /// `auth/<mount>/config`
    pub config: Config,
    /// `auth/<mount>/role/<name>` of the role that was asked for.
    pub role: Option<Document>,
    /// All roles, where this cluster would be new to the mount, or its issuer changes.
    pub roles: Roles,
    /// The owner whose keys become this cluster's.
    pub from: Option<Owner>,
}

impl MountState {
    /// Whether keys of this cluster are on it, or fetched by it.
    pub fn enrolled(&self, cluster: &Resolved) -> bool {
        enrolled(self.config.document.as_ref(), cluster, self.from.as_ref())
    }
}

pub fn enrolled(document: Option<&Document>, cluster: &Resolved, from: Option<&Owner>) -> bool {
    let is_ours = |key: &MountKey| key.is_of(&cluster.owner) || from.is_some_and(|from| key.is_of(from));
    mount::elements(document).iter().any(is_ours) || fetches(document, cluster)
}

/// Whether `document` fetches this cluster's keys: from the site that they were read at.
/// That two clusters have the same issuer string says nothing.
pub fn fetches(document: Option<&Document>, cluster: &Resolved) -> bool {
    match MountKeySource::of(document) {
        MountKeySource::Static => false,
        MountKeySource::OidcDiscovery(place) => place.url == cluster.owner.issuer && cluster.keys_url.is_some(),
        source => source.urls().iter().any(|url| Some(*url) == cluster.keys_url.as_deref()),
    }
}

/// The keys on the mount, with those of `from` as this cluster's.
pub fn as_of(cluster: &Resolved, standing: Vec<MountKey>, from: Option<&Owner>) -> Vec<MountKey> {
    match from {
        Some(from) => transferred(&standing, from, &cluster.owner),
        None => standing,
    }
}

/// What becomes of the mount's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigPlan {
    pub key_list: KeyListPlan,
    pub document: Document,
    /// How many keys are on the mount then.
    pub keys: usize,
    /// Whether the mount serves others too.
    pub shared: bool,
    pub write: bool,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
}
