//! Owns `setup` and `diff` from typed arguments to text: both make the same
//! plan, one carries it out, the other shows it.

use super::{Ending, out, painted, terms, text};
use crate::cli::chain::ChainFlags;
use crate::cli::diff::DiffArgs;
use crate::cli::issuer::IssuerFlags;
use crate::cli::keys::KeysFlags;
use crate::cli::role::RoleFlags;
use crate::cli::setup::{Output, SetupArgs, Verify};
use crate::cli::values::DryRun;
use crate::cloud_api::Apis;
use crate::cluster::api_server::ApiServer;
use crate::cluster::{Cluster as _, Target, kubeconfig};
use crate::command::setup::input::RoleInput;
use crate::command::setup::source::Keys;
use crate::command::setup::{self, Ports, SetupInput};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::resolve::Wishes;
use crate::issuer::{Ask, HttpsSite, SiteError, Sources};
use crate::render::console::Console;
use crate::render::{commands, diff as render_diff, setup as render_setup};
use crate::vault::source::KeysMode;
use shared::mount::MountPath;

/// Runs `setup`.
pub async fn setup(args: SetupArgs, console: Console) -> Ending {
    if args.output == Some(Output::Commands) && args.dry_run != DryRun::Client {
        return Err(Error::usage("setup", "-o commands prints a plan and needs --dry-run=client"));
    }
    let vault = super::vault(&args.vault, &console).await?;
    let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
    let cluster = ApiServer::connect(connection).await?;
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = Apis { credentials: args.issuer.cloud.credentials() };
    let given = commands::Given { address: args.vault.addr.is_some(), namespace: args.vault.namespace.is_some() };
    let keys = keys(&args.keys, &args.issuer)?;
    let mut input = input(args.mount, args.role, args.issuer, keys, &args.chain, cluster.target());
    input.verify = args.verify == Verify::Login;
    input.dry_run = args.dry_run == DryRun::Client;
    input.authority = args.authority;
    let sources = Sources { site: &site, clouds: &clouds };
    let ports = Ports { cluster: &cluster, sources, vault: &vault, progress: &console, confirm: &console };
    let report = match setup::run(ports, &input).await {
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
        Some(Output::Commands) => out(&commands::setup(&report, &given))?,
        // A manifest is for a file; a plan is for people.
        None if report.dry_run => painted(&render_setup::plan(&report))?,
        None => out(&render_setup::snippet(&report))?,
    }
    // Last, where it is seen.
    let (context, mount) = (report.cluster.context.as_deref(), report.vault.place.mount.as_str());
    if let Some((warning, hint)) = render_setup::fresh(&report, context, mount) {
        console.step(Step::Warning(warning));
        console.say(&hint);
    }
    Ok(0)
}

/// Runs `diff`: the plan of `setup`, shown. Exit codes as `kubectl diff` has
/// them.
pub async fn diff(args: DiffArgs, console: Console) -> Ending {
    match differences(args, console).await {
        Ok(text) if text.is_empty() => Ok(0),
        Ok(text) => {
            painted(&text)?;
            Ok(1)
        }
        Err(error @ (Error::Interrupted | Error::Usage { .. })) => Err(error),
        Err(error) => Err(Error::Diff(Box::new(error))),
    }
}

async fn differences(args: DiffArgs, console: Console) -> Result<String, Error> {
    let vault = super::vault(&args.vault, &console).await?;
    let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
    let cluster = ApiServer::connect(connection).await?;
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = Apis { credentials: args.issuer.cloud.credentials() };
    let keys = keys(&args.keys, &args.issuer)?;
    let mut input = input(args.mount, args.role, args.issuer, keys, &args.chain, cluster.target());
    input.prove_enrolled = false;
    let sources = Sources { site: &site, clouds: &clouds };
    let ports = Ports { cluster: &cluster, sources, vault: &vault, progress: &console, confirm: &console };
    let report = setup::run(ports, &input).await.map_err(|failed| failed.error)?;
    Ok(render_diff::text(&report))
}

/// How the mount is to get its keys. Vault trusts whom we trust at the
/// issuer's site.
fn keys(flags: &KeysFlags, issuer: &IssuerFlags) -> Result<Keys, Error> {
    let mode = flags.keys.mode();
    let ca = match issuer.issuer_ca_cert.as_deref().filter(|_| mode != KeysMode::Static) {
        Some(path) => std::fs::read_to_string(path).map_err(|e| SiteError::of_file(path, &e))?,
        None => String::new(),
    };
    Ok(Keys { mode, convert: flags.convert_keys, ca })
}

fn input(
    mount: MountPath,
    role: RoleFlags,
    issuer: IssuerFlags,
    keys: Keys,
    chain: &ChainFlags,
    target: &Target,
) -> SetupInput {
    let (accounts, policies, audiences) = (role.service_accounts, role.policies, role.audiences);
    let role = role.role.map(|name| RoleInput {
        name,
        service_accounts: accounts,
        policies,
        audiences: (!audiences.is_empty()).then_some(audiences),
        ttl: role.ttl.map(|ttl| ttl.as_secs()),
        max_ttl: role.max_ttl.map(|ttl| ttl.as_secs()),
        user_claim: role.user_claim,
        allow_shared_identity: role.allow_shared_identity,
        replace: role.replace_role,
    });
    SetupInput {
        mount,
        role,
        cluster_name: target.context.clone().unwrap_or_else(|| target.cluster.clone()),
        trust_issuer: issuer.trust_issuer,
        wishes: wishes(issuer, Ask::First),
        keys,
        terms: terms(chain, false),
        authority: None,
        prove_enrolled: true,
        verify: false,
        dry_run: true,
        now: jiff::Timestamp::now(),
        nonce: super::nonce(),
    }
}

/// Issuer and UID given by hand.
pub(super) fn wishes(issuer: IssuerFlags, ask: Ask) -> Wishes {
    Wishes {
        given: issuer.cloud.given(),
        ask,
        issuer: issuer.issuer,
        cluster_uid: issuer.cluster_uid,
        site_required: issuer.issuer_ca_cert.is_some(),
    }
}
