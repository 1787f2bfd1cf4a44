//! The usual fixture: a cluster, a Vault, and the programs under test with their own home folder.

use harness::NEVER_FLAKY;
use harness::artifacts;
use harness::http::Answer;
use harness::process::Scratch;
use harness::recording;
use harness::secrets;
use harness::server::{AuditRequest, Cluster, PooledVault, Product, VaultOptions, shared_cluster};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A cluster and a Vault.
pub struct Fixture {
    pub cluster: Owned,
    pub vault: PooledVault,
    pub folder: Scratch,
}

/// The cluster all tests share, or one of a test's own.
pub enum Owned {
    Shared(&'static Cluster),
    Own(Box<Cluster>),
}

impl std::ops::Deref for Owned {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        match self {
            Self::Shared(cluster) => cluster,
            Self::Own(cluster) => cluster,
        }
    }
}

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    /// Its output contains no secret.
    #[track_caller]
    fn from(output: Output) -> Self {
        recording::output(&output);
        assert_eq!(secrets::find(&output.stdout), None, "{NEVER_FLAKY}: on stdout");
        assert_eq!(secrets::find(&output.stderr), None, "{NEVER_FLAKY}: on stderr");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

impl Ran {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// It failed with code 1, said this at the end, and nothing on stdout.
    #[track_caller]
    pub fn failed_ending(self, stderr: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (1, ""), "{}", self.stderr);
        assert!(self.stderr.ends_with(stderr), "{}\nwanted at its end:\n{stderr}", self.stderr);
    }

    /// It failed with this code, and said exactly this on stderr, nothing on stdout.
    #[track_caller]
    pub fn failed(self, code: i32, stderr: &str) {
        assert_eq!((self.code, self.stdout.as_str(), self.stderr.as_str()), (code, "", stderr));
    }
}

/// The role that most tests ask for.
pub const ROLE: [&str; 6] = ["--role", "app", "--service-account", "shop:app", "--policy", "app-read"];

impl Fixture {
    /// The shared cluster and a Vault of its own.
    pub fn new(product: Product) -> Self {
        Self::with(Owned::Shared(shared_cluster().expect("the shared cluster starts")), VaultOptions::new(product))
    }

    /// Any cluster, any Vault. The cluster has service account shop:app, the
    /// Vault has a secret and a policy to read it.
    pub fn with(cluster: Owned, options: VaultOptions) -> Self {
        Self::around(cluster, PooledVault::take(options).expect("Vault starts"))
    }

    /// The same, for a test that mostly waits.
    pub fn to_wait(cluster: Owned, options: VaultOptions) -> Self {
        Self::around(cluster, PooledVault::take_to_wait(options).expect("Vault starts"))
    }

    fn around(cluster: Owned, vault: PooledVault) -> Self {
        cluster.create_service_account("shop", "app").expect("service account shop:app is made");
        let folder = Scratch::new("fixture").expect("a folder is made");
        Self { cluster, vault, folder }
    }

    /// `kubectl <words>` with the plugin in PATH, pointed at this Vault. What is
    /// for the plugin goes to it directly.
    pub fn kubectl(&self, words: &[&str]) -> Command {
        let plugin = artifacts::plugin().expect("the plugin is built");
        let folder = plugin.parent().expect("the plugin is in a folder");
        let (command, words) = match words {
            ["vaultjwt", words @ ..] => (self.cluster.command_of(&plugin, &[folder]), words),
            _ => (self.cluster.kubectl_command(&[folder]), words),
        };
        let mut command = command.expect("kubectl is there");
        command.args(words).envs(self.vault.client_environment());
        command.env("VAULT_TOKEN", self.vault.root_token().expose());
        command
    }

    /// `kubectl vaultjwt setup` with these flags.
    pub fn setup_command(&self, flags: &[&str]) -> Command {
        self.kubectl(&[&["vaultjwt", "setup"], flags].concat())
    }

    pub fn setup(&self, flags: &[&str]) -> Ran {
        run(&mut self.setup_command(flags))
    }

    /// Requests in the audit log that came after the first `seen` ones,
    /// without the harness's own reads.
    pub fn requests_since(&self, seen: usize) -> Vec<String> {
        self.vault
            .audit_requests()
            .into_iter()
            .skip(seen)
            .map(|AuditRequest { operation, path, .. }| format!("{operation} {path}"))
            .collect()
    }

    /// How many requests the audit log has.
    pub fn seen(&self) -> usize {
        self.vault.audit_requests().len()
    }

    /// The data at a path, or null.
    pub fn data(&self, path: &str) -> Value {
        data(&self.vault.http("GET", path, None).expect("Vault answers"))
    }

    /// Writes to a path; it must succeed.
    pub fn write(&self, path: &str, body: Value) {
        self.vault.ok("POST", path, Some(&body)).unwrap_or_else(|e| panic!("POST {path}: {e}"));
    }

    /// Everything on the mount `jwt/` that a write could have changed.
    pub fn mount_state(&self) -> Value {
        json!({
            "mounts": self.data("sys/auth").as_object().map(|m| m.keys().cloned().collect::<Vec<_>>()),
            "config": self.data("auth/jwt/config"),
            "roles": self.data("auth/jwt/role?list=true"),
            "role": self.data("auth/jwt/role/app"),
        })
    }

    /// A token of shop:app for Vault, in a file.
    pub fn jwt_file(&self) -> PathBuf {
        let token = self.cluster.token("shop", "app", &["vault"]).expect("the cluster issues a token");
        self.folder.write("jwt", token.expose()).expect("the token is written")
    }

    /// `vault-jwt-login`, pointed at this Vault, reading `jwt` and writing
    /// `token`.
    pub fn login_command(&self, jwt: &Path, token: &Path) -> Command {
        let pod = artifacts::pod_binary().expect("the pod binary is built");
        let mut command = Command::new(&pod.path);
        command.env_clear().envs(self.vault.client_environment()).current_dir(self.folder.path());
        command.env("VAULT_JWT_FILE", jwt).env("VAULT_TOKEN_FILE", token).env("VAULT_ROLE", "app");
        command
    }
}

/// The `data` of an answer, or null.
pub fn data(answer: &Answer) -> Value {
    if answer.is_success() { answer.json()["data"].clone() } else { Value::Null }
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Ran {
    recording::command(command);
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}")).into()
}
