//! `-o commands`: the printed script has the same result when it is run in a shell.

use crate::support::fixture::{Fixture, ROLE, Ran, run};
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

fn plan(fixture: &Fixture, flags: &[&str]) -> String {
    fixture.setup(&[flags, &["--dry-run=client", "-o", "commands"]].concat()).ok().stdout
}

each_product!(configure_a_second_vault_to_the_same_state, |product| {
    let (first, second) = (Fixture::new(product), Fixture::new(product));
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
fn stopped(fixture: &Fixture, what: &str) -> String {
    format!(
        "on {}\nerror: {what} is not what it was when these commands were made\nhint: make them again, with the same call\n",
        fixture.vault.address()
    )
}

each_product!(stop_where_the_plan_is_stale, |product| {
    let fixture = Fixture::new(product);
    // Made for an empty Vault, pasted twice.
    let script = plan(&fixture, &ROLE);
    paste(&script, &fixture.vault).ok();
    let before = fixture.mount_state();
    let again = paste(&script, &fixture.vault);
    assert_eq!((again.code, again.stderr), (1, stopped(&fixture, "auth mount jwt/")));
    assert_eq!(fixture.mount_state(), before);
    // Made for a mount with a configuration, which somebody changes.
    let longer = [&ROLE[..], &["--ttl", "30m"]].concat();
    let script = plan(&fixture, &longer);
    let mut config = fixture.data("auth/jwt/config");
    config["default_role"] = json!("app");
    config.as_object_mut().expect("an object").remove("status");
    fixture.write("auth/jwt/config", config);
    let before = fixture.mount_state();
    assert_eq!(paste(&script, &fixture.vault).stderr, stopped(&fixture, "auth/jwt/config"));
    assert_eq!(fixture.mount_state(), before);
    // A role that somebody changes.
    let script = plan(&fixture, &longer);
    fixture.write("auth/jwt/role/app", json!({"role_type": "jwt", "token_ttl": 60}));
    assert_eq!(paste(&script, &fixture.vault).stderr, stopped(&fixture, "auth/jwt/role/app"));
    // Made again, they run.
    let script = plan(&fixture, &longer);
    paste(&script, &fixture.vault).ok();
    assert_eq!(fixture.data("auth/jwt/role/app")["token_ttl"], json!(1800));
});

each_product!(stop_where_vault_cannot_be_read, |product| {
    let fixture = Fixture::new(product);
    fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
    // Nothing is configured, and no role is there, when the plan is made.
    let script = plan(&fixture, &ROLE);
    fixture
        .vault
        .write_policy("blind", "path \"auth/jwt/*\" { capabilities = [\"create\", \"update\"] }")
        .expect("the policy is written");
    let blind = fixture.vault.token_with(&["blind"]).expect("a token");
    let before = fixture.mount_state();
    let ran = paste_as(&script, &fixture.vault, "sh", &blind);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("permission denied"), "{}", ran.stderr);
    assert_eq!(fixture.mount_state(), before);
    // Whoever may read it writes what was planned.
    paste(&script, &fixture.vault).ok();
    assert_eq!(fixture.data("auth/jwt/role/app")["token_policies"], json!(["app-read"]));
});

each_product!(are_only_ever_words, |product| {
    let fixture = Fixture::new(product);
    // Names that a shell would run, were they not quoted.
    let odd = fixture.folder.path().join("$(touch run)'`touch run`'");
    std::fs::copy(fixture.cluster.kubeconfig(), &odd).expect("the kubeconfig is copied");
    let odd = odd.to_str().expect("a path").to_owned();
    run(fixture
        .kubectl(&["config", "rename-context", fixture.cluster.context(), "a'$(touch run)b"])
        .env("KUBECONFIG", &odd))
    .ok();
    let script = plan(&fixture, &[&ROLE[..], &["--kubeconfig", &odd, "--context", "a'$(touch run)b"]].concat());
    paste(&script, &fixture.vault).ok();
    let key = fixture.data("auth/jwt/config")["jwt_validation_pubkeys"][0].as_str().expect("a key").to_owned();
    assert!(key.contains("\ncluster: a'$(touch run)b\n"), "{key}");
    for folder in [fixture.folder.path(), fixture.vault.scratch().path(), std::path::Path::new(".")] {
        assert!(!folder.join("run").exists(), "{folder:?}");
    }
    // Nothing that an interactive zsh, which has no comments, would take for a command.
    assert!(!script.lines().any(|line| line.trim_start().starts_with('#')), "{script}");
});

each_product!(say_so_where_there_is_nothing_to_do, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    assert_eq!(plan(&fixture, &ROLE), ": 'nothing to change on auth mount jwt/'\n");
    run(&mut fixture.setup_command(&["-o", "commands"])).failed(
        2,
        "error: -o commands prints a plan and needs --dry-run=client\nhint: see: kubectl vaultjwt setup --help\n",
    );
});
