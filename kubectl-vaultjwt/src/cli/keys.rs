//! Flags that say how a mount gets its keys, how they are kept there, and which clusters can
//! share it.

use crate::cli::values::OneOf;
use crate::keychain::key_id::KeyId;
use crate::vault::mount::key_source::KeysMode;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use std::path::PathBuf;

/// How the mount gets its keys.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keys and sharing")]
pub struct KeysFlags {
    /// How the mount gets the keys. One of: (static, jwks-url, oidc-discovery, jwks-pairs); with static they are copied, with the others Vault fetches them from the issuer's own site, which it must be able to reach
    #[arg(long, value_name = "HOW", value_enum, default_value_t = KeysMode::Static, hide_possible_values = true)]
    pub keys: KeysMode,

    /// Where the keys are read. One of: (issuer, api-server), or file:PATH with a JWKS or PEM public keys, which is read once. Without this flag, an enrolled cluster keeps its source. Only with --keys=static
    #[arg(long, value_name = "SOURCE", value_parser = OneOf(source_file))]
    pub keys_from: Option<SourceName>,

    /// Refuse a key set without this key: SHA-256 of the public key in SPKI form, in base64url or hexadecimal (repeatable)
    // One in 64 begins with a hyphen.
    #[arg(long = "expect-key", value_name = "SHA256", allow_hyphen_values = true)]
    pub expected_keys: Vec<KeyId>,

    /// Move the keys from the cluster's previous issuer; --role or --all-roles let roles accept the new one too
    #[arg(long, value_name = "ISSUER")]
    pub move_from: Option<String>,

    /// With --move-from: add the new issuer to all roles that are bound to exactly the old one
    #[arg(long, requires = "move_from", conflicts_with = "role")]
    pub all_roles: bool,

    /// Let the mount take this cluster's keys another way than it does now; only where it has no other cluster's
    #[arg(long)]
    pub convert_keys: bool,
}

/// `--keys-from`
#[derive(Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    Issuer,
    ApiServer,
    #[value(skip)]
    File(PathBuf),
}

fn source_file(typed: &str) -> Result<SourceName, String> {
    match typed.strip_prefix("file:").filter(|path| !path.is_empty()) {
        Some(path) => Ok(SourceName::File(path.into())),
        None => Err("must be \"issuer\", \"api-server\", or \"file:PATH\"".to_owned()),
    }
}

impl ValueEnum for KeysMode {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Static, Self::JwksUrl, Self::OidcDiscovery, Self::JwksPairs]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Static => "Copied to the mount; sync keeps them fresh",
            Self::JwksUrl => "Vault fetches this issuer's key set",
            Self::OidcDiscovery => "Vault fetches this issuer's discovery document and the key set it names",
            Self::JwksPairs => {
                "Vault fetches this issuer's key set beside those of others (HashiCorp Vault 1.16 and later)"
            }
        };
        Some(PossibleValue::new(self.flag()).help(help))
    }
}

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
