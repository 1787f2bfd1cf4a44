//! Plans what `remove` changes, from what was asked for and what was observed. Pure.

use crate::command::capabilities::Right;
use crate::command::mount;
use crate::command::remove::error::RemoveError;
use crate::command::remove::input::RemoveInput;
use crate::command::remove::roles::{OwnersRoles, Remaining};
use crate::command::words::{counted, named, quoted};
use crate::keychain::Owner;
use crate::keychain::action::KeyStep;
use crate::keychain::element::{Management, MountKey};
use crate::keychain::key_id::KeyId;
use crate::keychain::plan::KeyListPlan;
use crate::vault::mount::config::{MountSnapshot, StaticKeys};
use crate::vault::mount::rewrite::PlannedConfig;
use crate::vault::{Config, Document, VaultError};
use shared::mount::MountPath;
use shared::text::one_line;
use std::collections::BTreeMap;

/// Everything the plan is made from.
#[derive(Debug)]
pub struct RemoveState {
    /// The cluster's owner; `None` where flags name the issuer, and the mount decides.
    pub owner: Option<Owner>,
    /// What the cluster publishes, where it was asked.
    pub published: Vec<KeyId>,
    /// `auth/<mount>/config`
    pub config: Config,
    /// All roles by name, or why they cannot be read.
    pub roles: Result<BTreeMap<String, Document>, VaultError>,
    /// The namespace, for commands in hints.
    pub namespace: Option<String>,
}

#[derive(Clone, Debug)]
pub struct RemovePlan {
    pub owner: Owner,
    pub config: RemovalConfig,
    /// The roles it has a part in; empty where they could not be read.
    pub roles: OwnersRoles,
    /// Whether its own are deleted.
    pub delete_roles: bool,
    /// Why roles could not be read, where they could not.
    pub roles_unreadable: Option<String>,
    /// The mount's default role, where it is one that is deleted.
    pub default_role: Option<String>,
    /// See [`Remaining::any_form`].
    any_form: bool,
}

/// What will become of the mount's configuration.
#[derive(Clone, Debug)]
pub struct RemovalConfig {
    pub steps: Vec<KeyStep>,
    pub remaining: Vec<MountKey>,
    pub document: Document,
}

impl RemovalConfig {
    /// Removes `owner` from the current configuration. Where it has no keys
    /// there (any more), nothing is left to do.
    pub fn make(mount: &MountPath, owner: &Owner, standing: MountSnapshot<'_>) -> Result<Self, RemoveError> {
        let config = StaticKeys::read(standing.document)
            .map_err(|source| RemoveError::Config { mount: mount.clone(), source })?;
        let removal = KeyListPlan::removal(&config.elements(), owner);
        let document = match removal.steps[..] {
            [] => standing.document.cloned().unwrap_or_default(),
            _ => config.with(&removal.elements, &[]),
        };
        Ok(Self { steps: removal.steps, remaining: removal.elements, document })
    }

    pub fn write(&self) -> bool {
        !self.steps.is_empty()
    }

    pub fn wanted(&self) -> PlannedConfig {
        PlannedConfig { document: self.document.clone(), write: self.write() }
    }

    /// Vault refuses an empty list.
    pub fn ensure_keys_left(
        &self,
        mount: &MountPath,
        owner: &Owner,
        namespace: Option<&str>,
    ) -> Result<(), RemoveError> {
        if !self.write() || !self.remaining.is_empty() {
            return Ok(());
        }
        let namespace = namespace.map(str::to_owned);
        Err(RemoveError::LastKeys { mount: mount.clone(), owner: owner.clone(), namespace })
    }

    fn who_stays(&self, any_form: bool) -> Remaining {
        Remaining { owners: self.owners(), unmanaged_keys: self.strange() > 0, any_form }
    }

    /// Other owners, each once.
    pub fn owners(&self) -> Vec<Owner> {
        mount::owners(&self.remaining)
    }

    /// Elements that stay and whose owner is not known.
    pub fn strange(&self) -> usize {
        self.remaining.iter().filter(|element| !matches!(element.management, Management::Managed(_))).count()
    }
}

/// Owners on the mount that `issuer` could mean: byte for byte it, or but for
/// a slash at the end, which people drop.
fn alike(elements: &[MountKey], issuer: &str) -> Vec<Owner> {
    let mut owners = mount::owners(elements);
    owners.retain(|owner| owner.issuer.trim_end_matches('/') == issuer.trim_end_matches('/'));
    owners
}

