//! Tests that mostly wait, because time is what they are about: leases, intervals,
//! spans without a Vault. Their module comes early, since tests run in the order of
//! their names: what waits runs beside what works, and not alone at the end.

mod sidecar;
mod sidecar_troubles;
mod takeover;
pub mod watch;
mod watch_outages;
mod watch_rotation;
mod watch_token;
