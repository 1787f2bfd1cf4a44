//! Owns the flags that say how a mount gets its keys.

use crate::vault::source::KeysMode;
use clap::{Args, ValueEnum};

/// How the mount gets its keys.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keys and sharing")]
pub struct KeysFlags {
    /// How the mount gets the keys. One of: (static, jwks-url, oidc-discovery, jwks-pairs); with static they are copied, with the others Vault fetches them from the issuer's own site, which it must be able to reach
    #[arg(long, value_name = "HOW", value_enum, default_value_t = KeysName::Static, hide_possible_values = true)]
    pub keys: KeysName,

    /// Let the mount take this cluster's keys another way than it does now; only where it has no other cluster's
    #[arg(long)]
    pub convert_keys: bool,
}

/// `--keys`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeysName {
    /// Copied to the mount; sync keeps them fresh
    Static,
    /// Vault fetches this issuer's key set
    JwksUrl,
    /// Vault fetches this issuer's discovery document and the key set it names
    OidcDiscovery,
    /// Vault fetches this issuer's key set beside those of others (HashiCorp Vault 1.16 and later)
    JwksPairs,
}

impl KeysName {
    /// The mode.
    pub fn mode(self) -> KeysMode {
        match self {
            Self::Static => KeysMode::Static,
            Self::JwksUrl => KeysMode::JwksUrl,
            Self::OidcDiscovery => KeysMode::OidcDiscovery,
            Self::JwksPairs => KeysMode::JwksPairs,
        }
    }
}
