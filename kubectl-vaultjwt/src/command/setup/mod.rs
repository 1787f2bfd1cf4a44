//! `setup`: from a cluster and a Vault to a role that pods can log in with.
//!
//! `input` is what was asked for. `observe` reads both sides (`state` is the mount's).
//! `moves` finds the owner that the cluster was before its issuer or its source of keys
//! changed. `plan` decides (pure), with `role_plan`. `source` plans for a mount whose keys
//! Vault fetches itself. `prove` requests a token that proves the issuer. `evidence` shows
//! which server answers, and asks before another way is recorded. `apply` changes Vault and
//! logs in. `report` says what was done, `error` why not.

mod apply;
pub mod error;
mod evidence;
pub mod input;
mod moves;
mod observe;
pub mod plan;
mod prove;
pub mod report;
pub mod role_plan;
pub mod source;
pub mod state;

pub use error::SetupError;
pub use input::SetupInput;
pub use report::SetupReport;

use crate::command::capabilities;
use crate::command::failure::Failure;
use crate::command::mount::elements;
use crate::command::setup::apply::SetupRun;
use crate::command::setup::input::SetupPorts;
use crate::command::setup::plan::{RolesPlan, SetupPlan};
use crate::command::setup::prove::IssuerProof;

/// Runs `setup`; with `input.dry_run`, up to the plan and no further.
pub async fn run(ports: SetupPorts<'_>, input: &SetupInput) -> Result<SetupReport, Failure<SetupError, SetupReport>> {
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
        IssuerProof::default()
    };
    let grounds = evidence::gather(ports, input, &cluster, &vault, &proof).await?;
    let plan = SetupPlan::make(input, &cluster, &vault, roles, &grounds)?;
    observe::warnings(ports, input, &cluster, &plan).await;
    plan.ensure_expected(input)?;
    let mut report = SetupReport::new(ports, input, &cluster, &vault, &plan, &proof);
    if input.dry_run {
        return Ok(report);
    }
    let rights = plan.rights(&input.mount);
    capabilities::check(ports.vault, ports.progress, &rights).await.map_err(SetupError::from)?;
    let change =
        SetupRun { ports, input, cluster: &cluster, state: &vault, plan: &plan, proof: &proof, grounds: &grounds };
    match change.apply(&mut report).await {
        Ok(()) => Ok(report),
        // What was there before must not be lost with the error.
        Err(error) if plan.changes() => {
            report.failure = Some(error.to_string());
            Err(Failure { error, report: Some(Box::new(report)) })
        }
        Err(error) => Err(error.into()),
    }
}
