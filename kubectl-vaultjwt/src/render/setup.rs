//! The text form of `setup`'s report on stdout: the plan of a dry run in kubectl's manner,
//! else the pod snippet.

use crate::command::mount::error::naming_flags;
use crate::command::setup::SetupReport;
use crate::issuer::rotation_policy::Rotation;
use crate::keychain::freshness::Freshness;
use crate::render::keys::{self, ADDED, CHANGED};
use crate::shell::word;
use crate::vault::Document;
use crate::vault::mount::config::{KEYS, differing};
use crate::vault::mount::role::changed_fields;
use anstyle::Style;
use serde_json::Value;
use shared::text::one_line;

/// What has to be done so that the keys stay current, where that is known: a warning, and the
/// command.
pub fn fresh(report: &SetupReport, context: Option<&str>, mount: &str) -> Option<(String, String)> {
    // Until something has come back for them.
    let alone = matches!(report.freshness, Some(Freshness::Nothing { .. }));
    keep_fresh(report.rotation.filter(|_| alone), context, mount)
}

/// What is left to do when a cluster's issuer changed.
pub fn moved(report: &SetupReport) -> Option<String> {
    let from = report.moved_from.as_ref().filter(|from| !report.dry_run && from.issuer != report.owner.issuer)?;
    let mount = word(&report.vault.place.mount);
    Some(format!(
        "hint: when no token of the old issuer is in use any more, remove the issuer from the roles; roles that accept it alone are deleted: kubectl vaultjwt remove --mount {mount} {} --roles --dry-run=client",
        naming_flags(from)
    ))
}

fn keep_fresh(rotation: Option<Rotation>, context: Option<&str>, mount: &str) -> Option<(String, String)> {
    let context = context.map(|name| format!(" --context {}", word(name))).unwrap_or_default();
    let command = format!(
        "hint: keep it fresh: kubectl vaultjwt sync --watch{context} --mount {}; or let Vault fetch the keys itself: setup --keys=jwks-url --convert-keys",
        word(mount)
    );
    rotation.map(|rotation| (rotation.to_string(), command))
}

/// What a dry run would do.
pub fn plan(report: &SetupReport) -> String {
    let mount = &report.vault.place.mount;
    let mut lines = Vec::new();
    if report.vault.enabled {
        lines.push(format!("auth mount \"{mount}/\" {ADDED}enabled{ADDED:#} (dry run)"));
    }
    if let Some(from) = &report.moved_from {
        lines.push(format!("keys of {from} {CHANGED}become keys of {}{CHANGED:#} (dry run)", report.owner));
    }
    lines.extend(report.keys.iter().map(|key| format!("{} (dry run)", keys::line(key))));
    if report.config.written {
        let before = report.config.before.clone().unwrap_or_default();
        let fields = differing(&before, &report.config.after).into_iter().filter(|field| field != KEYS);
        lines.extend(fields.map(|field| changed("config", &field, &before, &report.config.after)));
    }
    for role in report.role.iter().chain(&report.moved_roles) {
        let (verb, style) = match (role.change.written, &role.change.before) {
            (false, _) => ("unchanged", Style::new()),
            (true, None) => ("created", ADDED),
            (true, Some(_)) => ("changed", CHANGED),
        };
        lines.push(format!("role \"{}\" {style}{verb}{style:#} (dry run)", role.name));
        if let (true, None) = (role.change.written, &role.change.before) {
            lines.push(format!("  service accounts: {}", role.service_accounts.join(", ")));
            for (name, field) in [("audiences", "bound_audiences"), ("policies", "token_policies")] {
                let values = role.change.after.get(field).and_then(|v| v.as_array()).cloned().unwrap_or_default();
                let values: Vec<String> = values.iter().filter_map(Value::as_str).map(one_line).collect();
                lines.push(format!("  {name}: {}", values.join(", ")));
            }
            for (name, field) in [("lease", "token_ttl"), ("longest lease", "token_max_ttl")] {
                let seconds = role.change.after.get(field).and_then(Value::as_u64).unwrap_or_default();
                lines.push(format!("  {name}: {}", shared::duration::short(std::time::Duration::from_secs(seconds))));
            }
        } else if role.change.written {
            let before = role.change.before.clone().unwrap_or_default();
            let fields = changed_fields(&before, &role.change.after).into_iter();
            lines.extend(fields.map(|field| changed("role", &field, &before, &role.change.after)));
        }
    }
    if !report.changed {
        lines.push("nothing to change (dry run)".to_owned());
    }
    lines.join("\n") + "\n"
}

/// A field of a document, before and after.
fn changed(what: &str, field: &str, before: &Document, after: &Document) -> String {
    let shown = |document: &Document| match document.get(field) {
        None | Some(Value::Null) => "<unset>".to_owned(),
        Some(value) => one_line(&value.to_string()),
    };
    format!("{what} {field}: {} -> {}", shown(before), shown(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_do_not_last_are_told_with_the_command_that_keeps_them_fresh() {
        let eks = Some(Rotation { by: "EKS", every_days: Some(7) });
        assert_eq!(
            keep_fresh(eks, Some("my prod"), "k8s/a"),
            Some((
                "EKS replaces this cluster's signing key every 7 days, and no pod can log in until the new one is here"
                    .to_owned(),
                "hint: keep it fresh: kubectl vaultjwt sync --watch --context 'my prod' --mount k8s/a; or let Vault fetch the keys itself: setup --keys=jwks-url --convert-keys".to_owned()
            ))
        );
        let in_a_pod = keep_fresh(eks, None, "jwt").map(|(_, hint)| hint);
        assert_eq!(
            in_a_pod.as_deref(),
            Some(
                "hint: keep it fresh: kubectl vaultjwt sync --watch --mount jwt; or let Vault fetch the keys itself: setup --keys=jwks-url --convert-keys"
            )
        );
        assert_eq!(keep_fresh(None, Some("kind"), "jwt"), None);
    }
}
