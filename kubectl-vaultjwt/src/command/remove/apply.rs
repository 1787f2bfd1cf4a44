//! Changes Vault: first the keys, which are verified afterwards, then the roles, each read
//! again before it is deleted.

use crate::command::remove::error::RemoveError;
use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::remove::plan::{RemovalConfig, RemovePlan};
use crate::command::remove::report::{ChangedRole, DeletedRole, KeptRole, RemoveReport};
use crate::command::remove::roles::{Part, Remaining, part};
use crate::command::{Step, patiently};
use crate::keychain::Owner;
use crate::vault::mount::config::MountSnapshot;
use crate::vault::mount::rewrite::ConfigWriter;
use crate::vault::mount::role::{bound_issuers, with_issuers};
use shared::text::one_line;

/// Carries out `plan`, and records the result in `report`.
pub async fn plan(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    plan: &RemovePlan,
    report: &mut RemoveReport,
) -> Result<(), RemoveError> {
    let (mount, owner) = (&input.mount, &plan.owner);
    let done = |text: String| ports.progress.step(Step::Done(text));
    report.roles.deleted.clear();
    report.roles.changed.clear();
    // The plan is made again on the configuration at the moment of writing.
    let wanted = |standing: MountSnapshot<'_>| {
        let config = RemovalConfig::make(mount, owner, standing)?;
        if config.write() && config.remaining.is_empty() {
            let namespace = ports.vault.namespace().map(str::to_owned);
            return Err(RemoveError::LastKeys { mount: mount.clone(), owner: owner.clone(), namespace });
        }
        Ok(config.wanted())
    };
    let mut remaining = plan.remaining(&plan.config);
    if plan.config.write() {
        let mut rewrite = ConfigWriter::new(ports.vault, mount, input.now);
        let put = patiently(ports.progress, "writing the keys", rewrite.write::<RemoveError>(&wanted)).await?;
        (report.config.before, report.config.after) = (put.before.clone(), put.after.clone());
        done(format!("keys written: {} removed, {} kept", plan.config.steps.len(), plan.config.remaining.len()));
        let work = rewrite.wait_until_stable::<RemoveError>(&wanted, put);
        report.config.after = patiently(ports.progress, "waiting to see the keys stay away", work).await?.after;
        done("keys read back: they are gone".to_owned());
        let standing = MountSnapshot { document: Some(&report.config.after), now: input.now };
        remaining = plan.remaining(&RemovalConfig::make(mount, owner, standing)?);
    }
    for name in plan.deleted() {
        role(ports, input, owner, &remaining, name, report).await?;
    }
    for name in plan.changed() {
        listed(ports, input, owner, &remaining, name, report).await?;
    }
    Ok(())
}

/// Removes the owner's issuer from one role, unless what it is bound to has changed.
async fn listed(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    owner: &Owner,
    remaining: &Remaining,
    name: &str,
    report: &mut RemoveReport,
) -> Result<(), RemoveError> {
    let shown = one_line(name);
    let found = ports.vault.read_role(&input.mount, name).await?.unwrap_or_default();
    let Part::Listed(others) = part(&found, owner, remaining) else {
        let why = "it was changed by another writer".to_owned();
        ports.progress.step(Step::Warning(format!("role \"{shown}\" stays: {why}")));
        report.roles.kept.push(KeptRole { name: name.to_owned(), why });
        return Ok(());
    };
    let wanted = with_issuers(&found, &others);
    ports.vault.write_role(&input.mount, name, &wanted).await?;
    let after = ports.vault.read_role(&input.mount, name).await?.unwrap_or_default();
    if bound_issuers(&after) != others {
        return Err(RemoveError::RoleIsBack { mount: input.mount.clone(), role: name.to_owned() });
    }
    report.roles.changed.push(ChangedRole { name: name.to_owned(), before: found, after });
    ports
        .progress
        .step(Step::Done(format!("role \"{shown}\" changed: issuer \"{}\" removed", one_line(&owner.issuer))));
    Ok(())
}

/// Deletes one role, unless what it is bound to has changed.
async fn role(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    owner: &Owner,
    remaining: &Remaining,
    name: &str,
    report: &mut RemoveReport,
) -> Result<(), RemoveError> {
    let shown = one_line(name);
    let Some(document) = ports.vault.read_role(&input.mount, name).await? else {
        ports.progress.step(Step::Skipped(format!("role \"{shown}\" is gone already")));
        return Ok(());
    };
    let why = match part(&document, owner, remaining) {
        Part::Exclusive => None,
        Part::Shared(why) => Some(why.to_string()),
        Part::Listed(_) => Some("it accepts other issuers meanwhile".to_owned()),
        Part::None => Some("it was bound to somebody else meanwhile".to_owned()),
    };
    if let Some(why) = why {
        ports.progress.step(Step::Warning(format!("role \"{shown}\" stays: {why}")));
        report.roles.kept.push(KeptRole { name: name.to_owned(), why });
        return Ok(());
    }
    ports.vault.delete_role(&input.mount, name).await?;
    if ports.vault.read_role(&input.mount, name).await?.is_some() {
        return Err(RemoveError::RoleIsBack { mount: input.mount.clone(), role: name.to_owned() });
    }
    report.roles.deleted.push(DeletedRole { name: name.to_owned(), document });
    ports.progress.step(Step::Done(format!("role \"{shown}\" deleted")));
    Ok(())
}
