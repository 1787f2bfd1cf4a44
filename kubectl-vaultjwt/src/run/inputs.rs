//! From typed arguments to the input of each command: the table of what each flag means.

use crate::cli::cloud::CloudFlags;
use crate::cli::issuer::NamedIssuerFlags;
use crate::cli::keys::{SharingFlags, SourceName};
use crate::cli::kube::KubeFlags;
use crate::cli::remove::RemoveArgs;
use crate::cli::setup::PlanFlags;
use crate::cli::sync::SyncArgs;
use crate::cli::values::DryRun;
use crate::cli::watch::{Fallback, WatchFlags};
use crate::cloud::Entry;
use crate::cluster::ClusterTarget;
use crate::cluster::kubeconfig::Contexts;
use crate::command::issuer::IssuerInput;
use crate::command::mount::{MountOptions, SharingConsent};
use crate::command::remove::input::RemoveInput;
use crate::command::setup::SetupInput;
use crate::command::setup::input::{Keys, MoveInput, RoleInput};
use crate::command::sync::{Scope, SyncInput};
use crate::command::watch::Pace;
use crate::error::Error;
use crate::issuer::request::IssuerOverrides;
use crate::issuer::{CloudLookup, KeysFrom, SiteError};
use crate::keychain::key_file;
use crate::keychain::refresh::Policy;
use crate::run::session::Session;
use crate::shell::word;
use crate::vault::Vault as _;
use crate::vault::http::client::Client;
use crate::vault::mount::key_source::KeysMode;
use crate::vault::session::login::LoginMethod;
use shared::env::Lookup;
use shared::mount::MountPath;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Longest file of keys that is read, in bytes: a hundred keys of 8192 bits are shorter.
const KEY_FILE_AT_MOST: u64 = 1 << 20;

/// Where the pod manifest of `setup` has the service account token.
const JWT_FILE: &str = "/var/run/secrets/tokens/vault-token";

fn options(chain: &SharingFlags, prune: bool) -> MountOptions {
    MountOptions {
        policy: Policy { grace: chain.grace, prune, adopt: chain.adopt },
        allow: SharingConsent {
            same_trust_domain: chain.same_trust_domain,
            same_issuer: chain.allow_same_issuer,
            unbound_roles: chain.allow_unbound_roles,
            existing_roles: chain.allow_existing_roles,
        },
        clear_bound_issuer: chain.clear_bound_issuer,
        replace_keys: chain.replace_keys,
    }
}

/// Refuses what clap cannot: flags that do not go together.
pub fn check_setup(command: &'static str, PlanFlags { role, keys, .. }: &PlanFlags) -> Result<(), Error> {
    role.check(keys.move_from.is_some()).map_err(|why| Error::usage(command, why))?;
    let fetches = keys.keys != KeysMode::Static;
    if fetches && (keys.keys_from.is_some() || keys.move_from.is_some()) {
        let why = "--keys-from and --move-from are about keys on the mount: use --keys=static";
        return Err(Error::usage(command, why));
    }
    Ok(())
}

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

