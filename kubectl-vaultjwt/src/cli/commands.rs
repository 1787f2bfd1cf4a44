//! The commands of the program.

use crate::cli::{completion, issuer, remove, setup, status, sync};
use clap::Subcommand;

/// The commands. Their groups are in `program_help`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Enrol the cluster on a JWT auth mount; write and prove a role
    Setup(Box<setup::SetupArgs>),
    /// Refresh the keys of enrolled clusters on a JWT auth mount
    Sync(Box<sync::SyncArgs>),
    /// Show the keys on a JWT auth mount, and whose they are
    Status(Box<status::StatusArgs>),
    /// Show what setup or sync would change in Vault
    Diff(Box<setup::DiffArgs>),
    /// Take one cluster's keys, and only those, off a JWT auth mount
    Remove(Box<remove::RemoveArgs>),
    /// Show who issues the cluster's tokens, and how that was found
    Issuer(Box<issuer::IssuerArgs>),
    /// Print what makes TAB complete commands, flags and names
    Completion(completion::CompletionArgs),
    /// Print the version
    Version,
}
