//! What the program does: one folder or file for each command, each from resolved input
//! through a plan to a report. Commands never print.
//!
//! Several commands use the rest: `mount` plans the keys of clusters on one mount,
//! `capabilities` checks the Vault token's rights, `prove_issuer` and `possession` request
//! and check tokens, `ways` says which ways to a cluster are recorded. `progress`
//! has the ports to the user, `report` and `failure` are what commands return. `words`
//! makes sentences.

pub mod capabilities;
pub mod failure;
pub mod issuer;
pub mod mount;
pub mod possession;
pub mod progress;
pub mod prove_issuer;
pub mod remove;
pub mod report;
pub mod setup;
pub mod status;
pub mod sync;
pub mod watch;
pub mod ways;
mod words;

pub use progress::{Confirm, Progress, Reply, Step, patiently};

use crate::vault::{Vault, VaultError};

/// Refuses a namespace that Vault passes over: what is read would be another mount of the same
/// name. Only the list of mounts shows it. A token that may not read the list is not refused.
pub async fn namespace_guard(vault: &dyn Vault) -> Result<(), VaultError> {
    if vault.namespace().is_none() {
        return Ok(());
    }
    match vault.auth_mounts().await {
        Err(error @ VaultError::NoNamespaces { .. }) => Err(error),
        _ => Ok(()),
    }
}
