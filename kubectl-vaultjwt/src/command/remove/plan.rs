//! Plans what `remove` changes, from what was asked for and what was observed. Pure.

use crate::command::capabilities::Right;
use crate::command::mount;
use crate::command::remove::error::RemoveError;
use crate::command::remove::input::RemoveInput;
use crate::command::remove::roles::{OwnersRoles, Remaining};
use crate::command::remove::state::{RemoveState, RemoveTarget};
use crate::keychain::Owner;
use crate::keychain::action::KeyStep;
use crate::keychain::element::{Management, MountKey};
use crate::keychain::key_id::KeyId;
use crate::keychain::removal::Removal;
use crate::vault::Document;
use crate::vault::mount::config::{MountSnapshot, StaticKeys};
use crate::vault::mount::rewrite::PlannedConfig;
use shared::mount::MountPath;
use shared::text::one_line;

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
    /// The keys that are removed.
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
        let removal = Removal::make(&config.elements(), owner);
        if removal.steps.is_empty() {
            let document = standing.document.cloned().unwrap_or_default();
            return Ok(Self { steps: Vec::new(), remaining: removal.elements, document });
        }
        let document = config.with(&removal.elements, &[]);
        Ok(Self { steps: removal.steps, remaining: removal.elements, document })
    }

    pub fn write(&self) -> bool {
        !self.steps.is_empty()
    }

    pub fn wanted(&self) -> PlannedConfig {
        PlannedConfig { document: self.document.clone(), write: self.write() }
    }

    pub fn who_stays(&self) -> Remaining {
        Remaining { owners: self.owners(), unmanaged_keys: self.strange() > 0, any_form: false }
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
    let plain = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    let mut owners: Vec<Owner> = Vec::new();
    for mark in elements.iter().filter_map(MountKey::provenance) {
        if plain(&mark.owner.issuer) == plain(issuer) && !owners.contains(&mark.owner) {
            owners.push(mark.owner.clone());
        }
    }
    owners
}

/// The owner that was meant, by what is on the mount.
pub fn owner(mount: &MountPath, target: &RemoveTarget, elements: &[MountKey]) -> Result<Owner, RemoveError> {
    let (issuer, uid) = match target {
        RemoveTarget::Owner(owner) => return Ok(owner.clone()),
        RemoveTarget::Issuer { issuer, uid } => (issuer, uid),
    };
    let owners: Vec<Owner> = alike(elements, issuer).into_iter().filter(|owner| owner.issuer == *issuer).collect();
    match (uid, &owners[..]) {
        (Some(uid), _) => Ok(Owner { issuer: issuer.clone(), cluster_uid: uid.wanted().map(str::to_owned) }),
        (None, []) => Ok(Owner { issuer: issuer.clone(), cluster_uid: None }),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(RemoveError::Ambiguous { mount: mount.clone(), issuer: issuer.clone(), owners }),
    }
}

/// Who stays; an issuer without keys on the mount may be of either form, unless that was said.
pub fn remaining(config: &RemovalConfig, target: &RemoveTarget) -> Remaining {
    let any_form = !config.write() && matches!(target, RemoveTarget::Issuer { uid: None, .. });
    Remaining { any_form, ..config.who_stays() }
}

impl RemovePlan {
    pub fn make(input: &RemoveInput, seen: &RemoveState) -> Result<Self, RemoveError> {
        let mount = || input.mount.clone();
        let document = seen.config.document.as_ref();
        let elements = mount::elements(document);
        let owner = owner(&input.mount, &seen.target, &elements)?;
        let now = seen.config.date.unwrap_or(input.now);
        let config = RemovalConfig::make(&input.mount, &owner, MountSnapshot { document, now })?;
        if config.write() && config.remaining.is_empty() {
            return Err(RemoveError::LastKeys { mount: mount(), owner, namespace: seen.namespace.clone() });
        }
        let (roles, roles_unreadable) = match &seen.roles {
            Ok(roles) => (OwnersRoles::of(roles, &owner, &remaining(&config, &seen.target)), None),
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
            any_form: remaining(&config, &seen.target).any_form,
            owner,
            config,
            delete_roles: input.roles,
            roles,
            roles_unreadable,
        })
    }

    /// Who stays, once the configuration is written, as `config` says.
    pub fn remaining(&self, config: &RemovalConfig) -> Remaining {
        Remaining { any_form: self.any_form, ..config.who_stays() }
    }

    /// Names of the roles that are deleted.
    pub fn deleted(&self) -> Vec<&String> {
        if self.delete_roles { self.roles.exclusive.keys().collect() } else { Vec::new() }
    }

    /// Names of the roles that this issuer is removed from.
    pub fn changed(&self) -> Vec<&String> {
        if self.delete_roles { self.roles.listed.keys().collect() } else { Vec::new() }
    }

    /// The rights it needs, measured on Vault 1.21 and OpenBao 2.7.
    pub fn rights(&self, mount: &MountPath) -> Vec<Right> {
        let mut all = Vec::new();
        if self.config.write() {
            all.push(Right::new(format!("auth/{mount}/config"), &["read", "update"]));
        }
        for name in self.deleted() {
            all.push(Right::new(format!("auth/{mount}/role/{name}"), &["read", "delete"]));
        }
        for name in self.changed() {
            all.push(Right::new(format!("auth/{mount}/role/{name}"), &["read", "update"]));
        }
        all
    }

    /// The question that the user is asked.
    pub fn question(&self, mount: &MountPath, address: &str) -> String {
        let mut what = Vec::new();
        if self.config.write() {
            what.push(format!("remove {} of {}", counted(self.config.steps.len(), "key"), self.owner));
        }
        let roles: Vec<String> = self.deleted().iter().map(|name| format!("\"{}\"", one_line(name))).collect();
        match &roles[..] {
            [] => {}
            [one] => what.push(format!("delete role {one}")),
            many => what.push(format!("delete roles {}", many.join(", "))),
        }
        let roles: Vec<String> = self.changed().iter().map(|name| format!("\"{}\"", one_line(name))).collect();
        match &roles[..] {
            [] => {}
            [one] => what.push(format!("remove its issuer from role {one}")),
            many => what.push(format!("remove its issuer from roles {}", many.join(", "))),
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

/// A number with its noun.
pub fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests;
