//! Owns the typed command line and nothing else: names, wording, values.

pub mod chain;
pub mod cloud;
pub mod completion;
pub mod diff;
pub mod help;
pub mod issuer;
pub mod issuer_command;
pub mod keys;
pub mod kube;
pub mod remove;
pub mod role;
pub mod setup;
pub mod status;
pub mod sync;
pub mod values;
pub mod vault;
pub mod watch;

use crate::render::terminal::Color;
use clap::{Args, Parser, Subcommand};

/// The whole command line.
#[derive(Parser, Debug)]
#[command(
    name = "kubectl-vaultjwt",
    bin_name = "kubectl vaultjwt",
    version,
    about = "Make Vault or OpenBao trust a cluster's service accounts",
    help_template = help::program(),
    after_help = help::PROGRAM_END,
    max_term_width = help::WIDTH,
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

    /// When to use colour. One of: (auto, always, never); auto is on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = parse_color,
        global = true,
        display_order = 901,
        default_value = "auto",
        hide_default_value = true
    )]
    pub color: Color,
}

/// The commands. Their groups are in `help`.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Enrol the cluster on a JWT auth mount; write and prove a role
    Setup(Box<setup::SetupArgs>),
    /// Refresh the keys of enrolled clusters on a JWT auth mount
    Sync(Box<sync::SyncArgs>),
    /// Show the keys on a JWT auth mount, and whose they are
    Status(Box<status::StatusArgs>),
    /// Show what setup or sync would change in Vault
    Diff(Box<diff::DiffArgs>),
    /// Take one cluster's keys, and only those, off a JWT auth mount
    Remove(Box<remove::RemoveArgs>),
    /// Show who issues the cluster's tokens, and how that was found
    Issuer(Box<issuer_command::IssuerArgs>),
    /// Print what makes TAB complete commands, flags and names
    Completion(completion::CompletionArgs),
    /// Print the version
    Version,
}

fn parse_level(typed: &str) -> Result<u8, String> {
    typed.parse().map_err(|_| "a level is a number; before a command write it as -v=6".to_owned())
}

fn parse_color(typed: &str) -> Result<Color, String> {
    match typed {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        _ => Err("must be \"auto\", \"always\" or \"never\"".to_owned()),
    }
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
