//! Completion: `kubectl __complete vaultjwt …`, as the shell scripts of the real kubectl call it,
//! with the shim in its documented place; and the script for bash.

use crate::support::fixture::{Fixture, ROLE, Ran, run};
use harness::artifacts;
use harness::each_product;
use harness::peers::{self, Peer};
use harness::server::{Product, VaultOptions};
use harness::workspace::path_with;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What kubectl itself says on stderr to each question; nothing else may be there.
const KUBECTLS: [&str; 2] = ["[Debug] ", "Completion ended with directive: "];

/// `completion kubectl`, placed as its comment says, and `PATH` with it.
fn path_with_shim(fixture: &Fixture) -> std::ffi::OsString {
    let folder = fixture.folder.folder("shim").expect("a folder");
    let shim = run(&mut fixture.kubectl(&["vaultjwt", "completion", "kubectl"])).ok().stdout;
    let file = folder.join("kubectl_complete-vaultjwt");
    fs::write(&file, shim).expect("the shim is written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("chmod +x");
    let (kubectl, plugin) = (peers::locate(Peer::Kubectl).expect("kubectl"), artifacts::plugin().expect("the plugin"));
    let parent = |path: &Path| path.parent().expect("a folder").to_path_buf();
    path_with(&[&folder, &parent(&plugin), &parent(&kubectl)])
}

/// kubectl, asked how `kubectl vaultjwt <words>` goes on.
fn question(fixture: &Fixture, words: &[&str]) -> Command {
    let mut command = fixture.kubectl(&[&["__complete", "vaultjwt"], words].concat());
    // The machine may be busy; one test is about the limit, and takes the ordinary one.
    command.env("PATH", path_with_shim(fixture)).env("VAULTJWT_COMPLETION_TIMEOUT", "30s");
    command
}

#[track_caller]
fn lines(ran: Ran) -> Vec<String> {
    let ran = ran.ok();
    let others = |line: &&str| !KUBECTLS.iter().any(|begin| line.starts_with(begin));
    assert_eq!(ran.stderr.lines().filter(others).collect::<String>(), "");
    ran.stdout.lines().map(str::to_owned).collect()
}

/// The candidates without their descriptions, and the directive at the end.
#[track_caller]
fn values(fixture: &Fixture, words: &[&str]) -> Vec<String> {
    let first = |line: String| line.split('\t').next().unwrap_or_default().to_owned();
    lines(run(&mut question(fixture, words))).into_iter().map(first).collect()
}

each_product!(kubectl_completes_names_from_kubeconfig_cluster_and_vault, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    fixture.write("sys/auth/k8s/second", json!({"type": "jwt"}));
    fixture.vault.write_policy("app-read", "path \"secret/*\" { capabilities = [\"read\"] }").expect("a policy");
    let context = fixture.cluster.context();
    // Commands and flags have descriptions.
    let all = lines(run(&mut question(&fixture, &[""])));
    assert!(all.iter().any(|line| line == "status\tShow the keys on a JWT auth mount, and whose they are"), "{all:?}");
    assert_eq!(all.last().map(String::as_str), Some(":4"));
    assert_eq!(lines(run(&mut question(&fixture, &["status", "--mou"]))), ["--mount\tPath of the auth mount", ":4"]);
    for (words, expected) in [
        (&["stat"][..], &["status", ":4"][..]),
        (&["status", "-o", "w"], &["wide", ":4"]),
        (&["setup", "--context", ""], &[context, ":4"]),
        (&["setup", "--context="], &[context, ":4"]),
        (&["sync", "--contexts", "none-such,"], &[&format!("none-such,{context}"), ":4"]),
        (&["setup", "--cluster", ""], &[context, ":4"]),
        (&["setup", "--user", ""], &["admin", ":4"]),
        (&["setup", "-n", "kube-sys"], &["kube-system", ":4"]),
        (&["setup", "--service-account", "sho"], &["shop:", ":6"]),
        (&["setup", "--service-account", "shop:a"], &["shop:app", ":4"]),
        (&["setup", "--service-account", "shop/a"], &["shop/app", ":4"]),
        (&["setup", "--service-account", "../x:"], &[":4"]),
        (&["status", "--mount", ""], &["jwt", "k8s/second", ":4"]),
        (&["setup", "--role", ""], &["app", ":4"]),
        (&["setup", "--mount", "k8s/second", "--role", ""], &[":4"]),
        (&["setup", "--policy", "app-"], &["app-read", ":4"]),
        (&["sync", "--watch", "--auth-role", "a"], &["app", ":4"]),
        (&["setup", "--kubeconfig", ""], &[":0"]),
    ] {
        assert_eq!(values(&fixture, words), expected, "{words:?}");
    }
});

