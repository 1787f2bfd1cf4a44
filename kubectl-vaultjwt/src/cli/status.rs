//! Flags of `status`.

use crate::cli::kube::KubeFlags;
use crate::cli::values::{OneOf, no_format};
use crate::cli::vault::VaultFlags;
use clap::{Args, ValueEnum};
use shared::mount::MountPath;
use std::path::PathBuf;

/// `kubectl vaultjwt status`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Lists the keys on the mount in the order in which Vault tries them. A key is active, retired (its \
                  issuer no longer publishes it and it leaves after the grace), foreign (without a mark of this \
                  program, put there by somebody else) or unreadable. No cluster is asked, unless --check-clusters is given: \
                  then each context is compared as by 'sync --dry-run=client', and nothing is changed.",
    after_help = EXAMPLES
)]
pub struct StatusArgs {
    /// Path of the auth mount
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// Output format. One of: (table, wide, json, yaml, name)
    #[arg(short, long, value_name = "FORMAT", value_parser = OneOf(no_format::<StatusOutput>), default_value = "table")]
    pub output: StatusOutput,

    /// Compare the keys with what the clusters of the kubeconfig publish now (with --context: one of them)
    #[arg(long)]
    pub check_clusters: bool,

    /// PEM CA bundle used to verify the issuers' URLs instead of the system roots
    #[arg(long, value_name = "FILE", requires = "check_clusters")]
    pub issuer_ca_cert: Option<PathBuf>,

    #[command(flatten)]
    pub kube: KubeFlags,

    #[command(flatten)]
    pub vault: VaultFlags,
}

const EXAMPLES: &str = "Examples:
  # The chain on mount jwt
  kubectl vaultjwt status

  # With UIDs, times and fingerprints
  kubectl vaultjwt status --mount k8s -o wide

  # Are the keys those that the clusters publish now?
  kubectl vaultjwt status --check-clusters

Exit codes: 0 done, 1 failed, or a cluster could not be checked, 2 wrong call,
130 interrupted.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}
