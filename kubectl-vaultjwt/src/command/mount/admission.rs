//! Decides which clusters can be enrolled on a mount: beside other clusters, and in front
//! of roles that already exist.
//!
//! Trust is per mount, not per key: any key of a mount can sign any `iss`. So a second
//! owner changes what every role of the mount means, and which signers it accepts. Roles
//! carry no owner: one that a removed cluster left behind accepts the tokens of the next
//! cluster with the same issuer. Pure.

use crate::command::mount::error::{Claim, EnrollmentError};
use crate::command::mount::grounds::{Grounds, form};
use crate::issuer::Resolved;
use crate::keychain::Owner;
use crate::keychain::element::MountKey;
use crate::keychain::evidence::{Form, Reached};
use crate::keychain::others::Others;
use crate::keychain::provenance::Provenance;
use crate::vault::Document;
use crate::vault::mount::fit::{Fit, fit};
use crate::vault::mount::role::takes_any_issuer;
use std::collections::BTreeMap;

/// The risks that the user accepts by flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharingConsent {
    pub same_trust_domain: bool,
    /// `--allow-same-issuer`
    pub same_issuer: bool,
    /// `--allow-unbound-roles`
    pub unbound_roles: bool,
    /// `--allow-existing-roles`
    pub existing_roles: bool,
}

impl SharingConsent {
    /// Whether no role can exclude a new cluster, so that none has to be read.
    pub fn any_role(&self) -> bool {
        self.unbound_roles && self.existing_roles
    }
}

/// What is known about the mount's roles.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Roles {
    /// There was no reason to read them.
    #[default]
    NotRead,
    Unreadable(String),
    Read {
        roles: BTreeMap<String, Document>,
        /// `OpenBao`'s CEL roles, by name: programs that decide themselves
        /// whose tokens they accept.
        cel: Vec<String>,
    },
}

impl Roles {
    /// A mount without roles.
    pub fn none() -> Self {
        Self::Read { roles: BTreeMap::new(), cel: Vec::new() }
    }

    /// The roles and the CEL roles, or why they are not known.
    fn read(&self) -> Result<(&BTreeMap<String, Document>, &[String]), EnrollmentError> {
        match self {
            Self::NotRead => Err(EnrollmentError::Meanwhile),
            Self::Unreadable(why) => Err(EnrollmentError::RolesUnreadable { why: why.clone() }),
            Self::Read { roles, cel } => Ok((roles, cel)),
        }
    }
}

/// Refuses a new cluster, unless the user allows what it brings: a place among
/// `others`, and the roles that accept its tokens.
pub fn new_cluster(
    owner: &Owner,
    others: &Others,
    allow: &SharingConsent,
    roles: &Roles,
) -> Result<(), EnrollmentError> {
    if others.any() {
        beside(owner, others, allow, roles)?;
    }
    // Beside others, `--allow-unbound-roles` has decided on those that are bound to no issuer.
    let decided = |role: &Document| others.any() && takes_any_issuer(role);
    refuse_fitting(owner, allow, roles, decided, others.any())
}

/// Refuses `owner` in front of roles that accept its tokens, but for those that were decided on.
fn refuse_fitting(
    owner: &Owner,
    allow: &SharingConsent,
    roles: &Roles,
    decided: impl Fn(&Document) -> bool,
    cel_decided: bool,
) -> Result<(), EnrollmentError> {
    if allow.existing_roles {
        return Ok(());
    }
    let (roles, cel) = roles.read()?;
    let fitting: BTreeMap<String, Fit> = roles
        .iter()
        .filter(|(_, role)| !decided(role))
        .filter_map(|(name, role)| Some((name.clone(), fit(role, &owner.issuer)?)))
        .collect();
    let cel = if cel_decided { Vec::new() } else { cel.to_vec() };
    if fitting.is_empty() && cel.is_empty() {
        return Ok(());
    }
    Err(EnrollmentError::ExistingRoles { roles: fitting, cel, issuer: owner.issuer.clone() })
}

/// Refuses two clusters with one issuer: roles cannot distinguish them.
fn refuse_same_issuer(owner: &Owner, others: &Others, allow: &SharingConsent) -> Result<(), EnrollmentError> {
    match others.owners.iter().find(|other| other.issuer == owner.issuer) {
        Some(other) if !allow.same_issuer => Err(EnrollmentError::SameIssuer { other: other.clone() }),
        _ => Ok(()),
    }
}

