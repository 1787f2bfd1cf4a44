//! Finds the owner whose keys are meant, and reads the mount. Changes nothing.

use crate::cluster::Cluster;
use crate::command::mount::error::Claim;
use crate::command::mount::grounds::form;
use crate::command::mount::{JWT, elements, owners, read_roles};
use crate::command::remove::error::RemoveError;
use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::remove::plan::{RemovePlan, RemoveState};
use crate::command::words::{counted, quoted};
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

/// Reads the cluster, where it is asked, and the mount.
pub async fn observe(ports: RemovePorts<'_>, input: &RemoveInput) -> Result<RemoveState, RemoveError> {
    let namespace = ports.vault.namespace().map(str::to_owned);
    let mounts = patiently(ports.progress, "reading the auth mounts of Vault", ports.vault.auth_mounts()).await?;
    match mounts.get(input.mount.as_str()) {
        Some(kind) if kind == JWT => {}
        Some(kind) => return Err(RemoveError::MountTaken { mount: input.mount.clone(), kind: one_line(kind) }),
        None => return Err(RemoveError::NoMount { mount: input.mount.clone(), namespace }),
    }
    let config = ports.vault.read_config(&input.mount).await?;
    let enrolled = owners(&elements(config.document.as_ref()));
    let (owner, published) = owner(ports, input, &enrolled).await?;
    if let (Some(owner), Some(from)) = (&owner, ports.cluster) {
        ensure_owner(ports, input, owner, from.cluster, &config).await?;
    }
    let work = read_roles::by_name(ports.vault, &input.mount);
    let roles = patiently(ports.progress, "reading the roles", work).await;
    Ok(RemoveState { owner, published, config, roles, namespace })
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
        Err(why) => {
            let context = cluster.target().context.as_ref().unwrap_or(&cluster.target().cluster);
            let claim = Claim::new(context, &elements, owner);
            Err(RemoveError::NotTheOwner { mount: input.mount.clone(), claim, why })
        }
    }
}

/// The cluster's owner and the keys that it publishes; no owner where the issuer was given.
async fn owner(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    enrolled: &[Owner],
) -> Result<(Option<Owner>, Vec<KeyId>), RemoveError> {
    if input.issuer.is_some() {
        return Ok((None, Vec::new()));
    }
    let (uid, from) = (&input.cluster_uid, ports.cluster.ok_or(RemoveError::NoTarget)?);
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
    if let Some(uid) = uid {
        found.owner.cluster_uid = uid.wanted().map(str::to_owned);
    }
    if let Some(why) = &found.site_unused {
        ports.progress.step(Step::Detail(format!("the issuer's own site was not used: {why}")));
    }
    ports.progress.step(Step::Done(format!("this cluster's keys are those of {}", found.owner)));
    let published = found.keys.ids().collect();
    Ok((Some(found.owner), published))
}

/// What is allowed but should be known before it is done.
pub fn warnings(ports: RemovePorts<'_>, input: &RemoveInput, plan: &RemovePlan, published: &[KeyId]) {
    let mount = &input.mount;
    let warn = |text: String| ports.progress.step(Step::Warning(text));
    let left = plan.left_behind(published);
    if left > 0 {
        let (keys, stand) = (counted(left, "key"), if left == 1 { "stands" } else { "stand" });
        warn(format!(
            "{keys} of {} also {stand} on \"{mount}/\" without its mark and will stay: its tokens are still taken",
            plan.owner
        ));
    }
    if let Some(why) = &plan.roles_unreadable {
        warn(format!("roles bound to this issuer may stay on \"{mount}/\"; they could not be read: {why}"));
    }
    for (name, why) in &plan.roles.shared {
        warn(format!("role {} stays: {why}", quoted(name)));
    }
    if !plan.delete_roles {
        for name in plan.roles.listed.keys() {
            warn(format!(
                "role {} accepts this issuer among others and stays as it is: --roles removes the issuer from it",
                quoted(name)
            ));
        }
        for name in plan.roles.exclusive.keys() {
            warn(format!("role {} is bound to this issuer alone and stays: --roles deletes it", quoted(name)));
        }
    }
    if let Some(role) = &plan.default_role {
        warn(format!("role {} is the default role of \"{mount}/\": logins that name none will fail", quoted(role)));
    }
}
