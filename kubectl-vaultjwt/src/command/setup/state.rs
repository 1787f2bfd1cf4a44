//! What is on the mount before `setup` changes it.

use crate::command::mount::{self, Roles};
use crate::command::setup::source;
use crate::issuer::resolved::Resolved;
use crate::keychain::Owner;
use crate::keychain::element::MountKey;
use crate::keychain::transfer::transferred;
use crate::vault::{Config, Document};

/// Mounts that serve JWT logins, by the type Vault lists.
pub const JWT: &str = "jwt";

/// What is at the mount path.
#[derive(Clone, Debug, PartialEq)]
pub enum MountState {
    Missing,
    /// A JWT auth mount.
    Jwt(Box<Jwt>),
}

impl MountState {
    /// Whether keys of this cluster are on it, or fetched by it.
    pub fn enrolled(&self, cluster: &Resolved) -> bool {
        match self {
            Self::Missing => false,
            Self::Jwt(jwt) => enrolled(jwt.config.document.as_ref(), cluster, jwt.from.as_ref()),
        }
    }
}

/// A JWT auth mount as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    /// `auth/<mount>/config`
    pub config: Config,
    /// `auth/<mount>/role/<name>` of the role that was asked for.
    pub role: Option<Document>,
    /// All roles, where this cluster would be new to the mount, or its issuer changes.
    pub roles: Roles,
    /// The owner whose keys become this cluster's.
    pub from: Option<Owner>,
}

impl Default for Jwt {
    fn default() -> Self {
        Self { config: Config::default(), role: None, roles: Roles::NotRead, from: None }
    }
}

pub fn enrolled(document: Option<&Document>, cluster: &Resolved, from: Option<&Owner>) -> bool {
    let is_ours = |key: &MountKey| key.is_of(&cluster.owner) || from.is_some_and(|from| key.is_of(from));
    mount::elements(document).iter().any(is_ours) || source::fetches(document, cluster)
}

/// The keys on the mount, with those of `from` as this cluster's.
pub fn as_of(cluster: &Resolved, standing: Vec<MountKey>, from: Option<&Owner>) -> Vec<MountKey> {
    match from {
        Some(from) => transferred(&standing, from, &cluster.owner),
        None => standing,
    }
}
