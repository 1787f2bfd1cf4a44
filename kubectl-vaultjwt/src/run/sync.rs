//! `sync` from typed arguments to text.

use crate::cli::sync::SyncArgs;
use crate::cloud_api::CachedClouds;
use crate::command::sync::input::SyncPorts;
use crate::command::{Progress as _, Step, sync};
use crate::issuer::{HttpsSite, Sources};
use crate::render::sync as render_sync;
use crate::run::inputs;
use crate::run::output::{self, Ending};
use crate::run::session::Session;

pub async fn sync(args: SyncArgs, session: Session) -> Ending {
    inputs::check_sync(&args)?;
    let vault = session.vault(&args.vault).await?;
    let contexts = session.contexts(&args.kube)?;
    let scope = inputs::scope(&args, &contexts);
    let site = HttpsSite::new(args.issuer.named.issuer_ca_cert.as_deref())?;
    let clouds = CachedClouds::new(session.clouds(&args.issuer.cloud));
    let format = args.output;
    let input = inputs::sync(&session, args, scope);
    let sources = Sources { site: &site, clouds: &clouds };
    let console = &session.console;
    let ports = SyncPorts { clusters: &contexts, sources, vault: &vault, progress: console };
    let report = output::report(sync::run(ports, &input, None).await, format, render_sync::table)?;
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
