//! What the tests share: servers in a known state, running programs, and figures.

pub mod cloud_fixture;
pub mod documented_setup;
pub mod fixture;
pub mod fleet;
pub mod live_tokens;
pub mod load;
pub mod pod;
pub mod process_cost;
pub mod provenance_fixture;
pub mod two_clusters;
pub mod watching;