pub fn setup(
    session: &Session,
    mount: MountPath,
    flags: PlanFlags,
    target: &ClusterTarget,
) -> Result<SetupInput, Error> {
    let PlanFlags { role, issuer, keys, chain, .. } = flags;
    // Vault trusts the same authorities at the issuer's site as this program.
    let ca = match issuer.named.issuer_ca_cert.as_deref().filter(|_| keys.keys != KeysMode::Static) {
        Some(path) => std::fs::read_to_string(path).map_err(|e| SiteError::of_file(path, &e))?,
        None => String::new(),
    };
    let moves = keys.move_from.map(|from| MoveInput { from, role: role.role.clone(), all_roles: keys.all_roles });
    let role_name = role.role.filter(|_| moves.is_none());
    let role = role_name.map(|name| RoleInput {
        name,
        service_accounts: role.service_accounts,
        policies: role.policies,
        audiences: Some(role.audiences).filter(|audiences| !audiences.is_empty()),
        ttl: role.ttl.map(|ttl| ttl.as_secs()),
        max_ttl: role.max_ttl.map(|ttl| ttl.as_secs()),
        user_claim: role.user_claim,
        allow_shared_identity: role.allow_shared_identity,
        replace: role.replace_role,
    });
    let keys_from = keys.keys_from.map(source).transpose()?;
    Ok(SetupInput {
        mount,
        role,
        moves,
        expected: keys.expected_keys,
        cluster_name: target.context.clone().unwrap_or_else(|| target.cluster.clone()),
        trust_issuer: issuer.trust_issuer,
        overrides: IssuerOverrides { keys_from, ..overrides(issuer.named, &issuer.cloud, CloudLookup::Always) },
        keys: Keys { mode: keys.keys, convert: keys.convert_keys, ca },
        options: options(&chain, false),
        authority: None,
        prove_enrolled: true,
        verify: false,
        dry_run: true,
        now: session.now(),
        nonce: session.nonce(),
    })
}

/// Issuer and UID given by hand.
fn overrides(named: NamedIssuerFlags, cloud: &CloudFlags, ask: CloudLookup) -> IssuerOverrides {
    IssuerOverrides {
        given: cloud.given(),
        ask,
        issuer: named.issuer,
        cluster_uid: named.cluster_uid,
        keys_from: None,
        site_required: named.issuer_ca_cert.is_some(),
    }
}

/// Refuses what clap cannot: flags that do not go together.
pub fn check_sync(args: &SyncArgs) -> Result<(), Error> {
    if !args.all_contexts && args.contexts.is_empty() {
        return Ok(());
    }
    one_cluster("sync", &args.kube)?;
    let named = &args.issuer.named;
    if named.issuer.is_some() || named.cluster_uid.is_some() {
        let why = "--issuer and --cluster-uid are about one cluster, not about several contexts";
        return Err(Error::usage("sync", why));
    }
    if args.issuer.cloud.names_one_cluster() {
        let why =
            "--cloud, --cloud-cluster and --azure-resource-group are about one cluster, not about several contexts";
        return Err(Error::usage("sync", why));
    }
    Ok(())
}

/// Refuses flags that choose one server or one user, where several contexts are read: one
/// user's credential must not go to every API server of the kubeconfig.
pub fn one_cluster(command: &'static str, kube: &KubeFlags) -> Result<(), Error> {
    let chosen = kube.server.is_some()
        || kube.cluster.is_some()
        || kube.user.is_some()
        || kube.client_certificate.is_some()
        || kube.client_key.is_some()
        || kube.certificate_authority.is_some()
        || kube.tls_server_name.is_some();
    if chosen {
        let why = "flags that choose one server, its certificate or one user would hold for every context";
        return Err(Error::usage(command, why));
    }
    Ok(())
}

pub fn scope(args: &SyncArgs, contexts: &Contexts) -> Scope {
    if args.all_contexts {
        Scope::All(contexts.names())
    } else if args.contexts.is_empty() {
        Scope::Current(contexts.current())
    } else {
        Scope::Named(args.contexts.clone())
    }
}

pub fn sync(session: &Session, args: SyncArgs, scope: Scope) -> SyncInput {
    // Who is new to the mount is to be known as well as with setup.
    let ask = if args.enroll { CloudLookup::Always } else { CloudLookup::OnlyIfNeeded };
    SyncInput {
        mount: args.mount,
        scope,
        enroll: args.enroll,
        trust_issuer: args.issuer.trust_issuer,
        overrides: overrides(args.issuer.named, &args.issuer.cloud, ask),
        options: options(&args.chain, args.prune),
        rewrite: args.rewrite,
        dry_run: args.dry_run == DryRun::Client,
        now: session.now(),
        nonce: session.nonce(),
    }
}

