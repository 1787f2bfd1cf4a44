//! Owns `issuer` from typed arguments to text.

use super::{Ending, out, painted, text};
use crate::cli::issuer_command::{IssuerArgs, Output};
use crate::cloud_api::Apis;
use crate::cluster::api_server::ApiServer;
use crate::cluster::kubeconfig;
use crate::command::issuer::{self, IssuerInput, IssuerReport};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::resolve::Wishes;
use crate::issuer::{Ask, HttpsSite, Sources};
use crate::render::console::Console;
use crate::render::issuer as render_issuer;

/// Runs `issuer`.
pub async fn issuer(args: IssuerArgs, console: Console) -> Ending {
    let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
    let site = HttpsSite::new(args.issuer_ca_cert.as_deref())?;
    let clouds = Apis { credentials: args.cloud.credentials() };
    let input = IssuerInput {
        entry: connection.entry.clone(),
        wishes: Wishes {
            site_required: args.issuer_ca_cert.is_some(),
            issuer: args.issuer,
            cluster_uid: args.cluster_uid,
            keys_from: None,
            given: args.cloud.given(),
            ask: Ask::First,
        },
        nonce: super::nonce(),
    };
    let (report, error) = match ApiServer::connect(connection).await {
        Ok(cluster) => {
            let (report, error) =
                issuer::run(&cluster, Sources { site: &site, clouds: &clouds }, &console, &input).await;
            (report, error.map(Error::from))
        }
        // What the kubeconfig says is there to be seen all the same.
        Err(error) => {
            let (report, contradiction) = IssuerReport::of_entry(&input.entry, &input.wishes.given);
            (report, Some(contradiction.map_or_else(|| error.into(), Error::from)))
        }
    };
    match args.output {
        Output::Json => out(&text::json(&report)?)?,
        Output::Yaml => out(&text::yaml(&report)?)?,
        Output::Table => painted(&render_issuer::text(&report))?,
    }
    for skipped in &report.skipped {
        console.step(Step::Warning(skipped.clone()));
    }
    error.map_or(Ok(0), Err)
}
