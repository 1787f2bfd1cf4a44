//! Finds the owner whose keys are meant, and reads the mount. Changes nothing.

use crate::cluster::Cluster;
use crate::command::mount::grounds::{enrolled_name, form};
use crate::command::mount::{elements, owners, read_roles};
use crate::command::remove::error::RemoveError;
use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::remove::plan::RemovePlan;
use crate::command::remove::state::{RemoveState, RemoveTarget};
use crate::command::{Step, patiently, possession};
use crate::issuer::CloudLookup;
use crate::issuer::request::IssuerOverrides;
use crate::issuer::resolve::resolve;
use crate::keychain::Owner;
use crate::keychain::element::authorities;
use crate::keychain::evidence::{Evidence, KeyChange as EvidenceStep};
use crate::keychain::key_id::KeyId;
use crate::vault::Config;
use shared::text::one_line;

/// Mounts that serve JWT logins, by the type Vault lists.
const JWT: &str = "jwt";

/// Reads the cluster, where it is asked, and the mount.
pub async fn observe(ports: RemovePorts<'_>, input: &RemoveInput) -> Result<RemoveState, RemoveError> {
    let namespace = || ports.vault.namespace().map(str::to_owned);
    let mounts = patiently(ports.progress, "reading the auth mounts of Vault", ports.vault.auth_mounts()).await?;
    match mounts.get(input.mount.as_str()) {
        Some(kind) if kind == JWT => {}
        Some(kind) => return Err(RemoveError::MountTaken { mount: input.mount.clone(), kind: one_line(kind) }),
        None => return Err(RemoveError::NoMount { mount: input.mount.clone(), namespace: namespace() }),
    }
    let config = ports.vault.read_config(&input.mount).await?;
    let enrolled = owners(&elements(config.document.as_ref()));
    let (target, published) = target(ports, input, &enrolled).await?;
    if let (RemoveTarget::Owner(owner), Some(from)) = (&target, ports.cluster) {
        ensure_owner(ports, input, owner, from.cluster, &config).await?;
    }
    let work = read_roles::by_name(ports.vault, &input.mount);
    let roles = patiently(ports.progress, "reading the roles", work).await;
    Ok(RemoveState { target, published, config, roles, namespace: namespace() })
}

/// A cluster is removed by what it is, and not by what it claims: over a recorded
/// direct way, or with a token that one of its own keys signed. Else it must be named.
async fn ensure_owner(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    owner: &Owner,
    cluster: &dyn Cluster,
    config: &Config,
) -> Result<(), RemoveError> {
    let elements = elements(config.document.as_ref());
    if !elements.iter().any(|element| element.is_of(owner)) {
        return Ok(());
    }
    let recorded = authorities(&elements, owner);
    let reached = cluster.reached(&recorded);
    let evidence = Evidence { reached, recorded: !recorded.is_empty(), ..Evidence::NONE };
    if form(owner).allows(EvidenceStep::Remove, evidence).is_ok() {
        return Ok(());
    }
    let request = possession::PossessionRequest { owner, elements: &elements, reached, nonce: &input.nonce };
    let work = possession::show(cluster, ports.progress, request);
    match patiently(ports.progress, "requesting a token", work).await {
        Ok(_) => Ok(()),
        Err(why) => Err(RemoveError::NotTheOwner {
            mount: input.mount.clone(),
            context: cluster.target().context.clone().unwrap_or_else(|| cluster.target().cluster.clone()),
            enrolled: enrolled_name(&elements, owner),
            owner: owner.clone(),
            why,
        }),
    }
}

async fn target(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    enrolled: &[Owner],
) -> Result<(RemoveTarget, Vec<KeyId>), RemoveError> {
    let uid = input.cluster_uid.clone();
    let from = match (&input.issuer, ports.cluster) {
        (Some(issuer), _) => return Ok((RemoveTarget::Issuer { issuer: issuer.clone(), uid }, Vec::new())),
        (None, Some(from)) => from,
        (None, None) => return Err(RemoveError::NoTarget),
    };
    // With a UID by hand, the cluster's own is not read.
    let by_hand = uid.as_ref().map(|uid| uid.wanted().unwrap_or_default().to_owned());
    let overrides =
        IssuerOverrides { cluster_uid: by_hand, ask: CloudLookup::OnlyIfNeeded, ..IssuerOverrides::default() };
    let enrolled = if uid.is_some() { &[] } else { enrolled };
    let work = resolve(from.cluster, from.sources, &overrides, enrolled);
    let mut found = patiently(ports.progress, "reading the issuer and its keys", work)
        .await
        .map_err(|source| RemoveError::Issuer(Box::new(source)))?;
    // By hand counts, also where the issuer's site was read and no UID is needed.
    if let Some(uid) = &uid {
        found.owner.cluster_uid = uid.wanted().map(str::to_owned);
    }
    if let Some(why) = &found.site_unused {
        ports.progress.step(Step::Detail(format!("the issuer's own site was not used: {why}")));
    }
    ports.progress.step(Step::Done(format!("this cluster's keys are those of {}", found.owner)));
    let published = found.keys.keys.iter().map(|key| key.key.id()).collect();
    Ok((RemoveTarget::Owner(found.owner), published))
}

/// What is allowed but should be known before it is done.
pub fn warnings(ports: RemovePorts<'_>, input: &RemoveInput, plan: &RemovePlan, published: &[KeyId]) {
    for warning in words(input, plan, published) {
        ports.progress.step(Step::Warning(warning));
    }
}

fn words(input: &RemoveInput, plan: &RemovePlan, published: &[KeyId]) -> Vec<String> {
    let mount = &input.mount;
    let mut warnings = Vec::new();
    let left = plan.left_behind(published);
    if left > 0 {
        let (keys, stand) = if left == 1 { ("1 key".to_owned(), "stands") } else { (format!("{left} keys"), "stand") };
        warnings.push(format!(
            "{keys} of {} also {stand} on \"{mount}/\" without its mark and will stay: its tokens are still taken",
            plan.owner
        ));
    }
    if let Some(why) = &plan.roles_unreadable {
        warnings.push(format!("roles bound to this issuer may stay on \"{mount}/\"; they could not be read: {why}"));
    }
    for (name, why) in &plan.roles.shared {
        warnings.push(format!("role \"{}\" stays: {why}", one_line(name)));
    }
    if !plan.delete_roles {
        for name in plan.roles.listed.keys() {
            warnings.push(format!(
                "role \"{}\" accepts this issuer among others and stays as it is: --roles removes the issuer from it",
                one_line(name)
            ));
        }
        for name in plan.roles.exclusive.keys() {
            warnings.push(format!(
                "role \"{}\" is bound to this issuer alone and stays: --roles deletes it",
                one_line(name)
            ));
        }
    }
    if let Some(role) = &plan.default_role {
        warnings.push(format!(
            "role \"{}\" is the default role of \"{mount}/\": logins that name none will fail",
            one_line(role)
        ));
    }
    warnings
}
