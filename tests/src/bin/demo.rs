//! `cargo demo`: the whole path on this machine, in one command. It gets real
//! servers, gives a cluster's service account a role in a Vault with `kubectl
//! vaultjwt setup`, logs in with `vault-jwt-login` and a token the cluster
//! issued, and reads a secret with the Vault token. Every command is shown
//! with what it printed; the last line is the secret.

use harness::artifacts::{self, ArtifactError, PodBinary};
use harness::peers::{self, Peer, PeerError};
use harness::process::{Scratch, clean_environment, say};
use harness::server::{Cluster, ClusterOptions, Product, ServerError, VaultOptions, VaultServer};
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

/// A line on stdout. A reader that went away (`| head`) ends the demo; what it
/// started goes with it.
macro_rules! tell {
    ($($words:tt)*) => {
        if writeln!(std::io::stdout(), $($words)*).is_err() {
            std::process::exit(0);
        }
    };
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let product = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => Product::OpenBao,
        [flag] if flag == "--vault" => Product::Vault,
        _ => {
            tell!("usage: cargo demo [--vault]\n\nRuns the demo with OpenBao, or with HashiCorp Vault.");
            return ExitCode::from(2);
        }
    };
    match demo(product) {
        Ok(secret) => {
            tell!("{secret}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("error: {error}"));
            if let Some(hint) = hint(error.as_ref()) {
                say(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// What the harness advises.
fn hint(error: &(dyn Error + Send + Sync + 'static)) -> Option<String> {
    let peer = error.downcast_ref::<PeerError>().and_then(PeerError::hint);
    let server = || error.downcast_ref::<ServerError>().and_then(ServerError::hint);
    let artifact = || error.downcast_ref::<ArtifactError>().and_then(ArtifactError::hint);
    peer.or_else(server).or_else(artifact)
}

fn demo(product: Product) -> Outcome<String> {
    chapter("Real servers, and the two programs");
    let (plugin, pod) = prepare(product)?;
    let cluster = Cluster::start(ClusterOptions::default())?;
    tell!("kube-apiserver and etcd run at {}", cluster.url());
    let vault = VaultServer::start(VaultOptions::new(product))?;
    tell!("{product} runs at {} with TLS", vault.address());
    let folder = Scratch::new("demo")?;
    let stage = Stage { cluster: &cluster, vault: &vault, plugin: &plugin, folder: folder.path() };
    tell!("Every command below runs with this environment, and with tokens that are not shown:");
    tell!("KUBECONFIG={}", cluster.kubeconfig().display());
    vault.client_environment().iter().for_each(|(name, value)| tell!("{name}={value}"));

    chapter("A secret in Vault, and a policy to read it");
    let secret = random_secret();
    let cli = if product == Product::Vault { "vault" } else { "bao" };
    fs::write(folder.path().join("secret"), &secret)?;
    fs::write(folder.path().join("app-read.hcl"), "path \"kv/app\" { capabilities = [\"read\"] }\n")?;
    stage.show(stage.vault_cli(&["secrets", "enable", "-version=1", "kv"])?, cli)?;
    stage.show(stage.vault_cli(&["write", "kv/app", "password=@secret"])?, cli)?;
    stage.show(stage.vault_cli(&["policy", "write", "app-read", "app-read.hcl"])?, cli)?;

    chapter("A service account in the cluster");
    stage.show(stage.kubectl(&["create", "namespace", "shop"])?, "kubectl")?;
    stage.show(stage.kubectl(&["create", "serviceaccount", "app", "--namespace", "shop"])?, "kubectl")?;

    chapter("Vault learns to trust the cluster: kubectl vaultjwt setup");
    let setup = ["vaultjwt", "setup", "--role", "app", "--service-account", "shop:app", "--policy", "app-read"];
    tell!("What would it change?");
    stage.show(stage.kubectl(&[&setup[..], &["--dry-run=client"]].concat())?, "kubectl")?;
    tell!("\nNow for real. The pod snippet at the end is what goes to stdout.");
    stage.show(stage.kubectl(&setup)?, "kubectl")?;
    tell!("\nAnd again: nothing changes.");
    stage.show(stage.kubectl(&[&setup[..], &["--dry-run=client"]].concat())?, "kubectl")?;

    chapter("In the pod: vault-jwt-login");
    tell!("The kubelet would project this token into the pod; here kubectl asks for it.");
    let mut token = stage.kubectl(&["create", "token", "app", "--namespace", "shop", "--audience", "vault"])?;
    tell!("$ kubectl create token app --namespace shop --audience vault > jwt");
    let issued = token.output()?;
    if !issued.status.success() {
        return Err(String::from_utf8_lossy(&issued.stderr).into_owned().into());
    }
    fs::write(folder.path().join("jwt"), &issued.stdout)?;
    stage.show(stage.login(&pod)?, "vault-jwt-login")?;

    chapter("The Vault token reads the secret");
    let mut read = stage.vault_cli(&["read", "-field=password", "kv/app"])?;
    let prefix = product.prefix();
    read.env(format!("{prefix}_TOKEN"), fs::read_to_string(folder.path().join("token"))?);
    tell!("$ {prefix}_TOKEN=$(cat token) {cli} read -field=password kv/app");
    let output = read.output()?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if found != secret {
        return Err(format!("the secret was not read: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    tell!("It is the value that was written above. The servers end here; read on in README.md.");
    Ok(found)
}

/// The servers are built or fetched while cargo compiles the programs.
fn prepare(product: Product) -> Outcome<(PathBuf, PodBinary)> {
    thread::scope(|threads| {
        let peers = threads.spawn(|| {
            [Peer::Etcd, Peer::KubeApiserver, Peer::Kubectl]
                .into_iter()
                .try_for_each(|peer| peers::locate(peer).map(drop))
        });
        let vault = threads.spawn(move || peers::locate(product.peer()).map(drop));
        let programs = artifacts::plugin().and_then(|plugin| Ok((plugin, artifacts::pod_binary()?)));
        for thread in [peers, vault] {
            thread.join().map_err(|_| "getting the servers failed")??;
        }
        let (plugin, pod) = programs?;
        tell!("vault-jwt-login is static, for {}, {:.2} MiB", pod.target, pod.size as f64 / 1_048_576.0);
        Ok((plugin, pod))
    })
}

fn chapter(title: &str) {
    tell!("\n== {title}");
}

fn random_secret() -> String {
    (0..4).map(|_| format!("{:08x}", rand::random::<u32>())).collect::<Vec<_>>().join("-")
}

/// Where the commands run.
struct Stage<'a> {
    cluster: &'a Cluster,
    vault: &'a VaultServer,
    plugin: &'a Path,
    folder: &'a Path,
}

impl Stage<'_> {
    fn kubectl(&self, words: &[&str]) -> Outcome<Command> {
        let plugin = self.plugin.parent().unwrap_or(Path::new("."));
        let mut command = self.cluster.kubectl_command(&[plugin])?;
        command.args(words).envs(self.vault.client_environment());
        command.env("VAULT_TOKEN", self.vault.root_token().expose());
        Ok(command)
    }

    fn vault_cli(&self, words: &[&str]) -> Outcome<Command> {
        let mut command = self.vault.cli_command()?;
        command.args(words).current_dir(self.folder);
        Ok(command)
    }

    fn login(&self, pod: &PodBinary) -> Outcome<Command> {
        let mut command = Command::new(&pod.path);
        clean_environment(&mut command, self.folder, &[]);
        command.envs(self.vault.client_environment()).current_dir(self.folder);
        command.args(["--jwt-file", "jwt", "--role", "app", "--token-file", "token"]);
        Ok(command)
    }

    /// Prints a command as it would be typed, runs it, and prints what it said.
    fn show(&self, mut command: Command, name: &str) -> Outcome<()> {
        let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        tell!("$ {name} {}", words.join(" "));
        let output = command.output()?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        tell!("{}", format!("{stderr}{stdout}").trim_end());
        if output.status.success() { Ok(()) } else { Err(format!("{name} ended with {}", output.status).into()) }
    }
}
