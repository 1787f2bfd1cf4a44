//! Owns turning typed arguments into resolved input and ports, running the
//! command, and handing its report to a renderer. The one place where the
//! pieces meet.

use crate::cli::setup::{DryRun, Output, SetupArgs, Verify};
use crate::cli::{Cli, Command};
use crate::cluster::api_server::ApiServer;
use crate::cluster::{Cluster as _, kubeconfig};
use crate::command::setup::input::RoleInput;
use crate::command::setup::{self, Ports, SetupInput};
use crate::error::Error;
use crate::issuer::HttpsSite;
use crate::issuer::resolve::Wishes;
use crate::render::console::Console;
use crate::render::{commands, setup as render_setup};
use crate::vault::VaultError;
use crate::vault::client::Client;
use crate::vault::settings::{Process, Settings};
use std::io::Write as _;
use std::sync::Arc;

/// Runs the command line; `Ok` is exit code 0.
pub async fn run(cli: Cli, console: Console) -> Result<(), Error> {
    tokio::select! {
        result = command(cli, console) => result,
        () = interrupted() => Err(Error::Interrupted),
    }
}

async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn command(cli: Cli, console: Console) -> Result<(), Error> {
    match cli.command {
        Some(Command::Setup(args)) => setup(*args, console).await,
        Some(Command::Version) => out(&format!("kubectl-vaultjwt {}\n", env!("CARGO_PKG_VERSION"))),
        None => {
            use clap::CommandFactory as _;
            out(&Cli::command().render_help().to_string())
        }
    }
}

/// Results go to stdout; a reader that went away is not an error.
fn out(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

async fn setup(args: SetupArgs, console: Console) -> Result<(), Error> {
    if args.output == Some(Output::Commands) && args.dry_run != DryRun::Client {
        return Err(Error::Usage("-o commands prints a plan and needs --dry-run=client".to_owned()));
    }
    let settings = Settings::resolve(&args.vault, &Process).map_err(VaultError::from)?;
    let vault = Client::new(settings, Arc::new(move |line: &str| console.request(line)))?;
    let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
    let cluster = ApiServer::connect(connection).await?;
    let site = HttpsSite::new(args.issuer_ca_cert.as_deref())?;
    let output = args.output;
    let given = commands::Given { address: args.vault.addr.is_some(), namespace: args.vault.namespace.is_some() };
    let target = cluster.target();
    let input = input(args, target.context.clone().unwrap_or_else(|| target.cluster.clone()));
    let ports = Ports { cluster: &cluster, site: &site, vault: &vault, progress: &console };
    let report = match setup::run(ports, &input).await {
        Ok(report) => report,
        Err(failed) => {
            if let (Some(report), Some(Output::Json)) = (&failed.report, output) {
                out(&render_setup::json(report).map_err(std::io::Error::from)?)?;
            }
            return Err(failed.error.into());
        }
    };
    match output {
        Some(Output::Json) => out(&render_setup::json(&report).map_err(std::io::Error::from)?),
        Some(Output::Commands) => out(&commands::setup(&report, &given)),
        None => out(&render_setup::text(&report)),
    }
}

fn input(args: SetupArgs, cluster_name: String) -> SetupInput {
    let role = args.role.map(|name| RoleInput {
        name,
        service_accounts: args.service_accounts,
        policies: args.policies,
        audiences: (!args.audiences.is_empty()).then_some(args.audiences),
        ttl: args.ttl.map(|ttl| ttl.as_secs()),
        max_ttl: args.max_ttl.map(|ttl| ttl.as_secs()),
        replace: args.replace_role,
    });
    SetupInput {
        mount: args.mount,
        role,
        wishes: Wishes {
            issuer: args.issuer,
            cluster_uid: args.cluster_uid,
            site_required: args.issuer_ca_cert.is_some(),
        },
        cluster_name,
        trust_issuer: args.trust_issuer,
        verify: args.verify == Verify::Login,
        dry_run: args.dry_run == DryRun::Client,
        now: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        nonce: format!("vaultjwt-proof-{:032x}", rand::random::<u128>()),
    }
}
