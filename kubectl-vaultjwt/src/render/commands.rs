//! Prints the plan as vault CLI commands that can be pasted into a shell. They stop where
//! Vault no longer holds what the plan was based on, since a write replaces the whole
//! configuration and would undo a concurrent change.

use crate::command::report::ChangeReport;
use crate::command::setup::SetupReport;
use crate::render::go_json;
use crate::shell::quoted;
use crate::vault::Document;
use serde_json::Value;

/// Ends a here-document. No JSON text has a line that begins so.
const END: &str = "VAULTJWT_END";

/// Which settings the user named in the call. They hold for the commands too;
/// others give way to those of the shell that the commands are pasted into.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExplicitFlags {
    /// `--vault-addr`
    pub address: bool,
    /// `--vault-namespace`
    pub namespace: bool,
}

/// The commands. Notes are arguments of `:` and not comments, because an
/// interactive zsh has no comments; untrusted text is inside [`quoted`] only.
pub fn setup(report: &SetupReport, given: &ExplicitFlags) -> String {
    let mount = &report.vault.place.mount;
    if !report.changed {
        return format!(": {}\n", quoted(&format!("nothing to change on auth mount {mount}/")));
    }
    let mut script = header(report, given);
    if report.vault.enabled {
        script.push_str(&format!(
            "\nmounts=$(\"$vault\" auth list -format=json)\n\
             case $mounts in *'\"{mount}/\": {{'*) changed 'auth mount {mount}/' ;; esac\n\
             \"$vault\" auth enable -path={mount} jwt\n"
        ));
    } else {
        script.push_str(&guard(&format!("auth/{mount}/config"), report.config.before.as_ref()));
    }
    let roles = || report.role.iter().chain(&report.moved_roles).filter(|role| role.change.written);
    // All guards come before the first write: half a plan is of no use.
    for role in roles().filter(|_| !report.vault.enabled) {
        script.push_str(&guard(&format!("auth/{mount}/role/{}", role.name), role.change.before.as_ref()));
    }
    if report.config.written {
        script.push_str(&write(&format!("auth/{mount}/config"), &report.config));
    }
    for role in roles() {
        script.push_str(&write(&format!("auth/{mount}/role/{}", role.name), &role.change));
    }
    script.push_str(")\n");
    script
}

fn header(report: &SetupReport, given: &ExplicitFlags) -> String {
    let setting = |name: &str, value: &str, given: bool| {
        let value = quoted(value);
        if given {
            format!("export {name}={value}\n")
        } else {
            format!("[ -n \"${{{name}:-}}\" ] || {name}={value}; export {name}\n")
        }
    };
    let mut settings = setting("VAULT_ADDR", &report.vault.place.address, given.address);
    if let Some(namespace) = &report.vault.place.namespace {
        settings.push_str(&setting("VAULT_NAMESPACE", namespace, given.namespace));
    }
    if given.address {
        // The bao CLI prefers its own names, even when they are empty.
        settings.push_str("unset BAO_ADDR\n");
    }
    if given.namespace {
        settings.push_str("unset BAO_NAMESPACE\n");
    }
    let note = format!(
        "Puts the keys of issuer {} on auth mount {}/. Made by kubectl vaultjwt setup from the Vault at {}. \
         Needs the vault or bao CLI, logged in; stops where Vault no longer holds what this was made from.",
        report.owner.issuer, report.vault.place.mount, report.vault.place.address
    );
    format!(
        "(
: {note}
set -eu
{settings}if command -v vault >/dev/null; then vault=vault; else vault=bao; fi
echo \"on ${{BAO_ADDR:-$VAULT_ADDR}}\" >&2
changed() {{
  echo \"error: $1 is not what it was when these commands were made\" >&2
  echo 'hint: make them again, with the same call' >&2
  exit 1
}}
now() {{
  if found=$(\"$vault\" read -format=json \"$1\" 2>&1); then
    printf '%s\\n' \"$found\" | sed -n '/^  \"data\": {{/,/^  }}/p' | sed '$s/,$//'
  else
    case $found in
      'No value found at '*) ;;
      *) printf '%s\\n' \"$found\" >&2; return 1 ;;
    esac
  fi
}}
",
        note = quoted(&note),
    )
}

/// Compares what is at `path` now with what was there. A read that fails stops
/// the script: it must not pass for "nothing there".
fn guard(path: &str, before: Option<&Document>) -> String {
    let Some(before) = before else {
        return format!("\nhere=$(now {path})\ntest -z \"$here\" || changed {path}\n");
    };
    let expected = format!("  \"data\": {}", go_json::nested(&Value::Object(before.clone()), 1));
    format!(
        "\nhere=$(now {path})\nthere=$(cat <<'{END}'\n{expected}\n{END}\n)\ntest \"$here\" = \"$there\" || changed {path}\n"
    )
}

fn write(path: &str, change: &ChangeReport) -> String {
    let document = go_json::nested(&Value::Object(change.after.clone()), 0);
    format!("\n\"$vault\" write {path} - <<'{END}'\n{document}\n{END}\n")
}
