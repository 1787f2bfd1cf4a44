//! The clusters and the Vault that help examples and documents refer to: contexts `production`,
//! `staging`, `edge`, `old` and `laptop`, and a shell that runs their commands.

use crate::support::fixture::{Owned, Ran};
use harness::artifacts;
use harness::http::Http;
use harness::keys::Alg;
use harness::peers::{self, Peer};
use harness::process::{Scratch, clean_environment, port};
use harness::server::{Cluster, ClusterOptions, ConnectProxy, Credentials, Issuer, PooledVault, Product, VaultOptions};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for a command that runs until it is told to stop.
const SOON: Duration = Duration::from_secs(90);

/// The issuer of `staging`, which is also `edge` and `old`. Nobody can be
/// reached there.
const STAGING: &str = "https://oidc.example.com/id/old";

pub struct DocumentedSetup {
    pub vault: PooledVault,
    production: Owned,
    staging: &'static Cluster,
    pub folder: Scratch,
    kubeconfigs: OsString,
    proxy: ConnectProxy,
}

/// Which texts are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Examples of help: all contexts, and an issuer that Vault can reach.
    Examples,
    /// Documents: fewer contexts, and the issuer that most clusters have.
    Documents,
    /// The same, and `production` gets a new key.
    Rotation,
}

impl DocumentedSetup {
    /// Starts it. Nothing is on any mount yet.
    pub fn start(product: Product, story: Story) -> Self {
        let shared = |options| Cluster::shared(options).expect("a cluster starts");
        let production = match story {
            // Its own site can be read, by Vault too.
            Story::Examples => Owned::Shared(shared(ClusterOptions {
                issuer: Issuer::Own,
                anonymous_oidc: true,
                ..ClusterOptions::default()
            })),
            Story::Documents => Owned::Shared(shared(ClusterOptions::default())),
            Story::Rotation => {
                Owned::Own(Box::new(Cluster::rotating(ClusterOptions::default()).expect("a cluster starts")))
            }
        };
        let staging = shared(ClusterOptions { issuer: Issuer::Url(STAGING.to_owned()), ..ClusterOptions::default() });
        let laptop = Cluster::shared_second(ClusterOptions::default()).expect("a cluster starts");
        for cluster in [&*production, staging] {
            cluster.create_service_account("shop", "app").expect("service account shop:app is made");
        }
        production.create_service_account("vaultjwt", "sync").expect("service account vaultjwt:sync is made");

        let folder = Scratch::new("world").expect("a folder is made");
        let write = |name: &str, content: &str| folder.write(name, content).expect("a file is written");
        let trusts = Some(write("authorities.pem", &production.ca_pem()));
        let namespaces = if product == Product::OpenBao { vec!["admin/team".to_owned()] } else { Vec::new() };
        // Only there it reads a site itself.
        let trusts = trusts.filter(|_| story == Story::Examples);
        let options = VaultOptions { namespaces, trusts, ..VaultOptions::new(product) };
        let vault = PooledVault::take(options).expect("Vault starts");
        vault.write_policy("app-read", "path \"kv/app\" { capabilities = [\"read\"] }").expect("a policy is written");
        let sync = "path \"auth/jwt/config\" { capabilities = [\"read\", \"update\"] }";
        vault.write_policy("vaultjwt-sync", sync).expect("a policy is written");

        let jwt = production.token("shop", "app", &["vault"]).expect("a token");
        write("app.jwt", jwt.expose());
        let jwt = production.token("vaultjwt", "sync", &["vault"]).expect("a token");
        write("sync.jwt", jwt.expose());
        let mut contexts = vec![("production", &*production), ("staging", staging), ("laptop", laptop)];
        if story == Story::Examples {
            contexts.extend([("edge", staging), ("old", staging)]);
        }
        let kubeconfigs = contexts.into_iter().map(|(name, cluster)| {
            let admin = Credentials::Certificate(cluster.admin().clone());
            let path = cluster.kubeconfig_with(name, &admin).expect("a kubeconfig");
            let config = fs::read_to_string(path).expect("a kubeconfig is read");
            write(&format!("{name}.kubeconfig"), &config.replace(cluster.context(), name))
        });
        let kubeconfigs = std::env::join_paths(kubeconfigs).expect("paths");
        // Whichever server it is, people type `vault`.
        let bin = folder.folder("bin").expect("a folder");
        let cli = peers::locate(product.peer()).expect("the vault CLI is there");
        std::os::unix::fs::symlink(cli, bin.join("vault")).expect("a link is made");
        let proxy = ConnectProxy::start().expect("a proxy starts");
        Self { vault, production, staging, folder, kubeconfigs, proxy }
    }

    /// `production` and `staging` are on mount `jwt` and on `k8s`, with roles.
    pub fn enrol(&self) {
        for command in [
            // Where an example has removed the keys, the roles are still there.
            "kubectl vaultjwt setup --role app --service-account shop:app --policy app-read --allow-existing-roles",
            "kubectl vaultjwt setup --role vaultjwt-sync --service-account vaultjwt:sync --policy vaultjwt-sync",
            "kubectl vaultjwt setup --context staging --same-trust-domain",
            "kubectl vaultjwt setup --mount k8s",
            "kubectl vaultjwt setup --mount k8s --context staging --same-trust-domain",
        ] {
            self.run(command).ok();
        }
    }

