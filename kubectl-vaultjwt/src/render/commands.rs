//! Owns the plan as vault CLI commands that can be pasted into a shell. They
//! stop where Vault no longer holds what the plan was made from, since a
//! write replaces the whole configuration and would undo somebody's change.

use super::gojson;
use crate::command::setup::SetupReport;
use crate::command::setup::report::ChangeReport;
use crate::vault::Document;
use serde_json::Value;
use shared::text::one_line;

/// Ends a here-document. No JSON text has a line that begins so.
const END: &str = "VAULTJWT_END";

/// The commands.
pub fn setup(report: &SetupReport) -> String {
    let mount = &report.vault.mount;
    if !report.changed {
        return format!("# nothing to change on auth mount {mount}/\n");
    }
    let mut script = header(report);
    if report.vault.enabled {
        script.push_str(&format!(
            "\n# the mount was not there\n\
             if \"$vault\" auth list -format=json | grep '^  \"{mount}/\": {{' >/dev/null; then changed '{mount}/'; fi\n\
             \"$vault\" auth enable -path={mount} jwt\n"
        ));
    } else {
        script.push_str(&guard(&format!("auth/{mount}/config"), report.config.before.as_ref()));
    }
    let role = report.role.as_ref().filter(|role| role.change.written);
    // Both guards stand before the first write: half a plan helps nobody.
    if let Some(role) = role.filter(|_| !report.vault.enabled) {
        script.push_str(&guard(&format!("auth/{mount}/role/{}", role.name), role.change.before.as_ref()));
    }
    if report.config.written {
        script.push_str(&write(&format!("auth/{mount}/config"), &report.config));
    }
    if let Some(role) = role {
        script.push_str(&write(&format!("auth/{mount}/role/{}", role.name), &role.change));
    }
    script.push_str(")\n");
    script
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn header(report: &SetupReport) -> String {
    // The shell's own Vault is the one meant, as with every vault command;
    // the one of the plan stands in where the shell names none.
    let default =
        |name: &str, value: &str| format!("[ -n \"${{{name}:-}}\" ] || {name}={}; export {name}\n", word(value));
    let mut settings = default("VAULT_ADDR", &report.vault.address);
    if let Some(namespace) = &report.vault.namespace {
        settings.push_str(&default("VAULT_NAMESPACE", namespace));
    }
    format!(
        "# Puts the keys of issuer {} on auth mount {}/.
# Made by: kubectl vaultjwt setup --dry-run=client -o commands
# from the Vault at {}.
# Needs the vault or bao CLI, logged in. Stops where Vault no longer holds
# what this was made from.
(
set -eu
{settings}vault=$(command -v vault || command -v bao) || {{ echo \"error: neither vault nor bao is in PATH\" >&2; exit 1; }}
changed() {{
  echo \"error: $1 is not what it was when these commands were made\" >&2
  echo \"hint: make them again: kubectl vaultjwt setup --dry-run=client -o commands\" >&2
  exit 1
}}
now() {{ \"$vault\" read -format=json \"$1\" 2>/dev/null | sed -n '/^  \"data\": {{/,/^  }}/p' | sed '$s/,$//'; }}
",
        one_line(&report.owner.issuer),
        report.vault.mount,
        one_line(&report.vault.address),
    )
}

/// Compares what is at `path` now with what was there.
fn guard(path: &str, before: Option<&Document>) -> String {
    let Some(before) = before else {
        return format!("\n# {path} was empty\ntest -z \"$(now {path})\" || changed {path}\n");
    };
    let expected = format!("  \"data\": {}", gojson::nested(&Value::Object(before.clone()), 1));
    format!(
        "\n# {path} as it was\ntest \"$(now {path})\" = \"$(cat <<'{END}'\n{expected}\n{END}\n)\" || changed {path}\n"
    )
}

fn write(path: &str, change: &ChangeReport) -> String {
    let document = gojson::nested(&Value::Object(change.after.clone()), 0);
    format!("\n\"$vault\" write {path} - <<'{END}'\n{document}\n{END}\n")
}
