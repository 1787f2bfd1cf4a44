//! The commands, and what they share.

pub mod check;
pub mod error;
pub mod info_file;
pub mod live_tokens;
pub mod login;
pub mod messages;
pub mod reloading_client;
pub mod renew_loop;
pub mod reuse_token;
pub mod revoke;
pub mod revoke_at_exit;
pub mod sidecar;
pub mod supervisor;
