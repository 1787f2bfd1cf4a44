//! Owns `remove` from typed arguments to text.

use super::{Ending, out, painted, text};
use crate::cli::remove::{Output, RemoveArgs};
use crate::cli::values::DryRun;
use crate::cloud_api::Apis;
use crate::cluster::api_server::ApiServer;
use crate::cluster::kubeconfig;
use crate::command::remove::{self, ClusterPorts, Ports, RemoveInput};
use crate::issuer::{HttpsSite, Sources};
use crate::render::console::Console;
use crate::render::remove as render_remove;

/// Runs `remove`.
pub async fn remove(args: RemoveArgs, console: Console) -> Ending {
    let vault = super::vault(&args.vault, &console).await?;
    let (cluster, site);
    let clouds = Apis::default();
    // With an issuer or a way given, no kubeconfig is needed.
    let asked = match (&args.issuer, &args.authority) {
        (Some(_), _) | (_, Some(_)) => None,
        (None, None) => {
            let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
            (cluster, site) = (ApiServer::connect(connection).await?, HttpsSite::new(None)?);
            Some(ClusterPorts { cluster: &cluster, sources: Sources { site: &site, clouds: &clouds } })
        }
    };
    let input = RemoveInput {
        mount: args.mount,
        issuer: args.issuer,
        cluster_uid: args.cluster_uid,
        roles: args.roles,
        yes: args.yes,
        dry_run: args.dry_run == DryRun::Client,
        now: jiff::Timestamp::now(),
        nonce: super::nonce(),
    };
    let ports = Ports { cluster: asked, vault: &vault, progress: &console, confirm: &console };
    if let Some(way) = &args.authority {
        let report = remove::authority::run(ports, &input, way).await.map_err(|failed| failed.error)?;
        match args.output {
            Some(Output::Json) => out(&text::json(&report)?)?,
            None => painted(&render_remove::authority(&report))?,
        }
        return Ok(0);
    }
    let report = match remove::run(ports, &input).await {
        Ok(report) => report,
        Err(failed) => {
            if let (Some(report), Some(Output::Json)) = (&failed.report, args.output) {
                out(&text::json(report)?)?;
            }
            return Err(failed.error.into());
        }
    };
    match args.output {
        Some(Output::Json) => out(&text::json(&report)?)?,
        None => painted(&render_remove::text(&report))?,
    }
    for line in render_remove::leases(&report) {
        console.say(&line);
    }
    Ok(0)
}