/// The owner that is meant: the cluster's, or the one that flags name, by what is on the mount.
fn owner(input: &RemoveInput, cluster: Option<&Owner>, elements: &[MountKey]) -> Result<Owner, RemoveError> {
    if let Some(owner) = cluster {
        return Ok(owner.clone());
    }
    let issuer = input.issuer.clone().ok_or(RemoveError::NoTarget)?;
    let owners: Vec<Owner> = mount::owners(elements).into_iter().filter(|owner| owner.issuer == issuer).collect();
    match (&input.cluster_uid, &owners[..]) {
        (Some(uid), _) => Ok(Owner { issuer, cluster_uid: uid.wanted().map(str::to_owned) }),
        (None, []) => Ok(Owner { issuer, cluster_uid: None }),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(RemoveError::Ambiguous { mount: input.mount.clone(), issuer, owners }),
    }
}

impl RemovePlan {
    pub fn make(input: &RemoveInput, seen: &RemoveState) -> Result<Self, RemoveError> {
        let mount = || input.mount.clone();
        let document = seen.config.document.as_ref();
        let elements = mount::elements(document);
        let owner = owner(input, seen.owner.as_ref(), &elements)?;
        let now = seen.config.date.unwrap_or(input.now);
        let config = RemovalConfig::make(&input.mount, &owner, MountSnapshot { document, now })?;
        config.ensure_keys_left(&input.mount, &owner, seen.namespace.as_deref())?;
        // An issuer without keys on the mount may be of either form, unless that was said.
        let any_form = !config.write() && seen.owner.is_none() && input.cluster_uid.is_none();
        let (roles, roles_unreadable) = match &seen.roles {
            Ok(roles) => (OwnersRoles::of(roles, &owner, &config.who_stays(any_form)), None),
            Err(why) if input.roles => {
                return Err(RemoveError::RolesUnreadable { mount: mount(), why: why.to_string() });
            }
            Err(why) => (OwnersRoles::default(), Some(why.to_string())),
        };
        // Roles are left where an earlier run was interrupted after the keys.
        let something = config.write() || (input.roles && !(roles.exclusive.is_empty() && roles.listed.is_empty()));
        if !something {
            let alike = alike(&elements, &owner.issuer).into_iter().filter(|other| *other != owner).collect();
            let kept = if input.roles {
                roles.shared.iter().map(|(name, why)| (name.clone(), why.to_string())).collect()
            } else {
                Vec::new()
            };
            return Err(RemoveError::NotThere { mount: mount(), owner, alike, kept });
        }
        let default_role = document.and_then(|d| d.get("default_role")).and_then(|role| role.as_str());
        let default_role = default_role.filter(|role| input.roles && roles.exclusive.contains_key(*role));
        Ok(Self {
            default_role: default_role.map(str::to_owned),
            any_form,
            owner,
            config,
            delete_roles: input.roles,
            roles,
            roles_unreadable,
        })
    }

    /// Who stays, once the configuration is written, as `config` says.
    pub fn remaining(&self, config: &RemovalConfig) -> Remaining {
        config.who_stays(self.any_form)
    }

    pub fn deleted(&self) -> Vec<&String> {
        if self.delete_roles { self.roles.exclusive.keys().collect() } else { Vec::new() }
    }

    /// Names of the roles that this issuer is removed from.
    pub fn changed(&self) -> Vec<&String> {
        if self.delete_roles { self.roles.listed.keys().collect() } else { Vec::new() }
    }

    /// The rights it needs, measured on Vault 1.21 and OpenBao 2.7.
    pub fn rights(&self, mount: &MountPath) -> Vec<Right> {
        let config = self.config.write().then(|| Right::new(format!("auth/{mount}/config"), &["read", "update"]));
        let role = |name, write| Right::new(format!("auth/{mount}/role/{name}"), &["read", write]);
        let deleted = self.deleted().into_iter().map(|name| role(name, "delete"));
        let changed = self.changed().into_iter().map(|name| role(name, "update"));
        config.into_iter().chain(deleted).chain(changed).collect()
    }

    pub fn question(&self, mount: &MountPath, address: &str) -> String {
        let mut what = Vec::new();
        if self.config.write() {
            what.push(format!("remove {} of {}", counted(self.config.steps.len(), "key"), self.owner));
        }
        for (verb, roles) in [("delete", self.deleted()), ("remove its issuer from", self.changed())] {
            if !roles.is_empty() {
                let names: Vec<String> = roles.into_iter().map(|name| quoted(name)).collect();
                what.push(format!("{verb} {}", named("role", &names)));
            }
        }
        let what = what.join(", and ");
        let mut letters = what.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
        let what: String = first.chain(letters).collect();
        format!("{what} from auth mount \"{mount}/\" of Vault at \"{}\"?", one_line(address))
    }

    /// Keys of the owner that are on the mount unmanaged, or as another's: tokens they sign are
    /// still accepted.
    pub fn left_behind(&self, published: &[KeyId]) -> usize {
        let its = |id: &KeyId| published.contains(id) || self.config.steps.iter().any(|step| step.id == *id);
        self.config.remaining.iter().filter_map(MountKey::id).filter(its).count()
    }
}

#[cfg(test)]
mod tests;
