//! Flags of `diff`.

use crate::cli::issuer::IssuerFlags;
use crate::cli::keys::KeysFlags;
use crate::cli::kube::KubeFlags;
use crate::cli::role::RoleFlags;
use crate::cli::sharing::SharingFlags;
use crate::cli::vault::VaultFlags;
use clap::Args;
use shared::mount::MountPath;

/// `kubectl vaultjwt diff`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Shows what 'setup' with the same flags (for an enrolled cluster, without a role: also 'sync') would change in the mount's \
                  configuration and in the role, as a unified diff. Changes nothing. Keys of other clusters are left \
                  out of the diff where they do not change.",
    after_help = EXAMPLES
)]
pub struct DiffArgs {
    /// Path of the auth mount
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// The role.
    #[command(flatten)]
    pub role: RoleFlags,

    /// The issuer.
    #[command(flatten)]
    pub issuer: IssuerFlags,

    /// How the mount gets its keys.
    #[command(flatten)]
    pub keys: KeysFlags,

    /// Keys, and who shares the mount.
    #[command(flatten)]
    pub chain: SharingFlags,

    /// Which cluster, and as whom.
    #[command(flatten)]
    pub kube: KubeFlags,

    /// Which Vault.
    #[command(flatten)]
    pub vault: VaultFlags,
}

const EXAMPLES: &str = "Examples:
  # Has the current cluster rotated its keys?
  kubectl vaultjwt diff

  # What would this role change?
  kubectl vaultjwt diff --role app --service-account shop:app --policy app-read

Exit codes, as kubectl diff has them: 0 no difference, 1 differences, more than 1
failed (2 wrong call, 3 failed, 130 interrupted).";
