//! The parts of `vault-jwt-login`: a service account token goes in, a file
//! with a Vault token comes out. A library only so that what reads foreign
//! bytes can be fuzzed; `main.rs` is the program.

pub mod address;
pub mod answer;
pub mod check;
pub mod cli;
pub mod command;
pub mod connection;
pub mod connector;
pub mod error;
pub mod facts;
pub mod files;
pub mod flat;
pub mod found;
pub mod handshake;
pub mod held;
pub mod info;
pub mod jwt_file;
pub mod keep;
pub mod log;
pub mod login;
pub mod parent;
#[cfg(test)]
mod peer;
pub mod place;
pub mod proxy;
pub mod random;
pub mod refused;
pub mod retry;
pub mod revocation;
pub mod revoke;
pub mod settings;
pub mod sidecar;
pub mod signals;
pub mod socket;
pub mod takeover;
pub mod tls;
pub mod token;
pub mod token_file;
pub mod token_file_error;
pub mod vault;
pub mod vault_error;
