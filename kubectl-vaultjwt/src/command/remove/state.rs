//! What `remove` reads before it plans.

use crate::command::remove::input::Uid;
use crate::keychain::Owner;
use crate::keychain::key_id::KeyId;
use crate::vault::{Config, Document, VaultError};
use std::collections::BTreeMap;

/// Whose keys are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoveTarget {
    Owner(Owner),
    /// From flags; what is on the mount decides.
    Issuer {
        /// `--issuer`
        issuer: String,
        /// `--cluster-uid`
        uid: Option<Uid>,
    },
}

/// Everything the plan is made from.
#[derive(Debug)]
pub struct RemoveState {
    /// Whose keys are meant.
    pub target: RemoveTarget,
    /// What the cluster publishes, where it was asked.
    pub published: Vec<KeyId>,
    /// `auth/<mount>/config`
    pub config: Config,
    /// All roles by name, or why they cannot be read.
    pub roles: Result<BTreeMap<String, Document>, VaultError>,
    /// The namespace, for commands in hints.
    pub namespace: Option<String>,
}
