//! `sync --watch` from typed arguments to its end.

use crate::cli::sync::SyncArgs;
use crate::cloud_api::{CachedClouds, CloudClients};
use crate::cluster::CachedClusters;
use crate::command::sync::Scope;
use crate::command::sync::input::SyncPorts;
use crate::command::watch::{self, Reporter, Requests, Stats, StatsCell, WatchInput, WatchPorts};
use crate::error::Error;
use crate::issuer::{HttpsSite, Sources};
use crate::render::log::Log;
use crate::run::inputs;
use crate::run::metrics_server::{self, Served};
use crate::run::output::Ending;
use crate::run::session::Session;
use crate::vault::VaultError;
use crate::vault::http::client::Client;
use crate::vault::session::login_files::HostLoginFiles;
use crate::vault::settings::operator_token::TokenError;
use crate::vault::settings::{Settings, SettingsError};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub async fn watch(args: SyncArgs, session: Session, verbosity: u8, stop: impl Future<Output = ()>) -> Ending {
    tokio::pin!(stop);
    tokio::select! {
        biased;
        // Nothing was begun yet.
        () = &mut stop => Ok(0),
        prepared = Prepared::new(args, &session, verbosity) => {
            prepared?.run(stop).await;
            Ok(0)
        }
    }
}

struct Prepared {
    input: WatchInput,
    clusters: CachedClusters,
    site: HttpsSite,
    clouds: CachedClouds<CloudClients>,
    vault: Client,
    login_files: HostLoginFiles,
    log: Log,
    stats: Arc<StatsCell>,
}

impl Prepared {
    async fn new(args: SyncArgs, session: &Session, verbosity: u8) -> Result<Self, Error> {
        inputs::check_sync(&args)?;
        let log = Log { format: args.watch.log_format, verbosity };
        let mut requests = Requests::default();
        let settings = settings(session, &args).await?;
        let sent = Arc::clone(&requests.vault);
        let vault = Client::new(
            settings,
            Arc::new(move |line: &str| {
                sent.fetch_add(1, Ordering::Relaxed);
                log.request(line);
            }),
        )?;
        let load = session.reload_contexts(&args.kube);
        let scope = inputs::named(&args, inputs::scope(&args, &load()?));
        if matches!(&scope, Scope::All(names) if names.is_empty()) {
            return Err(Error::usage("sync", "the kubeconfig has no context to watch"));
        }
        let clusters = CachedClusters::new(Box::new(load));
        let site = HttpsSite::new(args.issuer.named.issuer_ca_cert.as_deref())?;
        let clouds = CachedClouds::new(session.clouds(&args.issuer.cloud));
        (requests.api_server, requests.issuer) = (clusters.requests(), site.requests());
        let stats = Arc::new(StatsCell::new(Stats::new(args.mount.as_str())));
        if let Some(address) = args.watch.metrics_addr {
            let listener = metrics_server::listen(address).await?;
            // It ends with the process. That it cannot accept for a while (no file descriptors)
            // is handled by axum.
            tokio::spawn(metrics_server::serve(listener, Served { stats: Arc::clone(&stats), requests }));
        }
        let login_files = HostLoginFiles::new(args.vault.overrides(), session.host());
        let input = WatchInput {
            pace: inputs::pace(&args.watch),
            logins: inputs::logins(session, &args.watch, &args.mount),
            by_hand: inputs::by_hand(&args, &scope, &vault),
            sync: inputs::sync(session, args, scope),
        };
        Ok(Self { input, clusters, site, clouds, vault, login_files, log, stats })
    }

    async fn run(&self, stop: impl Future<Output = ()>) {
        let reporter = Reporter::new(&self.log, &self.stats);
        let ports = WatchPorts {
            sync: SyncPorts {
                clusters: &self.clusters,
                sources: Sources { site: &self.site, clouds: &self.clouds },
                vault: &self.vault,
                progress: &reporter,
            },
            token: &self.vault,
            login_files: &self.login_files,
            reporter: &reporter,
        };
        watch::run(ports, &self.input, stop).await;
    }
}

/// Vault's settings. A run that logs in itself has no need of a person's token.
async fn settings(session: &Session, args: &SyncArgs) -> Result<Settings, Error> {
    if args.watch.auth_role.is_none() {
        match session.vault_settings(args.vault.overrides()).await {
            // The second way to log in is one, too.
            Err(SettingsError::Token(TokenError::Missing)) if args.watch.auth_fallback.is_some() => {}
            settings => return Ok(settings.map_err(VaultError::from)?),
        }
    }
    Ok(Settings::resolve_for_login(&args.vault.overrides(), &*session.host()).map_err(VaultError::from)?)
}
