//! Owns why `setup` refuses or fails, and what to do about each.

use super::source::SourceConflict;
use crate::cluster::{ClusterError, ServiceAccount};
use crate::command::chain::ChainError;
use crate::command::chain::error::about_mount;
use crate::command::proof::Unproven;
use crate::command::rights::{self, Right};
use crate::issuer::{IssuerError, Lag};
use crate::keychain::Owner;
use crate::keychain::key::KeyId;
use crate::shell::word;
use crate::vault::VaultError;
use crate::vault::config::ConfigConflict;
use crate::vault::rewrite::RewriteError;
use crate::vault::role::RoleConflict;
use shared::mount::MountPath;
use shared::refusal::Refusal;
use shared::text::one_line;

/// Why `setup` stopped.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Issuer and keys.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The mount's configuration could not be changed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// The token may not do all of the plan.
    #[error("the Vault token may not do all that this needs; nothing was changed")]
    Rights {
        /// The rights it lacks.
        missing: Vec<Right>,
    },
    /// Another auth method is at the path.
    #[error("auth mount \"{mount}/\" is of type \"{kind}\", not \"jwt\"")]
    MountTaken {
        /// The path.
        mount: MountPath,
        /// Its type.
        kind: String,
    },
    /// The path is inside another mount, or another one inside it.
    #[error("auth mount \"{mount}/\" cannot be enabled: \"{other}/\" is mounted there already")]
    MountNested {
        /// The path.
        mount: MountPath,
        /// The other mount.
        other: String,
    },
    /// The mount's configuration forbids it.
    #[error("auth mount \"{mount}/\" cannot take this cluster's keys: {source}")]
    Config {
        /// The path.
        mount: MountPath,
        /// Why.
        source: ConfigConflict,
    },
    /// The mount gets its keys another way.
    #[error("auth mount \"{mount}/\" cannot take this cluster's keys by --keys: {source}")]
    Source {
        /// The path.
        mount: MountPath,
        /// Why.
        source: SourceConflict,
    },
    /// The issuer's URL lacks a key of the cluster.
    #[error("{0}")]
    SiteLags(Lag),
    /// The cluster publishes other keys than the user expects.
    #[error("issuer \"{}\" does not publish the expected {}; nothing was changed", one_line(.issuer), expected(.missing))]
    UnexpectedKeys {
        /// The issuer.
        issuer: String,
        /// `--expect-key`, as far as they are missing.
        missing: Vec<KeyId>,
        /// What it publishes.
        published: Vec<KeyId>,
    },
    /// The cluster did not move.
    #[error("the issuer of the cluster is still \"{}\", and --move-from names the issuer that it had before; nothing was changed", one_line(.issuer))]
    IssuerUnchanged {
        /// The issuer.
        issuer: String,
    },
    /// A key that the user expects would not be on the mount.
    #[error("the expected {} would not be on auth mount \"{mount}/\", which the warning explains; nothing was changed", expected(.keys))]
    ExpectedWaits {
        /// The path.
        mount: MountPath,
        /// `--expect-key`, as far as they are not added.
        keys: Vec<KeyId>,
    },
    /// A role that is to accept the new issuer accepts others.
    #[error("role \"{role}\" on auth mount \"{mount}/\" is not bound to exactly issuer \"{}\"; nothing was changed", one_line(.old))]
    NotMovable {
        /// The path.
        mount: MountPath,
        /// The role.
        role: String,
        /// `--move-from`
        old: String,
        /// The cluster's issuer.
        new: String,
    },
    /// No such role.
    #[error("role \"{role}\" does not exist on auth mount \"{mount}/\"; nothing was changed")]
    NoRole {
        /// The path.
        mount: MountPath,
        /// Its name.
        role: String,
    },
    /// Another cluster has the old issuer, and its roles would accept this one.
    #[error("{other} uses issuer \"{}\" too, and --all-roles would let this cluster log in with its roles; nothing was changed", one_line(&.other.issuer))]
    RolesOfAnother {
        /// The other one.
        other: Owner,
    },
    /// The keys on the mount forbid it.
    #[error("{}", about_mount(mount, "this cluster's keys", source))]
    Chain {
        /// The path.
        mount: MountPath,
        /// Why.
        source: ChainError,
    },
    /// An enrolled cluster, reached by a way that is not recorded.
    #[error("{source}")]
    OtherWay {
        /// The path.
        mount: MountPath,
        /// Whom it claims to be.
        source: Box<ChainError>,
        /// `--authority` for the way of this run.
        authority: Option<String>,
        /// Why no token verified that it is the same cluster, where none did.
        possession: Option<String>,
        /// Vault's namespace, for the command.
        namespace: Option<String>,
        /// Whether all its keys are replaced.
        replace_keys: bool,
    },
    /// The role would make one identity of two clusters' accounts.
    #[error("on auth mount \"{mount}/\", role \"{role}\" would take the claim \"{}\" for the identity, and another cluster's tokens can have the same value", one_line(.claim))]
    SharedIdentity {
        /// The path.
        mount: MountPath,
        /// The role.
        role: String,
        /// The claim.
        claim: String,
    },
    /// The role forbids it.
    #[error("on auth mount \"{mount}/\", {source}")]
    Role {
        /// The path.
        mount: MountPath,
        /// Name of the cluster, for a proposal.
        cluster: String,
        /// Why.
        source: RoleConflict,
    },
    /// The issuer.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The keys are on the mount, the role is written, the login failed.
    #[error("keys and role are in place, but the login as \"{account}\" with role \"{role}\" failed: {source}")]
    LoginRefused {
        /// Who tried.
        account: ServiceAccount,
        /// With what.
        role: String,
        /// Where.
        mount: MountPath,
        /// Vault's answer.
        source: Box<VaultError>,
    },
    /// Somebody else wrote at the same time.
    #[error("{what} is not what was written (differs in {}): somebody else writes it too", .fields.join(", "))]
    ReadBack {
        /// Which document.
        what: String,
        /// The fields that differ.
        fields: Vec<String>,
    },
}

