//! Why `setup` refuses or fails, and what to do about each.

use crate::cluster::ClusterError;
use crate::cluster::service_account::ServiceAccount;
use crate::command::capabilities::{self, Right};
use crate::command::mount::EnrollmentError;
use crate::command::mount::error::about_mount;
use crate::command::prove_issuer::IssuerProofError;
use crate::command::setup::source_conflict::SourceConflict;
use crate::issuer::{IssuerError, Lag};
use crate::keychain::Owner;
use crate::keychain::key_id::KeyId;
use crate::shell::word;
use crate::vault::VaultError;
use crate::vault::mount::config::ConfigConflict;
use crate::vault::mount::rewrite::RewriteError;
use crate::vault::mount::role::RoleConflict;
use shared::mount::MountPath;
use shared::refusal::Refusal;
use shared::text::one_line;

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The mount's configuration could not be changed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// The token may not do all of the plan.
    #[error("the Vault token may not do all that this needs; nothing was changed")]
    Rights { missing: Vec<Right> },
    /// Another auth method is at the path.
    #[error("auth mount \"{mount}/\" is of type \"{kind}\", not \"jwt\"")]
    MountTaken { mount: MountPath, kind: String },
    /// The path is inside another mount, or another one inside it.
    #[error("auth mount \"{mount}/\" cannot be enabled: \"{other}/\" is mounted there already")]
    MountNested { mount: MountPath, other: String },
    /// The mount's configuration forbids it.
    #[error("auth mount \"{mount}/\" cannot take this cluster's keys: {source}")]
    Config { mount: MountPath, source: ConfigConflict },
    /// The mount gets its keys another way.
    #[error("auth mount \"{mount}/\" cannot take this cluster's keys by --keys: {source}")]
    Source { mount: MountPath, source: SourceConflict },
    /// The issuer's URL lacks a key of the cluster.
    #[error("{0}")]
    SiteLags(Lag),
    /// The cluster publishes other keys than the user expects.
    #[error("issuer \"{}\" does not publish the expected {}; nothing was changed", one_line(.issuer), expected(.missing))]
    UnexpectedKeys {
        issuer: String,
        /// `--expect-key`, as far as they are missing.
        missing: Vec<KeyId>,
        published: Vec<KeyId>,
    },
    /// The cluster did not move.
    #[error("the issuer of the cluster is still \"{}\", and --move-from names the issuer that it had before; nothing was changed", one_line(.issuer))]
    IssuerUnchanged { issuer: String },
    /// A key that the user expects would not be on the mount.
    #[error("the expected {} would not be on auth mount \"{mount}/\", which the warning explains; nothing was changed", expected(.keys))]
    ExpectedWaits {
        mount: MountPath,
        /// `--expect-key`, as far as they are not added.
        keys: Vec<KeyId>,
    },
    /// A role that is to accept the new issuer accepts others.
    #[error("role \"{role}\" on auth mount \"{mount}/\" is not bound to exactly issuer \"{}\"; nothing was changed", one_line(.old))]
    NotMovable {
        mount: MountPath,
        role: String,
        /// `--move-from`
        old: String,
        new: String,
    },
    #[error("role \"{role}\" does not exist on auth mount \"{mount}/\"; nothing was changed")]
    NoRole { mount: MountPath, role: String },
    /// Another cluster has the old issuer, and its roles would accept this one.
    #[error("{other} uses issuer \"{}\" too, and --all-roles would let this cluster log in with its roles; nothing was changed", one_line(&.other.issuer))]
    RolesOfAnother { other: Owner },
    /// The keys on the mount forbid it.
    #[error("{}", about_mount(mount, "this cluster's keys", source))]
    Enrollment { mount: MountPath, source: EnrollmentError },
    /// An enrolled cluster, reached by a way that is not recorded.
    #[error("{source}")]
    OtherWay {
        mount: MountPath,
        /// The owner that it claims to be.
        source: Box<EnrollmentError>,
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
    SharedIdentity { mount: MountPath, role: String, claim: String },
    /// The role forbids it.
    #[error("on auth mount \"{mount}/\", {source}")]
    Role {
        mount: MountPath,
        /// Name of the cluster, for a proposal.
        cluster: String,
        source: RoleConflict,
    },
    #[error(transparent)]
    IssuerProof(#[from] IssuerProofError),
    /// The keys are on the mount, the role is written, the login failed.
    #[error("keys and role are in place, but the login as \"{account}\" with role \"{role}\" failed: {source}")]
    LoginRefused { account: ServiceAccount, role: String, mount: MountPath, source: Box<VaultError> },
    /// A concurrent write.
    #[error("{what} is not what was written (differs in {}): somebody else writes it too", .fields.join(", "))]
    ReadBack {
        what: String,
        /// The fields that differ.
        fields: Vec<String>,
    },
}

impl SetupError {
    pub fn hint(&self) -> Option<String> {
        let another_mount = || Some("choose another path with --mount".to_owned());
        match self {
            Self::Cluster(e) => e.hint(),
            Self::Issuer(e) => e.hint(),
            Self::Vault(e) => e.hint(),
            Self::Rewrite(e) => e.hint(),
            Self::Rights { missing } => Some(capabilities::hint(missing)),
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
            Self::Enrollment { source, mount } => source.hint(mount),
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
            Self::IssuerProof(e) => e.hint(),
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
    source: &EnrollmentError,
    namespace: &Option<String>,
    replace: &str,
) -> String {
    let (
        Some(authority),
        EnrollmentError::AnotherWay { context, .. }
        | EnrollmentError::NoWay { context, .. }
        | EnrollmentError::NoPossession { context, .. },
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
mod tests;
