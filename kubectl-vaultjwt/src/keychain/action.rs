//! What happens to a key of a mount. Pure.

use crate::keychain::key_id::KeyId;

/// A key of the plan, with what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStep {
    pub id: KeyId,
    /// `kid`, where the issuer names one.
    pub kid: Option<String>,
    pub action: KeyAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyAction {
    /// It is not on the mount yet, and is added.
    Add,
    /// It is on the mount, and managed.
    Keep,
    /// It is on the mount, unmanaged, and is adopted.
    Adopt,
    /// It is on the mount, and stays unmanaged.
    #[serde(rename = "keepUnmarked")]
    KeepUnmanaged,
    /// It was retired and is published again.
    Return,
    /// It is no longer published, and is retired.
    Retire,
    /// It is retired, and tokens it signed may still be about.
    KeepRetired,
    /// It is removed: its grace expired, or it is pruned, or a duplicate.
    Remove,
    /// It is not added: another owner is known to have it, and nothing shows that
    /// this one does.
    Withhold,
    /// It is not added yet: the issuer's URL publishes it, and this cluster's API
    /// server does not. Another cluster may use the same issuer.
    Wait,
}

impl KeyAction {
    /// Whether the mount's list changes by it.
    pub fn changes(self) -> bool {
        !matches!(self, Self::Keep | Self::KeepUnmanaged | Self::KeepRetired | Self::Withhold | Self::Wait)
    }
}
