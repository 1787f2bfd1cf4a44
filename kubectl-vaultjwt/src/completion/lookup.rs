//! Values that need a request: the kubeconfig, the cluster, Vault. A person waits at a
//! prompt, so it takes two seconds at most; nothing that could prompt is run for it, and
//! what fails offers nothing.

use crate::cli::kube::KubeFlags;
use crate::cli::vault::VaultFlags;
use crate::cluster::api_server::ApiServer;
use crate::cluster::kubeconfig::Contexts;
use crate::completion::candidate::{Candidate, Directive};
use crate::completion::line::Line;
use crate::vault::http::client::Client;
use crate::vault::settings::Settings;
use crate::vault::settings::host::{HostEnvironment, RealHost};
use crate::vault::settings::token_helper::HelperError;
use crate::vault::{Vault as _, VaultError};
use clap::{Arg, CommandFactory as _, Parser};
use kube::config::ExecInteractiveMode;
use shared::mount::MountPath;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest time for asking a cluster or Vault, if [`LIMIT_VARIABLE`] names no other.
const LIMIT: Duration = Duration::from_secs(2);

/// For those whose way to a cluster is longer, as with an exec plugin that logs in
/// first.
const LIMIT_VARIABLE: &str = "VAULTJWT_COMPLETION_TIMEOUT";

fn limit() -> Duration {
    let given = variable(LIMIT_VARIABLE).and_then(|typed| shared::duration::parse(&typed).ok());
    // Never 0, which would mean no bound elsewhere.
    given.filter(|limit| !limit.is_zero()).unwrap_or(LIMIT)
}

/// Flags that say who is asked, among those that were typed.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
struct Chosen {
    #[command(flatten)]
    kube: KubeFlags,
    #[command(flatten)]
    vault: VaultFlags,
}

impl Chosen {
    /// None where one of them has a value that means nothing.
    fn read(line: &Line<'_>) -> Option<Self> {
        let known = Self::command();
        let is_known = |long: &str| known.get_arguments().any(|arg| arg.get_long() == Some(long));
        let mut words = Vec::new();
        for (arg, value) in &line.given {
            let Some(long) = arg.get_long().filter(|long| is_known(long)) else { continue };
            words.push(match value {
                Some(value) => format!("--{long}={value}"),
                None => format!("--{long}"),
            });
        }
        Self::try_parse_from(words).ok()
    }
}

/// The values of a flag, by its name.
pub(super) fn of(line: &Line<'_>, arg: &Arg) -> (Vec<Candidate>, Directive) {
    let nothing = (Vec::new(), Directive::Values);
    let (Some(long), Some(chosen)) = (arg.get_long(), Chosen::read(line)) else { return nothing };
    let names = |found: Option<Vec<String>>| {
        (found.unwrap_or_default().into_iter().map(Candidate::plain).collect(), Directive::Values)
    };
    let mount = |flags: &[&str]| {
        let typed = flags.iter().find_map(|flag| line.value(flag)).unwrap_or("jwt");
        MountPath::parse(typed).ok()
    };
    match long {
        "context" => names(kubeconfig(&chosen.kube).map(|contexts| contexts.names())),
        "contexts" => names(kubeconfig(&chosen.kube).map(|contexts| listed(&line.typed, contexts.names()))),
        "cluster" => names(kubeconfig(&chosen.kube).map(|contexts| contexts.clusters())),
        "user" => names(kubeconfig(&chosen.kube).map(|contexts| contexts.users())),
        "namespace" => names(within_limit(namespaces(&chosen))),
        "service-account" => match line.typed.split_once([':', '/']) {
            Some((namespace, _)) => {
                let separator = line.typed.get(namespace.len()..=namespace.len()).unwrap_or(":");
                names(within_limit(service_accounts(&chosen, namespace, separator)))
            }
            None => {
                let found = within_limit(namespaces(&chosen)).unwrap_or_default();
                let found = found.into_iter().map(|name| Candidate::plain(name + ":"));
                (found.collect(), Directive::Unfinished)
            }
        },
        "mount" | "auth-mount" => names(within_limit(mounts(&chosen))),
        "role" => names(mount(&["mount"]).and_then(|mount| within_limit(roles(&chosen, mount)))),
        "auth-role" => names(mount(&["auth-mount", "mount"]).and_then(|mount| within_limit(roles(&chosen, mount)))),
        "policy" => names(within_limit(policies(&chosen))),
        _ => nothing,
    }
}