each_product!(completion_stays_silent_where_it_cannot_know, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    // Without a token; with a wrong one; where nobody listens.
    let mut no_token = question(&fixture, &["setup", "--role", ""]);
    no_token.env_remove("VAULT_TOKEN");
    assert_eq!(lines(run(&mut no_token)), [":4"]);
    let mut wrong = question(&fixture, &["setup", "--role", ""]);
    wrong.env("VAULT_TOKEN", "no-such-token");
    assert_eq!(lines(run(&mut wrong)), [":4"]);
    assert_eq!(values(&fixture, &["setup", "--vault-addr", "https://127.0.0.1:1", "--role", ""]), [":4"]);
    assert_eq!(values(&fixture, &["setup", "--vault-addr", "nonsense://", "--role", ""]), [":4"]);
    assert_eq!(values(&fixture, &["setup", "--vault-timeout", "soon", "--role", ""]), [":4"]);
    assert_eq!(values(&fixture, &["setup", "--context", "none-such", "-n", ""]), [":4"]);
    assert_eq!(values(&fixture, &["setup", "--kubeconfig", "/nonexistent", "--context", ""]), [":4"]);
    assert_eq!(values(&fixture, &["setup", "-s", "https://127.0.0.1:1", "-n", ""]), [":4"]);
    // A token helper could ask a person: it is not run.
    let mark = fixture.folder.path().join("helper-ran");
    let helper =
        fixture.folder.write("helper", format!("#!/bin/sh\n: >'{}'\necho x\n", mark.display())).expect("a file");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("a mode");
    let config =
        fixture.folder.write("vault.hcl", format!("token_helper = \"{}\"\n", helper.display())).expect("a file");
    let mut helped = question(&fixture, &["setup", "--role", ""]);
    helped.env_remove("VAULT_TOKEN").env("VAULT_CONFIG_PATH", config);
    assert_eq!(lines(run(&mut helped)), [":4"]);
    assert!(!mark.exists());
    // A person without rights in the cluster.
    let nobody = fixture.cluster.kubeconfig_for_user("nobody", None).expect("a kubeconfig");
    let nobody = nobody.to_str().expect("a path");
    assert_eq!(values(&fixture, &["setup", "--kubeconfig", nobody, "-n", ""]), [":4"]);
});

#[test]
fn nobody_waits_long_for_a_server_that_does_not_answer() {
    let fixture = Fixture::with(
        crate::support::fixture::Owned::Shared(harness::server::shared_cluster().expect("the cluster")),
        VaultOptions::new(Product::OpenBao),
    );
    // Takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = format!("https://{}", mute.local_addr().expect("an address"));
    for words in [["setup", "--vault-addr", &address, "--role", ""], ["setup", "-s", &address, "-n", ""]] {
        let mut command = question(&fixture, &words);
        command.env_remove("VAULTJWT_COMPLETION_TIMEOUT");
        let start = Instant::now();
        let answer = lines(run(&mut command));
        // Two seconds, and what starting two programs takes on a busy machine.
        assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(answer, [":4"]);
    }
}

