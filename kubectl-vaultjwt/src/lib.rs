//! `kubectl vaultjwt`: makes HashiCorp Vault or OpenBao trust a cluster's
//! service accounts, by copying the cluster's public signing keys to a JWT
//! auth mount.
//!
//! Data flows one way: typed arguments (`cli`) → resolved input → plan →
//! effects → report (`command`) → text (`render`). The side effects sit
//! behind two ports, [`cluster::Cluster`] and [`vault::Vault`]; the domain
//! ([`keychain`]) knows neither HTTP nor a clock.

mod cause;
pub mod cli;
pub mod cloud;
pub mod cloud_api;
pub mod cluster;
pub mod command;
pub mod completion;
pub mod error;
pub mod issuer;
pub mod keychain;
pub mod render;
mod retry_after;
pub mod run;
mod serve;
mod shell;
pub mod vault;
