//! `setup` and `diff` from typed arguments to text: both make the same plan, one carries
//! it out, the other shows it.

use crate::cli::setup::{DiffArgs, PlanFlags, SetupArgs, SetupOutput, Verify};
use crate::cli::values::{DryRun, Format};
use crate::cluster::Cluster as _;
use crate::command::setup::input::SetupPorts;
use crate::command::setup::{self, SetupError, SetupInput, SetupReport};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::{HttpsSite, Sources};
use crate::render::{commands, diff as render_diff, pod_manifest, setup as render_setup};
use crate::run::inputs;
use crate::run::output::{Ending, document, finish, plain, styled};
use crate::run::session::Session;
use shared::mount::MountPath;

pub async fn setup(args: SetupArgs, session: Session) -> Ending {
    if args.output == Some(SetupOutput::Commands) && args.dry_run != DryRun::Client {
        return Err(Error::usage("setup", "-o commands prints a plan and needs --dry-run=client"));
    }
    let vault = &args.plan.vault;
    let given = commands::ExplicitFlags { address: vault.addr.is_some(), namespace: vault.namespace.is_some() };
    let json = (args.output == Some(SetupOutput::Json)).then_some(Format::Json);
    let complete = |input: &mut SetupInput| {
        input.verify = args.verify == Verify::Login;
        input.dry_run = args.dry_run == DryRun::Client;
        input.authority = args.authority;
    };
    let report = run("setup", args.mount, args.plan, &session, json, complete).await?;
    match args.output {
        Some(SetupOutput::Json) => document(&report, Format::Json)?,
        Some(SetupOutput::Commands) => plain(&commands::setup(&report, &given))?,
        // A manifest is for a file; a plan is for people.
        None if report.dry_run => styled(&render_setup::plan(&report))?,
        None => plain(&pod_manifest::pod(&report).unwrap_or_default())?,
    }
    let console = &session.console;
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
    let complete = |input: &mut SetupInput| input.prove_enrolled = false;
    let report = run("diff", args.mount, args.plan, &session, None, complete).await?;
    if let Some(lag) = &report.lag {
        // Shown before the error: what the URL has is worth knowing all the same.
        styled(&render_diff::text(&report))?;
        return Err(SetupError::SiteLags(lag.clone()).into());
    }
    Ok(render_diff::text(&report))
}

/// Plans, and carries it out where that is asked for; `complete` sets what only one of the
/// two commands has.
async fn run(
    command: &'static str,
    mount: MountPath,
    flags: PlanFlags,
    session: &Session,
    format: Option<Format>,
    complete: impl FnOnce(&mut SetupInput),
) -> Result<SetupReport, Error> {
    inputs::check_setup(command, &flags)?;
    let vault = session.vault(&flags.vault).await?;
    let cluster = session.cluster(&flags.kube).await?;
    let site = HttpsSite::new(flags.issuer.named.issuer_ca_cert.as_deref())?;
    let clouds = session.clouds(&flags.issuer.cloud);
    let mut input = inputs::setup(session, mount, flags, cluster.target())?;
    complete(&mut input);
    let sources = Sources { site: &site, clouds: &clouds };
    let console = &session.console;
    let ports = SetupPorts { cluster: &cluster, sources, vault: &vault, progress: console, confirm: console };
    finish(setup::run(ports, &input).await, format)
}