/// A kubeconfig whose names would do something in a terminal or a shell.
fn hostile(fixture: &Fixture) -> PathBuf {
    let context = |name: &str| {
        let name = json!(name);
        format!("- name: {name}\n  context: {{cluster: {name}, user: {name}}}\n")
    };
    let names = [
        "fine",
        "arn:aws:eks:us-east-1:1:cluster/fine",
        "$(touch run)",
        "`touch run`",
        "a b",
        "a\tb",
        "a\nb",
        "a\n:0",
        "\u{1b}[31mred",
        ":2",
        "x;touch run",
    ];
    let contexts: String = names.into_iter().map(context).collect();
    fixture.folder.write("hostile", format!("apiVersion: v1\nkind: Config\ncontexts:\n{contexts}")).expect("a file")
}

#[test]
fn names_that_would_act_are_not_offered_and_bash_completes() {
    let fixture = Fixture::new(Product::OpenBao);
    let kubeconfig = hostile(&fixture);
    let mut command = question(&fixture, &["setup", "--context", ""]);
    command.env("KUBECONFIG", &kubeconfig);
    assert_eq!(lines(run(&mut command)), ["fine", "arn:aws:eks:us-east-1:1:cluster/fine", ":4"]);

    // The script for bash: sound, and completing.
    let script = run(&mut fixture.kubectl(&["vaultjwt", "completion", "bash"])).ok().stdout;
    let script = fixture.folder.write("completion.bash", script).expect("a file");
    run(Command::new("bash").arg("-n").arg(&script)).ok();
    let plugin = artifacts::plugin().expect("the plugin");
    let completed = |line: &str| {
        // As readline does it, for a line with the cursor at its end.
        let program = "set -u; COMP_TYPE=9; COLUMNS=60; source \"$1\"; COMP_LINE=$2; COMP_POINT=${#COMP_LINE}
            compopt() { printf 'compopt %s\\n' \"$*\"; }
            spec=$(complete -p kubectl-vaultjwt); function=${spec#*-F }; ${function%% *} kubectl-vaultjwt x y
            ((${#COMPREPLY[@]} == 0)) || printf '[%s]\\n' \"${COMPREPLY[@]}\"";
        let mut bash = fixture.kubectl(&[]);
        let path = path_with(&[plugin.parent().expect("a folder")]);
        let mut command = Command::new("bash");
        command.env_clear().args(["--norc", "-c", program, "bash"]).arg(&script).arg(line);
        for (name, value) in bash.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        bash.env_clear();
        let home = fixture.folder.path();
        run(command.env("PATH", path).env("KUBECONFIG", &kubeconfig).env("HOME", home).current_dir(home)).ok().stdout
    };
    for (line, expected) in [
        ("kubectl-vaultjwt se", "[setup]\n"),
        ("kubectl-vaultjwt setup --context ", "[fine]\n[arn:aws:eks:us-east-1:1:cluster/fine]\n"),
        ("kubectl-vaultjwt setup --context=fi", "[fine]\n"),
        // What follows the last colon is what bash replaces.
        ("kubectl-vaultjwt setup --context arn:aws:eks:us", "[us-east-1:1:cluster/fine]\n"),
        ("kubectl-vaultjwt status -o ", "[table]\n[wide]\n[json]\n[yaml]\n[name]\n"),
        ("kubectl-vaultjwt setup --kubeconfig ", "compopt -o default\n"),
        ("kubectl-vaultjwt setup --vault-ca-path ", "compopt -o dirnames\n"),
        ("kubectl-vaultjwt setup --nonsense=", ""),
        (
            "kubectl-vaultjwt s",
            "[setup   (Enrol the cluster on a JWT auth mount; write and ]\n[sync    (Refresh the keys of enrolled clusters on a JWT au]\n[status  (Show the keys on a JWT auth mount, and whose they]\n",
        ),
    ] {
        assert_eq!(completed(line), expected, "{line}");
    }
    assert!(!fixture.folder.path().join("run").exists());
}
