//! Flags of `issuer`.

use crate::cli::cloud::CloudFlags;
use crate::cli::issuer::parse_uid;
use crate::cli::kube::KubeFlags;
use clap::Args;
use std::path::PathBuf;

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
    /// Issuer of the cluster's tokens, in place of what the cluster's cloud or the API server says
    #[arg(long, value_name = "URL", help_heading = "Issuer")]
    pub issuer: Option<String>,

    /// PEM file with the only authorities to trust for the issuer's own site
    #[arg(long, value_name = "FILE", help_heading = "Issuer")]
    pub issuer_ca_cert: Option<PathBuf>,

    /// UID that stands for the cluster, where namespace kube-system cannot be read
    #[arg(long, value_name = "UID", value_parser = parse_uid, help_heading = "Issuer")]
    pub cluster_uid: Option<String>,

    /// Output format. One of: (table, json, yaml)
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_output, default_value = "table")]
    pub output: IssuerOutput,

    /// Which cluster of which cloud.
    #[command(flatten)]
    pub cloud: CloudFlags,

    /// Which cluster, and as whom.
    #[command(flatten)]
    pub kube: KubeFlags,
}

const EXAMPLES: &str = "Examples:
  # Of the current context
  kubectl vaultjwt issuer

  # The same for a script: .issuer, .keys, .proof and what led there
  kubectl vaultjwt issuer --context production -o json

Exit codes: 0 found, 1 not found or contradicted, 2 wrong call, 130 interrupted.";

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerOutput {
    /// For people.
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

fn parse_output(typed: &str) -> Result<IssuerOutput, String> {
    match typed {
        "table" => Ok(IssuerOutput::Table),
        "json" => Ok(IssuerOutput::Json),
        "yaml" => Ok(IssuerOutput::Yaml),
        _ => Err("allowed formats are: table, json, yaml".to_owned()),
    }
}
