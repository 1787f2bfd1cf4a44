//! Connections to Vault.

pub mod stream;
pub mod tcp;
