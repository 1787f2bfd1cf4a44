//! `remove --authority`: drops one recorded way to an enrolled cluster, so that keys
//! can no longer change over it. The keys stay.

use crate::command::mount::elements;
use crate::command::mount::error::claimed;
use crate::command::mount::grounds::enrolled_name;
use crate::command::remove::error::RemoveError;
use crate::command::remove::input::{RemoveInput, RemovePorts, Uid};
use crate::command::report::{ChangeReport, VaultLocation};
use crate::command::{Reply, Step, capabilities, patiently};
use crate::keychain::Owner;
use crate::keychain::authority::Authority;
use crate::keychain::element::authorities;
use crate::keychain::removal::without_authority;
use crate::vault::mount::config::{MountSnapshot, StaticKeys};
use crate::vault::mount::rewrite::{ConfigWriter, PlannedConfig};
use serde::Serialize;

/// The report of `remove --authority`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityReport {
    pub dry_run: bool,
    /// The cluster that it led to.
    pub owner: Owner,
    /// The way that is, or would be, dropped.
    pub authority: String,
    /// The ways that stay.
    pub remaining: Vec<String>,
    pub vault: VaultLocation,
    pub config: ChangeReport,
}

/// Drops `way`; with `input.dry_run`, up to the plan and no further.
pub async fn run(ports: RemovePorts<'_>, input: &RemoveInput, way: &Authority) -> Result<AuthorityReport, RemoveError> {
    let mount = &input.mount;
    let reading = ports.vault.read_config(mount);
    let config =
        patiently(ports.progress, "reading the mount's configuration", reading).await.map_err(RemoveError::from)?;
    let standing = elements(config.document.as_ref());
    let owner = owner(input, &standing, way)?;
    let remaining: Vec<String> =
        authorities(&standing, &owner).iter().filter(|known| *known != way).map(ToString::to_string).collect();
    let planner = |standing: MountSnapshot<'_>| -> Result<PlannedConfig, RemoveError> {
        let keys = StaticKeys::read(standing.document)
            .map_err(|source| RemoveError::Config { mount: mount.clone(), source })?;
        let before = keys.elements();
        let after = without_authority(&before, &owner, way);
        let document = keys.with(&after, &[]);
        Ok(PlannedConfig { write: after != before, document })
    };
    let now = config.date.unwrap_or(input.now);
    let planned = planner(MountSnapshot { document: config.document.as_ref(), now })?;
    let mut report = AuthorityReport {
        dry_run: input.dry_run,
        owner: owner.clone(),
        authority: way.to_string(),
        remaining,
        vault: VaultLocation::of(ports.vault, mount),
        config: ChangeReport { written: planned.write, before: config.document, after: planned.document },
    };
    if report.remaining.is_empty() {
        ports.progress.step(Step::Warning(format!(
            "it is the only recorded way to {owner}: its keys stay and do not change before another one is recorded with setup"
        )));
    }
    if input.dry_run {
        return Ok(report);
    }
    let needed = [capabilities::Right::new(format!("auth/{mount}/config"), &["read", "update"])];
    let missing = capabilities::missing(ports.vault, ports.progress, &needed).await;
    if !missing.is_empty() {
        return Err(RemoveError::Rights { missing });
    }
    if !input.yes {
        let cluster = claimed(&enrolled_name(&standing, &owner), &owner);
        match ports
            .confirm
            .confirm(&format!("Remove the way \"{way}\" to {cluster} from auth mount \"{mount}/\"?"))
            .await
        {
            Reply::Yes => {}
            Reply::No => return Err(RemoveError::Declined),
            Reply::Nobody => return Err(RemoveError::Nobody),
        }
    }
    let mut rewrite = ConfigWriter::new(ports.vault, mount, input.now);
    let put = patiently(ports.progress, "writing the keys", rewrite.write::<RemoveError>(&planner)).await?;
    report.config.before = put.before.clone();
    let settling = rewrite.wait_until_stable::<RemoveError>(&planner, put);
    report.config.after = patiently(ports.progress, "verifying the keys on the mount", settling).await?.after;
    Ok(report)
}

/// Whose way it is: the one owner that has it, or the one that was named.
fn owner(
    input: &RemoveInput,
    standing: &[crate::keychain::element::MountKey],
    way: &Authority,
) -> Result<Owner, RemoveError> {
    let mut owners: Vec<Owner> = Vec::new();
    for mark in standing.iter().filter_map(|element| element.provenance()) {
        if mark.authorities.contains(way) && !owners.contains(&mark.owner) {
            owners.push(mark.owner.clone());
        }
    }
    if let Some(issuer) = &input.issuer {
        owners.retain(|owner| owner.issuer == *issuer);
    }
    if let Some(uid) = &input.cluster_uid {
        owners.retain(|owner| match uid {
            Uid::None => owner.cluster_uid.is_none(),
            Uid::Of(uid) => owner.cluster_uid.as_ref() == Some(uid),
        });
    }
    match &owners[..] {
        [one] => Ok(one.clone()),
        [] => Err(RemoveError::NoSuchAuthority { mount: input.mount.clone(), authority: way.to_string() }),
        _ => Err(RemoveError::AuthorityOfSeveral { mount: input.mount.clone(), authority: way.to_string(), owners }),
    }
}
