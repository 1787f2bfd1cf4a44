//! Prints a plan as unified diffs between Vault's state and the planned one, one for each
//! document, in the manner of `kubectl diff`.

use crate::command::setup::SetupReport;
use crate::vault::Document;
use crate::vault::mount::role::changed_fields;
use anstyle::{AnsiColor, Style};
use serde_json::Value;
use shared::text::one_line;
use similar::{ChangeTag, TextDiff};

/// Lines around a change.
const CONTEXT: usize = 3;

/// The differences; empty where there are none.
pub fn text(report: &SetupReport) -> String {
    let mount = &report.vault.place.mount;
    let mut text = String::new();
    if report.vault.enabled {
        text.push_str(&one(&format!("sys/auth/{mount}"), "", "type: jwt\n"));
    }
    if report.config.written {
        let before =
            report.config.before.as_ref().map(|before| lines(before, &report.config.after)).unwrap_or_default();
        let after = lines(&report.config.after, &report.config.after);
        text.push_str(&one(&format!("auth/{mount}/config"), &before, &after));
    }
    for role in report.role.iter().chain(&report.moved_roles).filter(|role| role.change.written) {
        let after = &role.change.after;
        let (before, after) = match &role.change.before {
            None => (String::new(), lines(after, after)),
            // What only differs in order is not a difference.
            Some(before) => {
                let changed = changed_fields(before, after);
                let mut shown = after.clone();
                for (field, value) in &mut shown {
                    if let (false, Some(standing)) = (changed.contains(field), before.get(field)) {
                        *value = standing.clone();
                    }
                }
                (lines(before, after), lines(&shown, after))
            }
        };
        text.push_str(&one(&format!("auth/{mount}/role/{}", role.name), &before, &after));
    }
    text
}

fn one(path: &str, before: &str, after: &str) -> String {
    const DELETED: Style = AnsiColor::Red.on_default();
    const ADDED: Style = AnsiColor::Green.on_default();
    const PLACE: Style = AnsiColor::Cyan.on_default();
    let diff = TextDiff::from_lines(before, after);
    let mut text = format!("--- {path} (in Vault)\n+++ {path} (planned)\n");
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        text.push_str(&format!("{PLACE}{}{PLACE:#}\n", hunk.header()));
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ('-', DELETED),
                ChangeTag::Insert => ('+', ADDED),
                ChangeTag::Equal => (' ', Style::new()),
            };
            let line = change.value().trim_end_matches('\n');
            text.push_str(&format!("{style}{sign}{line}{style:#}\n"));
        }
    }
    text
}

/// A document line by line, with the fields that would be sent: a key's text
/// is as it is, so that changed provenance is one changed line.
fn lines(document: &Document, sent: &Document) -> String {
    let mut text = String::new();
    for field in sent.keys() {
        let Some(value) = document.get(field) else { continue };
        match value {
            Value::Array(items) if items.iter().any(|item| item.as_str().is_some_and(|s| s.contains('\n'))) => {
                text.push_str(&format!("{field}:\n"));
                for item in items {
                    text.push_str("- |\n");
                    for line in item.as_str().unwrap_or_default().lines() {
                        text.push_str(&format!("  {}\n", one_line(line)));
                    }
                }
            }
            value => text.push_str(&format!("{field}: {}\n", one_line(&value.to_string()))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_changed_mark_is_one_changed_line() {
        let document = |retired: &str| {
            let keys = json!([format!("vaultjwt/v2\nissuer: i\n{retired}-----BEGIN\nAA\n-----END")]);
            json!({"bound_issuer": "", "jwt_validation_pubkeys": keys}).as_object().cloned().unwrap()
        };
        let (before, after) = (document(""), document("retired: \u{1b}now\n"));
        let text = one("auth/jwt/config", &lines(&before, &after), &lines(&after, &after));
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "--- auth/jwt/config (in Vault)\n+++ auth/jwt/config (planned)\n@@ -3,6 +3,7 @@\n - |\n   vaultjwt/v2\n   issuer: i\n\
             +  retired: \\u{1b}now\n   -----BEGIN\n   AA\n   -----END\n"
        );
    }
}
