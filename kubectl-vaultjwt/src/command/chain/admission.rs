//! Owns who may be put on a mount: beside others, and in front of roles that
//! exist already.
//!
//! Trust is per mount, not per key: any key of a mount can sign any `iss`. So
//! a second owner changes what every role of the mount means, and who can
//! sign for it. Roles carry no owner: one that a removed cluster left behind
//! accepts the tokens of the next cluster with the same issuer. Pure.

use super::error::ChainError;
use super::grounds::Grounds;
use crate::issuer::{Resolved, is_managed};
use crate::keychain::Owner;
use crate::keychain::element::Element;
use crate::keychain::evidence::Reached;
use crate::keychain::others::Others;
use crate::keychain::provenance::Provenance;
use crate::vault::Document;
use crate::vault::fit::{Fit, fit};
use crate::vault::role::takes_any_issuer;
use std::collections::BTreeMap;

/// What the user takes upon himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// `--same-trust-domain`
    pub same_trust_domain: bool,
    /// `--allow-same-issuer`
    pub same_issuer: bool,
    /// `--allow-unbound-roles`
    pub unbound_roles: bool,
    /// `--allow-existing-roles`
    pub existing_roles: bool,
}

impl Allowances {
    /// Whether no role can keep a newcomer out, so that none has to be read.
    pub fn any_role(&self) -> bool {
        self.unbound_roles && self.existing_roles
    }
}

/// What is known about the mount's roles.
#[derive(Clone, Debug, PartialEq)]
pub enum Roles {
    /// There was no reason to read them.
    NotRead,
    /// They could not be read.
    Unreadable(String),
    /// All of them.
    Read {
        /// By name.
        roles: BTreeMap<String, Document>,
        /// `OpenBao`'s CEL roles, by name: programs that decide themselves
        /// whom they let in.
        cel: Vec<String>,
    },
}

impl Roles {
    /// A mount without roles.
    pub fn none() -> Self {
        Self::Read { roles: BTreeMap::new(), cel: Vec::new() }
    }
}

/// Refuses a newcomer, unless the user allows what it brings: a place among
/// `others`, and the roles that accept its tokens.
pub fn newcomer(owner: &Owner, others: &Others, allow: &Allowances, roles: &Roles) -> Result<(), ChainError> {
    if others.any() {
        beside(owner, others, allow, roles)?;
    }
    existing(owner, others, allow, roles)
}

/// Refuses a newcomer in front of roles that accept its tokens. Beside others,
/// `--allow-unbound-roles` has decided on those that are bound to no issuer.
fn existing(owner: &Owner, others: &Others, allow: &Allowances, roles: &Roles) -> Result<(), ChainError> {
    if allow.existing_roles {
        return Ok(());
    }
    let (roles, cel) = read(roles)?;
    let decided = |role: &Document| others.any() && takes_any_issuer(role);
    let fitting: BTreeMap<String, Fit> = roles
        .iter()
        .filter(|(_, role)| !decided(role))
        .filter_map(|(name, role)| Some((name.clone(), fit(role, &owner.issuer)?)))
        .collect();
    let cel = if others.any() { Vec::new() } else { cel.to_vec() };
    if fitting.is_empty() && cel.is_empty() {
        return Ok(());
    }
    Err(ChainError::ExistingRoles { roles: fitting, cel, issuer: owner.issuer.clone() })
}

/// Refuses `owner` a place among `others`, unless the user allows it.
pub fn beside(owner: &Owner, others: &Others, allow: &Allowances, roles: &Roles) -> Result<(), ChainError> {
    // The same issuer is the worst case: roles cannot tell the two apart.
    if let Some(other) = others.owners.iter().find(|other| other.issuer == owner.issuer)
        && !allow.same_issuer
    {
        return Err(ChainError::SameIssuer { other: other.clone() });
    }
    // Owners of a managed cluster cannot sign tokens of their own making;
    // whoever runs an API server can, and nobody knows who put unmarked keys there.
    let managed = |owner: &Owner| owner.cluster_uid.is_none() && is_managed(&owner.issuer);
    let known = others.unmarked == 0 && others.unreadable == 0;
    let barrier = managed(owner) && known && others.owners.iter().all(managed);
    if !barrier && !allow.same_trust_domain {
        return Err(ChainError::TrustDomain { others: others.clone(), owner: owner.clone() });
    }
    if allow.unbound_roles {
        return Ok(());
    }
    let (roles, cel) = read(roles)?;
    let unbound: BTreeMap<String, Document> = roles
        .iter()
        .filter(|(_, role)| takes_any_issuer(role))
        .map(|(name, role)| (name.clone(), role.clone()))
        .collect();
    if unbound.is_empty() && cel.is_empty() {
        return Ok(());
    }
    let theirs = match &others.owners[..] {
        [only] if known => Some(only.issuer.clone()),
        _ => None,
    };
    Err(ChainError::UnboundRoles { roles: unbound, cel: cel.to_vec(), issuer: theirs })
}

