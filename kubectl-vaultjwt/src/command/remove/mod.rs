//! `remove`: removes one owner's keys, and only those, from a mount, and on request its
//! roles too.
//!
//! `input` is what was asked for, `observe` finds the owner and reads the mount,
//! `plan` decides (pure), `roles` tells which roles are the owner's alone (pure), `apply`
//! changes Vault, `report` says what was done, `error` why not. `authority` drops one
//! recorded way instead.

mod apply;
pub mod authority;
pub mod error;
pub mod input;
mod observe;
pub mod plan;
pub mod report;
pub mod roles;

pub use error::RemoveError;
pub use report::RemoveReport;

use crate::command::capabilities::Right;
use crate::command::failure::Failure;
use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::remove::plan::RemovePlan;
use crate::command::{Reply, capabilities};

/// Runs `remove`; with `input.dry_run`, up to the plan and no further.
pub async fn run(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
) -> Result<RemoveReport, Failure<RemoveError, RemoveReport>> {
    let seen = observe::observe(ports, input).await?;
    let plan = RemovePlan::make(input, &seen)?;
    observe::warnings(ports, input, &plan, &seen.published);
    let mut report = RemoveReport::new(ports, input, &seen, &plan);
    if input.dry_run {
        return Ok(report);
    }
    let question = plan.question(&input.mount, ports.vault.address());
    ensure_allowed(ports, input, &plan.rights(&input.mount), &question).await?;
    match apply::plan(ports, input, &plan, &mut report).await {
        Ok(()) => Ok(report),
        // What was there before must not be lost with the error.
        Err(error) => {
            report.failure = Some(error.to_string());
            Err(Failure { error, report: Some(Box::new(report)) })
        }
    }
}

/// Whether the Vault token may do all of it, and the user wants it.
async fn ensure_allowed(
    ports: RemovePorts<'_>,
    input: &RemoveInput,
    needed: &[Right],
    question: &str,
) -> Result<(), RemoveError> {
    capabilities::check(ports.vault, ports.progress, needed).await?;
    if input.yes {
        return Ok(());
    }
    match ports.confirm.confirm(question).await {
        Reply::Yes => Ok(()),
        Reply::No => Err(RemoveError::Declined),
        Reply::Nobody => Err(RemoveError::Nobody),
    }
}