    /// A shell whose environment reaches all of it.
    pub fn shell(&self, line: &str) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let plugin = artifacts::plugin().expect("the plugin is built");
        let pod = artifacts::pod_binary().expect("the pod binary is built").path;
        let kubectl = peers::locate(Peer::Kubectl).expect("kubectl is there");
        let bin = path("bin");
        let folders: Vec<&Path> = [&plugin, &pod, &kubectl]
            .into_iter()
            .filter_map(|program| program.parent())
            .chain([bin.as_path()])
            .collect();
        let mut command = Command::new("bash");
        clean_environment(&mut command, self.folder.path(), &folders);
        command.env("KUBECONFIG", &self.kubeconfigs);
        command.env("KUBECACHEDIR", path("kube-cache")).current_dir(self.folder.path());
        command.envs(self.vault.client_environment());
        // Names of the internet lead nowhere.
        command.env("HTTPS_PROXY", self.proxy.url()).env("NO_PROXY", "127.0.0.1,localhost");
        command.env("SSL_CERT_FILE", path("authorities.pem"));
        command.env("VAULT_TOKEN_FILE", path("token"));
        // Who logs in by himself has no token.
        if line.contains("--auth-role") {
            command.env("VAULT_JWT_FILE", path("sync.jwt"));
        } else {
            command.env("VAULT_JWT_FILE", path("app.jwt")).env("VAULT_TOKEN", self.vault.root_token().expose());
        }
        command.args(["-c", line]).stdin(Stdio::null());
        command
    }

    /// The cluster `production` gets a new signing key.
    pub fn rotate(&self) {
        self.production.rotate(Alg::Rs256).expect("the key is rotated");
    }

    /// Types a command, and waits for its end; what watches is stopped when it is
    /// ready.
    #[track_caller]
    pub fn run(&self, line: &str) -> Ran {
        if line.contains("--watch") { self.watch(line) } else { crate::support::fixture::run(&mut self.shell(line)) }
    }

    /// Types a command, and gives what a terminal would show of it, where that is
    /// not another each time: one address, one folder, the kids.
    #[track_caller]
    pub fn shown(&self, line: &str, colours: bool) -> String {
        let ran = match line.contains("--watch") {
            true => self.watch(line),
            false => {
                let mut shell = self.shell(&format!("exec 2>&1\n{line}"));
                crate::support::fixture::run(if colours { shell.env("CLICOLOR_FORCE", "1") } else { &mut shell })
            }
        };
        let mut shown = ended_well(line, &ran).replace(self.vault.address(), "https://vault.example.com:8200");
        shown = shown.replace(&self.folder.path().display().to_string(), "/vault");
        let kids = ["7b3Yh0nLqW5mRk2c", "Lm6Jd1xGtB9oWf3y", "Xk2pQ9sTzA8vEu4d"];
        let keys = self.production.signing_keys().into_iter().take(2).zip(&kids);
        for (key, kid) in keys.chain([(self.staging.signing_key(), &kids[2])]) {
            let real = key.kid();
            for length in [16, 8] {
                shown = shown.replace(&real[..length], &kid[..length]);
            }
        }
        shown
    }

    #[track_caller]
    fn watch(&self, line: &str) -> Ran {
        // Another run on this machine may have that port. Where no probes are
        // asked for they are asked for here, to know when the first round is over.
        let port = port().expect("a port");
        let mut typed = line.replace(":9102", &format!(":{port}"));
        if typed == line {
            typed.push_str(&format!(" --metrics-addr 127.0.0.1:{port}"));
        }
        let probes = Http::new(format!("http://127.0.0.1:{port}"), None, None).expect("a client");
        let is_ready = || probes.send("GET", "/readyz", &[], None).is_ok_and(|answer| answer.status == 200);
        let log = self.folder.path().join("watch.log");
        let mut command = self.shell(&format!("exec {typed}"));
        command.stdout(Stdio::null()).stderr(File::create(&log).expect("a log is made"));
        let mut child = Child(command.spawn().unwrap_or_else(|e| panic!("{line}: {e}")));
        let start = Instant::now();
        let said = || fs::read_to_string(&log).unwrap_or_default();
        // In JSON, quotes look otherwise.
        let says = || said().contains("watching ") && said().contains("jwt/") && said().contains(", every ");
        while !(says() && is_ready()) {
            let ended = child.0.try_wait().expect("it can be asked");
            assert!(ended.is_none() && start.elapsed() < SOON, "{line}: {ended:?}\n{}", said());
            sleep(Duration::from_millis(20));
        }
        let killed = Command::new("kill").arg(child.0.id().to_string()).status().expect("kill runs");
        assert!(killed.success(), "{line}: it ended by itself\n{}", said());
        let status = child.0.wait().expect("it ends");
        assert!(!said().contains(" error ") && !said().contains("\"error\""), "{line}\n{}", said());
        Ran { code: status.code().unwrap_or(-1), stdout: String::new(), stderr: said() }
    }
}

/// A run that goes on. Dropped, as where a test fails, it is killed.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All it said; what ends otherwise than documented fails the test.
#[track_caller]
pub fn ended_well(line: &str, ran: &Ran) -> String {
    // As kubectl diff: 1 is a difference.
    let ends = if line.starts_with("kubectl vaultjwt diff") { 0..=1 } else { 0..=0 };
    assert!(ends.contains(&ran.code), "{line}: {}\n{}{}", ran.code, ran.stdout, ran.stderr);
    format!("{}{}", ran.stdout, ran.stderr)
}
