//! The commands of `kubectl vaultjwt`, each on one cluster and one mount.

mod bad_input;
mod commands;
mod issuer;
mod key_modes;
mod mount_states;
mod remove;
mod setup;
mod status;
mod storage;
mod sync;
