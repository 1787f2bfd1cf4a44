//! What `kubectl vaultjwt` and `vault-jwt-login` both speak, and nothing else:
//! the environment of a Vault client, mount paths, durations, leases, unverified JWT
//! claims, the catalogue of Vault's refusals, secrets that do not print, and
//! text that is safe on a terminal.
//!
//! Nothing in here does I/O.

#![deny(missing_docs)]

pub mod duration;
pub mod env;
pub mod jwt;
pub mod lease;
pub mod mount;
pub mod refusal;
pub mod secret;
pub mod text;

pub use secret::Secret;
