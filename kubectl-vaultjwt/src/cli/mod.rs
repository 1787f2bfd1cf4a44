//! The typed command line and nothing else: names, wording, values.

pub mod cloud;
pub mod commands;
pub mod completion;
pub mod help;
pub mod issuer;
pub mod keys;
pub mod kube;
pub mod program_help;
pub mod remove;
pub mod role;
pub mod setup;
pub mod status;
pub mod sync;
pub mod values;
pub mod vault;
pub mod watch;

use crate::cli::commands::Command;
use clap::{Args, ColorChoice, Parser};

/// The whole command line.
#[derive(Parser, Debug)]
#[command(
    name = "kubectl-vaultjwt",
    bin_name = "kubectl vaultjwt",
    version,
    about = "Make Vault or OpenBao trust a cluster's service accounts",
    help_template = program_help::program(),
    after_help = program_help::PROGRAM_END,
    max_term_width = help::WIDTH,
    // The texts of the flags list them. Where the values have texts, too, the flag says it
    // again: clap looks for a longer help before it comes to this.
    hide_possible_values = true,
    help_expected = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub common: CommonFlags,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct CommonFlags {
    /// Level of detail on stderr: 1 says what is decided, 6 (and -v alone) shows each request to Vault, never a token
    #[arg(short = 'v', long = "v", value_name = "LEVEL", value_parser = parse_level, global = true, display_order = 900)]
    #[arg(num_args = 0..=1, default_value_t = 0, default_missing_value = "6", hide_default_value = true)]
    pub verbosity: u8,

    /// When to use colour. One of: (auto, always, never); auto is on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", hide_default_value = true)]
    #[arg(global = true, display_order = 901)]
    pub color: ColorChoice,
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
