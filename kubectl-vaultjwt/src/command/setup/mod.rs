//! `setup`: from a cluster and a Vault to a role that pods can log in with.
//!
//! `input` is what was asked for, `observe` reads both sides, `moves` finds the owner that
//! the cluster was before its issuer or its source of keys changed, `plan` decides
//! (pure), `prove` asks the cluster for a token that proves the issuer, `evidence`
//! shows who answers and asks before another way is recorded,
//! `rights` asks Vault whether the token may do all of it,
//! `source` plans for a
//! mount whose keys Vault fetches itself, `apply` changes Vault and logs in, `report` says what came of it.

mod apply;
pub mod error;
mod evidence;
pub mod input;
mod moves;
mod observe;
pub mod plan;
mod prove;
pub mod report;
pub mod rights;
pub mod source;

pub use error::{Failed, SetupError};
pub use input::SetupInput;
pub use report::SetupReport;

use super::chain::elements;
use super::{Confirm, Progress, Step};
use crate::cluster::Cluster;
use crate::issuer::Sources;
use crate::vault::Vault;
use plan::{Plan, RolesPlan};
use prove::IssuerProof;

/// The ways out of the program that `setup` uses.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The cluster's API server.
    pub cluster: &'a dyn Cluster,
    /// Issuers' own sites, and the clouds.
    pub sources: Sources<'a>,
    /// Vault.
    pub vault: &'a dyn Vault,
    /// Where steps are told.
    pub progress: &'a dyn Progress,
    /// Who is asked.
    pub confirm: &'a dyn Confirm,
}

/// Runs `setup`; with `input.dry_run`, up to the plan and no further.
pub async fn run(ports: Ports<'_>, input: &SetupInput) -> Result<SetupReport, Failed> {
    let mount = observe::mount(ports, input).await?;
    let standing = elements(mount.as_ref().and_then(|config| config.document.as_ref()));
    let cluster = observe::cluster(ports, input, &standing).await?;
    let cluster = observe::without_weak_keys(ports, cluster, &standing)?;
    observe::expected(input, &cluster)?;
    let from = moves::from(ports, input, &cluster, &standing).await?;
    let vault = observe::vault(ports, input, &cluster, mount, from).await?;
    // The role first: a clash there is what the user can act on at once.
    let roles = RolesPlan::make(input, &cluster, &vault)?;
    let proof = if input.prove_enrolled || roles.tested().is_some() || !vault.enrolled(&cluster) {
        prove::issuer(ports, input, &cluster, roles.tested()).await?
    } else {
        IssuerProof::none()
    };
    let grounds = evidence::gather(ports, input, &cluster, &vault, &proof).await?;
    let plan = Plan::make(input, &cluster, &vault, roles, &grounds)?;
    observe::warnings(ports, input, &cluster, &plan).await;
    plan.ensure_expected(input)?;
    let mut report = SetupReport::new(ports, input, &cluster, &vault, &plan, &proof);
    if input.dry_run {
        return Ok(report);
    }
    rights::check(ports, input, &plan).await?;
    let shown = apply::Shown { proof, grounds: &grounds };
    match apply::plan(ports, input, &cluster, &vault, &plan, shown, &mut report).await {
        Ok(()) => Ok(report),
        // What was there before must not be lost with the error.
        Err(error) if plan.changes() => {
            report.failure = Some(error.to_string());
            Err(Failed { error, report: Some(Box::new(report)) })
        }
        Err(error) => Err(error.into()),
    }
}
