//! Owns what `remove` will change, decided from what was asked for and what
//! was observed. Pure.

use super::RemoveInput;
use super::error::RemoveError;
use super::observe::{Seen, Target};
use super::roles::{OwnersRoles, Staying};
use crate::command::chain;
use crate::command::rights::Right;
use crate::keychain::Owner;
use crate::keychain::action::KeyStep;
use crate::keychain::element::{Element, Mark};
use crate::keychain::key::KeyId;
use crate::keychain::removal::Removal;
use crate::vault::Document;
use crate::vault::config::{Standing, StaticKeys};
use crate::vault::rewrite::Wanted;
use shared::mount::MountPath;
use shared::text::one_line;

/// What will change on the mount.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose keys leave.
    pub owner: Owner,
    /// The mount's configuration.
    pub config: ConfigPlan,
    /// The roles it has a part in; empty where they could not be read.
    pub roles: OwnersRoles,
    /// Whether its own are deleted.
    pub delete_roles: bool,
    /// Why roles could not be read, where they could not.
    pub roles_unreadable: Option<String>,
    /// The mount's default role, where it is one that is deleted.
    pub default_role: Option<String>,
    /// See [`Staying::any_form`].
    any_form: bool,
}

/// What will become of the mount's configuration.
#[derive(Clone, Debug)]
pub struct ConfigPlan {
    /// The keys that leave.
    pub steps: Vec<KeyStep>,
    /// What stays.
    pub staying: Vec<Element>,
    /// The full document.
    pub document: Document,
}

impl ConfigPlan {
    /// Takes `owner` off the configuration as it stands. Where it has no keys
    /// there (any more), nothing is left to do.
    pub fn make(mount: &MountPath, owner: &Owner, standing: Standing<'_>) -> Result<Self, RemoveError> {
        let config = StaticKeys::read(standing.document)
            .map_err(|source| RemoveError::Config { mount: mount.clone(), source })?;
        let removal = Removal::make(&config.elements(), owner);
        if removal.steps.is_empty() {
            let document = standing.document.cloned().unwrap_or_default();
            return Ok(Self { steps: Vec::new(), staying: removal.elements, document });
        }
        let document = config.with(&removal.elements, &[]);
        Ok(Self { steps: removal.steps, staying: removal.elements, document })
    }

    /// Whether it has to be written.
    pub fn write(&self) -> bool {
        !self.steps.is_empty()
    }

    /// What to write.
    pub fn wanted(&self) -> Wanted {
        Wanted { document: self.document.clone(), write: self.write() }
    }

    /// Who stays.
    pub fn who_stays(&self) -> Staying {
        Staying { owners: self.owners(), strangers: self.strange() > 0, any_form: false }
    }

    /// Other owners, each once.
    pub fn owners(&self) -> Vec<Owner> {
        chain::owners(&self.staying)
    }

    /// Elements that stay and whose owner is not known.
    pub fn strange(&self) -> usize {
        self.staying.iter().filter(|element| !matches!(element.mark, Mark::Marked(_))).count()
    }
}

/// Owners on the mount that `issuer` could mean: byte for byte it, or but for
/// a slash at the end, which people drop.
fn alike(elements: &[Element], issuer: &str) -> Vec<Owner> {
    let plain = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    let mut owners: Vec<Owner> = Vec::new();
    for mark in elements.iter().filter_map(Element::provenance) {
        if plain(&mark.owner.issuer) == plain(issuer) && !owners.contains(&mark.owner) {
            owners.push(mark.owner.clone());
        }
    }
    owners
}

/// The owner that was meant, by what is on the mount.
pub fn owner(mount: &MountPath, target: &Target, elements: &[Element]) -> Result<Owner, RemoveError> {
    let (issuer, uid) = match target {
        Target::Owner(owner) => return Ok(owner.clone()),
        Target::Issuer { issuer, uid } => (issuer, uid),
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
pub fn staying(config: &ConfigPlan, target: &Target) -> Staying {
    let any_form = !config.write() && matches!(target, Target::Issuer { uid: None, .. });
    Staying { any_form, ..config.who_stays() }
}

impl Plan {
    /// Decides, or refuses with the reason.
    pub fn make(input: &RemoveInput, seen: &Seen) -> Result<Self, RemoveError> {
        let mount = || input.mount.clone();
        let document = seen.config.document.as_ref();
        let elements = chain::elements(document);
        let owner = owner(&input.mount, &seen.target, &elements)?;
        let now = seen.config.date.unwrap_or(input.now);
        let config = ConfigPlan::make(&input.mount, &owner, Standing { document, now })?;
        if config.write() && config.staying.is_empty() {
            return Err(RemoveError::LastKeys { mount: mount(), owner, namespace: seen.namespace.clone() });
        }
        let (roles, roles_unreadable) = match &seen.roles {
            Ok(roles) => (OwnersRoles::of(roles, &owner, &staying(&config, &seen.target)), None),
            Err(why) if input.roles => {
                return Err(RemoveError::RolesUnreadable { mount: mount(), why: why.to_string() });
            }
            Err(why) => (OwnersRoles::default(), Some(why.to_string())),
        };
        // Roles are left where an earlier run was interrupted after the keys.
        let something = config.write() || (input.roles && !(roles.sole.is_empty() && roles.listed.is_empty()));
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
        let default_role = default_role.filter(|role| input.roles && roles.sole.contains_key(*role));
        Ok(Self {
            default_role: default_role.map(str::to_owned),
            any_form: staying(&config, &seen.target).any_form,
            owner,
            config,
            delete_roles: input.roles,
            roles,
            roles_unreadable,
        })
    }

    /// Who stays, once the configuration is written, as `config` says.
    pub fn staying(&self, config: &ConfigPlan) -> Staying {
        Staying { any_form: self.any_form, ..config.who_stays() }
    }

    /// Names of the roles that are deleted.
    pub fn deleted(&self) -> Vec<&String> {
        if self.delete_roles { self.roles.sole.keys().collect() } else { Vec::new() }
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

    /// What whoever runs it is asked.
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

    /// Keys of the owner that stand on the mount under no mark, or another's:
    /// tokens they sign are still taken.
    pub fn left_behind(&self, published: &[KeyId]) -> usize {
        let its = |id: &KeyId| published.contains(id) || self.config.steps.iter().any(|step| step.id == *id);
        self.config.staying.iter().filter_map(Element::id).filter(its).count()
    }
}

/// A number with its noun.
pub fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
