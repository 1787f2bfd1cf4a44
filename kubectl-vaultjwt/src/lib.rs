//! `kubectl vaultjwt`: makes HashiCorp Vault or OpenBao trust a cluster's
//! service accounts, by copying the cluster's public signing keys to a JWT
//! auth mount.
//!
//! Data flows one way: typed arguments (`cli`) → resolved input → plan →
//! effects → report (`command`) → text (`render`). Side effects are behind ports, which
//! `docs/architecture.md` lists; `run::session` makes the real ones. The domain
//! ([`keychain`]) knows neither HTTP nor a clock.

pub mod cli;
pub mod cloud;
pub mod cloud_api;
pub mod cluster;
pub mod command;
pub mod completion;
pub mod error;
pub mod http;
pub mod issuer;
pub mod keychain;
pub mod render;
pub mod run;
mod shell;
pub mod vault;
