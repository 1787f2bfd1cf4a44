//! The completion scripts, one for each shell, and the program that kubectl looks for.

use crate::cli::completion::Shell;

/// The text for a shell, or for kubectl.
pub fn of(shell: Shell) -> &'static str {
    match shell {
        Shell::Kubectl => include_str!("scripts/kubectl_complete-vaultjwt"),
        Shell::Bash => include_str!("scripts/completion.bash"),
        Shell::Zsh => include_str!("scripts/completion.zsh"),
        Shell::Fish => include_str!("scripts/completion.fish"),
        Shell::Powershell => include_str!("scripts/completion.ps1"),
    }
}
