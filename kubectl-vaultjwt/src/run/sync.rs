//! Owns `sync` from typed arguments to text.

use super::setup::wishes;
use super::{Ending, out, painted, terms, text};
use crate::cli::kube::KubeFlags;
use crate::cli::sync::{Output, SyncArgs};
use crate::cli::values::DryRun;
use crate::cloud_api::{Apis, Kept};
use crate::cluster::KubeconfigClusters;
use crate::cluster::kubeconfig::Contexts;
use crate::command::sync::{self, Ports, Scope, SyncInput, SyncReport};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::{Ask, HttpsSite, Sources};
use crate::render::console::Console;
use crate::render::sync as render_sync;

/// Runs `sync`.
pub async fn sync(args: SyncArgs, console: Console) -> Ending {
    check(&args)?;
    let vault = super::vault(&args.vault, &console).await?;
    let contexts = Contexts::load(&args.kube, |name| std::env::var(name).ok())?;
    let scope = scope(&args, &contexts);
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = Kept::new(Apis { credentials: args.issuer.cloud.credentials() });
    let output = args.output;
    let input = input(args, scope);
    let clusters = KubeconfigClusters(contexts);
    let ports = Ports {
        clusters: &clusters,
        sources: Sources { site: &site, clouds: &clouds },
        vault: &vault,
        progress: &console,
    };
    let report = match sync::run(ports, &input, None).await {
        Ok(report) => report,
        Err(failed) => {
            if let (Some(report), Some(output)) = (&failed.report, output) {
                document(report, output)?;
            }
            return Err(failed.error.into());
        }
    };
    match output {
        Some(output) => document(&report, output)?,
        None => painted(&render_sync::table(&report))?,
    }
    let fields = report.fields();
    if !fields.is_empty() {
        let done = if report.dry_run { "would be changed" } else { "changed" };
        console.step(Step::Done(format!("configuration {done}: {}", fields.join(", "))));
    }
    for line in render_sync::troubles(&report) {
        console.trouble(&line);
    }
    Ok(if report.complete() { 0 } else { 1 })
}

/// Refuses what clap cannot: flags that do not go together.
pub(super) fn check(args: &SyncArgs) -> Result<(), Error> {
    let several = args.all_contexts || !args.contexts.is_empty();
    if several {
        one_cluster("sync", &args.kube)?;
    }
    if several && (args.issuer.issuer.is_some() || args.issuer.cluster_uid.is_some()) {
        let why = "--issuer and --cluster-uid are about one cluster, not about several contexts";
        return Err(Error::usage("sync", why));
    }
    if several && args.issuer.cloud.names_one_cluster() {
        let why =
            "--cloud, --cloud-cluster and --azure-resource-group are about one cluster, not about several contexts";
        return Err(Error::usage("sync", why));
    }
    Ok(())
}

/// Refuses flags that choose one server or one user, where several contexts are read: one
/// user's credential must not go to every API server of the kubeconfig.
pub(super) fn one_cluster(command: &'static str, kube: &KubeFlags) -> Result<(), Error> {
    let chosen = kube.server.is_some()
        || kube.cluster.is_some()
        || kube.user.is_some()
        || kube.client_certificate.is_some()
        || kube.client_key.is_some()
        || kube.certificate_authority.is_some()
        || kube.tls_server_name.is_some();
    if chosen {
        let why = "flags that choose one server, its certificate or one user would hold for every context";
        return Err(Error::usage(command, why));
    }
    Ok(())
}

/// Whose keys are refreshed.
pub(super) fn scope(args: &SyncArgs, contexts: &Contexts) -> Scope {
    if args.all_contexts {
        Scope::All(contexts.names())
    } else if args.contexts.is_empty() {
        Scope::Current(contexts.current())
    } else {
        Scope::Named(args.contexts.clone())
    }
}

/// What was asked for, resolved.
pub(super) fn input(args: SyncArgs, scope: Scope) -> SyncInput {
    SyncInput {
        mount: args.mount,
        scope,
        enroll: args.enroll,
        trust_issuer: args.issuer.trust_issuer,
        // Who is new to the mount is to be known as well as with setup.
        wishes: wishes(args.issuer, if args.enroll { Ask::First } else { Ask::IfNeeded }),
        terms: terms(&args.chain, args.prune),
        rewrite: args.rewrite,
        dry_run: args.dry_run == DryRun::Client,
        now: jiff::Timestamp::now(),
        nonce: super::nonce(),
    }
}

fn document(report: &SyncReport, output: Output) -> Result<(), Error> {
    match output {
        Output::Json => out(&text::json(report)?),
        Output::Yaml => out(&text::yaml(report)?),
    }
}
