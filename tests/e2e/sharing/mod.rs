//! Several clusters and several writers on one mount.

mod chain;
mod killed;
mod race;
mod stale_key_cache;
