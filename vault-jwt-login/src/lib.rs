//! The modules of `vault-jwt-login`, which logs in to Vault with a service account
//! token and stores the Vault token in a file. A library so that the fuzz targets
//! can call the parsers; `main.rs` is the program.
//!
//! Imports run only downward: command, cli, vault, connection, process, log, files, lease.

// Not a library for others: names say enough where no comment does.
#![allow(missing_docs)]

pub mod cli;
pub mod command;
pub mod connection;
pub mod files;
pub mod lease;
pub mod log;
pub mod process;
pub mod vault;
