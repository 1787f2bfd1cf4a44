//! Owns the flags of `status`.

use super::vault::VaultFlags;
use clap::Args;
use shared::mount::MountPath;

/// `kubectl vaultjwt status`
#[derive(Args, Debug)]
#[command(
    help_template = super::help::COMMAND,
    before_help = "Lists the keys on the mount in the order in which Vault tries them. A key is active, retired (its \
                  issuer no longer publishes it and it leaves after the grace), foreign (without a mark of this \
                  program, put there by somebody else) or unreadable. Only Vault is asked; no cluster is.",
    after_help = EXAMPLES
)]
pub struct StatusArgs {
    /// Path of the auth mount
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// Output format. One of: (table, wide, json, yaml, name)
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_output, default_value = "table")]
    pub output: Output,

    /// Which Vault.
    #[command(flatten)]
    pub vault: VaultFlags,
}

const EXAMPLES: &str = "Examples:
  # The chain on mount jwt
  kubectl vaultjwt status

  # With UIDs, times and fingerprints
  kubectl vaultjwt status --mount k8s -o wide

Exit codes: 0 done, 1 failed, 2 wrong call, 130 interrupted.";

/// How the chain is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Columns.
    Table,
    /// More columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// One name a line.
    Name,
}

fn parse_output(typed: &str) -> Result<Output, String> {
    Ok(match typed {
        "table" => Output::Table,
        "wide" => Output::Wide,
        "json" => Output::Json,
        "yaml" => Output::Yaml,
        "name" => Output::Name,
        _ => return Err("allowed formats are: table, wide, json, yaml, name".to_owned()),
    })
}
