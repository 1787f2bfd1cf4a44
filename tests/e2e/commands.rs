//! `-o commands`: the printed script, pasted into a shell, does the same.

use crate::rig::{ROLE, Ran, Rig, run};
use harness::each_product;
use harness::server::VaultServer;
use serde_json::json;
use shared::Secret;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Pastes `script` into a shell whose Vault is `vault`.
fn paste(script: &str, vault: &VaultServer) -> Ran {
    paste_as(script, vault, "sh", vault.root_token())
}

/// The same, into any shell, with any token.
fn paste_as(script: &str, vault: &VaultServer, shell: &str, token: &Secret) -> Ran {
    // The product's own CLI, with its own environment, as an operator has it.
    let cli = vault.cli_command().expect("the CLI is there");
    let mut shell = Command::new(shell);
    shell.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in cli.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    // The script sets VAULT_ADDR only where the shell has none.
    shell.envs(vault.client_environment());
    shell.env(format!("{}_TOKEN", vault.product().prefix()), token.expose());
    let mut child = shell.spawn().expect("sh starts");
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("the script is pasted");
    child.wait_with_output().expect("sh ends").into()
}

fn plan(rig: &Rig, flags: &[&str]) -> String {
    rig.setup(&[flags, &["--dry-run=client", "-o", "commands"]].concat()).ok().stdout
}

each_product!(configure_a_second_vault_to_the_same_state, |product| {
    let (first, second) = (Rig::new(product), Rig::new(product));
    let script = plan(&first, &ROLE);
    let pasted = paste_as(&script, &second.vault, "bash", second.vault.root_token()).ok();
    assert_eq!(pasted.stderr, format!("on {}\n", second.vault.address()));
    first.setup(&ROLE).ok();
    let (mut expected, mut found) = (first.mount_state(), second.mount_state());
    // The one thing that differs is the time of the plan, to the second.
    for state in [&mut expected, &mut found] {
        let key = state["config"]["jwt_validation_pubkeys"][0].as_str().expect("a key").to_owned();
        let kept: Vec<&str> = key.lines().filter(|line| !line.starts_with("added: ")).collect();
        assert_eq!(kept.len() + 1, key.lines().count());
        state["config"]["jwt_validation_pubkeys"][0] = json!(kept.join("\n"));
    }
    assert_eq!(found, expected);
    // And setup agrees that nothing is left to do.
    let seen = second.seen();
    second.setup(&ROLE).ok();
    assert!(!second.requests_since(seen).iter().any(|r| r.ends_with("config") && r.starts_with("update")));
});

/// What a script says that stops because of `what`.
fn stopped(rig: &Rig, what: &str) -> String {
    format!(
        "on {}\nerror: {what} is not what it was when these commands were made\nhint: make them again, with the same call\n",
        rig.vault.address()
    )
}

each_product!(stop_where_the_plan_is_stale, |product| {
    let rig = Rig::new(product);
    // Made for an empty Vault, pasted twice.
    let script = plan(&rig, &ROLE);
    paste(&script, &rig.vault).ok();
    let before = rig.mount_state();
    let again = paste(&script, &rig.vault);
    assert_eq!((again.code, again.stderr), (1, stopped(&rig, "auth mount jwt/")));
    assert_eq!(rig.mount_state(), before);
    // Made for a mount with a configuration, which somebody changes.
    let longer = [&ROLE[..], &["--ttl", "30m"]].concat();
    let script = plan(&rig, &longer);
    let mut config = rig.data("auth/jwt/config");
    config["default_role"] = json!("app");
    config.as_object_mut().expect("an object").remove("status");
    rig.write("auth/jwt/config", config);
    let before = rig.mount_state();
    assert_eq!(paste(&script, &rig.vault).stderr, stopped(&rig, "auth/jwt/config"));
    assert_eq!(rig.mount_state(), before);
    // A role that somebody changes.
    let script = plan(&rig, &longer);
    rig.write("auth/jwt/role/app", json!({"role_type": "jwt", "token_ttl": 60}));
    assert_eq!(paste(&script, &rig.vault).stderr, stopped(&rig, "auth/jwt/role/app"));
    // Made again, they run.
    let script = plan(&rig, &longer);
    paste(&script, &rig.vault).ok();
    assert_eq!(rig.data("auth/jwt/role/app")["token_ttl"], json!(1800));
});

each_product!(stop_where_vault_cannot_be_read, |product| {
    let rig = Rig::new(product);
    rig.write("sys/auth/jwt", json!({"type": "jwt"}));
    // Nothing is configured, and no role is there, when the plan is made.
    let script = plan(&rig, &ROLE);
    rig.vault
        .write_policy("blind", "path \"auth/jwt/*\" { capabilities = [\"create\", \"update\"] }")
        .expect("the policy is written");
    let blind = rig.vault.token_with(&["blind"]).expect("a token");
    let before = rig.mount_state();
    let ran = paste_as(&script, &rig.vault, "sh", &blind);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("permission denied"), "{}", ran.stderr);
    assert_eq!(rig.mount_state(), before);
    // Whoever may read it writes what was planned.
    paste(&script, &rig.vault).ok();
    assert_eq!(rig.data("auth/jwt/role/app")["token_policies"], json!(["app-read"]));
});

each_product!(are_only_ever_words, |product| {
    let rig = Rig::new(product);
    // Names that a shell would run, were they not quoted.
    let odd = rig.folder.path().join("$(touch run)'`touch run`'");
    std::fs::copy(rig.cluster.kubeconfig(), &odd).expect("the kubeconfig is copied");
    let odd = odd.to_str().expect("a path").to_owned();
    run(rig.kubectl(&["config", "rename-context", rig.cluster.context(), "a'$(touch run)b"]).env("KUBECONFIG", &odd))
        .ok();
    let script = plan(&rig, &[&ROLE[..], &["--kubeconfig", &odd, "--context", "a'$(touch run)b"]].concat());
    paste(&script, &rig.vault).ok();
    let key = rig.data("auth/jwt/config")["jwt_validation_pubkeys"][0].as_str().expect("a key").to_owned();
    assert!(key.contains("\ncluster: a'$(touch run)b\n"), "{key}");
    for folder in [rig.folder.path(), rig.vault.scratch().path(), std::path::Path::new(".")] {
        assert!(!folder.join("run").exists(), "{folder:?}");
    }
    // Nothing that an interactive zsh, which has no comments, would take for a command.
    assert!(!script.lines().any(|line| line.trim_start().starts_with('#')), "{script}");
});

each_product!(say_so_where_there_is_nothing_to_do, |product| {
    let rig = Rig::new(product);
    rig.setup(&ROLE).ok();
    assert_eq!(plan(&rig, &ROLE), ": 'nothing to change on auth mount jwt/'\n");
    run(&mut rig.setup_command(&["-o", "commands"])).failed(
        2,
        "error: -o commands prints a plan and needs --dry-run=client\nhint: see: kubectl vaultjwt setup --help\n",
    );
});
