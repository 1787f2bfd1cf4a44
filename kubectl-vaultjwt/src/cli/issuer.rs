//! Flags that set the issuer of a cluster's tokens.

use crate::cli::cloud::CloudFlags;
use clap::Args;
use std::path::PathBuf;

/// The issuer, where it is not found, or not proven, by itself.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Issuer")]
pub struct IssuerFlags {
    /// Issuer of the cluster's tokens, in place of what the cluster's cloud or the API server says
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,

    /// PEM file with the only authorities to trust for the issuer's own site
    #[arg(long, value_name = "FILE")]
    pub issuer_ca_cert: Option<PathBuf>,

    /// UID that stands for the cluster, where namespace kube-system cannot be read
    #[arg(long, value_name = "UID", value_parser = parse_uid)]
    pub cluster_uid: Option<String>,

    /// Believe the issuer without the proof by a token, where none can be created
    #[arg(long)]
    pub trust_issuer: bool,

    /// Which cluster of which cloud.
    #[command(flatten)]
    pub cloud: CloudFlags,
}

/// A UID as Kubernetes makes them. Never empty: `--cluster-uid "$(kubectl …)"`
/// with a kubectl that failed must not pass for a cluster without one.
pub(super) fn parse_uid(typed: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if typed.is_empty() || typed.len() > 64 || !typed.chars().all(plain) {
        return Err("a UID has 1 to 64 letters, digits and '-'".to_owned());
    }
    Ok(typed.to_owned())
}
