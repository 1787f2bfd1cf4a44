//! Reads the cluster and the mount, and changes neither.

use crate::command::mount::{self, JWT, Roles, read_roles};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::plan::{SetupPlan, shared_entity};
use crate::command::setup::state::{MountState, as_of, enrolled};
use crate::command::words::{counted, quoted};
use crate::command::{Step, patiently};
use crate::issuer::CloudAnswer;
use crate::issuer::resolve::resolve;
use crate::issuer::resolved::{KeySource, Resolved, SiteUnused};
use crate::keychain::Owner;
use crate::keychain::element::MountKey;
use crate::keychain::key_id::KeyId;
use crate::vault::mount::fit::fit;
use crate::vault::mount::key_source::{KeysMode, MountKeySource as VaultsSource};
use crate::vault::mount::role::shared_identity;
use crate::vault::{Config, Document};
use shared::text::one_line;

/// Issuer, owner and keys; claimed, not proven.
pub async fn cluster(ports: SetupPorts<'_>, input: &SetupInput, standing: &[MountKey]) -> Result<Resolved, SetupError> {
    let enrolled = mount::owners(standing);
    let work = resolve(ports.cluster, ports.sources, &input.overrides, &enrolled);
    let resolved = patiently(ports.progress, "reading the issuer and its keys", work).await?;
    let keys = counted(resolved.keys.keys.len(), "key");
    let from = match resolved.source {
        KeySource::IssuerSite => "its own site",
        // With the issuer that most clusters have, the line fits 80 columns.
        KeySource::ApiServer => "the API",
        KeySource::File => "the file",
    };
    ports.progress.step(Step::Done(format!("issuer {}, {keys} from {from}", quoted(&resolved.owner.issuer))));
    tell_of_cloud(ports, &resolved.cloud);
    match &resolved.site_unused {
        Some(why @ SiteUnused::None(_)) => {
            ports.progress.step(Step::Detail(format!("the issuer's own site was not used: {why}")));
        }
        // Reported in any case: only the API server vouches for the keys.
        Some(why @ SiteUnused::Unreadable(_)) => {
            ports.progress.step(Step::Skipped(format!("the issuer's own site was not used: {why}")));
        }
        None => {}
    }
    if let Some(why) = &resolved.api_keys_unread {
        ports.progress.step(Step::Skipped(format!("the API server's own key set was not compared: {why}")));
    }
    let on_mount = |id: KeyId| standing.iter().any(|e| e.id() == Some(id) && e.is_of(&resolved.owner));
    if let Some(lag) = resolved.lag(&input.cluster_name, on_mount) {
        ports.progress.step(Step::Warning(lag.to_string()));
    }
    for skipped in &resolved.keys.skipped {
        ports.progress.step(Step::Warning(skipped.to_string()));
    }
    Ok(resolved)
}

/// Leaves out keys whose private key can be computed, and says which.
pub fn without_weak_keys(
    ports: SetupPorts<'_>,
    cluster: Resolved,
    standing: &[MountKey],
) -> Result<Resolved, SetupError> {
    let told = cluster.keys.skipped.len();
    let cluster = mount::grounds::without_weak_keys(cluster, standing)?;
    for skipped in cluster.keys.skipped.iter().skip(told) {
        ports.progress.step(Step::Warning(skipped.to_string()));
    }
    Ok(cluster)
}

