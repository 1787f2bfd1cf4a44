//! `issuer` from typed arguments to text.

use crate::cli::issuer::{IssuerArgs, IssuerOutput};
use crate::cli::values::Format;
use crate::cluster::api_server::ApiServer;
use crate::command::issuer::{self, IssuerReport};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::{HttpsSite, Sources};
use crate::render::issuer as render_issuer;
use crate::run::inputs;
use crate::run::output::{Ending, document, styled};
use crate::run::session::Session;

pub async fn issuer(args: IssuerArgs, session: Session) -> Ending {
    let connection = session.connection(&args.kube)?;
    let site = HttpsSite::new(args.named.issuer_ca_cert.as_deref())?;
    let clouds = session.clouds(&args.cloud);
    let input = inputs::issuer(&session, args.named, &args.cloud, connection.entry.clone());
    let (report, error) = match ApiServer::connect(connection).await {
        Ok(cluster) => {
            let sources = Sources { site: &site, clouds: &clouds };
            let (report, error) = issuer::run(&cluster, sources, &session.console, &input).await;
            (report, error.map(Error::from))
        }
        // What the kubeconfig says is known all the same.
        Err(error) => {
            let (report, contradiction) = IssuerReport::of_entry(&input.entry, &input.overrides.given);
            (report, Some(contradiction.map_or_else(|| error.into(), Error::from)))
        }
    };
    match args.output {
        IssuerOutput::Json => document(&report, Format::Json)?,
        IssuerOutput::Yaml => document(&report, Format::Yaml)?,
        IssuerOutput::Table => styled(&render_issuer::text(&report))?,
    }
    for skipped in &report.skipped {
        session.console.step(Step::Warning(skipped.clone()));
    }
    error.map_or(Ok(0), Err)
}
