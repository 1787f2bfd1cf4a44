//! Flags of `remove`.

use crate::cli::issuer::parse_uid;
use crate::cli::kube::KubeFlags;
use crate::cli::values::{DryRun, OneOf, no_dry_run, no_format};
use crate::cli::vault::VaultFlags;
use crate::command::remove::input::Uid;
use crate::keychain::authority::Authority;
use clap::{Args, ValueEnum};
use shared::mount::MountPath;

/// `kubectl vaultjwt remove`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Takes the keys of the current context's cluster off the mount: its pods can no longer log in. Tokens \
                  they hold live until their lease ends; the command that revokes them is printed, with whom else it \
                  hits. Keys of others are never touched. With --issuer no cluster is asked, so a cluster that is gone \
                  can be removed too.",
    after_help = EXAMPLES
)]
pub struct RemoveArgs {
    /// Path of the auth mount
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// Remove the keys of this issuer, without asking a cluster (status shows the issuers)
    #[arg(long, value_name = "URL", conflicts_with = "context")]
    pub issuer: Option<String>,

    /// UID of the cluster, where several clusters on the mount have the same issuer, or where namespace kube-system cannot be read; "none" means the keys that were read from the issuer's own site, which have no UID
    #[arg(long, value_name = "UID", value_parser = parse_cluster_uid)]
    pub cluster_uid: Option<Uid>,

    /// Remove one recorded way to a cluster, and no keys: the text that 'status -o json' prints
    #[arg(long, value_name = "AUTHORITY", conflicts_with_all = ["roles", "context"])]
    pub authority: Option<Authority>,

    /// Delete the roles that are bound to this issuer alone, and remove the issuer from roles that accept others too
    #[arg(long)]
    pub roles: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Must be "none" or "client". If client, only print what would be removed. Vault has no server-side dry run
    #[arg(long, value_name = "STRATEGY", value_parser = OneOf(no_dry_run), default_value = "none", num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: DryRun,

    /// Output format. One of: (json)
    #[arg(short, long, value_name = "FORMAT", value_parser = OneOf(no_format::<RemoveOutput>))]
    pub output: Option<RemoveOutput>,

    #[command(flatten)]
    pub kube: KubeFlags,

    #[command(flatten)]
    pub vault: VaultFlags,
}

const EXAMPLES: &str = "Examples:
  # What would be removed?
  kubectl vaultjwt remove --context old --dry-run=client

  # A cluster that is gone, with its roles
  kubectl vaultjwt remove --issuer https://oidc.example.com/id/old --roles --yes

Exit codes: 0 done, 1 failed, 2 wrong call, 130 interrupted.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RemoveOutput {
    Json,
}

fn parse_cluster_uid(typed: &str) -> Result<Uid, String> {
    match typed {
        "none" => Ok(Uid::None),
        _ => parse_uid(typed).map(Uid::Of),
    }
}
