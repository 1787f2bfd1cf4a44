//! Owns `setup` and `diff` from typed arguments to text: both make the same
//! plan, one carries it out, the other shows it.

use super::{Ending, out, painted, terms, text};
use crate::cli::chain::ChainFlags;
use crate::cli::diff::DiffArgs;
use crate::cli::issuer::IssuerFlags;
use crate::cli::keys::{KeysFlags, SourceName};
use crate::cli::role::RoleFlags;
use crate::cli::setup::{Output, SetupArgs, Verify};
use crate::cli::values::DryRun;
use crate::cloud_api::Apis;
use crate::cluster::api_server::ApiServer;
use crate::cluster::{Cluster as _, Target, kubeconfig};
use crate::command::setup::input::{MoveInput, RoleInput};
use crate::command::setup::source::Keys;
use crate::command::setup::{self, Ports, SetupError, SetupInput};
use crate::command::{Progress as _, Step};
use crate::error::Error;
use crate::issuer::resolve::Wishes;
use crate::issuer::{Ask, HttpsSite, KeysFrom, SiteError, Sources};
use crate::keychain::key_file;
use crate::render::console::Console;
use crate::render::{commands, diff as render_diff, setup as render_setup};
use crate::vault::source::KeysMode;
use shared::mount::MountPath;
use std::io::Read as _;
use std::path::Path;

/// Longest file of keys that is read, in bytes: a hundred keys of 8192 bits are shorter.
const KEY_FILE_AT_MOST: u64 = 1 << 20;

/// Runs `setup`.
pub async fn setup(args: SetupArgs, console: Console) -> Ending {
    if args.output == Some(Output::Commands) && args.dry_run != DryRun::Client {
        return Err(Error::usage("setup", "-o commands prints a plan and needs --dry-run=client"));
    }
    check("setup", &args.role, &args.keys)?;
    let vault = super::vault(&args.vault, &console).await?;
    let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
    let cluster = ApiServer::connect(connection).await?;
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = Apis { credentials: args.issuer.cloud.credentials() };
    let given = commands::Given { address: args.vault.addr.is_some(), namespace: args.vault.namespace.is_some() };
    let mut input = input(args.mount, args.role, args.issuer, args.keys, &args.chain, cluster.target())?;
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
    check("diff", &args.role, &args.keys)?;
    let vault = super::vault(&args.vault, &console).await?;
    let connection = kubeconfig::resolve(&args.kube, &|name| std::env::var(name).ok())?;
    let cluster = ApiServer::connect(connection).await?;
    let site = HttpsSite::new(args.issuer.issuer_ca_cert.as_deref())?;
    let clouds = Apis { credentials: args.issuer.cloud.credentials() };
    let mut input = input(args.mount, args.role, args.issuer, args.keys, &args.chain, cluster.target())?;
    input.prove_enrolled = false;
    let sources = Sources { site: &site, clouds: &clouds };
    let ports = Ports { cluster: &cluster, sources, vault: &vault, progress: &console, confirm: &console };
    let report = setup::run(ports, &input).await.map_err(|failed| failed.error)?;
    if let Some(lag) = &report.lag {
        // Shown before the error: what the URL has is worth knowing all the same.
        painted(&render_diff::text(&report))?;
        return Err(SetupError::SiteLags(lag.clone()).into());
    }
    Ok(render_diff::text(&report))
}

/// Refuses what clap cannot: flags that do not go together.
fn check(command: &'static str, role: &RoleFlags, keys: &KeysFlags) -> Result<(), Error> {
    role.check(keys.move_from.is_some()).map_err(|why| Error::usage(command, why))?;
    let fetches = keys.keys.mode() != KeysMode::Static;
    if fetches && (keys.keys_from.is_some() || keys.move_from.is_some()) {
        return Err(Error::usage(
            command,
            "--keys-from and --move-from are about keys on the mount: use --keys=static",
        ));
    }
    Ok(())
}

/// Where the keys are read, if that was said.
fn source(name: SourceName) -> Result<KeysFrom, Error> {
    Ok(match name {
        SourceName::Issuer => KeysFrom::Issuer,
        SourceName::ApiServer => KeysFrom::ApiServer,
        SourceName::File(path) => {
            let failed = |why: String| Error::KeyFile { path: path.clone(), why };
            let content = read_limited(&path).map_err(|error| failed(error.to_string()))?;
            KeysFrom::File(key_file::read(&content).map_err(|error| failed(error.to_string()))?)
        }
    })
}

/// The content of a file of keys: public keys are short, and a device would never end.
fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = KEY_FILE_AT_MOST;
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(std::io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(content)
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
    flags: KeysFlags,
    chain: &ChainFlags,
    target: &Target,
) -> Result<SetupInput, Error> {
    let (keys, trust_issuer) = (keys(&flags, &issuer)?, issuer.trust_issuer);
    let moves = flags.move_from.map(|from| MoveInput { from, role: role.role.clone(), all_roles: flags.all_roles });
    let role_name = role.role.filter(|_| moves.is_none());
    let (accounts, policies, audiences) = (role.service_accounts, role.policies, role.audiences);
    let role = role_name.map(|name| RoleInput {
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
    let mut wishes = wishes(issuer, Ask::First);
    wishes.keys_from = flags.keys_from.map(source).transpose()?;
    Ok(SetupInput {
        mount,
        role,
        moves,
        expected: flags.expected_keys,
        cluster_name: target.context.clone().unwrap_or_else(|| target.cluster.clone()),
        trust_issuer,
        wishes,
        keys,
        terms: terms(chain, false),
        authority: None,
        prove_enrolled: true,
        verify: false,
        dry_run: true,
        now: jiff::Timestamp::now(),
        nonce: super::nonce(),
    })
}

/// Issuer and UID given by hand.
pub(super) fn wishes(issuer: IssuerFlags, ask: Ask) -> Wishes {
    Wishes {
        given: issuer.cloud.given(),
        ask,
        issuer: issuer.issuer,
        cluster_uid: issuer.cluster_uid,
        keys_from: None,
        site_required: issuer.issuer_ca_cert.is_some(),
    }
}
