//! Tests about time, which mostly wait: TTLs, intervals, outages of Vault. Tests run in the order
//! of their names. This module comes first, so that these tests wait while others work.

mod sidecar;
mod sidecar_troubles;
mod takeover;
pub mod watch;
mod watch_outages;
mod watch_rotation;
mod watch_token;
