//! The text forms of `remove`: what was removed, in kubectl's manner, and a note about
//! Vault tokens that are still valid.

use crate::command::remove::RemoveReport;
use crate::command::remove::authority::AuthorityReport;
use crate::render::keys::{self, CHANGED, GONE};
use crate::vault::mount::config::{KEYS, differing};
use serde_json::Value;
use shared::text::one_line;

/// One line for each thing that is, or would be, taken away.
pub fn text(report: &RemoveReport) -> String {
    let mark = if report.dry_run { " (dry run)" } else { "" };
    let mut lines = Vec::new();
    lines.extend(report.keys.iter().map(|key| format!("{}{mark}", keys::line(key))));
    if report.dry_run {
        let before = report.config.before.clone().unwrap_or_default();
        let shown = |value: Option<&Value>| value.map_or_else(|| "<unset>".to_owned(), |v| one_line(&v.to_string()));
        for field in differing(&before, &report.config.after).iter().filter(|field| *field != KEYS) {
            let (old, new) = (before.get(field), report.config.after.get(field));
            lines.push(format!("config {field}: {} -> {}", shown(old), shown(new)));
        }
    }
    for role in &report.roles.deleted {
        lines.push(format!("role \"{}\" {GONE}deleted{GONE:#}{mark}", one_line(&role.name)));
    }
    for role in &report.roles.changed {
        lines.push(format!(
            "role \"{}\" {CHANGED}changed{CHANGED:#}: issuer \"{}\" removed{mark}",
            one_line(&role.name),
            one_line(&report.owner.issuer)
        ));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The way that is, or would be, dropped.
pub fn authority(report: &AuthorityReport) -> String {
    let mark = if report.dry_run { " (dry run)" } else { "" };
    format!("authority \"{}\" {GONE}removed{GONE:#}{mark}\n", one_line(&report.authority))
}

/// What becomes of Vault tokens that the owner's pods hold.
pub fn leases(report: &RemoveReport) -> Vec<String> {
    if report.keys.is_empty() && report.roles.deleted.is_empty() {
        return Vec::new();
    }
    let also = match &report.leases.also[..] {
        [] => String::new(),
        others => format!(", those of {} too", others.join(", ")),
    };
    vec![
        format!("Vault tokens that pods of {} hold live until their leases end. To revoke them now:", report.owner),
        format!("  {}", report.leases.command),
        format!("It revokes every Vault token that \"{}/\" issued{also}.", report.vault.mount),
    ]
}

#[cfg(test)]
mod tests;
