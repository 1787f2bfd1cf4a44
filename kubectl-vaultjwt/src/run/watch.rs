//! Owns `sync --watch` from typed arguments to its end.

use super::{Ending, sync};
use crate::cli::sync::SyncArgs;
use crate::cli::watch::{Fallback, WatchFlags};
use crate::cloud_api::{Apis, Kept};
use crate::cluster::KeptClusters;
use crate::cluster::kubeconfig::Contexts;
use crate::command::sync::{Ports as SyncPorts, Scope};
use crate::command::watch::{self, Login, Notes, Pace, Ports, Requests, StatsCell, WatchInput};
use crate::error::Error;
use crate::issuer::{HttpsSite, Sources};
use crate::render::log::Log;
use crate::serve::{self, Served};
use crate::shell::word;
use crate::vault::client::Client;
use crate::vault::keyring::Files;
use crate::vault::settings::{Process, Settings, SettingsError};
use crate::vault::token::TokenError;
use crate::vault::{Vault as _, VaultError};
use shared::env::Lookup;
use shared::mount::MountPath;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Where the pod snippet of `setup` has the service account token.
const JWT_FILE: &str = "/var/run/secrets/tokens/vault-token";

/// Runs `sync --watch` until `stop`.
pub async fn watch(args: SyncArgs, verbosity: u8, stop: impl Future<Output = ()>) -> Ending {
    tokio::pin!(stop);
    tokio::select! {
        biased;
        // Nothing was begun yet.
        () = &mut stop => Ok(0),
        prepared = Prepared::new(args, verbosity) => {
            prepared?.run(stop).await;
            Ok(0)
        }
    }
}

/// Everything that a run needs.
struct Prepared {
    input: WatchInput,
    clusters: KeptClusters,
    site: HttpsSite,
    clouds: Kept<Apis>,
    vault: Client,
    keyring: Files<Process>,
    log: Log,
    stats: Arc<StatsCell>,
}

impl Prepared {
    async fn new(args: SyncArgs, verbosity: u8) -> Result<Self, Error> {
        sync::check(&args)?;
        let log = Log::new(args.watch.log_format, verbosity);
        let mut requests = Requests::default();
        let settings = settings(&args).await?;
        let sent = Arc::clone(&requests.vault);
        let vault = Client::new(
            settings,
            Arc::new(move |line: &str| {
                sent.fetch_add(1, Ordering::Relaxed);
                log.request(line);
            }),
        )?;
        let kube = args.kube.clone();
        let load = move || Contexts::load(&kube, |name| std::env::var(name).ok());
        let scope = named(&args, sync::scope(&args, &load()?));
        if matches!(&scope, Scope::All(names) if names.is_empty()) {
            return Err(Error::usage("sync", "the kubeconfig has no context to watch"));
        }
        let clusters = KeptClusters::new(Box::new(load));
        let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
        let clouds = Kept::new(Apis { credentials: args.issuer.cloud.credentials() });
        (requests.api_server, requests.issuer) = (clusters.requests(), site.requests());
        let stats = Arc::new(StatsCell::new(args.mount.as_str()));
        if let Some(address) = args.watch.metrics_addr {
            let listener = serve::listen(address).await?;
            // It ends with the process. That it cannot accept for a while (no
            // file descriptors) is axum's to ride out.
            tokio::spawn(serve::serve(listener, Served { stats: Arc::clone(&stats), requests }));
        }
        let keyring = Files::new(args.vault.clone(), Process);
        let input = WatchInput {
            pace: pace(&args.watch),
            logins: logins(&args.watch, &args.mount),
            by_hand: by_hand(&args, &scope, &vault),
            sync: sync::input(args, scope),
        };
        Ok(Self { input, clusters, site, clouds, vault, keyring, log, stats })
    }

    async fn run(&self, stop: impl Future<Output = ()>) {
        let notes = Notes::new(&self.log, &self.stats);
        let ports = Ports {
            sync: SyncPorts {
                clusters: &self.clusters,
                sources: Sources { site: &self.site, clouds: &self.clouds },
                vault: &self.vault,
                progress: &notes,
            },
            token: &self.vault,
            keyring: &self.keyring,
            journal: &self.log,
            stats: &self.stats,
        };
        watch::run(ports, &self.input, stop).await;
    }
}

/// Vault's settings. A run that logs in itself has no need of a person's token.
async fn settings(args: &SyncArgs) -> Result<Settings, Error> {
    if args.watch.auth_role.is_some() {
        return Ok(Settings::resolve_for_login(&args.vault, &Process).map_err(VaultError::from)?);
    }
    match super::settings(&args.vault).await {
        // The second way to log in is one, too.
        Err(SettingsError::Token(TokenError::Missing)) if args.watch.auth_fallback.is_some() => {
            Ok(Settings::resolve_for_login(&args.vault, &Process).map_err(VaultError::from)?)
        }
        settings => Ok(settings.map_err(VaultError::from)?),
    }
}

/// The one cluster under the same name whether it can be read or not.
fn named(args: &SyncArgs, scope: Scope) -> Scope {
    match scope {
        Scope::Current(None) => {
            let name = args.kube.cluster.clone().or_else(|| args.kube.server.clone());
            Scope::Current(Some(name.unwrap_or_else(|| "in-cluster".to_owned())))
        }
        scope => scope,
    }
}

fn pace(flags: &WatchFlags) -> Pace {
    flags.interval.map_or(Pace::DEFAULT, |interval| Pace { api_server: interval, issuer: interval })
}

/// The ways to log in, in the order to try.
fn logins(flags: &WatchFlags, mount: &MountPath) -> Vec<Login> {
    let env = Lookup(|name: &str| std::env::var(name).ok());
    let jwt_file = || {
        let given = flags.auth_jwt_file.clone().or_else(|| env.value("JWT_FILE").map(PathBuf::from));
        given.unwrap_or_else(|| PathBuf::from(JWT_FILE))
    };
    let first = flags.auth_role.as_ref().map(|role| Login::Jwt {
        mount: flags.auth_mount.clone().unwrap_or_else(|| mount.clone()),
        role: role.clone(),
        file: jwt_file(),
    });
    let fallback = flags.auth_fallback.clone().map(|fallback| match fallback {
        Fallback::Jwt { mount, role, jwt_file: file } => {
            Login::Jwt { mount, role, file: file.unwrap_or_else(jwt_file) }
        }
        Fallback::AppRole { mount, role_id_file, secret_id_file } => {
            Login::AppRole { mount, role_id_file, secret_id_file }
        }
    });
    first.into_iter().chain(fallback).collect()
}

/// The command with which a person does the same once.
fn by_hand(args: &SyncArgs, scope: &Scope, vault: &Client) -> String {
    let mut command = "kubectl vaultjwt sync".to_owned();
    if let Some(kubeconfig) = &args.kube.kubeconfig {
        command.push_str(&format!(" --kubeconfig {}", word(&kubeconfig.to_string_lossy())));
    }
    match scope {
        Scope::All(_) => command.push_str(" --all-contexts"),
        Scope::Named(names) => command.push_str(&format!(" --contexts {}", word(&names.join(",")))),
        // In a pod there is none; elsewhere it is the context of that cluster.
        Scope::Current(Some(name)) if args.kube.context.is_some() => {
            command.push_str(&format!(" --context {}", word(name)));
        }
        Scope::Current(_) => {}
    }
    command.push_str(&format!(" --mount {} --vault-addr {}", word(args.mount.as_str()), word(vault.address())));
    if let Some(namespace) = vault.namespace() {
        command.push_str(&format!(" --vault-namespace {}", word(namespace)));
    }
    command
}
