//! Flags of `sync`.

use crate::cli::issuer::IssuerFlags;
use crate::cli::keys::SharingFlags;
use crate::cli::kube::KubeFlags;
use crate::cli::values::{DryRun, Format, OneOf, no_dry_run, no_format};
use crate::cli::vault::VaultFlags;
use crate::cli::watch::WatchFlags;
use clap::Args;
use shared::mount::MountPath;

/// `kubectl vaultjwt sync`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Brings the keys of clusters that are on the mount already up to date with what their issuers publish \
                  now: new keys go on at once, a key that is no longer published is marked retired and leaves after \
                  the grace. However many clusters are named, the mount is changed at most once, and \
                  only where something changed. A change is written twice, a second apart: a login that meets a write \
                  can leave the keys of before in use. A cluster that cannot be read leaves the others alone. A context that \
                  is not on the mount is listed and never added, unless --enroll says so. The table goes to stdout, \
                  everything else to stderr.\n\n\
                  With --watch it goes on until it is stopped: in a cluster or elsewhere, for one context or many. A key \
                  is retired when three reads in a row are without it, or thirty while a cluster's keys change. The Vault token is renewed, never revoked, and \
                  replaced by a login before it ends. The log on stderr has one line for each change and each trouble.",
    after_help = EXAMPLES
)]
pub struct SyncArgs {
    /// Path of the auth mount
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// Contexts to refresh, separated by commas (the current one if not given)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with_all = ["all_contexts", "context"])]
    pub contexts: Vec<String>,

    /// Refresh every context of the kubeconfig that is on the mount
    #[arg(long, conflicts_with = "context")]
    pub all_contexts: bool,

    /// Put contexts on the mount that are not on it, after setup's checks of who shares the mount
    #[arg(long)]
    pub enroll: bool,

    /// Take keys off at once that are no longer published, without the grace; needs the right to create a token
    #[arg(long)]
    pub prune: bool,

    /// Write the configuration even if nothing changes: for logins that Vault refuses although their key is there
    #[arg(long, conflicts_with_all = ["dry_run", "watch"])]
    pub rewrite: bool,

    /// Must be "none" or "client". If client, only print what would change. Vault has no server-side dry run
    #[arg(long, value_name = "STRATEGY", value_parser = OneOf(no_dry_run), default_value = "none", num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: DryRun,

    /// Output format. One of: (json, yaml)
    #[arg(short, long, value_name = "FORMAT", value_parser = OneOf(no_format::<Format>))]
    pub output: Option<Format>,

    #[command(flatten)]
    pub issuer: IssuerFlags,

    #[command(flatten)]
    pub watch: WatchFlags,

    #[command(flatten)]
    pub chain: SharingFlags,

    #[command(flatten)]
    pub kube: KubeFlags,

    #[command(flatten)]
    pub vault: VaultFlags,
}

const EXAMPLES: &str = "Examples:
  # After the current cluster has rotated its keys
  kubectl vaultjwt sync

  # Every cluster of the kubeconfig that is on mount k8s
  kubectl vaultjwt sync --all-contexts --mount k8s

  # Two of them, to see what would change
  kubectl vaultjwt sync --contexts production,staging --dry-run=client

  # Keep three clusters fresh, and say how it goes
  kubectl vaultjwt sync --watch --contexts production,staging,edge \\
    --metrics-addr :9102

  # The same in a pod for its own cluster, with a login of its own
  kubectl vaultjwt sync --watch --auth-role vaultjwt-sync --log-format json

Exit codes: 0 done (also when there was nothing to do), 1 at least one cluster
failed, 2 wrong call, 130 interrupted. With --watch: 0 stopped by TERM or Ctrl-C.";
