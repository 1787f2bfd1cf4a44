//! Arguments of `completion`.

use clap::{Args, ValueEnum};

/// What its help says first.
const ABOUT: &str = "Prints a script for a shell, or the program with which kubectl's own completion goes \
    on after 'kubectl vaultjwt'. Commands, flags and fixed values are completed, and names: contexts, clusters and users \
    from the kubeconfig, namespaces and service accounts from the cluster, mounts, roles and policies from Vault. A \
    cluster or Vault is asked for two seconds at most, or for VAULTJWT_COMPLETION_TIMEOUT, for example 5s; no token \
    helper is run for it.";

/// `kubectl vaultjwt completion`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = ABOUT,
    after_help = EXAMPLES
)]
pub struct CompletionArgs {
    /// One of: (kubectl, bash, zsh, fish, powershell). With kubectl, 'kubectl vaultjwt' is completed in any shell that has kubectl's completion (1.26 and later), else 'kubectl-vaultjwt' in that shell
    #[arg(value_name = "SHELL", value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// 'kubectl vaultjwt' in any shell with kubectl's completion (kubectl 1.26 and later)
    Kubectl,
    /// 'kubectl-vaultjwt' in bash
    Bash,
    /// 'kubectl-vaultjwt' in zsh
    Zsh,
    /// 'kubectl-vaultjwt' in fish
    Fish,
    /// 'kubectl-vaultjwt' in PowerShell
    Powershell,
}

const EXAMPLES: &str = r#"Examples:
  # For 'kubectl vaultjwt', beside Krew's links; any folder of PATH will do
  shim="${KREW_ROOT:-$HOME/.krew}/bin/kubectl_complete-vaultjwt" && \
    kubectl vaultjwt completion kubectl >"$shim" && chmod +x "$shim"

  # For 'kubectl-vaultjwt' by that name, in this bash
  source <(kubectl vaultjwt completion bash)

Exit codes: 0 done, 2 wrong call."#;