/// The names, each after those that the list has already.
fn listed(typed: &str, names: Vec<String>) -> Vec<String> {
    let Some(at) = typed.rfind(',') else { return names };
    let before = &typed[..=at];
    let is_new = |name: &String| !before.split(',').any(|one| one == name);
    names.into_iter().filter(is_new).map(|name| format!("{before}{name}")).collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn kubeconfig(flags: &KubeFlags) -> Option<Contexts> {
    Contexts::load(&flags.overrides(), Arc::new(variable)).ok()
}

/// Runs it, and does not wait for what it leaves behind.
fn within_limit<T>(work: impl Future<Output = Option<T>>) -> Option<T> {
    // One provider for kube and reqwest alike, as in `main`.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()?;
    let found = runtime.block_on(async { tokio::time::timeout(limit(), work).await });
    runtime.shutdown_background();
    found.ok().flatten()
}

async fn cluster(chosen: &Chosen) -> Option<ApiServer> {
    let flags = KubeFlags { request_timeout: Some(limit()), ..chosen.kube.clone() };
    let mut connection = kubeconfig(&flags)?.resolve(None).ok()?;
    // The one who presses TAB is typing something else.
    if let Some(exec) = &mut connection.config.auth_info.exec {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
    ApiServer::connect(connection).await.ok()
}

async fn namespaces(chosen: &Chosen) -> Option<Vec<String>> {
    cluster(chosen).await?.namespaces().await.ok()
}

async fn service_accounts(chosen: &Chosen, namespace: &str, separator: &str) -> Option<Vec<String>> {
    let names = cluster(chosen).await?.service_accounts(namespace).await.ok()?;
    Some(names.into_iter().map(|name| format!("{namespace}{separator}{name}")).collect())
}

async fn vault(chosen: &Chosen) -> Option<Client> {
    let flags = VaultFlags { timeout: Some(limit()), ..chosen.vault.clone() };
    let settings = Settings::resolve(&flags.overrides(), &Quiet).ok()?;
    let client: Result<Client, VaultError> = Client::new(settings, Arc::new(|_: &str| ()));
    client.ok()
}

async fn mounts(chosen: &Chosen) -> Option<Vec<String>> {
    let mounts = vault(chosen).await?.auth_mounts().await.ok()?;
    Some(mounts.into_iter().filter(|(_, kind)| kind == "jwt").map(|(path, _)| path).collect())
}

async fn roles(chosen: &Chosen, mount: MountPath) -> Option<Vec<String>> {
    vault(chosen).await?.list_roles(&mount).await.ok()
}

async fn policies(chosen: &Chosen) -> Option<Vec<String>> {
    let names = vault(chosen).await?.list_policies().await.ok()?;
    // No role can give it.
    Some(names.into_iter().filter(|name| name != "root").collect())
}

/// The surroundings without a token helper, which may ask a person: then there is
/// no token.
struct Quiet;

impl HostEnvironment for Quiet {
    fn var(&self, name: &str) -> Option<String> {
        RealHost.var(name)
    }

    fn home(&self) -> Option<PathBuf> {
        RealHost.home()
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        RealHost.read(file)
    }

    fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        RealHost.files(directory)
    }

    fn token_helper(&self, _: &Path, _: &str) -> Result<Vec<u8>, HelperError> {
        Ok(Vec::new())
    }
}
