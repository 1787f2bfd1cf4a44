//! Help and usage errors of the programs, word for word, compared with the files in
//! `tests/texts`. `UPDATE_TEXTS=1 cargo test -p tests --test e2e texts` rewrites the files.

use harness::artifacts;
use harness::process::{Scratch, clean_environment};
use std::fs;
use std::path::Path;
use std::process::Command;

#[track_caller]
fn is_as_written(program: &Path, words: &[&str], code: i32, file: &str) {
    let home = Scratch::new("texts").expect("a folder is made");
    let mut command = Command::new(program);
    clean_environment(&mut command, home.path(), &[]);
    // Help fits 80 columns on any terminal.
    let output = command.args(words).env("COLUMNS", "100").output().expect("the program runs");
    assert_eq!(output.status.code(), Some(code), "{words:?}");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    let path = harness::workspace::root().join("tests/texts").join(file);
    if std::env::var_os("UPDATE_TEXTS").is_some() {
        fs::write(&path, &said).expect("the text is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said, written, "{}", path.display());
}

#[test]
fn the_plugin() {
    let plugin = artifacts::plugin().expect("the plugin is built");
    // Bare, it prints help and ends well: that is what people try first.
    for (words, code, file) in [
        (&[][..], 0, "kubectl-vaultjwt.txt"),
        (&["--help"], 0, "kubectl-vaultjwt-help.txt"),
        (&["status", "-o", "csv"], 2, "kubectl-vaultjwt-status-bad-output.txt"),
        (&["remove", "--issuer", "https://a", "--context", "b"], 2, "kubectl-vaultjwt-remove-issuer-and-context.txt"),
        (&["completion", "--help"], 0, "kubectl-vaultjwt-completion-help.txt"),
        (&["completion", "tcsh"], 2, "kubectl-vaultjwt-completion-bad-shell.txt"),
        (&["version"], 0, "kubectl-vaultjwt-version.txt"),
        (&["setup", "--role", "app", "--service-account", "shop:app"], 2, "kubectl-vaultjwt-setup-no-policy.txt"),
        (&["setup", "--service-account", "shop"], 2, "kubectl-vaultjwt-setup-bad-service-account.txt"),
        (&["setup", "--dry-run=server"], 2, "kubectl-vaultjwt-setup-dry-run-server.txt"),
        (&["issuer", "-o", "name"], 2, "kubectl-vaultjwt-issuer-bad-output.txt"),
        (&["sync", "--watch", "--enroll"], 2, "kubectl-vaultjwt-sync-watch-enroll.txt"),
        (&["sync", "--interval", "1s"], 2, "kubectl-vaultjwt-sync-interval-alone.txt"),
        (&["sync", "--watch", "--interval", "10ms"], 2, "kubectl-vaultjwt-sync-bad-interval.txt"),
        (&["sync", "--watch", "--auth-fallback", "role=a"], 2, "kubectl-vaultjwt-sync-bad-fallback.txt"),
        (&["synch"], 2, "kubectl-vaultjwt-unknown-command.txt"),
        (&["sync", "--contexts", "a,b", "--all-contexts"], 2, "kubectl-vaultjwt-sync-contexts-twice.txt"),
        (&["sync", "-o", "name"], 2, "kubectl-vaultjwt-sync-bad-output.txt"),
        (&["sync", "--grace", "soon"], 2, "kubectl-vaultjwt-sync-bad-grace.txt"),
    ] {
        is_as_written(&plugin, words, code, file);
    }
}

#[test]
fn the_help_of_every_command() {
    let plugin = artifacts::plugin().expect("the plugin is built");
    for command in crate::interface::examples::commands() {
        let file = format!("kubectl-vaultjwt-{command}-help.txt");
        is_as_written(&plugin, &[&command, "--help"], 0, &file);
        // One help, as kubectl has it.
        is_as_written(&plugin, &[&command, "-h"], 0, &file);
        is_as_written(&plugin, &["help", &command], 0, &file);
    }
}

#[test]
fn the_pod_program() {
    let pod = artifacts::pod_binary().expect("the pod binary is built").path;
    for (words, code, file) in [
        (&["--help"][..], 0, "vault-jwt-login-help.txt"),
        (&["--version"], 0, "vault-jwt-login-version.txt"),
        (&["--rolle", "app"], 64, "vault-jwt-login-unknown-flag.txt"),
        (&["--mode", "640"], 64, "vault-jwt-login-bad-mode.txt"),
        (&["--jwt-file", "/nonexistent/jwt", "--token-file", "/tmp/token"], 66, "vault-jwt-login-no-jwt.txt"),
    ] {
        is_as_written(&pod, words, code, file);
    }
}
