//! `-o commands`: the printed script, pasted into a shell, does the same.

use crate::rig::{ROLE, Ran, Rig, run};
use harness::each_product;
use harness::server::VaultServer;
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Pastes `script` into a shell whose Vault is `vault`.
fn paste(script: &str, vault: &VaultServer) -> Ran {
    // The product's own CLI, with its own environment, as an operator has it.
    let cli = vault.cli_command().expect("the CLI is there");
    let mut shell = Command::new("sh");
    shell.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in cli.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    // The script sets VAULT_ADDR only where the shell has none.
    shell.envs(vault.client_environment());
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
    paste(&script, &second.vault).ok();
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

each_product!(stop_where_the_plan_is_stale, |product| {
    let rig = Rig::new(product);
    // Made for an empty Vault, pasted twice.
    let script = plan(&rig, &ROLE);
    paste(&script, &rig.vault).ok();
    let before = rig.mount_state();
    let again = paste(&script, &rig.vault);
    assert_eq!(again.code, 1);
    assert_eq!(
        again.stderr,
        "error: jwt/ is not what it was when these commands were made\n\
         hint: make them again: kubectl vaultjwt setup --dry-run=client -o commands\n"
    );
    assert_eq!(rig.mount_state(), before);
    // Made for a mount with a configuration, which somebody changes.
    let longer = [&ROLE[..], &["--ttl", "30m"]].concat();
    let script = plan(&rig, &longer);
    let mut config = rig.data("auth/jwt/config");
    config["default_role"] = json!("app");
    config.as_object_mut().expect("an object").remove("status");
    rig.write("auth/jwt/config", config);
    let before = rig.mount_state();
    let stopped = paste(&script, &rig.vault);
    assert_eq!(
        stopped.stderr,
        "error: auth/jwt/config is not what it was when these commands were made\n\
         hint: make them again: kubectl vaultjwt setup --dry-run=client -o commands\n"
    );
    assert_eq!(rig.mount_state(), before);
    // A role that somebody changes.
    let script = plan(&rig, &longer);
    rig.write("auth/jwt/role/app", json!({"role_type": "jwt", "token_ttl": 60}));
    assert_eq!(
        paste(&script, &rig.vault).stderr,
        "error: auth/jwt/role/app is not what it was when these commands were made\n\
         hint: make them again: kubectl vaultjwt setup --dry-run=client -o commands\n"
    );
    // Made again, they run.
    let script = plan(&rig, &[&longer[..], &["--replace-role"]].concat());
    paste(&script, &rig.vault).ok();
    assert_eq!(rig.data("auth/jwt/role/app")["token_ttl"], json!(1800));
});

each_product!(say_so_where_there_is_nothing_to_do, |product| {
    let rig = Rig::new(product);
    rig.setup(&ROLE).ok();
    assert_eq!(plan(&rig, &ROLE), "# nothing to change on auth mount jwt/\n");
    run(&mut rig.setup_command(&["-o", "commands"])).failed(
        2,
        "error: -o commands prints a plan and needs --dry-run=client\nhint: see: kubectl vaultjwt setup --help\n",
    );
});
