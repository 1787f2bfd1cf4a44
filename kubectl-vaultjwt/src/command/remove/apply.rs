//! Changes Vault: first the keys, which are verified afterwards, then the roles, each read
//! again before it is deleted.

use crate::command::remove::error::RemoveError;
use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::remove::plan::{RemovalConfig, RemovePlan};
use crate::command::remove::report::{ChangedRole, DeletedRole, KeptRole, RemoveReport, RolesReport};
use crate::command::remove::roles::{Part, Remaining, part};
use crate::command::words::quoted;
use crate::command::{Step, patiently};
use crate::keychain::Owner;
use crate::vault::mount::config::MountSnapshot;
use crate::vault::mount::rewrite::ConfigWriter;
use crate::vault::mount::role::{bound_issuers, with_issuers};
use shared::mount::MountPath;

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
        config.ensure_keys_left(mount, owner, ports.vault.namespace())?;
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
    let mut roles = RoleRemoval { ports, mount, owner, remaining, report: &mut report.roles };
    for name in plan.deleted() {
        roles.delete(name).await?;
    }
    for name in plan.changed() {
        roles.remove_issuer(name).await?;
    }
    Ok(())
}

/// Changes the owner's roles, each unless what it is bound to has changed since the plan.
struct RoleRemoval<'a> {
    ports: RemovePorts<'a>,
    mount: &'a MountPath,
    owner: &'a Owner,
    remaining: Remaining,
    report: &'a mut RolesReport,
}

impl RoleRemoval<'_> {
    async fn delete(&mut self, name: &str) -> Result<(), RemoveError> {
        let Some(document) = self.ports.vault.read_role(self.mount, name).await? else {
            self.ports.progress.step(Step::Skipped(format!("role {} is gone already", quoted(name))));
            return Ok(());
        };
        match part(&document, self.owner, &self.remaining) {
            Part::Exclusive => {}
            Part::Shared(why) => return self.keep(name, &why.to_string()),
            Part::Listed(_) => return self.keep(name, "it accepts other issuers meanwhile"),
            Part::None => return self.keep(name, "it was bound to somebody else meanwhile"),
        }
        self.ports.vault.delete_role(self.mount, name).await?;
        if self.ports.vault.read_role(self.mount, name).await?.is_some() {
            return Err(self.is_back(name));
        }
        self.report.deleted.push(DeletedRole { name: name.to_owned(), document });
        self.ports.progress.step(Step::Done(format!("role {} deleted", quoted(name))));
        Ok(())
    }

    async fn remove_issuer(&mut self, name: &str) -> Result<(), RemoveError> {
        let found = self.ports.vault.read_role(self.mount, name).await?.unwrap_or_default();
        let Part::Listed(others) = part(&found, self.owner, &self.remaining) else {
            return self.keep(name, "it was changed by another writer");
        };
        self.ports.vault.write_role(self.mount, name, &with_issuers(&found, &others)).await?;
        let after = self.ports.vault.read_role(self.mount, name).await?.unwrap_or_default();
        if bound_issuers(&after) != others {
            return Err(self.is_back(name));
        }
        self.report.changed.push(ChangedRole { name: name.to_owned(), before: found, after });
        let issuer = quoted(&self.owner.issuer);
        self.ports.progress.step(Step::Done(format!("role {} changed: issuer {issuer} removed", quoted(name))));
        Ok(())
    }

    fn keep(&mut self, name: &str, why: &str) -> Result<(), RemoveError> {
        self.ports.progress.step(Step::Warning(format!("role {} stays: {why}", quoted(name))));
        self.report.kept.push(KeptRole { name: name.to_owned(), why: why.to_owned() });
        Ok(())
    }

    fn is_back(&self, role: &str) -> RemoveError {
        RemoveError::RoleIsBack { mount: self.mount.clone(), role: role.to_owned() }
    }
}
