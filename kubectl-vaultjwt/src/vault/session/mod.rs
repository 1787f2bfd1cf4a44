//! The Vault token of a watcher: how it is obtained, renewed, and looked up.

pub mod login;
pub mod login_files;
pub mod session_token;
