//! Owns the flags of `setup`.

use super::kube::KubeFlags;
use super::vault::VaultFlags;
use crate::cluster::ServiceAccount;
use clap::{Args, ValueEnum};
use shared::mount::MountPath;
use std::path::PathBuf;
use std::time::Duration;

/// `kubectl vaultjwt setup`
#[derive(Args, Debug)]
#[command(
    about = "Enrol the current cluster on a JWT auth mount, write a role and prove it with a login",
    long_about = "Finds the issuer and the public signing keys of the current context's cluster, proves with a fresh \
                  token that they belong to this API server, enables the mount if it is missing, puts the keys on it, \
                  writes a role that binds service accounts of this cluster, logs in once with a real token and \
                  revokes what it got. A mount that serves another cluster is refused. Running it again changes nothing. The pod snippet goes to \
                  stdout, everything else to stderr.",
    after_help = EXAMPLES
)]
pub struct SetupArgs {
    /// Name of the role to write; without it, only the keys are put on the mount
    #[arg(long, value_name = "NAME", value_parser = parse_role_name, requires_all = ["service_accounts", "policies"])]
    pub role: Option<String>,

    /// Service account that may log in with the role (repeatable)
    #[arg(long = "service-account", value_name = "NAMESPACE:NAME", value_parser = parse_service_account, requires = "role")]
    pub service_accounts: Vec<ServiceAccount>,

    /// Vault policy that the role's tokens get (repeatable)
    #[arg(long = "policy", value_name = "NAME", value_parser = parse_policy, requires = "role")]
    pub policies: Vec<String>,

    /// Audience that the pods' tokens carry (repeatable; "vault" for a new role, an existing one keeps its own); give each Vault that trusts this cluster its own
    #[arg(long = "audience", value_name = "AUDIENCE", value_parser = parse_audience, requires = "role")]
    pub audiences: Vec<String>,

    /// Lease of the role's Vault tokens (1h for a new role, an existing one keeps its own)
    #[arg(long, value_name = "DURATION", value_parser = parse_lease, requires = "role")]
    pub ttl: Option<Duration>,

    /// Longest lease of the role's Vault tokens (24h for a new role, an existing one keeps its own)
    #[arg(long, value_name = "DURATION", value_parser = parse_lease, requires = "role")]
    pub max_ttl: Option<Duration>,

    /// Let an existing role gain or lose service accounts, policies or audiences, or lose a bound
    #[arg(long, requires = "role")]
    pub replace_role: bool,

    /// Path of the auth mount, enabled if it is missing
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// Issuer of the cluster's tokens, in place of what the API server says
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

    /// How the role is proven at the end
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Verify::Login)]
    pub verify: Verify,

    /// Must be "none" or "client". If client, only print what would change. Vault has no server-side dry run
    #[arg(long, value_name = "STRATEGY", value_parser = parse_dry_run, default_value = "none", num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: DryRun,

    /// Output format. One of: (json, commands); commands prints the plan as vault CLI commands and needs --dry-run=client
    #[arg(short, long, value_name = "FORMAT", value_parser = parse_output)]
    pub output: Option<Output>,

    /// Which cluster, and as whom.
    #[command(flatten)]
    pub kube: KubeFlags,

    /// Which Vault.
    #[command(flatten)]
    pub vault: VaultFlags,
}

const EXAMPLES: &str = "Examples:
  # Let pods of service account app in namespace shop log in with role app
  kubectl vaultjwt setup --role app --service-account shop:app --policy app-read

  # See what would change, without changing it
  kubectl vaultjwt setup --role app --service-account shop:app --policy app-read --dry-run=client

  # Only the keys, as vault CLI commands to be looked at and pasted
  kubectl vaultjwt setup --dry-run=client -o commands

  # Another context, another mount, in a namespace of Vault
  kubectl vaultjwt setup --context production --mount k8s/production --vault-namespace admin/team

Vault's token is taken from VAULT_TOKEN, else from ~/.vault-token. Each VAULT_X may be given as BAO_X, which wins.

Exit codes: 0 done (also when there was nothing to do), 1 failed, 2 wrong call, 130 interrupted.";

/// How a role is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// Log in with a token of one of the service accounts, then revoke
    Login,
    /// Not at all
    None,
}

/// kubectl's `--dry-run`, as far as it can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// Change things.
    None,
    /// Only say what would change.
    Client,
}

/// What goes to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The whole report.
    Json,
    /// The plan as vault CLI commands.
    Commands,
}

fn parse_dry_run(typed: &str) -> Result<DryRun, String> {
    match typed {
        "none" => Ok(DryRun::None),
        "client" => Ok(DryRun::Client),
        "server" => Err("Vault has no server-side dry run: use \"client\"".to_owned()),
        _ => Err("must be \"none\" or \"client\"".to_owned()),
    }
}