/// Refuses to enroll a cluster that is on the mount under another issuer: it is reached
/// over a recorded way of that owner, which either has the same UID or is the only one that
/// the way stands for. A copy of a cluster that was given an issuer and a certificate
/// authority of its own is reached by another way, and is a newcomer.
pub fn refuse_moved(cluster: &Resolved, name: &str, elements: &[Element], grounds: &Grounds) -> Result<(), ChainError> {
    let (owner, Some(way)) = (&cluster.owner, &grounds.way) else { return Ok(()) };
    let is_this = |mark: &&Provenance| {
        let same_uid = owner.cluster_uid.is_some() && mark.owner.cluster_uid == owner.cluster_uid;
        let unknown = owner.cluster_uid.is_none() || mark.owner.cluster_uid.is_none();
        let itself = same_uid || (unknown && way.reached() == Reached::Direct);
        mark.owner.issuer != owner.issuer && itself && mark.authorities.contains(way)
    };
    match elements.iter().filter_map(Element::provenance).find(is_this) {
        Some(mark) => Err(ChainError::Moved {
            context: name.to_owned(),
            enrolled: mark.cluster.clone(),
            old: mark.owner.clone(),
            owner: owner.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses an enrolled cluster its new issuer, unless the user allows what is new by it: a
/// cluster that has this issuer already, and roles that accept the new issuer's tokens, but
/// not the old one's.
pub fn moved(
    owner: &Owner,
    from: &Owner,
    others: &Others,
    allow: &Allowances,
    roles: &Roles,
) -> Result<(), ChainError> {
    let same_issuer = others.owners.iter().find(|other| other.issuer == owner.issuer);
    if let Some(other) = same_issuer.filter(|_| !allow.same_issuer) {
        return Err(ChainError::SameIssuer { other: other.clone() });
    }
    // Those beside it shared the mount with a cluster whose provider holds the keys.
    let managed = |owner: &Owner| owner.cluster_uid.is_none() && is_managed(&owner.issuer);
    if others.any() && managed(from) && !managed(owner) && !allow.same_trust_domain {
        return Err(ChainError::TrustDomain { others: others.clone(), owner: owner.clone() });
    }
    if allow.existing_roles {
        return Ok(());
    }
    let (roles, cel) = read(roles)?;
    let fitting: BTreeMap<String, Fit> = roles
        .iter()
        .filter(|(_, role)| fit(role, &from.issuer).is_none())
        .filter_map(|(name, role)| Some((name.clone(), fit(role, &owner.issuer)?)))
        .collect();
    if fitting.is_empty() && cel.is_empty() {
        return Ok(());
    }
    Err(ChainError::ExistingRoles { roles: fitting, cel: cel.to_vec(), issuer: owner.issuer.clone() })
}

/// The roles, or why they are not known.
fn read(roles: &Roles) -> Result<(&BTreeMap<String, Document>, &[String]), ChainError> {
    match roles {
        Roles::NotRead => Err(ChainError::Meanwhile),
        Roles::Unreadable(why) => Err(ChainError::RolesUnreadable { why: why.clone() }),
        Roles::Read { roles, cel } => Ok((roles, cel.as_slice())),
    }
}

/// A cluster that cannot be told by its issuer's own site is told by its UID,
/// which a restored backup shares with the cluster it was made of. Its keys tell
/// the two apart: a rotation publishes old and new together, for a while at
/// least.
pub fn refuse_discontinuity(
    cluster: &Resolved,
    name: &str,
    elements: &[Element],
    replace_keys: bool,
) -> Result<(), ChainError> {
    if replace_keys || !is_discontinuous(cluster, elements) {
        return Ok(());
    }
    Err(ChainError::Discontinuity { context: name.to_owned(), owner: cluster.owner.clone() })
}

/// Whether a cluster that is told by its UID publishes none of the keys that
/// stand as its own. It may be another one, so it is a newcomer again.
pub fn is_discontinuous(cluster: &Resolved, elements: &[Element]) -> bool {
    let owner = &cluster.owner;
    let enrolled = elements.iter().any(|element| element.is_of(owner));
    owner.cluster_uid.is_some() && enrolled && !continues(cluster, elements)
}

/// Whether a cluster publishes at least one of the keys that stand for its owner.
fn continues(cluster: &Resolved, elements: &[Element]) -> bool {
    let published = |element: &&Element| cluster.keys.keys.iter().any(|key| Some(key.key.id()) == element.id());
    elements.iter().filter(|element| element.is_of(&cluster.owner)).any(|element| published(&element))
}
