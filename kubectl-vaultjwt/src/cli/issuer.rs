//! Flags that set the issuer of a cluster's tokens, and those of `issuer`.

use crate::cli::cloud::CloudFlags;
use crate::cli::kube::KubeFlags;
use crate::cli::values::{OneOf, no_format, text_if};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The issuer, where it is not found, or not proven, by itself.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Issuer")]
pub struct IssuerFlags {
    #[command(flatten)]
    pub named: NamedIssuerFlags,

    /// Believe the issuer without the proof by a token, where none can be created
    #[arg(long)]
    pub trust_issuer: bool,

    #[command(flatten)]
    pub cloud: CloudFlags,
}

/// The issuer and the cluster, named by hand.
#[derive(Args, Clone, Debug, Default)]
pub struct NamedIssuerFlags {
    /// Issuer of the cluster's tokens, in place of what the cluster's cloud or the API server says
    #[arg(long, value_name = "URL", help_heading = "Issuer")]
    pub issuer: Option<String>,

    /// PEM file with the only authorities to trust for the issuer's own site
    #[arg(long, value_name = "FILE", help_heading = "Issuer")]
    pub issuer_ca_cert: Option<PathBuf>,

    /// UID that stands for the cluster, where namespace kube-system cannot be read
    #[arg(long, value_name = "UID", value_parser = parse_uid, help_heading = "Issuer")]
    pub cluster_uid: Option<String>,
}

/// `kubectl vaultjwt issuer`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Shows what the kubeconfig says about the cluster, piece by piece, the strongest first, and which cloud \
                  they point to; then the issuer, who says so, and its keys. The API of that cloud is asked, as whom its own tools would ask. A fresh token of the cluster proves that \
                  API server and issuer belong together. Nothing is changed, and Vault is not asked.",
    after_help = EXAMPLES
)]
pub struct IssuerArgs {
    #[command(flatten)]
    pub named: NamedIssuerFlags,

    /// Output format. One of: (table, json, yaml)
    #[arg(short, long, value_name = "FORMAT", value_parser = OneOf(no_format::<IssuerOutput>), default_value = "table")]
    pub output: IssuerOutput,

    #[command(flatten)]
    pub cloud: CloudFlags,

    #[command(flatten)]
    pub kube: KubeFlags,
}

const EXAMPLES: &str = "Examples:
  # Of the current context
  kubectl vaultjwt issuer

  # The same for a script: .issuer, .keys, .proof and what led there
  kubectl vaultjwt issuer --context production -o json

Exit codes: 0 found, 1 not found or contradicted, 2 wrong call, 130 interrupted.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IssuerOutput {
    Table,
    Json,
    Yaml,
}

/// A UID as Kubernetes makes them. Never empty: `--cluster-uid "$(kubectl …)"`
/// with a kubectl that failed must not pass for a cluster without one.
pub(super) fn parse_uid(typed: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fit = !typed.is_empty() && typed.len() <= 64 && typed.chars().all(plain);
    text_if(fit, typed, "a UID has 1 to 64 letters, digits and '-'")
}