/// `setup` failed; after the first write with a report of what stands.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: SetupError,
    /// What was there before, for an undo; `None` where nothing was written.
    pub report: Option<Box<super::SetupReport>>,
}

impl<E: Into<SetupError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), report: None }
    }
}

impl SetupError {
    /// The one thing to do next.
    pub fn hint(&self) -> Option<String> {
        let another_mount = || Some("choose another path with --mount".to_owned());
        match self {
            Self::Cluster(e) => e.hint(),
            Self::Issuer(e) => e.hint(),
            Self::Vault(e) => e.hint(),
            Self::Rewrite(e) => e.hint(),
            Self::Rights { missing } => Some(rights::hint(missing)),
            Self::MountTaken { .. } | Self::MountNested { .. } => another_mount(),
            Self::Config { mount, .. } => Some(format!(
                "choose another path with --mount, which gets static keys (vault read auth/{mount}/config)"
            )),
            Self::Source { source, .. } => Some(source.hint()),
            Self::SiteLags(lag) => Some(lag.hint()),
            Self::UnexpectedKeys { published, .. } => Some(format!(
                "check --expect-key, and that the context is the right one; this cluster publishes {}",
                published.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            )),
            Self::IssuerUnchanged { .. } => {
                Some("change the cluster's issuer first (--service-account-issuer), then run the command again".to_owned())
            }
            Self::ExpectedWaits { .. } => Some(
                "compare the key set at the issuer's URL with the API server's: kubectl get --raw /openid/v1/jwks".to_owned(),
            ),
            Self::NotMovable { mount, role, new, .. } => Some(format!(
                "add issuer \"{}\" to bound_claims.iss of the role by hand: vault read auth/{mount}/role/{}",
                one_line(new),
                word(role)
            )),
            Self::NoRole { mount, .. } => Some(format!("list the roles: vault list auth/{mount}/role")),
            Self::RolesOfAnother { .. } => Some("name the role of this cluster with --role, one role for each run".to_owned()),
            Self::Chain { source, mount } => source.hint(mount),
            Self::OtherWay { mount, authority, source, namespace, replace_keys, .. } => {
                let replace = if *replace_keys { " --replace-keys" } else { "" };
                Some(other_way(mount, authority, source, namespace, replace))
            }
            Self::SharedIdentity { .. } => Some(
                "leave --user-claim out (the service account's UID is the identity then), or add --allow-shared-identity".to_owned(),
            ),
            Self::Role { source, cluster, .. } => Some(match source {
                RoleConflict::OtherIssuer { name, .. } => {
                    format!("choose another name, for example --role {}", proposed(cluster, name))
                }
                RoleConflict::NeedsReplace { .. } => "if that is meant, add --replace-role".to_owned(),
                RoleConflict::Pattern { .. } => "choose another name with --role".to_owned(),
                RoleConflict::Lease { .. } => "give a longer --max-ttl, or a shorter --ttl".to_owned(),
            }),
            Self::Unproven(e) => e.hint(),
            Self::LoginRefused { source, role, mount, .. } => source.hint().or_else(|| {
                let refused = source.refusal()?;
                Some(match shared::refusal::classify(refused.status, &refused.errors) {
                    Refusal::Signature => {
                        "another node may not have the keys yet: run the command again in a few seconds".to_owned()
                    }
                    Refusal::Expired | Refusal::NotYetValid => {
                        "compare the clocks of the API server's node and of Vault".to_owned()
                    }
                    Refusal::Algorithm => format!("look at jwt_supported_algs: vault read auth/{mount}/config"),
                    _ => format!("look at the role: vault read auth/{mount}/role/{role}"),
                })
            }),
            Self::ReadBack { .. } => Some("find the other writer (Terraform, an operator), then run the command again".to_owned()),
        }
    }
}

/// Keys that are missing.
fn expected(missing: &[KeyId]) -> String {
    match missing {
        [one] => format!("key {one}"),
        many => format!("keys {}", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// How a person records another way: what it is compared with comes from somewhere else
/// than this connection.
fn other_way(
    mount: &MountPath,
    authority: &Option<String>,
    source: &ChainError,
    namespace: &Option<String>,
    replace: &str,
) -> String {
    let (
        Some(authority),
        ChainError::AnotherWay { context, .. }
        | ChainError::NoWay { context, .. }
        | ChainError::NoPossession { context, .. },
    ) = (authority, source)
    else {
        return "it may be another cluster: run the command again, or use a kubeconfig of the recorded way".to_owned();
    };
    let namespace = namespace.as_ref().map(|name| format!(" --vault-namespace {}", word(name))).unwrap_or_default();
    format!(
        "it may be another cluster; compare this way with the one that the cluster's administrator sees ('kubectl vaultjwt issuer' prints it), then: kubectl vaultjwt setup --context {} --mount {mount}{namespace}{replace} --authority {}",
        word(context),
        word(authority)
    )
}

/// A role name that says which cluster it is for.
fn proposed(cluster: &str, role: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut name: String = cluster.chars().map(plain).collect();
    name.truncate(40);
    let name = name.trim_matches('-');
    if name.is_empty() { format!("{role}-2") } else { format!("{name}-{role}") }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
