//! Many clusters on one mount: runs the plugin for any context and reads the keys on the mount.

use crate::support::fixture::{Ran, data, run};
use harness::artifacts;
use harness::keys::{Alg, SigningKey};
use harness::process::clean_environment;
use harness::server::{FakeApiServers, VaultServer};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Many clusters and a Vault, asked directly or through a proxy.
pub struct Fleet<'a> {
    pub clusters: &'a FakeApiServers,
    pub vault: &'a VaultServer,
    /// Where the plugin finds Vault.
    pub address: String,
    pub plugin: PathBuf,
}

impl<'a> Fleet<'a> {
    pub fn new(clusters: &'a FakeApiServers, vault: &'a VaultServer) -> Self {
        let plugin = artifacts::plugin().expect("the plugin is built");
        Self { clusters, vault, address: vault.address().to_owned(), plugin }
    }

    /// The same, with the plugin's requests to Vault sent to a proxy.
    pub fn through(mut self, address: String) -> Self {
        self.address = address;
        self
    }

    /// The plugin with these words, not run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.plugin);
        clean_environment(&mut command, self.clusters.scratch().path(), &[]);
        command.envs(self.vault.client_environment()).env("VAULT_ADDR", &self.address);
        command.env("VAULT_TOKEN", self.vault.root_token().expose());
        command.env("KUBECONFIG", self.clusters.kubeconfig()).args(words);
        command
    }

    /// The plugin with these words, run to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// The plugin with these words, started.
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"))
    }

    /// Writes to a path; it must succeed.
    pub fn write(&self, path: &str, body: &Value) {
        self.vault.ok("POST", path, Some(body)).unwrap_or_else(|e| panic!("POST {path}: {e}"));
    }

    /// Enables a JWT mount.
    pub fn enable(&self, mount: &str) {
        self.write(&format!("sys/auth/{mount}"), &json!({"type": "jwt"}));
    }

    /// The configuration of a mount.
    pub fn config(&self, mount: &str) -> Value {
        data(&self.vault.http("GET", &format!("auth/{mount}/config"), None).expect("Vault answers"))
    }

    /// Puts every cluster on a mount that is enabled.
    pub fn enroll_all(&self, mount: &str) {
        let terms = ["--enroll", "--same-trust-domain", "--allow-same-issuer"];
        self.run(&[&["sync", "--all-contexts", "--mount", mount], &terms[..]].concat()).ok();
    }

    /// Whether a cluster's mark is on an element.
    pub fn is_of(&self, number: usize, element: &str) -> bool {
        element.starts_with("vaultjwt/v2\n")
            && element.contains(&format!("\nissuer: {}\n", self.clusters.issuer(number)))
            && element.contains(&format!("\ncluster-uid: {}\n", self.clusters.uid(number)))
    }
}

/// The elements of a configuration.
pub fn elements(config: &Value) -> Vec<String> {
    let texts = config["jwt_validation_pubkeys"].as_array().expect("a list");
    texts.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Elements that belong to nobody the plugin knows: two keys without a mark,
/// one of them in words of its own, and one whose mark no version can read.
pub fn foreign() -> [String; 3] {
    let pem = |alg| SigningKey::generate(alg).expect("a key").public_pem().trim().to_owned();
    [
        pem(Alg::Rs256),
        format!("put here by hand, on a Friday\n{}", pem(Alg::Es256)),
        format!("vaultjwt/v9\nissuer: https://issuer-0.svc\n{}", pem(Alg::Es256)),
    ]
}

/// The configuration as whoever keeps the mount by hand has it: foreign
/// elements before, between and after the ones that stand there, and every
/// other field set.
pub fn by_hand(standing: &[String], foreign: &[String; 3], bound_issuer: &str) -> Value {
    let [first, second, third] = foreign;
    let (before, after) = standing.split_at(standing.len() / 2);
    let keys: Vec<&String> = [first].into_iter().chain(before).chain([second]).chain(after).chain([third]).collect();
    json!({
        "jwt_validation_pubkeys": keys,
        "jwt_supported_algs": ["RS256"],
        "bound_issuer": bound_issuer,
        "default_role": "app",
    })
}

/// Nothing a program prints may steer a terminal.
#[track_caller]
pub fn is_plain(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.chars().any(|c| c != '\n' && shared::text::acts(c)), "{text:?}");
    }
}

/// How often a soak does it: as the environment says.
pub fn soak(name: &str, otherwise: usize) -> usize {
    match std::env::var(name) {
        Ok(count) => count.parse().unwrap_or_else(|_| panic!("{name}=\"{count}\" is not a number")),
        Err(_) => otherwise,
    }
}
