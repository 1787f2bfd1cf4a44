//! `status` from typed arguments to text.

use crate::cli::status::{StatusArgs, StatusOutput};
use crate::cli::values::Format;
use crate::cloud_api::{CachedClouds, CloudClients};
use crate::command::patiently;
use crate::command::status::{self, StatusReport};
use crate::command::sync::input::SyncPorts;
use crate::command::sync::{self, Row, Scope, SyncReport};
use crate::error::Error;
use crate::issuer::{HttpsSite, Sources};
use crate::render::{status as render_status, sync as render_sync};
use crate::run::inputs;
use crate::run::output::{Ending, document, finish, plain, styled};
use crate::run::session::Session;
use crate::vault::http::client::Client;
use serde::Serialize;

/// The report, with what the clusters say where they were asked.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    status: &'a StatusReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<&'a [Row]>,
}

pub async fn status(args: StatusArgs, session: Session) -> Ending {
    if args.check_clusters && args.kube.context.is_none() {
        inputs::one_cluster("status", &args.kube)?;
    }
    if !args.check_clusters && args.kube.chooses() {
        return Err(Error::usage("status", "flags that choose a cluster need --check-clusters"));
    }
    let vault = session.vault(&args.vault).await?;
    let work = status::run(&vault, &args.mount, session.now());
    let report = patiently(&session.console, "reading the mount's keys", work).await?;
    let checked = match args.check_clusters {
        true => Some(check(&session, &vault, &args).await?),
        false => None,
    };
    let shown = Document { status: &report, clusters: checked.as_ref().map(|checked| &checked.clusters[..]) };
    match args.output {
        StatusOutput::Json => document(&shown, Format::Json)?,
        StatusOutput::Yaml => document(&shown, Format::Yaml)?,
        StatusOutput::Name => plain(&render_status::names(&report))?,
        StatusOutput::Table => styled(&render_status::table(&report))?,
        StatusOutput::Wide => styled(&render_status::wide(&report))?,
    }
    let for_people = matches!(args.output, StatusOutput::Table | StatusOutput::Wide);
    if let Some(checked) = checked.as_ref().filter(|_| for_people) {
        styled(&format!("\n{}", render_status::checked(checked)))?;
    }
    // Beside a document, stderr stays empty as kubectl keeps it.
    if (for_people || args.output == StatusOutput::Name)
        && let Some(nothing) = render_status::nothing(&report)
    {
        session.console.say(&nothing);
    }
    if for_people {
        for note in render_status::notes(&report) {
            session.console.note(&note);
        }
    }
    let Some(checked) = checked else { return Ok(0) };
    for note in render_status::unreached(&report, &checked).iter().chain(&render_status::out_of_date(&checked)) {
        session.console.note(note);
    }
    for trouble in render_sync::failures(&checked) {
        session.console.trouble(&trouble);
    }
    Ok(if checked.clusters.iter().any(|row| row.outcome == sync::Outcome::Failed) { 1 } else { 0 })
}

/// What `sync` would do for each context.
async fn check(session: &Session, vault: &Client, args: &StatusArgs) -> Result<SyncReport, Error> {
    let contexts = session.contexts(&args.kube)?;
    let scope = match args.kube.context {
        Some(_) => Scope::Current(contexts.current()),
        None => Scope::All(contexts.names()),
    };
    let ca_cert = args.issuer_ca_cert.as_deref();
    let input = inputs::status(session, &args.mount, scope, ca_cert);
    let (site, clouds) = (HttpsSite::new(ca_cert)?, CachedClouds::new(CloudClients::default()));
    let sources = Sources { site: &site, clouds: &clouds };
    let ports = SyncPorts { clusters: &contexts, sources, vault, progress: &session.console };
    finish(sync::run(ports, &input, None).await, None)
}
