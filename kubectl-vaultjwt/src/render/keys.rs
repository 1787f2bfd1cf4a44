//! The words, and their colors, for what happens to a key.

use crate::command::report::KeyChangeReport;
use crate::keychain::action::KeyAction;
use anstyle::{AnsiColor, Style};
use shared::text::one_line;

pub const ADDED: Style = AnsiColor::Green.on_default();
pub const CHANGED: Style = AnsiColor::Yellow.on_default();
pub const GONE: Style = AnsiColor::Red.on_default();

/// What happens to a key, in its color.
pub fn line(key: &KeyChangeReport) -> String {
    let name = one_line(key.kid.as_deref().unwrap_or(&key.id));
    let style = match key.action {
        KeyAction::Add | KeyAction::Adopt | KeyAction::Return => ADDED,
        KeyAction::Retire | KeyAction::Withhold | KeyAction::Wait => CHANGED,
        KeyAction::Remove => GONE,
        KeyAction::Keep | KeyAction::KeepUnmanaged | KeyAction::KeepRetired => Style::new(),
    };
    format!("key \"{name}\" {style}{}{style:#}", what(key.action))
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
