//! Owns the typed command line and nothing else: names, wording, values.

pub mod chain;
pub mod diff;
pub mod issuer;
pub mod issuer_command;
pub mod kube;
pub mod remove;
pub mod role;
pub mod setup;
pub mod status;
pub mod sync;
pub mod values;
pub mod vault;
pub mod watch;

use clap::{Args, Parser, Subcommand};

/// The whole command line.
#[derive(Parser, Debug)]
#[command(
    name = "kubectl-vaultjwt",
    bin_name = "kubectl vaultjwt",
    version,
    about = "Make Vault or OpenBao trust a cluster's service accounts",
    long_about = "Make HashiCorp Vault or OpenBao trust a cluster's service accounts: finds the cluster's issuer, copies \
                  its public signing keys to a JWT auth mount, writes a role, and proves it with a real login. Vault \
                  never has to reach the cluster.",
    after_help = "Exit codes: 0 done (also when there was nothing to do), 1 failed, 2 wrong call, 130 interrupted; those of diff are in its own help.",
    help_expected = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct CommonFlags {
    /// Level of detail on stderr: 1 says what is decided, 6 (and -v alone) shows each request to Vault, never a token
    #[arg(
        short = 'v',
        long = "v",
        value_name = "LEVEL",
        value_parser = parse_level,
        global = true,
        display_order = 900,
        num_args = 0..=1,
        default_value_t = 0,
        default_missing_value = "6",
        hide_default_value = true
    )]
    pub verbosity: u8,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Enrol the current cluster on a JWT auth mount, write a role and prove it with a login
    Setup(Box<setup::SetupArgs>),
    /// Refresh the keys of enrolled clusters on a JWT auth mount
    Sync(Box<sync::SyncArgs>),
    /// Show the keys on a JWT auth mount, whose they are and how they stand
    Status(Box<status::StatusArgs>),
    /// Show what setup or sync would change in Vault
    Diff(Box<diff::DiffArgs>),
    /// Take one cluster's keys, and only those, off a JWT auth mount
    Remove(Box<remove::RemoveArgs>),
    /// Show who issues the current cluster's tokens, with which keys, and how that was found
    Issuer(Box<issuer_command::IssuerArgs>),
    /// Print the version
    Version,
}

fn parse_level(typed: &str) -> Result<u8, String> {
    typed.parse().map_err(|_| "a level is a number; before a command write it as -v=6".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
