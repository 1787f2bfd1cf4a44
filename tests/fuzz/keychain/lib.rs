//! The plugin's domain under its own path, so that `crate::keychain` names the same here.

#[path = "../../../kubectl-vaultjwt/src/keychain/mod.rs"]
mod keychain;

pub use keychain::*;
