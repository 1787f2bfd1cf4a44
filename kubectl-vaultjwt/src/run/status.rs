//! `status` from typed arguments to text.

use super::sync::one_cluster;
use super::{Ending, out, painted, text};
use crate::cli::kube::KubeFlags;
use crate::cli::status::{Output, StatusArgs};
use crate::cloud_api::{Apis, Kept};
use crate::cluster::KubeconfigClusters;
use crate::cluster::kubeconfig::Contexts;
use crate::command::status::{self, StatusReport};
use crate::command::sync::{self, Ports, Row, Scope, SyncInput, SyncReport};
use crate::command::{chain::Terms, patiently};
use crate::error::Error;
use crate::issuer::resolve::Wishes;
use crate::issuer::{Ask, HttpsSite, Sources};
use crate::render::console::Console;
use crate::render::{status as render_status, sync as render_sync};
use crate::vault::client::Client;
use serde::Serialize;
use shared::mount::MountPath;
use std::path::Path;

/// The report, with what the clusters say where they were asked.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    status: &'a StatusReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<&'a [Row]>,
}

/// Runs `status`.
pub async fn status(args: StatusArgs, console: Console) -> Ending {
    if args.check_clusters && args.kube.context.is_none() {
        one_cluster("status", &args.kube)?;
    }
    if !args.check_clusters && args.kube.chooses() {
        return Err(Error::usage("status", "flags that choose a cluster need --check-clusters"));
    }
    let vault = super::vault(&args.vault, &console).await?;
    let work = status::run(&vault, &args.mount, jiff::Timestamp::now());
    let report = patiently(&console, "reading the mount's keys", work).await?;
    let checked = match args.check_clusters {
        true => Some(check(&vault, &console, &args.mount, &args.kube, args.issuer_ca_cert.as_deref()).await?),
        false => None,
    };
    let document = Document { status: &report, clusters: checked.as_ref().map(|checked| &checked.clusters[..]) };
    match args.output {
        Output::Json => out(&text::json(&document)?)?,
        Output::Yaml => out(&text::yaml(&document)?)?,
        Output::Name => out(&render_status::names(&report))?,
        Output::Table => painted(&render_status::table(&report))?,
        Output::Wide => painted(&render_status::wide(&report))?,
    }
    let for_people = matches!(args.output, Output::Table | Output::Wide);
    if let Some(checked) = checked.as_ref().filter(|_| for_people) {
        painted(&format!("\n{}", render_status::checked(checked)))?;
    }
    // Beside a document, stderr stays empty as kubectl keeps it.
    if (for_people || args.output == Output::Name)
        && let Some(nothing) = render_status::nothing(&report)
    {
        console.say(&nothing);
    }
    if for_people {
        for note in render_status::notes(&report) {
            console.note(&note);
        }
    }
    let Some(checked) = checked else { return Ok(0) };
    for note in render_status::unreached(&report, &checked).iter().chain(&render_status::out_of_date(&checked)) {
        console.note(note);
    }
    for trouble in render_sync::failures(&checked) {
        console.trouble(&trouble);
    }
    Ok(if checked.clusters.iter().any(|row| row.outcome == sync::Outcome::Failed) { 1 } else { 0 })
}

/// What `sync` would do for each context.
async fn check(
    vault: &Client,
    console: &Console,
    mount: &MountPath,
    kube: &KubeFlags,
    issuer_ca_cert: Option<&Path>,
) -> Result<SyncReport, Error> {
    let contexts = Contexts::load(kube, |name| std::env::var(name).ok())?;
    let scope = match kube.context {
        Some(_) => Scope::Current(contexts.current()),
        None => Scope::All(contexts.names()),
    };
    let input = SyncInput {
        mount: mount.clone(),
        scope,
        wishes: Wishes { ask: Ask::IfNeeded, site_required: issuer_ca_cert.is_some(), ..Wishes::default() },
        enroll: false,
        trust_issuer: false,
        terms: Terms::default(),
        rewrite: false,
        dry_run: true,
        now: jiff::Timestamp::now(),
        nonce: super::nonce(),
    };
    let (site, clouds) = (HttpsSite::new(issuer_ca_cert)?, Kept::new(Apis::default()));
    let clusters = KubeconfigClusters(contexts);
    let ports =
        Ports { clusters: &clusters, sources: Sources { site: &site, clouds: &clouds }, vault, progress: console };
    sync::run(ports, &input, None).await.map_err(|failed| failed.error.into())
}
