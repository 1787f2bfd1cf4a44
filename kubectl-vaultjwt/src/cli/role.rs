//! Flags that describe a role: which service accounts can log in, and what they get.

use crate::cli::values::text_if;
use crate::cluster::service_account::ServiceAccount;
use clap::Args;
use std::time::Duration;

/// The role that is wanted.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Role")]
pub struct RoleFlags {
    /// Name of the role to write; without it, only the keys are put on the mount
    #[arg(long, value_name = "NAME", value_parser = parse_role_name)]
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

    /// Claim of the tokens that names the identity in Vault, a JSON pointer where it begins with '/' (the service account's UID for a new role, which no two clusters share; an existing role keeps its own)
    #[arg(long, value_name = "CLAIM", value_parser = parse_claim, requires = "role")]
    pub user_claim: Option<String>,

    /// Let --user-claim give accounts of several clusters one identity in Vault where their claims have the same value
    #[arg(long, requires = "user_claim")]
    pub allow_shared_identity: bool,
}

impl RoleFlags {
    /// What clap cannot check. A role that exists accepts a cluster's new issuer
    /// (`moves`) as it is; every other role is described.
    pub fn check(&self, moves: bool) -> Result<(), &'static str> {
        let describes = !self.service_accounts.is_empty()
            || !self.policies.is_empty()
            || !self.audiences.is_empty()
            || self.ttl.is_some()
            || self.max_ttl.is_some()
            || self.replace_role
            || self.user_claim.is_some();
        match (&self.role, moves) {
            (Some(_), true) if describes => Err(
                "flags that describe a role cannot be used with --move-from, which changes only the issuers of a role",
            ),
            (Some(_), false) if self.service_accounts.is_empty() => {
                Err("--role needs --service-account <NAMESPACE:NAME>")
            }
            (Some(_), false) if self.policies.is_empty() => Err("--role needs --policy <NAME>"),
            _ => Ok(()),
        }
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
    let fit = typed.chars().all(plain) && edge(typed.chars().next()) && edge(typed.chars().last());
    let why = "a role name has lower-case letters, digits, '-', '_' and '.', and a letter or digit at its ends";
    text_if(fit, typed, why)
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
    let fit = !typed.is_empty() && !typed.chars().any(char::is_control);
    text_if(fit, typed, "an audience is a text without control characters")
}

fn parse_lease(typed: &str) -> Result<Duration, String> {
    let lease = shared::duration::parse(typed).map_err(|e| e.to_string())?;
    if lease.as_secs() == 0 {
        return Err("a lease is at least a second".to_owned());
    }
    Ok(lease)
}

fn parse_claim(typed: &str) -> Result<String, String> {
    let fit = !typed.is_empty() && !typed.chars().any(|c| c.is_control() || c == ' ');
    let why = "a claim is a name like \"sub\", or a JSON pointer like \"/kubernetes.io/serviceaccount/uid\"";
    text_if(fit, typed, why)
}
