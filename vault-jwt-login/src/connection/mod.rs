//! Connections to Vault.

pub mod flight;
pub mod stream;
pub mod tcp;
