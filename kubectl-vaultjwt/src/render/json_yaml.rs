//! Reports as documents for programs. Characters that would act on a terminal are written
//! as JSON escapes: the value stays the same.

use serde::Serialize;
use std::io;

/// JSON with a final line feed.
pub fn json(report: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string_pretty(report)?;
    let mut shown = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // serde_json escapes C0 itself; what it leaves is in strings only,
        // and in the basic plane.
        if c != '\n' && shared::text::acts(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown.push('\n');
    Ok(shown)
}

pub fn yaml(report: &impl Serialize) -> io::Result<String> {
    let text = serde_saphyr::to_string(report).map_err(io::Error::other)?;
    // YAML quotes control characters, but not what reorders text. JSON is YAML
    // too (YAML 1.2 section 1.3).
    if text.chars().any(|c| c != '\n' && shared::text::acts(c)) { json(report) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal_and_nothing_is_lost() {
        let value = serde_json::json!({"a": "\u{1b}[31m\u{9b}\u{202e}\n", "ü": "日本"});
        for text in [json(&value).unwrap(), yaml(&value).unwrap()] {
            assert!(!text.chars().any(|c| c != '\n' && shared::text::acts(c)), "{text:?}");
            assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }
}
