//! `remove --authority`: drops one recorded way to an enrolled cluster, so that keys
//! can no longer change over it. The keys stay.

use crate::command::capabilities::Right;
use crate::command::mount::error::Claim;
use crate::command::mount::{elements, owners_where};
use crate::command::remove::ensure_allowed;
use crate::command::remove::error::RemoveError;
use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::report::{ChangeReport, VaultLocation};
use crate::command::{Step, patiently};
use crate::keychain::Owner;
use crate::keychain::authority::Authority;
use crate::keychain::element::{MountKey, authorities};
use crate::keychain::plan::without_authority;
use crate::vault::mount::config::{MountSnapshot, StaticKeys};
use crate::vault::mount::rewrite::{ConfigWriter, PlannedConfig};
use serde::Serialize;

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
    let config = patiently(ports.progress, "reading the mount's configuration", reading).await?;
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
    let needed = [Right::new(format!("auth/{mount}/config"), &["read", "update"])];
    let cluster = Claim::new("", &standing, &owner).cluster();
    let question = format!("Remove the way \"{way}\" to {cluster} from auth mount \"{mount}/\"?");
    ensure_allowed(ports, input, &needed, &question).await?;
    let mut rewrite = ConfigWriter::new(ports.vault, mount, input.now);
    let put = patiently(ports.progress, "writing the keys", rewrite.write::<RemoveError>(&planner)).await?;
    report.config.before = put.before.clone();
    let settling = rewrite.wait_until_stable::<RemoveError>(&planner, put);
    report.config.after = patiently(ports.progress, "verifying the keys on the mount", settling).await?.after;
    Ok(report)
}

/// Whose way it is: the one owner that has it, or the one that was named.
fn owner(input: &RemoveInput, standing: &[MountKey], way: &Authority) -> Result<Owner, RemoveError> {
    let mut owners = owners_where(standing, |mark| mark.authorities.contains(way));
    owners.retain(|owner| {
        input.issuer.as_ref().is_none_or(|issuer| owner.issuer == *issuer)
            && input.cluster_uid.as_ref().is_none_or(|uid| owner.cluster_uid.as_deref() == uid.wanted())
    });
    match &owners[..] {
        [one] => Ok(one.clone()),
        [] => Err(RemoveError::NoSuchAuthority { mount: input.mount.clone(), authority: way.to_string() }),
        _ => Err(RemoveError::AuthorityOfSeveral { mount: input.mount.clone(), authority: way.to_string(), owners }),
    }
}
