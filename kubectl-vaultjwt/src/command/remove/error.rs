//! Why `remove` refuses or fails, and what to do about each.

use crate::command::capabilities::MissingRights;
use crate::command::mount::error::{Claim, naming_flags};
use crate::command::words::{listed, quoted};
use crate::issuer::IssuerError;
use crate::keychain::Owner;
use crate::shell::in_namespace;
use crate::vault::VaultError;
use crate::vault::mount::config::ConfigConflict;
use crate::vault::mount::rewrite::RewriteError;
use shared::mount::MountPath;

#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    #[error("neither an issuer nor a cluster says whose keys to remove")]
    NoTarget,
    /// The cluster does not name its issuer.
    #[error("whose keys to remove could not be learned from the cluster: {0}")]
    Issuer(Box<IssuerError>),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Rights(#[from] MissingRights),
    #[error("there is no auth mount \"{mount}/\"")]
    NoMount { mount: MountPath, namespace: Option<String> },
    #[error("auth mount \"{mount}/\" is of type \"{kind}\", not \"jwt\"")]
    MountTaken { mount: MountPath, kind: String },
    #[error("the keys of auth mount \"{mount}/\" cannot be changed: {source}")]
    Config { mount: MountPath, source: ConfigConflict },
    #[error("auth mount \"{mount}/\" holds no key of {owner}{}{}", instead(.alike), roles_kept(.kept))]
    NotThere {
        mount: MountPath,
        owner: Owner,
        /// Owners on the mount with (nearly) the same issuer.
        alike: Vec<Owner>,
        /// Roles that accept its tokens and stay, each with the reason.
        kept: Vec<(String, String)>,
    },
    /// What the API server says of itself can be copied.
    #[error("context {} claims to be {}, which was not verified: {why}", quoted(&.claim.context), .claim.cluster())]
    NotTheOwner { mount: MountPath, claim: Claim, why: String },
    #[error("auth mount \"{mount}/\" has no recorded way {}", quoted(.authority))]
    NoSuchAuthority { mount: MountPath, authority: String },
    #[error("{} on auth mount \"{mount}/\" is a recorded way to several clusters: {}", quoted(.authority), listed(.owners))]
    AuthorityOfSeveral { mount: MountPath, authority: String, owners: Vec<Owner> },
    #[error("auth mount \"{mount}/\" holds keys of several owners with issuer {}: {}", quoted(.issuer), listed(.owners))]
    Ambiguous { mount: MountPath, issuer: String, owners: Vec<Owner> },
    #[error("auth mount \"{mount}/\" holds no keys but those of {owner}, and Vault refuses a list without keys")]
    LastKeys { mount: MountPath, owner: Owner, namespace: Option<String> },
    #[error("the roles of auth mount \"{mount}/\" could not be read, nothing was changed: {why}")]
    RolesUnreadable { mount: MountPath, why: String },
    #[error("nobody can be asked, because this is no terminal; nothing was changed")]
    Nobody,
    #[error("not confirmed; nothing was changed")]
    Declined,
    #[error("on auth mount \"{mount}/\", role {} is there again: somebody else writes it too", quoted(.role))]
    RoleIsBack { mount: MountPath, role: String },
}

fn roles_kept(roles: &[(String, String)]) -> String {
    roles.iter().map(|(name, why)| format!("; role {} stays: {why}", quoted(name))).collect()
}

fn instead(alike: &[Owner]) -> String {
    if alike.is_empty() { String::new() } else { format!("; it holds keys of {}", listed(alike)) }
}

impl RemoveError {
    pub fn hint(&self) -> Option<String> {
        let status = |mount: &MountPath| format!("kubectl vaultjwt status --mount {mount}");
        Some(match self {
            Self::NoTarget | Self::Issuer(_) => {
                "give the issuer with --issuer, and no cluster is asked ('kubectl vaultjwt status' shows the issuers)"
                    .to_owned()
            }
            Self::Vault(e) => return e.hint(),
            Self::Rewrite(e) => return e.hint(),
            Self::RoleIsBack { .. } => {
                "find the other writer (Terraform, an operator), then run the command again".to_owned()
            }
            Self::Rights(missing) => missing.hint(),
            Self::NoMount { namespace, .. } => {
                format!("see what is mounted: vault auth list{}", in_namespace(namespace.as_deref()))
            }
            Self::MountTaken { .. } => "choose another path with --mount".to_owned(),
            Self::Config { mount, .. } => format!("look at it: vault read auth/{mount}/config"),
            Self::NotThere { mount, alike, .. } => match &alike[..] {
                [] => format!("see whose keys are there: {}", status(mount)),
                [one] => format!("if that is the one, name it with {}", naming_flags(one)),
                [first, ..] => format!("name the one that is meant, for example with {}", naming_flags(first)),
            },
            Self::NotTheOwner { mount, claim, .. } => format!(
                "to remove that cluster's keys whatever this context is, name it: kubectl vaultjwt remove --mount {mount} {}",
                naming_flags(&claim.owner)
            ),
            Self::NoSuchAuthority { mount, .. } => format!("list the recorded ways: {} -o json", status(mount)),
            Self::AuthorityOfSeveral { owners, .. } => {
                format!("name the cluster, for example with {}", naming_flags(owners.first()?))
            }
            Self::Ambiguous { owners, .. } => {
                let known_by_issuer = owners.iter().any(|owner| owner.cluster_uid.is_none());
                let none = if known_by_issuer { "; 'none' means the one without" } else { "" };
                format!("say which with --cluster-uid{none}")
            }
            Self::LastKeys { mount, namespace, .. } => format!(
                "disable the mount, which deletes its roles and revokes every Vault token it issued: vault auth disable{} {mount}",
                in_namespace(namespace.as_deref())
            ),
            Self::RolesUnreadable { mount, .. } => format!(
                "leave out --roles, or let the token list and read them: path \"auth/{mount}/role\" {{ capabilities = [\"list\"] }}, path \"auth/{mount}/role/*\" {{ capabilities = [\"read\", \"delete\"] }}"
            ),
            Self::Nobody | Self::Declined => {
                "see what would be removed with --dry-run=client; --yes removes it without asking".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests;
