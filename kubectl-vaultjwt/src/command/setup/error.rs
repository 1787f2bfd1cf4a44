//! Why `setup` refuses or fails, and what to do about each.

use crate::cluster::service_account::ServiceAccount;
use crate::command::capabilities::MissingRights;
use crate::command::mount::EnrollmentError;
use crate::command::mount::error::about_mount;
use crate::command::prove_issuer::IssuerProofError;
use crate::command::words::{counted, listed, named, quoted};
use crate::issuer::{IssuerError, Lag};
use crate::keychain::Owner;
use crate::keychain::key_id::KeyId;
use crate::shell::word;
use crate::vault::VaultError;
use crate::vault::mount::config::ConfigConflict;
use crate::vault::mount::key_source::KeysMode;
use crate::vault::mount::rewrite::RewriteError;
use crate::vault::mount::role::RoleConflict;
use shared::mount::MountPath;
use shared::refusal::Refusal;
use shared::text::one_line;

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Rights(#[from] MissingRights),
    #[error("auth mount \"{mount}/\" is of type \"{kind}\", not \"jwt\"")]
    MountTaken { mount: MountPath, kind: String },
    /// The path is inside another mount, or another one inside it.
    #[error("auth mount \"{mount}/\" cannot be enabled: \"{other}/\" is mounted there already")]
    MountNested { mount: MountPath, other: String },
    #[error("auth mount \"{mount}/\" cannot take this cluster's keys: {source}")]
    Config { mount: MountPath, source: ConfigConflict },
    #[error("auth mount \"{mount}/\" cannot take this cluster's keys by --keys: {source}")]
    Source { mount: MountPath, source: SourceConflict },
    /// The issuer's URL lacks a key of the cluster.
    #[error("{0}")]
    SiteLags(Lag),
    #[error("issuer {} does not publish the expected {}; nothing was changed", quoted(.issuer), keys_named(.missing))]
    UnexpectedKeys {
        issuer: String,
        /// `--expect-key`, as far as they are missing.
        missing: Vec<KeyId>,
        published: Vec<KeyId>,
    },
    #[error("the issuer of the cluster is still {}, and --move-from names the issuer that it had before; nothing was changed", quoted(.issuer))]
    IssuerUnchanged { issuer: String },
    #[error("the expected {} would not be on auth mount \"{mount}/\", which the warning explains; nothing was changed", keys_named(.keys))]
    ExpectedWaits {
        mount: MountPath,
        /// `--expect-key`, as far as they are not added.
        keys: Vec<KeyId>,
    },
    #[error("role \"{role}\" on auth mount \"{mount}/\" is not bound to exactly issuer {}; nothing was changed", quoted(.old))]
    NotMovable {
        mount: MountPath,
        role: String,
        /// `--move-from`
        old: String,
        new: String,
    },
    #[error("role \"{role}\" does not exist on auth mount \"{mount}/\"; nothing was changed")]
    NoRole { mount: MountPath, role: String },
    #[error("{other} uses issuer {} too, and --all-roles would let this cluster log in with its roles; nothing was changed", quoted(&.other.issuer))]
    RolesOfAnother { other: Owner },
    #[error("{}", about_mount(mount, "this cluster's keys", source))]
    Enrollment { mount: MountPath, source: EnrollmentError },
    /// An enrolled cluster, reached by a way that is not recorded.
    #[error("{source}")]
    OtherWay {
        mount: MountPath,
        context: String,
        source: Box<EnrollmentError>,
        /// `--authority` for the way of this run.
        authority: String,
        namespace: Option<String>,
        replace_keys: bool,
    },
    /// The role would make one identity of two clusters' accounts.
    #[error("on auth mount \"{mount}/\", role \"{role}\" would take the claim {} for the identity, and another cluster's tokens can have the same value", quoted(.claim))]
    SharedIdentity { mount: MountPath, role: String, claim: String },
    #[error("on auth mount \"{mount}/\", {source}")]
    Role {
        mount: MountPath,
        /// Name of the cluster, for a proposal.
        cluster: String,
        source: RoleConflict,
    },
    #[error(transparent)]
    IssuerProof(#[from] IssuerProofError),
    #[error("keys and role are in place, but the login as \"{account}\" with role \"{role}\" failed: {source}")]
    LoginRefused { account: ServiceAccount, role: String, mount: MountPath, source: Box<VaultError> },
    #[error("{what} is not what was written (differs in {}): somebody else writes it too", .fields.join(", "))]
    ReadBack { what: String, fields: Vec<String> },
}

impl SetupError {
    pub fn hint(&self) -> Option<String> {
        let another_mount = || Some("choose another path with --mount".to_owned());
        match self {
            Self::Issuer(e) => e.hint(),
            Self::Vault(e) => e.hint(),
            Self::Rewrite(e) => e.hint(),
            Self::Rights(missing) => Some(missing.hint()),
            Self::MountTaken { .. } | Self::MountNested { .. } => another_mount(),
            Self::Config { mount, .. } => Some(format!(
                "choose another path with --mount, which gets static keys (vault read auth/{mount}/config)"
            )),
            Self::Source { source, .. } => Some(source.hint()),
            Self::SiteLags(lag) => Some(lag.hint()),
            Self::UnexpectedKeys { published, .. } => Some(format!(
                "check --expect-key, and that the context is the right one; this cluster publishes {}",
                listed(published)
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
            // What the way is compared with comes from somewhere else than this connection.
            Self::OtherWay { mount, context, authority, namespace, replace_keys, .. } => {
                let namespace = namespace.as_ref().map(|name| format!(" --vault-namespace {}", word(name)));
                Some(format!(
                    "it may be another cluster; compare this way with the one that the cluster's administrator sees ('kubectl vaultjwt issuer' prints it), then: kubectl vaultjwt setup --context {} --mount {mount}{}{} --authority {}",
                    word(context),
                    namespace.unwrap_or_default(),
                    if *replace_keys { " --replace-keys" } else { "" },
                    word(authority)
                ))
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

fn keys_named(keys: &[KeyId]) -> String {
    named("key", &keys.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// A role name that says which cluster it is for.
fn proposed(cluster: &str, role: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut name: String = cluster.chars().map(plain).collect();
    name.truncate(40);
    let name = name.trim_matches('-');
    if name.is_empty() { format!("{role}-2") } else { format!("{name}-{role}") }
}

/// Why the mount's source of keys must not be what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceConflict {
    /// The issuer's site could not be read, so that its address is not known.
    #[error("the issuer's own site was not read ({why}), and Vault could not be sent there")]
    NoSite { why: String },
    #[error("it {found} already, which --keys={} would replace", .mode.flag())]
    Mixed { found: String, mode: KeysMode },
    #[error("it {found}, which is not this cluster's alone")]
    Others { found: String },
    #[error("\"{}\" publishes {keys} that this API server does not, and Vault would accept tokens signed with {them}", one_line(.url), keys = counted(*.keys, "key"), them = if *.keys == 1 { "it" } else { "them" })]
    SharedUrl { url: String, keys: usize },
    #[error("OpenBao has no jwks_pairs")]
    NoPairs,
}

impl SourceConflict {
    pub fn hint(&self) -> String {
        match self {
            Self::NoSite { .. } => {
                "leave --keys out, and keep the keys fresh with 'kubectl vaultjwt sync --watch'".to_owned()
            }
            Self::Mixed { .. } => {
                "choose another path with --mount; or, if that is meant, add --convert-keys".to_owned()
            }
            Self::Others { .. } => {
                "choose another path with --mount: what other clusters log in with is not thrown away".to_owned()
            }
            Self::SharedUrl { .. } => {
                "another cluster may use the same issuer: leave --keys out; or, if all clusters of that issuer may log in, add --allow-same-issuer"
                    .to_owned()
            }
            Self::NoPairs => "choose another path with --mount for each cluster, and --keys=jwks-url".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
