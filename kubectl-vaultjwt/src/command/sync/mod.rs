//! `sync`: updates the keys of enrolled clusters.
//!
//! `input` is what was asked for, `observe` reads the clusters in parallel, `evidence` is
//! the evidence for each, `plan` turns what they publish into one change of the mount
//! (pure), `report` says what was done for each, `error` why not. The mount is read once
//! before the clusters, and changed once, however many there are.

mod error;
mod evidence;
pub mod input;
mod observe;
mod plan;
pub mod report;

pub use error::{MemberError, SyncError};
pub use input::{Scope, SyncInput};
pub use plan::PollMemory;
pub use report::{Outcome, Row, SyncReport};

use crate::command::failure::Failure;
use crate::command::mount::read_roles::{fit_issuer, read_roles};
use crate::command::mount::{Roles, admission, elements};
use crate::command::sync::input::SyncPorts;
use crate::command::sync::plan::SyncRun;
use crate::command::{Step, patiently};
use crate::vault::Config;
use crate::vault::mount::config::{MountSnapshot, StaticKeys};
use crate::vault::mount::rewrite::{ConfigWriter, PlannedConfig};

/// Runs `sync`; with `input.dry_run`, up to the plan and no further. What
/// concerns one cluster is in its row; an error is about all of them. `memory`
/// is what a watcher knows from its earlier polls.
pub async fn run(
    ports: SyncPorts<'_>,
    input: &SyncInput,
    memory: Option<&mut PollMemory>,
) -> Result<SyncReport, Failure<SyncError, SyncReport>> {
    let mount = &input.mount;
    let reading = ports.vault.read_config(mount);
    let found = patiently(ports.progress, "reading the mount's configuration", reading).await;
    let mut found = found.map_err(|error| SyncError::of_read(mount, error))?;
    // What forbids writing the mount is reported before 500 clusters are queried.
    StaticKeys::read(found.document.as_ref()).map_err(|source| SyncError::Config { mount: mount.clone(), source })?;
    let observed = observe::clusters(ports, input, &found).await;
    let standing = elements(found.document.as_ref());
    let new_cluster = |cluster: &observe::Observed| {
        cluster.joins() || cluster.found.as_ref().is_ok_and(|f| admission::is_discontinuous(&f.cluster, &standing))
    };
    let new_clusters = input.options.clear_bound_issuer || observed.iter().any(new_cluster);
    let roles = if new_clusters && !input.options.allow.any_role() {
        let reading = read_roles(ports.vault, mount, found.document.as_ref());
        patiently(ports.progress, "reading the mount's roles", reading).await
    } else {
        Roles::NotRead
    };
    let fits = |cluster: &observe::Observed| {
        let issuer = cluster.found.as_ref().ok().map(|found| &found.cluster.owner.issuer);
        cluster.joins() && issuer.is_some_and(|issuer| fit_issuer(&roles, issuer))
    };
    if observed.iter().any(fits) {
        found = ports.vault.read_config(mount).await.map_err(SyncError::from)?;
    }
    let mut sync = SyncRun::new(input, observed);
    if let Some(memory) = memory {
        sync.recall(memory);
    }
    let Config { document, date } = &found;
    let plan = sync.plan(MountSnapshot { document: document.as_ref(), now: date.unwrap_or(input.now) }, &roles)?;
    let mut report = SyncReport::new(ports.vault, &sync, &plan, document.clone());
    for warning in plan.warnings {
        ports.progress.step(Step::Warning(warning));
    }
    if input.dry_run {
        return Ok(report);
    }
    if !plan.write {
        let wanted = planner(&sync, &roles);
        if input.rewrite && ConfigWriter::new(ports.vault, &input.mount, input.now).rewrite(&wanted).await? {
            ports.progress.step(Step::Done("configuration written again, with nothing changed".to_owned()));
        }
        return Ok(report);
    }
    match change(ports, input, &sync, &roles, &mut report).await {
        Ok(()) => Ok(report),
        // What was there before must not be lost with the error.
        Err(error) => {
            report.failure = Some(error.to_string());
            Err(Failure { error, report: Some(Box::new(report)) })
        }
    }
}

/// The plan is made again on the configuration at the moment of writing.
fn planner(
    sync: &SyncRun<'_>,
    roles: &Roles,
) -> impl Fn(MountSnapshot<'_>) -> Result<PlannedConfig, SyncError> + std::marker::Sync {
    move |standing| {
        let plan = sync.plan(standing, roles)?;
        Ok(PlannedConfig { document: plan.document, write: plan.write })
    }
}

/// Changes the mount, and says in `report` what was done.
async fn change(
    ports: SyncPorts<'_>,
    input: &SyncInput,
    sync: &SyncRun<'_>,
    roles: &Roles,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let wanted = planner(sync, roles);
    let mut rewrite = ConfigWriter::new(ports.vault, &input.mount, input.now);
    let put = patiently(ports.progress, "writing the keys", rewrite.write::<SyncError>(&wanted)).await?;
    (report.config.before, report.config.after) = (put.before.clone(), put.after.clone());
    let settling = rewrite.wait_until_stable::<SyncError>(&wanted, put);
    let settled = patiently(ports.progress, "waiting to see the keys stay", settling).await?;
    // What was done is derived from what the first write was planned on.
    let now = rewrite.now();
    let done = sync.plan(MountSnapshot { document: settled.before.as_ref(), now }, roles)?.members;
    let stands = sync.plan(MountSnapshot { document: Some(&settled.after), now }, roles)?.members;
    report.clusters = report::rows(sync, &plan::unless_refused(done, stands));
    report.config.before = settled.before;
    report.config.after = settled.after;
    Ok(())
}

#[cfg(test)]
mod tests;
