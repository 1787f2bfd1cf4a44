//! What the program does: one folder or file for each command, each from
//! resolved input through a plan to a report. Commands never print. `chain` is
//! what several of them plan: the keys of clusters on one mount. `rights` asks
//! Vault whether the token may do a plan.

pub mod chain;
pub mod confirm;
pub mod issuer;
pub mod possession;
pub mod progress;
pub mod proof;
pub mod remove;
pub mod report;
pub mod rights;
pub mod setup;
pub mod status;
pub mod sync;
pub mod watch;
pub mod ways;

pub use confirm::{Confirm, Reply};
pub use progress::{Progress, Step, patiently};

use crate::vault::{Vault, VaultError};

/// Refuses a namespace that Vault passes over: what is read would be another
/// mount of the same name. Only the list of mounts shows it, and whoever may
/// not read that is not kept from the rest.
pub async fn namespace_guard(vault: &dyn Vault) -> Result<(), VaultError> {
    if vault.namespace().is_none() {
        return Ok(());
    }
    match vault.auth_mounts().await {
        Err(error @ VaultError::NoNamespaces { .. }) => Err(error),
        _ => Ok(()),
    }
}
