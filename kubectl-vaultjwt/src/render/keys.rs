//! The words, and their colors, for what happens to a key.

use crate::keychain::action::KeyAction;
use anstyle::{AnsiColor, Style};

pub const ADDED: Style = AnsiColor::Green.on_default();
pub const CHANGED: Style = AnsiColor::Yellow.on_default();
pub const GONE: Style = AnsiColor::Red.on_default();

/// The same as [`what`], in its color.
pub fn painted(action: KeyAction) -> String {
    let style = match action {
        KeyAction::Add | KeyAction::Adopt | KeyAction::Return => ADDED,
        KeyAction::Retire => CHANGED,
        KeyAction::Remove => GONE,
        KeyAction::Keep | KeyAction::KeepUnmanaged | KeyAction::KeepRetired => Style::new(),
        KeyAction::Withhold | KeyAction::Wait => CHANGED,
    };
    format!("{style}{}{style:#}", what(action))
}

/// A participle, as kubectl says what it did.
pub fn what(action: KeyAction) -> &'static str {
    match action {
        KeyAction::Add => "added",
        KeyAction::Keep => "unchanged",
        KeyAction::Adopt => "adopted",
        KeyAction::KeepUnmanaged => "unchanged, without a mark",
        KeyAction::Return => "published again",
        KeyAction::Retire => "retired, no longer published",
        KeyAction::KeepRetired => "unchanged, no longer published",
        KeyAction::Remove => "removed",
        KeyAction::Withhold => "not added, another cluster has it",
        KeyAction::Wait => "not added, not verified with the API server's key set",
    }
}
