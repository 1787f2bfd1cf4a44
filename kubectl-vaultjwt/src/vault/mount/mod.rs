//! What a JWT auth mount is made of: its configuration, its roles, and the source of its keys.

pub mod config;
pub mod fit;
pub mod key_source;
pub mod rewrite;
pub mod role;