fn parse_output(typed: &str) -> Result<Output, String> {
    match typed {
        "json" => Ok(Output::Json),
        "commands" => Ok(Output::Commands),
        _ => Err("allowed formats are: json, commands".to_owned()),
    }
}

/// RFC 1123 label, as Kubernetes has for namespaces.
fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// RFC 1123 subdomain, as Kubernetes has for service accounts.
fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn parse_service_account(typed: &str) -> Result<ServiceAccount, String> {
    let split = typed.split_once(':').or_else(|| typed.split_once('/'));
    match split {
        Some((namespace, name)) if is_label(namespace) && is_subdomain(name) => {
            Ok(ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("one NAMESPACE:NAME for each --service-account, for example shop:app".to_owned()),
    }
}

/// Vault lower-cases role names (`path_role.go`) and takes them from the URL.
fn parse_role_name(typed: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if typed.chars().all(plain) && edge(typed.chars().next()) && edge(typed.chars().last()) {
        Ok(typed.to_owned())
    } else {
        Err("a role name has lower-case letters, digits, '-', '_' and '.', and a letter or digit at its ends"
            .to_owned())
    }
}

fn parse_policy(typed: &str) -> Result<String, String> {
    match typed.trim().to_lowercase() {
        // Vault refuses it in a role (sdk `tokenutil`), and rightly.
        root if root == "root" => Err("a role cannot give the root policy".to_owned()),
        policy if policy.is_empty() || policy.contains(',') => Err("one policy name for each --policy".to_owned()),
        policy => Ok(policy),
    }
}

fn parse_audience(typed: &str) -> Result<String, String> {
    if typed.is_empty() || typed.chars().any(char::is_control) {
        return Err("an audience is a text without control characters".to_owned());
    }
    Ok(typed.to_owned())
}

/// A UID as Kubernetes makes them. Never empty: `--cluster-uid "$(kubectl …)"`
/// with a kubectl that failed must not pass for a cluster without one.
fn parse_uid(typed: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if typed.is_empty() || typed.len() > 64 || !typed.chars().all(plain) {
        return Err("a UID has 1 to 64 letters, digits and '-'".to_owned());
    }
    Ok(typed.to_owned())
}

fn parse_lease(typed: &str) -> Result<Duration, String> {
    let lease = shared::duration::parse(typed).map_err(|e| e.to_string())?;
    if lease.as_secs() == 0 {
        return Err("a lease is at least a second".to_owned());
    }
    Ok(lease)
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command};
    use super::*;
    use clap::Parser as _;

    fn parse(flags: &[&str]) -> Result<SetupArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["kubectl-vaultjwt", "setup"], flags].concat())?;
        match cli.command {
            Some(Command::Setup(args)) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    const ROLE: [&str; 6] = ["--role", "app", "--service-account", "shop:app", "--policy", "read"];

    #[test]
    fn both_forms_of_a_service_account() {
        let args = parse(&[&ROLE[..], &["--service-account", "shop/job"]].concat()).unwrap();
        let written: Vec<String> = args.service_accounts.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["shop:app", "shop:job"]);
    }

    #[test]
    fn dry_run_as_kubectl_has_it() {
        for (flags, expected) in [
            (&[][..], DryRun::None),
            (&["--dry-run"], DryRun::Client),
            (&["--dry-run=client"], DryRun::Client),
            (&["--dry-run=none"], DryRun::None),
        ] {
            assert_eq!(parse(flags).unwrap().dry_run, expected);
        }
    }

    #[test]
    fn wrong_calls_name_the_flag() {
        for (flags, words) in [
            (&["--role", "app", "--policy", "read"][..], "--service-account <NAMESPACE:NAME>"),
            (&["--role", "app", "--service-account", "shop:app"], "--policy <NAME>"),
            (&["--policy", "read"], "--role <NAME>"),
            (&["--service-account", "shop"], "one NAMESPACE:NAME for each --service-account, for example shop:app"),
            (&["--service-account", "Shop:app"], "invalid value 'Shop:app' for '--service-account <NAMESPACE:NAME>'"),
            (&["--service-account", "shop:*"], "invalid value 'shop:*' for '--service-account <NAMESPACE:NAME>'"),
            (&["--role", "App"], "a role name has lower-case letters, digits"),
            (&["--policy", "root"], "a role cannot give the root policy"),
            (&["--ttl", "soon"], "\"soon\" is not a duration like 90s, 5m or 1h30m"),
            (&["--ttl", "0"], "a lease is at least a second"),
            (&["--dry-run=server"], "Vault has no server-side dry run: use \"client\""),
            (&["--cluster-uid", ""], "a UID has 1 to 64 letters, digits and '-'"),
            (&["-o", "yaml"], "allowed formats are: json, commands"),
            (&["--mount", "a//b"], "the mount path has a segment \"\""),
        ] {
            let error = parse(flags).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{flags:?}");
            assert!(error.to_string().contains(words), "{flags:?}: {error}");
        }
    }
}
