//! `sync`: keys of enrolled clusters, brought up to date.
//!
//! `input` is what was asked for, `observe` reads the clusters side by side,
//! `evidence` is what speaks for each, `plan` puts what they publish into one
//! change of the mount (pure), `report` says what came of each. The mount is
//! looked at once before the clusters are, and changed once, however many they are.

mod error;
mod evidence;
pub mod input;
mod memory;
mod observe;
mod plan;
pub mod report;

pub use error::{Failed, MemberError, SyncError};
pub use input::{Scope, SyncInput};
pub use memory::Memory;
pub use report::{Outcome, Row, SyncReport};

use super::chain::roles::fit_issuer;
use super::chain::{Roles, admission, elements, roles};
use super::{Progress, Step, patiently};
use crate::cluster::Clusters;
use crate::issuer::Sources;
use crate::vault::config::{Standing, StaticKeys};
use crate::vault::rewrite::{Rewrite, Wanted};
use crate::vault::{Config, Vault};
use plan::Sync;

/// The ways out of the program that `sync` uses.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The clusters of the kubeconfig.
    pub clusters: &'a dyn Clusters,
    /// Issuers' own sites, and the clouds.
    pub sources: Sources<'a>,
    /// Vault.
    pub vault: &'a dyn Vault,
    /// Where steps are told.
    pub progress: &'a dyn Progress,
}

/// Runs `sync`; with `input.dry_run`, up to the plan and no further. What
/// concerns one cluster is in its row; an error is about all of them. `memory`
/// is what a run that goes on knows from its polls before this one.
pub async fn run(ports: Ports<'_>, input: &SyncInput, memory: Option<&mut Memory>) -> Result<SyncReport, Failed> {
    let mount = &input.mount;
    let reading = ports.vault.read_config(mount);
    let found = patiently(ports.progress, "reading the mount's configuration", reading).await;
    let mut found = found.map_err(|error| SyncError::of_read(mount, error))?;
    // What forbids to write the mount is told before 500 clusters are asked.
    StaticKeys::read(found.document.as_ref()).map_err(|source| SyncError::Config { mount: mount.clone(), source })?;
    let observed = observe::clusters(ports, input, &found).await;
    let standing = elements(found.document.as_ref());
    let newcomer = |cluster: &observe::Observed| {
        cluster.joins() || cluster.found.as_ref().is_ok_and(|f| admission::is_discontinuous(&f.cluster, &standing))
    };
    let newcomers = input.terms.clear_bound_issuer || observed.iter().any(newcomer);
    let roles = if newcomers && !input.terms.allow.any_role() {
        let reading = roles(ports.vault, mount, found.document.as_ref());
        patiently(ports.progress, "reading the mount's roles", reading).await
    } else {
        Roles::NotRead
    };
    let fits = |cluster: &observe::Observed| {
        let issuer = cluster.found.as_ref().ok().map(|found| &found.cluster.owner.issuer);
        cluster.joins() && issuer.is_some_and(|issuer| fit_issuer(&roles, issuer))
    };
    if observed.iter().any(fits) {
        found = ports.vault.read_config(mount).await?;
    }
    let mut sync = Sync::new(input, observed);
    if let Some(memory) = memory {
        sync.recall(memory);
    }
    let Config { document, date } = &found;
    let plan = sync.plan(Standing { document: document.as_ref(), now: date.unwrap_or(input.now) }, &roles)?;
    let mut report = SyncReport::new(ports.vault, input, &sync, &plan, document.clone());
    for warning in plan.warnings {
        ports.progress.step(Step::Warning(warning));
    }
    if input.dry_run {
        return Ok(report);
    }
    if !plan.write {
        let wanted = planner(&sync, &roles);
        if input.rewrite && Rewrite::new(ports.vault, &input.mount, input.now).again(&wanted).await? {
            ports.progress.step(Step::Done("configuration written again, with nothing changed".to_owned()));
        }
        return Ok(report);
    }
    match change(ports, input, &sync, &roles, &mut report).await {
        Ok(()) => Ok(report),
        // What was there before must not be lost with the error.
        Err(error) => {
            report.failure = Some(error.to_string());
            Err(Failed { error, report: Some(Box::new(report)) })
        }
    }
}

/// The plan is made anew on what stands there at the moment of writing.
fn planner(sync: &Sync<'_>, roles: &Roles) -> impl Fn(Standing<'_>) -> Result<Wanted, SyncError> + std::marker::Sync {
    move |standing| {
        let plan = sync.plan(standing, roles)?;
        Ok(Wanted { document: plan.document, write: plan.write })
    }
}

/// Changes the mount, and says in `report` what was done.
async fn change(
    ports: Ports<'_>,
    input: &SyncInput,
    sync: &Sync<'_>,
    roles: &Roles,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let wanted = planner(sync, roles);
    let mut rewrite = Rewrite::new(ports.vault, &input.mount, input.now);
    let put = patiently(ports.progress, "writing the keys", rewrite.put::<SyncError>(&wanted)).await?;
    (report.config.before, report.config.after) = (put.before.clone(), put.after.clone());
    let settling = rewrite.settle::<SyncError>(&wanted, put);
    let settled = patiently(ports.progress, "waiting to see the keys stay", settling).await?;
    // What was done is told from what the first write was planned on.
    let now = rewrite.now();
    let done = sync.plan(Standing { document: settled.before.as_ref(), now }, roles)?.members;
    let stands = sync.plan(Standing { document: Some(&settled.after), now }, roles)?.members;
    report.tell(sync, &done.unless_refused(stands));
    report.config.before = settled.before;
    report.config.after = settled.after;
    Ok(())
}

#[cfg(test)]
mod tests;
