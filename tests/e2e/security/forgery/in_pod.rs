//! A run in a pod without a kubeconfig whose `ca.crt` belongs to another cluster. The folder of
//! the service account is made in a mount namespace, where the machine allows one.

use super::clusters::{NAME, tenant, thief, victim};
use super::forged;
use super::scene::{Attack, Refusal, Scene};
use harness::artifacts;
use harness::each_product;
use harness::process::say;
use harness::server::{Presented, Relay, RelayOptions, Tokens};
use std::process::{Command, Stdio};

const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Makes the folder from `$1`, and becomes the rest.
const SCRIPT: &str = "set -e; mount -t tmpfs none \"$(readlink -f /var/run)\"; \
    mkdir -p /var/run/secrets/kubernetes.io; cp -r \"$1\" /var/run/secrets/kubernetes.io/serviceaccount; \
    shift; exec \"$@\"";

fn possible() -> bool {
    let mut may = Command::new("unshare");
    may.args(["--mount", "mount", "-t", "tmpfs", "none", "/run"]).stdin(Stdio::null());
    let may = may.output().is_ok_and(|ran| ran.status.success());
    if !may {
        say("SKIPPED, runs as in a pod: this user may make no mount namespaces");
    }
    may
}

each_product!(
    #[ignore = "takes minutes: cargo soak forgery"]
    a_pod_with_another_authority,
    |product| {
        if !possible() {
            return;
        }
        let scene = Scene::new(product);
        // Else Vault itself would refuse a list without keys.
        scene.put(&[scene.elements(), vec![crate::support::provenance_fixture::unmanaged()]].concat());
        for (name, tokens) in
            [("a tenant's tokens", Tokens::Relayed(tenant())), ("tokens of kube-system", Tokens::Relayed(thief()))]
        {
            let options = RelayOptions { tokens, ..RelayOptions::default() };
            let presented = Presented::Own(vec![NAME.to_owned()]);
            let relay = Relay::start(victim(), &presented, options).expect("a stand-in starts");
            for (bundle, authorities) in
                [("alone", relay.ca_pem()), ("in a bundle", format!("{}{}", victim().ca_pem(), relay.ca_pem()))]
            {
                for words in [&["sync"][..], &["setup"], &["sync", "--enroll"], &["remove", "--yes"]] {
                    // A token of kube-system is enough to remove the cluster that signed it:
                    // its administrator may do that.
                    if words[0] == "remove" && name == "tokens of kube-system" {
                        continue;
                    }
                    let folder = scene.fixture.folder.folder("serviceaccount").expect("a folder");
                    for (file, content) in
                        [("ca.crt", authorities.as_str()), ("token", "who-cares"), ("namespace", "team-a")]
                    {
                        std::fs::write(folder.join(file), content).expect("a file is written");
                    }
                    // kubectl would hide the folder's absence; the plugin itself is what runs in pods.
                    let mut command = Command::new("unshare");
                    command.args(["--mount", "sh", "-c", SCRIPT, "pod"]).arg(folder);
                    command.arg(artifacts::plugin().expect("the plugin is built")).args(words);
                    command
                        .env_clear()
                        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                        .envs(scene.fixture.vault.client_environment());
                    command.env("VAULT_TOKEN", scene.fixture.vault.root_token().expose());
                    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
                    command.env("KUBERNETES_SERVICE_PORT", relay.port().to_string());
                    command.env("HOME", scene.fixture.folder.path()).stdin(Stdio::null());
                    let name = format!("{FOLDER}/ca.crt of another authority, {bundle}, {name}");
                    let attack = Attack {
                        name: &name,
                        words,
                        entries: Vec::new(),
                        token: forged(&relay),
                        refusal: Refusal::Other,
                    };
                    scene.attack_by(&attack, command);
                }
            }
        }
        scene.end();
    }
);
