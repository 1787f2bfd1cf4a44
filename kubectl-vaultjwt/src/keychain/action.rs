//! What happens to a key of a mount. Pure.

use super::key::KeyId;

/// A key of the plan, with what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStep {
    /// The key's identity.
    pub id: KeyId,
    /// `kid`, where the issuer names one.
    pub kid: Option<String>,
    /// What happens.
    pub action: KeyAction,
}

/// What happens to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyAction {
    /// It is not on the mount yet and goes on.
    Add,
    /// It is on the mount under our mark.
    Keep,
    /// It is on the mount without a mark, and gets ours.
    Adopt,
    /// It is on the mount without a mark, and stays so.
    KeepUnmarked,
    /// It was retired and is published again.
    Return,
    /// It is no longer published, and is marked so.
    Retire,
    /// It is retired, and tokens it signed may still be about.
    KeepRetired,
    /// It leaves: its grace is over, or it is pruned, or stands twice.
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
        !matches!(self, Self::Keep | Self::KeepUnmarked | Self::KeepRetired | Self::Withhold | Self::Wait)
    }
}