/// Owners of a managed cluster cannot sign tokens of their own making; any operator of an
/// API server can.
fn managed(owner: &Owner) -> bool {
    form(owner) == Form::Managed
}

/// Refuses `owner` a place among `others`, unless the user allows it.
pub fn beside(owner: &Owner, others: &Others, allow: &SharingConsent, roles: &Roles) -> Result<(), EnrollmentError> {
    // The worst case.
    refuse_same_issuer(owner, others, allow)?;
    // Who added unmanaged keys is not known.
    let known = others.unmanaged == 0 && others.unreadable == 0;
    let barrier = managed(owner) && known && others.owners.iter().all(managed);
    if !barrier && !allow.same_trust_domain {
        return Err(EnrollmentError::TrustDomain { others: others.clone(), owner: owner.clone() });
    }
    if allow.unbound_roles {
        return Ok(());
    }
    let (roles, cel) = roles.read()?;
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
    Err(EnrollmentError::UnboundRoles { roles: unbound, cel: cel.to_vec(), issuer: theirs })
}

/// Refuses to enroll a cluster that is on the mount under another issuer: it is reached
/// over a recorded way of that owner, which either has the same UID or is the only one that
/// the way belongs to. A copy of a cluster that was given an issuer and a certificate
/// authority of its own is reached by another way, and is a new cluster.
pub fn refuse_moved(
    cluster: &Resolved,
    name: &str,
    elements: &[MountKey],
    grounds: &Grounds,
) -> Result<(), EnrollmentError> {
    let (owner, Some(way)) = (&cluster.owner, &grounds.way) else { return Ok(()) };
    let is_this = |mark: &&Provenance| {
        let same_uid = owner.cluster_uid.is_some() && mark.owner.cluster_uid == owner.cluster_uid;
        let unknown = owner.cluster_uid.is_none() || mark.owner.cluster_uid.is_none();
        let itself = same_uid || (unknown && way.reached() == Reached::Direct);
        mark.owner.issuer != owner.issuer && itself && mark.authorities.contains(way)
    };
    match elements.iter().filter_map(MountKey::provenance).find(is_this) {
        Some(mark) => {
            let (context, enrolled) = (name.to_owned(), mark.cluster.clone());
            let claim = Claim { context, enrolled, owner: mark.owner.clone() };
            Err(EnrollmentError::Moved { claim, issuer: owner.issuer.clone() })
        }
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
    allow: &SharingConsent,
    roles: &Roles,
) -> Result<(), EnrollmentError> {
    refuse_same_issuer(owner, others, allow)?;
    // Those beside it shared the mount with a cluster whose provider holds the keys.
    if others.any() && managed(from) && !managed(owner) && !allow.same_trust_domain {
        return Err(EnrollmentError::TrustDomain { others: others.clone(), owner: owner.clone() });
    }
    refuse_fitting(owner, allow, roles, |role| fit(role, &from.issuer).is_some(), false)
}

/// A cluster that cannot be identified by its issuer's own site is identified by its UID, which
/// a restored backup shares with the cluster it was made of. Its keys distinguish the two: a
/// rotation publishes old and new together, for a while at least.
pub fn ensure_key_continuity(
    cluster: &Resolved,
    name: &str,
    elements: &[MountKey],
    replace_keys: bool,
) -> Result<(), EnrollmentError> {
    if replace_keys || !is_discontinuous(cluster, elements) {
        return Ok(());
    }
    Err(EnrollmentError::Discontinuity { context: name.to_owned(), owner: cluster.owner.clone() })
}

/// Whether a cluster that is identified by its UID publishes none of the keys that are on the
/// mount as its own. It may be another one, so it is a new cluster again.
pub fn is_discontinuous(cluster: &Resolved, elements: &[MountKey]) -> bool {
    let mut its = elements.iter().filter(|element| element.is_of(&cluster.owner)).peekable();
    cluster.owner.cluster_uid.is_some() && its.peek().is_some() && !its.any(|element| cluster.keys.has(element.id()))
}
