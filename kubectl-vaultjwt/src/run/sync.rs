//! `sync` from typed arguments to text.

use crate::cli::sync::{SyncArgs, SyncOutput};
use crate::cloud_api::CachedClouds;
use crate::cluster::KubeconfigClusters;
use crate::command::sync::input::SyncPorts;
use crate::command::{Progress as _, Step, sync};
use crate::issuer::{HttpsSite, Sources};
use crate::render::sync as render_sync;
use crate::run::inputs;
use crate::run::output::{Ending, Format, document, finish, styled};
use crate::run::session::Session;

pub async fn sync(args: SyncArgs, session: Session) -> Ending {
    inputs::check_sync(&args)?;
    let vault = session.vault(&args.vault).await?;
    let contexts = session.contexts(&args.kube)?;
    let scope = inputs::scope(&args, &contexts);
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = CachedClouds::new(session.clouds(&args.issuer.cloud));
    let format = args.output.map(|output| match output {
        SyncOutput::Json => Format::Json,
        SyncOutput::Yaml => Format::Yaml,
    });
    let input = inputs::sync(&session, args, scope);
    let clusters = KubeconfigClusters(contexts);
    let sources = Sources { site: &site, clouds: &clouds };
    let console = &session.console;
    let ports = SyncPorts { clusters: &clusters, sources, vault: &vault, progress: console };
    let report = finish(sync::run(ports, &input, None).await, format)?;
    match format {
        Some(format) => document(&report, format)?,
        None => styled(&render_sync::table(&report))?,
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