/// Refuses a key set that lacks a key which the user expects, before anything is changed.
pub fn expected(input: &SetupInput, cluster: &Resolved) -> Result<(), SetupError> {
    let published: Vec<KeyId> = cluster.keys.ids().collect();
    let missing: Vec<KeyId> = input.expected.iter().filter(|id| !published.contains(id)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(SetupError::UnexpectedKeys { issuer: cluster.owner.issuer.clone(), missing, published })
}

fn tell_of_cloud(ports: SetupPorts<'_>, word: &CloudAnswer) {
    match word {
        CloudAnswer::NotAsked | CloudAnswer::NoCloud => {}
        CloudAnswer::Failed(error) => {
            ports.progress.step(Step::Skipped(error.to_string()));
            ports.progress.step(Step::Detail(error.hint()));
        }
        CloudAnswer::Confirmed(described) | CloudAnswer::Unconfirmed(described, _) => {
            let id = one_line(&described.id);
            ports.progress.step(match word {
                CloudAnswer::Unconfirmed(_, gap) => Step::Detail(gap.about(&id)),
                _ => Step::Detail(format!("the cluster's cloud confirms {id}")),
            });
            if let Some(why) = &described.no_issuer {
                ports.progress.step(Step::Skipped(format!("{id} has no issuer of its cloud: {}", one_line(why))));
            }
        }
    }
}

/// The configuration of the mount; `None` where there is no mount.
pub async fn mount(ports: SetupPorts<'_>, input: &SetupInput) -> Result<Option<Config>, SetupError> {
    let work = ports.vault.auth_mounts();
    let mounts = patiently(ports.progress, "reading the auth mounts of Vault", work).await?;
    match mounts.get(input.mount.as_str()) {
        Some(kind) if kind == JWT => Ok(Some(ports.vault.read_config(&input.mount).await?)),
        Some(kind) => Err(SetupError::MountTaken { mount: input.mount.clone(), kind: one_line(kind) }),
        None => {
            // Vault refuses a mount below or above another one; say it before anything is written.
            let nested = |path: &String| {
                path.starts_with(&format!("{}/", input.mount)) || input.mount.as_str().starts_with(&format!("{path}/"))
            };
            match mounts.keys().find(|path| nested(path)) {
                Some(path) => Err(SetupError::MountNested { mount: input.mount.clone(), other: one_line(path) }),
                None => Ok(None),
            }
        }
    }
}

/// What is at the mount path, where `mount` is its configuration.
pub async fn vault(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    mount: Option<Config>,
    from: Option<Owner>,
) -> Result<MountState, SetupError> {
    let Some(mut config) = mount else { return Ok(MountState { roles: Roles::none(), ..MountState::default() }) };
    let role = match &input.role {
        Some(role) => ports.vault.read_role(&input.mount, &role.name).await?,
        None => None,
    };
    let on_it = |document: Option<&Document>| {
        let standing = as_of(cluster, mount::elements(document), from.as_ref());
        enrolled(document, cluster, from.as_ref()) && !mount::admission::is_discontinuous(cluster, &standing)
    };
    let mut enrolled = on_it(config.document.as_ref());
    let standing = mount::elements(config.document.as_ref());
    let fetching = VaultsSource::of(config.document.as_ref()).mode() != KeysMode::Static;
    let roles = if enrolled && !input.options.clear_bound_issuer && input.moves.is_none() {
        Roles::NotRead
    } else {
        read_roles(ports.vault, &input.mount, config.document.as_ref()).await
    };
    if !enrolled && mount::read_roles::fit_issuer(&roles, &cluster.owner.issuer) {
        config = ports.vault.read_config(&input.mount).await?;
        enrolled = on_it(config.document.as_ref());
    }
    if !enrolled {
        if input.options.allow.existing_roles {
            warn_of_fitting_roles(ports, input, cluster, &roles);
        }
        if !standing.is_empty() || fetching {
            warn_of_shared_identities(ports, &roles);
        }
    }
    Ok(MountState { exists: true, config, role, roles, from })
}

/// What `--allow-existing-roles` allows is reported all the same.
fn warn_of_fitting_roles(ports: SetupPorts<'_>, input: &SetupInput, cluster: &Resolved, roles: &Roles) {
    let warn = |words: String| ports.progress.step(Step::Warning(words));
    match roles {
        Roles::NotRead => {}
        Roles::Unreadable(why) => warn(format!("the roles on \"{}/\" could not be read: {why}", input.mount)),
        Roles::Read { roles, cel } => {
            for (name, _) in roles.iter().filter(|(_, role)| fit(role, &cluster.owner.issuer).is_some()) {
                warn(format!("role \"{}\" already accepts tokens of this cluster's issuer", one_line(name)));
            }
            for name in cel {
                warn(format!("CEL role \"{}\" may already accept tokens of this cluster's issuer", one_line(name)));
            }
        }
    }
}

/// Where a second cluster comes, roles that name identities by a claim that
/// clusters share should be known.
fn warn_of_shared_identities(ports: SetupPorts<'_>, roles: &Roles) {
    let Roles::Read { roles, .. } = roles else { return };
    for (name, role) in roles {
        if let Some(claim) = shared_identity(role) {
            ports.progress.step(Step::Warning(shared_entity(name, &claim)));
        }
    }
}

/// What is allowed but should be known before it is done.
pub async fn warnings(ports: SetupPorts<'_>, input: &SetupInput, cluster: &Resolved, plan: &SetupPlan) {
    for warning in plan.warnings(&cluster.owner.issuer) {
        ports.progress.step(Step::Warning(warning));
    }
    // A policy that does not exist gives nothing, without a word of Vault's.
    let policies = input.role.iter().flat_map(|role| &role.policies);
    for policy in policies.filter(|_| plan.roles.role.as_ref().is_some_and(|role| role.write)) {
        let name = quoted(policy);
        match ports.vault.policy_exists(policy).await {
            Ok(true) => {}
            Ok(false) => ports.progress.step(Step::Warning(format!("policy {name} does not exist yet"))),
            Err(why) => ports.progress.step(Step::Detail(format!("policy {name} was not looked up: {why}"))),
        }
    }
}
