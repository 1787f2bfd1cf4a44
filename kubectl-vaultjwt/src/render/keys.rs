//! Owns the words for what happens to a key.

use crate::keychain::plan::KeyAction;

/// A participle, as kubectl says what it did.
pub fn what(action: KeyAction) -> &'static str {
    match action {
        KeyAction::Add => "added",
        KeyAction::Keep => "unchanged",
        KeyAction::Adopt => "adopted",
        KeyAction::KeepUnmarked => "unchanged, without a mark",
        KeyAction::Return => "published again",
        KeyAction::Retire => "retired, no longer published",
        KeyAction::KeepRetired => "unchanged, no longer published",
        KeyAction::Remove => "removed",
    }
}
