//! `status`: the keys on a mount, whose they are and how they stand. One read
//! of the mount's configuration; no cluster is asked, nothing is changed.
//!
//! `report` reads the configuration (pure), `error` says why it cannot be read.

pub mod error;
pub mod report;

pub use error::StatusError;
pub use report::StatusReport;

use super::namespace_guard;
use crate::vault::Vault;
use jiff::Timestamp;
use report::Place;
use shared::mount::MountPath;

/// Reads the mount; `local_now` counts where Vault does not tell its time.
pub async fn run(vault: &dyn Vault, mount: &MountPath, local_now: Timestamp) -> Result<StatusReport, StatusError> {
    namespace_guard(vault).await?;
    let config = match vault.read_config(mount).await {
        Ok(config) => config,
        Err(error) => return Err(StatusError::of_read(mount, error)),
    };
    let place = Place {
        address: vault.address().to_owned(),
        namespace: vault.namespace().map(str::to_owned),
        mount: mount.clone(),
    };
    StatusReport::new(place, config.document.as_ref(), config.date.unwrap_or(local_now))
}
