//! Tokens and JWTs are not leaked: they are not in the programs' output at the highest log level,
//! in arguments, in the environment of child processes, or in files. The outputs of all other
//! tests are searched too (`support/fixture.rs`).

use crate::support::fixture::{Fixture, ROLE, Ran, run};
use harness::NEVER_FLAKY;
use harness::process::Scratch;
use harness::{each_product, secrets};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A script that a program starts: it notes its environment, its arguments and
/// those of the programs above it, and then prints a file.
fn witness(folder: &Scratch, name: &str, prints: &Path) -> (PathBuf, PathBuf) {
    let notes = folder.path().join(format!("{name}.notes"));
    let script = format!(
        "#!/bin/sh\n\
         {{ env; echo \"arguments: $*\"; pid=$$; while [ \"$pid\" -gt 1 ]; do tr '\\0' '\\n' </proc/$pid/cmdline; \
         pid=$(awk '/^PPid:/ {{ print $2 }}' /proc/$pid/status); done; }} >>'{}' 2>&1\n\
         cat '{}'\n",
        notes.display(),
        prints.display()
    );
    let path = folder.write(name, script).expect("a script");
    let made = Command::new("chmod").arg("+x").arg(&path).status().expect("chmod runs");
    assert!(made.success());
    (path, notes)
}

/// Nothing in this file is a secret; how many bytes were looked through.
#[track_caller]
fn clean(path: &Path) -> usize {
    let content = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(secrets::find(&content), None, "{NEVER_FLAKY}: {}", path.display());
    content.len()
}

/// All files below `folder`, but those that are to hold a secret.
fn files(folder: &Path, secret: &[&Path], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&path, secret, found),
            Ok(kind) if kind.is_file() && !secret.contains(&path.as_path()) => found.push(path),
            _ => {}
        }
    }
}

each_product!(the_plugin_at_its_most_talkative, |product| {
    let fixture = Fixture::new(product);
    let folder = &fixture.folder;
    let path = |name: &str| folder.path().join(name);
    // The tokens for both sides come from programs, which note what they see.
    let admin = fixture.cluster.admin();
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"clientCertificateData": admin.certificate, "clientKeyData": admin.key}});
    let credential = folder.write("credential.json", credential.to_string()).expect("a file");
    let (exec, exec_notes) = witness(folder, "exec-plugin", &credential);
    let vault_token = folder.write("vault-token", fixture.vault.root_token().expose()).expect("a file");
    let (helper, helper_notes) = witness(folder, "token-helper", &vault_token);
    let config = folder.write("vault-config", format!("token_helper = \"{}\"\n", helper.display())).expect("a file");
    let kubeconfig = fs::read_to_string(fixture.cluster.kubeconfig()).expect("the kubeconfig");
    let (head, _) = kubeconfig.split_once("    client-certificate-data:").expect("its user");
    let (_, tail) = kubeconfig.split_once("contexts:").expect("its contexts");
    let exec = format!(
        "    exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: Never}}\ncontexts:",
        exec.display()
    );
    let kubeconfig = folder.write("kubeconfig", format!("{head}{exec}{tail}")).expect("a file");
    fs::create_dir(path("tmp")).expect("a folder");

    let talk = |words: &[&str]| {
        let mut command = fixture.kubectl(&[&["vaultjwt"], words, &["-v=9"]].concat());
        command.env("KUBECONFIG", &kubeconfig).env("VAULT_CONFIG_PATH", &config).env("TMPDIR", path("tmp"));
        command
            .env("HOME", folder.path())
            .env_remove("VAULT_TOKEN")
            .env("RUST_BACKTRACE", "1")
            .env("RUST_LOG", "trace");
        // Looks through what it says.
        run(&mut command)
    };
    let setup = [&["setup"], &ROLE[..]].concat();
    let said = [
        talk(&setup).ok(),
        talk(&[&setup[..], &["-o", "json"]].concat()).ok(),
        talk(&[&setup[..], &["--dry-run"]].concat()).ok(),
        talk(&[&setup[..], &["-o", "commands", "--dry-run=client"]].concat()).ok(),
        talk(&["issuer", "-o", "yaml"]).ok(),
        talk(&["status"]).ok(),
        talk(&["diff"]).ok(),
        talk(&["sync"]).ok(),
        talk(&["remove", "--dry-run", "--last"]),
        // Refused, and on the way there.
        talk(&[&setup[..], &["--mount", "token"]].concat()),
        talk(&[&setup[..], &["--audience", "other", "--replace-role"]].concat()),
        talk(&["status", "--vault-namespace", "nowhere"]),
    ];
    // They are talkative: requests are told.
    let talked: usize = said.iter().map(|Ran { stdout, stderr, .. }| stdout.len() + stderr.len()).sum();
    assert!(said[0].stderr.contains("auth/jwt/config") && talked > 4_000, "{talked}\n{}", said[0].stderr);
    // The witnesses were called, and saw arguments and environment.
    for notes in [&exec_notes, &helper_notes] {
        assert!(clean(notes) > 1_000);
        let noted = fs::read_to_string(notes).expect("the notes");
        assert!(noted.contains("\nvaultjwt\n") || noted.contains("\nsetup\n"), "{noted}");
    }
    let mut left = Vec::new();
    files(folder.path(), &[&credential, &vault_token], &mut left);
    for path in &left {
        clean(path);
    }
    assert!(fs::read_dir(path("tmp")).expect("the folder").next().is_none(), "temporary files stay");
});

each_product!(the_login_and_what_it_becomes, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let (jwt, token) = (fixture.jwt_file(), fixture.folder.path().join("token"));
    let login = |words: &[&str]| {
        let mut command = fixture.login_command(&jwt, &token);
        command.env("PATH", std::env::var_os("PATH").expect("a PATH")).args(["--log-format=json"]).args(words);
        command
    };
    let script = "env; tr '\\0' '\\n' </proc/$$/cmdline; tr '\\0' '\\n' </proc/$PPID/cmdline";
    // Each output is looked through.
    for words in [
        &[][..],
        &["--info-file=info.json"],
        &["--no-env", "--", "sh", "-c", script],
        &["--role=other"],
        &["--mount=nowhere", "--timeout=2s"],
        &["--vault-namespace=nowhere", "--timeout=2s"],
        &["--token-file=/nowhere/token"],
        &["--jwt-file=/nowhere"],
    ] {
        let ran = run(&mut login(words));
        assert!(!ran.stderr.is_empty() && ran.stderr.starts_with('{'), "{words:?}: {}", ran.stderr);
    }
    // The one thing that is to hold it: the command's VAULT_TOKEN.
    let output = login(&["--", "sh", "-c", script]).output().expect("it runs");
    assert!(output.status.success());
    let seen = String::from_utf8(output.stdout).expect("UTF-8");
    let (held, others): (Vec<&str>, Vec<&str>) = seen.lines().partition(|line| line.starts_with("VAULT_TOKEN="));
    assert_eq!(held.len(), 1);
    assert!(secrets::find(held[0].as_bytes()).is_some(), "what is looked for is found where it is");
    assert_eq!(secrets::find(others.join("\n").as_bytes()), None, "{NEVER_FLAKY}");
    assert_eq!(secrets::find(&output.stderr), None, "{NEVER_FLAKY}");

    let mut left = Vec::new();
    files(fixture.folder.path(), &[&jwt, &token], &mut left);
    assert!(left.iter().any(|path| path.ends_with("info.json")), "{left:?}");
    for path in &left {
        clean(path);
    }
});
