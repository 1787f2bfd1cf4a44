//! Flags that choose how a mount gets its keys.

use crate::keychain::key_id::{KeyId, KeyIdError};
use crate::vault::mount::key_source::KeysMode;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How the mount gets its keys.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Keys and sharing")]
pub struct KeysFlags {
    /// How the mount gets the keys. One of: (static, jwks-url, oidc-discovery, jwks-pairs); with static they are copied, with the others Vault fetches them from the issuer's own site, which it must be able to reach
    #[arg(long, value_name = "HOW", value_enum, default_value_t = KeysName::Static, hide_possible_values = true)]
    pub keys: KeysName,

    /// Where the keys are read. One of: (issuer, api-server), or file:PATH with a JWKS or PEM public keys, which is read once. Without this flag, an enrolled cluster keeps its source. Only with --keys=static
    #[arg(long, value_name = "SOURCE", value_parser = parse_source)]
    pub keys_from: Option<SourceName>,

    /// Refuse a key set without this key: SHA-256 of the public key in SPKI form, in base64url or hexadecimal (repeatable)
    // One in 64 begins with a hyphen.
    #[arg(long = "expect-key", value_name = "SHA256", value_parser = parse_key_id, allow_hyphen_values = true)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceName {
    /// The issuer's URL.
    Issuer,
    /// The API server.
    ApiServer,
    /// A file.
    File(PathBuf),
}

fn parse_source(typed: &str) -> Result<SourceName, String> {
    match typed {
        "issuer" => Ok(SourceName::Issuer),
        "api-server" => Ok(SourceName::ApiServer),
        _ => match typed.strip_prefix("file:").filter(|path| !path.is_empty()) {
            Some(path) => Ok(SourceName::File(path.into())),
            None => Err("must be \"issuer\", \"api-server\", or \"file:PATH\"".to_owned()),
        },
    }
}

fn parse_key_id(typed: &str) -> Result<KeyId, String> {
    typed.parse().map_err(|error: KeyIdError| error.to_string())
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