/// What `status --check-clusters` asks of `sync`: everything but a change.
pub fn status(session: &Session, mount: &MountPath, scope: Scope, issuer_ca_cert: Option<&Path>) -> SyncInput {
    SyncInput {
        mount: mount.clone(),
        scope,
        overrides: IssuerOverrides {
            ask: CloudLookup::OnlyIfNeeded,
            site_required: issuer_ca_cert.is_some(),
            ..IssuerOverrides::default()
        },
        enroll: false,
        trust_issuer: false,
        options: MountOptions::default(),
        rewrite: false,
        dry_run: true,
        now: session.now(),
        nonce: session.nonce(),
    }
}

pub fn remove(session: &Session, args: &RemoveArgs) -> RemoveInput {
    RemoveInput {
        mount: args.mount.clone(),
        issuer: args.issuer.clone(),
        cluster_uid: args.cluster_uid.clone(),
        roles: args.roles,
        yes: args.yes,
        dry_run: args.dry_run == DryRun::Client,
        now: session.now(),
        nonce: session.nonce(),
    }
}

pub fn issuer(session: &Session, named: NamedIssuerFlags, cloud: &CloudFlags, entry: Entry) -> IssuerInput {
    IssuerInput { entry, overrides: overrides(named, cloud, CloudLookup::Always), nonce: session.nonce() }
}

/// The one cluster under the same name whether it can be read or not.
pub fn named(args: &SyncArgs, scope: Scope) -> Scope {
    let Scope::Current(None) = scope else { return scope };
    let name = args.kube.cluster.clone().or_else(|| args.kube.server.clone());
    Scope::Current(Some(name.unwrap_or_else(|| "in-cluster".to_owned())))
}

pub fn pace(flags: &WatchFlags) -> Pace {
    flags.interval.map_or(Pace::DEFAULT, |interval| Pace { api_server: interval, issuer: interval })
}

/// The ways to log in, in the order to try.
pub fn logins(session: &Session, flags: &WatchFlags, mount: &MountPath) -> Vec<LoginMethod> {
    let env = Lookup(|name: &str| session.variable(name));
    let jwt_file = || {
        let given = flags.auth_jwt_file.clone().or_else(|| env.value("JWT_FILE").map(PathBuf::from));
        given.unwrap_or_else(|| PathBuf::from(JWT_FILE))
    };
    let first = flags.auth_role.as_ref().map(|role| LoginMethod::Jwt {
        mount: flags.auth_mount.clone().unwrap_or_else(|| mount.clone()),
        role: role.clone(),
        file: jwt_file(),
    });
    let fallback = flags.auth_fallback.clone().map(|fallback| match fallback {
        Fallback::Jwt { mount, role, jwt_file: file } => {
            LoginMethod::Jwt { mount, role, file: file.unwrap_or_else(jwt_file) }
        }
        Fallback::AppRole { mount, role_id_file, secret_id_file } => {
            LoginMethod::AppRole { mount, role_id_file, secret_id_file }
        }
    });
    first.into_iter().chain(fallback).collect()
}

/// The command with which a person does the same once.
pub fn by_hand(args: &SyncArgs, scope: &Scope, vault: &Client) -> String {
    let mut command = "kubectl vaultjwt sync".to_owned();
    if let Some(kubeconfig) = &args.kube.kubeconfig {
        command.push_str(&format!(" --kubeconfig {}", word(&kubeconfig.to_string_lossy())));
    }
    match scope {
        Scope::All(_) => command.push_str(" --all-contexts"),
        Scope::Named(names) => command.push_str(&format!(" --contexts {}", word(&names.join(",")))),
        // In a pod there is none; elsewhere it is the context of that cluster.
        Scope::Current(Some(name)) if args.kube.context.is_some() => {
            command.push_str(&format!(" --context {}", word(name)));
        }
        Scope::Current(_) => {}
    }
    command.push_str(&format!(" --mount {} --vault-addr {}", word(args.mount.as_str()), word(vault.address())));
    if let Some(namespace) = vault.namespace() {
        command.push_str(&format!(" --vault-namespace {}", word(namespace)));
    }
    command
}

#[cfg(test)]
mod tests;
