//! Flags that say how a cluster's keys are kept on a mount, and which clusters can share
//! it.

use clap::Args;
use jiff::SignedDuration;

/// What holds for the keys, and for sharing the mount.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keys and sharing")]
pub struct SharingFlags {
    /// How long a key stays on the mount after its issuer stopped publishing it: at least the lifetime of the pods' tokens and a minute
    #[arg(long, value_name = "DURATION", value_parser = parse_grace, default_value = "1h")]
    pub grace: SignedDuration,

    /// Mark keys of this cluster that stand on the mount without a mark, so that they are refreshed from now on
    #[arg(long)]
    pub adopt: bool,

    /// Share the mount with other clusters: whoever holds a signing key of one of them can act as any of them
    #[arg(long)]
    pub same_trust_domain: bool,

    /// Share the mount with a cluster of the same issuer: roles cannot tell the two apart
    #[arg(long)]
    pub allow_same_issuer: bool,

    /// Share the mount although roles are on it that take tokens of every cluster
    #[arg(long)]
    pub allow_unbound_roles: bool,

    /// Enroll a cluster although existing roles accept tokens of its issuer: they may have been made for another cluster
    #[arg(long)]
    pub allow_existing_roles: bool,

    /// Accept that a cluster publishes none of the keys that stand on the mount as its own, so that they are retired and its new ones come in their place
    #[arg(long)]
    pub replace_keys: bool,

    /// Let tokens of other issuers in where the mount is bound to one issuer
    #[arg(long)]
    pub clear_bound_issuer: bool,
}

fn parse_grace(typed: &str) -> Result<SignedDuration, String> {
    let grace = shared::duration::parse(typed).map_err(|e| e.to_string())?;
    SignedDuration::try_from(grace).map_err(|_| format!("\"{typed}\" is longer than anybody waits"))
}
