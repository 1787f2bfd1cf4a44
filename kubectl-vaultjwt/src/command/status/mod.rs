//! `status`: the keys on a mount, their owners, and the state of each. One read of the
//! mount's configuration; no request to a cluster, no change.
//!
//! `report` reads the configuration (pure), `error` says why it cannot be read.

pub mod error;
pub mod report;

pub use error::StatusError;
pub use report::StatusReport;

use crate::command::namespace_guard;
use crate::command::report::VaultLocation;
use crate::vault::Vault;
use jiff::Timestamp;
use shared::mount::MountPath;

/// Reads the mount; `local_now` is used where Vault does not send its time.
pub async fn run(vault: &dyn Vault, mount: &MountPath, local_now: Timestamp) -> Result<StatusReport, StatusError> {
    namespace_guard(vault).await?;
    let config = vault.read_config(mount).await.map_err(|error| StatusError::of_read(mount, error))?;
    StatusReport::new(
        VaultLocation::of(vault, mount),
        mount,
        config.document.as_ref(),
        config.date.unwrap_or(local_now),
    )
}
