//! `setup` and `diff` from typed arguments to text: both make the same plan, one carries
//! it out, the other shows it.

use crate::cli::diff::DiffArgs;
use crate::cli::setup::{SetupArgs, SetupOutput, Verify};
use crate::cli::values::DryRun;
use crate::cluster::Cluster as _;
use crate::command::setup::input::SetupPorts;
use crate::command::setup::{self, SetupError};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::{HttpsSite, Sources};
use crate::render::{commands, diff as render_diff, setup as render_setup};
use crate::run::inputs;
use crate::run::output::{Ending, Format, document, finish, plain, styled};
use crate::run::session::Session;

pub async fn setup(args: SetupArgs, session: Session) -> Ending {
    if args.output == Some(SetupOutput::Commands) && args.dry_run != DryRun::Client {
        return Err(Error::usage("setup", "-o commands prints a plan and needs --dry-run=client"));
    }
    inputs::check_setup("setup", &args.role, &args.keys)?;
    let vault = session.vault(&args.vault).await?;
    let cluster = session.cluster(&args.kube).await?;
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = session.clouds(&args.issuer.cloud);
    let given =
        commands::ExplicitFlags { address: args.vault.addr.is_some(), namespace: args.vault.namespace.is_some() };
    let target = cluster.target();
    let mut input = inputs::setup(&session, args.mount, args.role, args.issuer, args.keys, &args.chain, target)?;
    input.verify = args.verify == Verify::Login;
    input.dry_run = args.dry_run == DryRun::Client;
    input.authority = args.authority;
    let sources = Sources { site: &site, clouds: &clouds };
    let console = &session.console;
    let ports = SetupPorts { cluster: &cluster, sources, vault: &vault, progress: console, confirm: console };
    let json = (args.output == Some(SetupOutput::Json)).then_some(Format::Json);
    let report = finish(setup::run(ports, &input).await, json)?;
    match args.output {
        Some(SetupOutput::Json) => document(&report, Format::Json)?,
        Some(SetupOutput::Commands) => plain(&commands::setup(&report, &given))?,
        // A manifest is for a file; a plan is for people.
        None if report.dry_run => styled(&render_setup::plan(&report))?,
        None => plain(&render_setup::manifest(&report))?,
    }
    if let Some(hint) = render_setup::moved(&report) {
        console.say(&hint);
    }
    // Last, where it is seen.
    let (context, mount) = (report.cluster.context.as_deref(), report.vault.place.mount.as_str());
    if let Some((warning, hint)) = render_setup::fresh(&report, context, mount) {
        console.step(Step::Warning(warning));
        console.say(&hint);
    }
    Ok(0)
}

/// Runs `diff`: the plan of `setup`, shown. Exit codes as `kubectl diff` has them.
pub async fn diff(args: DiffArgs, session: Session) -> Ending {
    match differences(args, session).await {
        Ok(text) if text.is_empty() => Ok(0),
        Ok(text) => {
            styled(&text)?;
            Ok(1)
        }
        Err(error @ (Error::Interrupted | Error::Usage { .. })) => Err(error),
        Err(error) => Err(Error::Diff(Box::new(error))),
    }
}

async fn differences(args: DiffArgs, session: Session) -> Result<String, Error> {
    inputs::check_setup("diff", &args.role, &args.keys)?;
    let vault = session.vault(&args.vault).await?;
    let cluster = session.cluster(&args.kube).await?;
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = session.clouds(&args.issuer.cloud);
    let target = cluster.target();
    let mut input = inputs::setup(&session, args.mount, args.role, args.issuer, args.keys, &args.chain, target)?;
    input.prove_enrolled = false;
    let sources = Sources { site: &site, clouds: &clouds };
    let console = &session.console;
    let ports = SetupPorts { cluster: &cluster, sources, vault: &vault, progress: console, confirm: console };
    let report = finish(setup::run(ports, &input).await, None)?;
    if let Some(lag) = &report.lag {
        // Shown before the error: what the URL has is worth knowing all the same.
        styled(&render_diff::text(&report))?;
        return Err(SetupError::SiteLags(lag.clone()).into());
    }
    Ok(render_diff::text(&report))
}
