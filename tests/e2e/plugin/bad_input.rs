//! Bad input: error messages, and that no keys are lost. One row for each input.

use crate::support::fixture::{Fixture, ROLE, run};
use harness::each_product;

/// Runs setup with changes to its environment (empty value: unset).
fn with(fixture: &Fixture, flags: &[&str], env: &[(&str, &str)]) -> crate::support::fixture::Ran {
    let mut command = fixture.setup_command(&[&ROLE[..], flags].concat());
    for (name, value) in env {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    run(&mut command)
}

each_product!(about_the_cluster, |product| {
    let fixture = Fixture::new(product);
    let context = fixture.cluster.context();
    let file = fixture.cluster.kubeconfig().display().to_string();
    let url = fixture.cluster.url();
    let none = fixture.folder.path().join("none").display().to_string();
    let broken = fixture.folder.write("broken", "{").expect("written").display().to_string();
    let nobody = fixture.cluster.kubeconfig_for_user("nobody", None).expect("written").display().to_string();
    let expired = fixture.cluster.kubeconfig_expired().expect("written").display().to_string();

    with(&fixture, &["--kubeconfig", &none], &[]).failed(
        1,
        &format!("error: could not read kubeconfig \"{none}\": no such file or directory\nhint: ls -l {none}\n"),
    );
    with(&fixture, &[], &[("KUBECONFIG", &none)]).failed(
        1,
        &format!(
            "error: no kubeconfig: \"{none}\" (from KUBECONFIG) does not exist, and this is not a pod of a cluster\n\
             hint: name a file with --kubeconfig; see what kubectl finds with: kubectl config view\n"
        ),
    );
    let malformed = with(&fixture, &["--kubeconfig", &broken], &[]);
    assert_eq!(malformed.code, 1);
    assert!(malformed.stderr.starts_with(&format!("error: kubeconfig \"{broken}\" ")), "{}", malformed.stderr);
    with(&fixture, &["--context", "nope"], &[]).failed(
        1,
        &format!("error: context \"nope\" does not exist in \"{file}\"\nhint: kubectl config get-contexts\n"),
    );
    with(&fixture, &["--server", "https://127.0.0.1:1"], &[]).failed(
        1,
        &format!(
            "error: could not reach API server \"https://127.0.0.1:1\" of context \"{context}\": connection refused\n\
             hint: kubectl cluster-info --context {context} --server https://127.0.0.1:1\n"
        ),
    );
    let forbidden = with(&fixture, &["--kubeconfig", &nobody], &[]);
    forbidden.failed(
        1,
        &format!(
            "error: no right to read \"/.well-known/openid-configuration\" from API server \"{url}\" of context \"{context}\": \
             forbidden: User \"nobody\" cannot get path \"/.well-known/openid-configuration\"\n\
             hint: name the issuer with --issuer, or let a cluster administrator run: kubectl create clusterrolebinding \
             vaultjwt-issuer-discovery --clusterrole=system:service-account-issuer-discovery --user=nobody\n"
        ),
    );
    let expired = with(&fixture, &["--kubeconfig", &expired], &[]);
    assert_eq!(expired.code, 1);
    assert!(expired.stderr.contains("the client certificate expired on "), "{}", expired.stderr);
    assert!(fixture.data("sys/auth").get("jwt/").is_none(), "nothing was enabled");
});

// Whoever is on the way to it could answer in its place, and give any key.
each_product!(an_api_server_that_is_not_verified, |product| {
    let fixture = Fixture::new(product);
    fixture.setup(&ROLE).ok();
    let (context, url) = (fixture.cluster.context(), fixture.cluster.url());
    let config = std::fs::read_to_string(fixture.cluster.kubeconfig()).expect("the kubeconfig");
    let ca = config.lines().find(|line| line.contains("certificate-authority-data: ")).expect("a CA");
    let insecure = config.replace(ca, "    insecure-skip-tls-verify: true");
    let insecure = fixture.folder.write("insecure", insecure).expect("written").display().to_string();
    let plain = url.replace("https://", "http://");
    let cluster = format!("cluster \"{context}\" of context \"{context}\" is reached at");
    let file = "--certificate-authority FILE; to get FILE, run this where the connection to the cluster is verified, or \
                ask the cluster's administrator: kubectl get configmap kube-root-ca.crt -n kube-system \
                -o jsonpath='{.data.ca\\.crt}'";
    let before = fixture.mount_state();
    for (flags, how, change) in [
        (
            ["--kubeconfig", &insecure],
            format!("{cluster} \"{url}\" without verifying its TLS certificate (insecure-skip-tls-verify)"),
            "add",
        ),
        (
            ["--insecure-skip-tls-verify", "--request-timeout=5s"],
            format!("{cluster} \"{url}\" without verifying its TLS certificate (--insecure-skip-tls-verify)"),
            "replace --insecure-skip-tls-verify with",
        ),
        (
            ["--server", &plain],
            format!("{cluster} \"{plain}\" without TLS"),
            "use the https URL of the API server, with",
        ),
    ] {
        let words = format!("{how}; another server could answer in its place");
        let commands: [&[&str]; 6] = [
            &["setup"],
            &["sync"],
            &["sync", "--enroll", "--trust-issuer"],
            &["diff"],
            &["issuer"],
            &["remove", "--yes"],
        ];
        for command in commands {
            let ran = run(&mut fixture.kubectl(&[&["vaultjwt"][..], command, &flags[..]].concat()));
            assert!(ran.code > 0, "{command:?}: {}", ran.stdout);
            // One of possibly many contexts.
            let row = if command[0] == "sync" {
                format!("context \"{}\": ", fixture.cluster.context())
            } else {
                String::new()
            };
            let said = format!("error: {row}{words}\nhint: {change} {file}\n");
            assert!(ran.stderr.ends_with(&said), "{command:?}: {}\nwanted:\n{said}", ran.stderr);
            assert_eq!(fixture.mount_state(), before, "{command:?}");
        }
    }
});

each_product!(about_vault, |product| {
    let fixture = Fixture::new(product);
    let address = fixture.vault.address().to_owned();
    let ok = format!("✓ issuer \"{}\", 1 key from the API\n", fixture.cluster.issuer());
    with(&fixture, &[], &[("VAULT_ADDR", "")]).failed(
        1,
        "error: no Vault address is given\nhint: set VAULT_ADDR (for example https://vault.example.com:8200) or pass --vault-addr\n",
    );
    with(&fixture, &["--vault-addr", "vault:8200"], &[]).failed(
        1,
        "error: the Vault address \"vault:8200\" cannot be used: it has no scheme\nhint: write it as https://vault:8200\n",
    );
    with(&fixture, &[], &[("VAULT_TOKEN", "")])
        .failed(1, "error: no Vault token\nhint: run 'vault login', or set VAULT_TOKEN\n");
    let plain = address.replace("https://", "http://");
    let plain = with(&fixture, &["--vault-addr", &plain], &[]);
    assert_eq!(plain.code, 1);
    assert!(plain.stderr.contains("speaks https, not plain http"), "{}", plain.stderr);
    let untrusted = with(&fixture, &[], &[("VAULT_CACERT", "")]);
    assert_eq!(untrusted.code, 1);
    assert!(untrusted.stderr.contains(&format!("\"{address}\"")), "{}", untrusted.stderr);
    assert!(untrusted.stderr.contains("--vault-ca-cert"), "{}", untrusted.stderr);

    fixture
        .vault
        .write_policy("mounts", "path \"sys/auth\" { capabilities = [\"read\"] }")
        .expect("the policy is written");
    let limited = fixture.vault.token_with(&["mounts"]).expect("a token");
    let no_rights = with(&fixture, &[], &[("VAULT_TOKEN", limited.expose())]);
    no_rights.failed(
        1,
        &format!(
            "{ok}✓ issuer proven by a token of service account \"shop:app\"\n\
             error: the Vault token may not do all that this needs; nothing was changed\n\
             hint: a policy of it must have:\npath \"sys/auth/jwt\" {{ capabilities = [\"update\", \"sudo\"] }}\n\
             path \"auth/jwt/config\" {{ capabilities = [\"read\", \"update\"] }}\n\
             path \"auth/jwt/role/app\" {{ capabilities = [\"read\", \"create\"] }}\n"
        ),
    );
    fixture.vault.seal().expect("Vault is sealed");
    // The mount is read before the cluster.
    with(&fixture, &[], &[]).failed(
        1,
        &format!(
            "error: Vault at \"{address}\" is sealed\nhint: unseal it: vault operator unseal -address={address}\n"
        ),
    );
});
