//! Values that the flags of several commands share.

use crate::keychain::authority::{Authority, AuthorityError};

/// kubectl's `--dry-run`, as far as it can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// Change things.
    None,
    /// Only say what would change.
    Client,
}

pub(super) fn parse_dry_run(typed: &str) -> Result<DryRun, String> {
    match typed {
        "none" => Ok(DryRun::None),
        "client" => Ok(DryRun::Client),
        "server" => Err("Vault has no server-side dry run: use \"client\"".to_owned()),
        _ => Err("must be \"none\" or \"client\"".to_owned()),
    }
}

/// A way to an API server, as it is printed and recorded.
pub(super) fn parse_authority(typed: &str) -> Result<Authority, String> {
    typed.parse().map_err(|error: AuthorityError| error.to_string())
}
