//! `remove`: takes one owner's keys, and only those, off a mount, and where
//! asked its roles too.
//!
//! `observe` finds the owner and reads the mount, `plan` decides (pure),
//! `roles` tells which roles are the owner's alone (pure), `apply` changes
//! Vault, `report` says what came of it. `authority` drops one recorded way instead.

mod apply;
pub mod authority;
pub mod error;
mod observe;
pub mod plan;
pub mod report;
pub mod roles;

pub use error::{Failed, RemoveError};
pub use report::RemoveReport;

use super::{Confirm, Progress, Reply, rights};
use crate::cluster::Cluster;
use crate::issuer::Sources;
use crate::vault::Vault;
use jiff::Timestamp;
use plan::Plan;
use shared::mount::MountPath;

/// What `remove` was asked for, resolved.
#[derive(Clone, Debug)]
pub struct RemoveInput {
    /// The auth mount.
    pub mount: MountPath,
    /// `--issuer`; without it the cluster tells.
    pub issuer: Option<String>,
    /// `--cluster-uid`
    pub cluster_uid: Option<Uid>,
    /// Whether the owner's roles are deleted too.
    pub roles: bool,
    /// Whether it is done without asking.
    pub yes: bool,
    /// Whether to stop after the plan.
    pub dry_run: bool,
    /// Time of the run by the local clock.
    pub now: Timestamp,
    /// A random audience, new for each run.
    pub nonce: String,
}

/// Which of several owners with one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uid {
    /// The one that is known by its issuer alone: its site was read.
    None,
    /// The cluster with this UID.
    Of(String),
}

impl Uid {
    /// As owners have it.
    fn wanted(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Of(uid) => Some(uid),
        }
    }
}

/// The cluster, where it is asked.
#[derive(Clone, Copy)]
pub struct ClusterPorts<'a> {
    /// Its API server.
    pub cluster: &'a dyn Cluster,
    /// Issuers' own sites, and the clouds.
    pub sources: Sources<'a>,
}

/// The ways out of the program that `remove` uses.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// `None` where the issuer was given.
    pub cluster: Option<ClusterPorts<'a>>,
    /// Vault.
    pub vault: &'a dyn Vault,
    /// Where steps are told.
    pub progress: &'a dyn Progress,
    /// Who is asked.
    pub confirm: &'a dyn Confirm,
}

/// Runs `remove`; with `input.dry_run`, up to the plan and no further.
pub async fn run(ports: Ports<'_>, input: &RemoveInput) -> Result<RemoveReport, Failed> {
    let seen = observe::everything(ports, input).await?;
    let plan = Plan::make(input, &seen)?;
    observe::warnings(ports, input, &plan, &seen.published);
    let mut report = RemoveReport::new(ports, input, &seen, &plan);
    if input.dry_run {
        return Ok(report);
    }
    let missing = rights::missing(ports.vault, ports.progress, &plan.rights(&input.mount)).await;
    if !missing.is_empty() {
        return Err(RemoveError::Rights { missing }.into());
    }
    if !input.yes {
        match ports.confirm.confirm(&plan.question(&input.mount, ports.vault.address())).await {
            Reply::Yes => {}
            Reply::No => return Err(RemoveError::Declined.into()),
            Reply::Nobody => return Err(RemoveError::Nobody.into()),
        }
    }
    match apply::plan(ports, input, &plan, &mut report).await {
        Ok(()) => Ok(report),
        // What was there before must not be lost with the error.
        Err(error) => {
            report.failure = Some(error.to_string());
            Err(Failed { error, report: Some(Box::new(report)) })
        }
    }
}
