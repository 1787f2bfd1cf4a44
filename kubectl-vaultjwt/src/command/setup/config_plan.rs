//! What becomes of a mount's configuration in `setup`.

use crate::keychain::plan::KeyListPlan;
use crate::vault::Document;

/// What will become of the mount's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigPlan {
    /// The list of keys, key by key.
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
