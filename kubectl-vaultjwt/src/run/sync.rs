//! Owns `sync` from typed arguments to text.

use super::setup::wishes;
use super::{Ending, out, painted, terms, text};
use crate::cli::sync::{Output, SyncArgs};
use crate::cli::values::DryRun;
use crate::cluster::KubeconfigClusters;
use crate::cluster::kubeconfig::Contexts;
use crate::command::sync::{self, Ports, Scope, SyncInput};
use crate::error::Error;
use crate::issuer::HttpsSite;
use crate::render::console::Console;
use crate::render::sync as render_sync;

/// Runs `sync`.
pub async fn sync(args: SyncArgs, console: Console) -> Ending {
    let vault = super::vault(&args.vault, &console).await?;
    let contexts = Contexts::load(&args.kube, |name| std::env::var(name).ok())?;
    let scope = if args.all_contexts {
        Scope::All(contexts.names())
    } else if args.contexts.is_empty() {
        Scope::Current(contexts.current())
    } else {
        Scope::Named(args.contexts)
    };
    let single = matches!(scope, Scope::Current(_));
    if !single && (args.kube.server.is_some() || args.kube.cluster.is_some()) {
        return Err(Error::usage(
            "sync",
            "--server and --cluster choose one cluster, and would stand for every context",
        ));
    }
    if !single && (args.issuer.issuer.is_some() || args.issuer.cluster_uid.is_some()) {
        return Err(Error::usage(
            "sync",
            "--issuer and --cluster-uid are about one cluster, not about several contexts",
        ));
    }
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let input = SyncInput {
        mount: args.mount,
        scope,
        enroll: args.enroll,
        trust_issuer: args.issuer.trust_issuer,
        wishes: wishes(args.issuer),
        terms: terms(&args.chain, args.prune),
        dry_run: args.dry_run == DryRun::Client,
        now: jiff::Timestamp::now(),
        nonce: super::nonce(),
    };
    let clusters = KubeconfigClusters(contexts);
    let ports = Ports { clusters: &clusters, site: &site, vault: &vault, progress: &console };
    let report = sync::run(ports, &input).await?;
    match args.output {
        Some(Output::Json) => out(&text::json(&report)?)?,
        Some(Output::Yaml) => out(&text::yaml(&report)?)?,
        None => painted(&render_sync::table(&report))?,
    }
    for line in render_sync::troubles(&report) {
        console.trouble(&line);
    }
    Ok(if report.complete() { 0 } else { 1 })
}
