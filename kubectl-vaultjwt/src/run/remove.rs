//! `remove` from typed arguments to text.

use crate::cli::remove::{RemoveArgs, RemoveOutput};
use crate::cli::values::Format;
use crate::cloud_api::CloudClients;
use crate::command::failure::Failure;
use crate::command::remove;
use crate::command::remove::input::{ClusterPorts, RemovePorts};
use crate::issuer::{HttpsSite, Sources};
use crate::render::remove as render_remove;
use crate::run::inputs;
use crate::run::output::{self, Ending};
use crate::run::session::Session;

pub async fn remove(args: RemoveArgs, session: Session) -> Ending {
    let vault = session.vault(&args.vault).await?;
    let (cluster, site);
    let clouds = CloudClients::default();
    // With an issuer or a way given, no kubeconfig is needed.
    let asked = match (&args.issuer, &args.authority) {
        (Some(_), _) | (_, Some(_)) => None,
        (None, None) => {
            (cluster, site) = (session.cluster(&args.kube).await?, HttpsSite::new(None)?);
            Some(ClusterPorts { cluster: &cluster, sources: Sources { site: &site, clouds: &clouds } })
        }
    };
    let input = inputs::remove(&session, &args);
    let format = args.output.map(|RemoveOutput::Json| Format::Json);
    let console = &session.console;
    let ports = RemovePorts { cluster: asked, vault: &vault, progress: console, confirm: console };
    if let Some(way) = &args.authority {
        let result = remove::authority::run(ports, &input, way).await.map_err(Failure::from);
        output::report(result, format, render_remove::authority)?;
        return Ok(0);
    }
    let report = output::report(remove::run(ports, &input).await, format, render_remove::text)?;
    for line in render_remove::leases(&report) {
        console.say(&line);
    }
    Ok(0)
}
