//! The owner that a cluster was before its issuer, or the place that its keys are read at,
//! changed, and the roles that follow it.

use crate::command::mount::{EnrollmentError, Roles, elements, owners};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{MoveInput, SetupInput, SetupPorts};
use crate::command::setup::role_plan::{Issuers, LeftRole, RolePlan};
use crate::command::setup::state::MountState;
use crate::issuer::{IssuerError, Resolved};
use crate::keychain::Owner;
use crate::keychain::element::{MountKey, authorities, previous_issuers};
use crate::keychain::evidence::Reached;
use crate::vault::mount::fit::fit;

/// The owner on the mount whose keys become this cluster's; `None` where nothing changes but
/// the keys. The connection decides later what is allowed.
pub async fn from(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    standing: &[MountKey],
) -> Result<Option<Owner>, SetupError> {
    let from = match &input.moves {
        Some(moves) => moved_from(ports, input, cluster, moves, standing).await?,
        None => other_form(ports, input, cluster, standing),
    };
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    match from {
        Some(old) if enrolled => {
            Err(input.refused(EnrollmentError::MovedAlready { old, owner: cluster.owner.clone() }))
        }
        from => Ok(from),
    }
}

/// The same cluster by the other place that its keys can be read at. Who shares its issuer
/// with a cluster that is known by the issuer alone may be another one: then the connection
/// is none of that owner's.
fn other_form(ports: SetupPorts<'_>, input: &SetupInput, cluster: &Resolved, standing: &[MountKey]) -> Option<Owner> {
    input.overrides.keys_from.as_ref()?;
    let owner = cluster.standing.clone().filter(|owner| *owner != cluster.owner)?;
    let reached = ports.cluster.reached(&authorities(standing, &owner)) != Reached::Unrecorded;
    (owner.cluster_uid.is_some() || reached).then_some(owner)
}

async fn moved_from(
    ports: SetupPorts<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    moves: &MoveInput,
    standing: &[MountKey],
) -> Result<Option<Owner>, SetupError> {
    if moves.from == cluster.owner.issuer {
        return Err(SetupError::IssuerUnchanged { issuer: moves.from.clone() });
    }
    let candidates: Vec<Owner> = owners(standing).into_iter().filter(|owner| owner.issuer == moves.from).collect();
    let uid = match &cluster.owner.cluster_uid {
        Some(uid) => Some(uid.clone()),
        // Only where it distinguishes several.
        None if candidates.iter().all(|owner| owner.cluster_uid.is_none()) => None,
        None => match (ports.cluster.uid().await, &input.overrides.cluster_uid) {
            (Ok(uid), _) => Some(uid),
            (Err(_), Some(uid)) => Some(uid.clone()),
            (Err(error), None) => return Err(IssuerError::Uid(error).into()),
        },
    };
    let same = candidates.iter().find(|owner| owner.cluster_uid.is_some() && owner.cluster_uid == uid);
    // One that is known by its issuer alone is another cluster, unless this is a way to it.
    let reached = |owner: &&Owner| ports.cluster.reached(&authorities(standing, owner)) != Reached::Unrecorded;
    let by_issuer = candidates.iter().filter(|owner| owner.cluster_uid.is_none());
    if let Some(same) = same.or(by_issuer.clone().find(reached)) {
        return Ok(Some(same.clone()));
    }
    // Its keys were moved before; roles may be left.
    if previous_issuers(standing, &cluster.owner).contains(&moves.from) {
        return Ok(None);
    }
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    match by_issuer.clone().next().filter(|_| !enrolled) {
        // It may be, over a way that is not recorded.
        Some(owner) => Ok(Some(owner.clone())),
        None => Err(input.refused(EnrollmentError::NotMoved { old: moves.from.clone(), owners: candidates })),
    }
}

/// The roles that accept the new issuer too, and those that stay bound to the old one.
pub fn roles(
    input: &SetupInput,
    cluster: &Resolved,
    state: &MountState,
) -> Result<(Vec<RolePlan>, Vec<LeftRole>), SetupError> {
    let nothing = || Ok((Vec::new(), Vec::new()));
    let Some(moves) = input.moves.as_ref().filter(|_| state.exists) else { return nothing() };
    let found = match &state.roles {
        Roles::Read { roles, .. } => roles,
        Roles::Unreadable(why) if moves.all_roles || moves.role.is_some() => {
            return Err(input.refused(EnrollmentError::RolesUnreadable { why: why.clone() }));
        }
        Roles::Unreadable(_) | Roles::NotRead => return nothing(),
    };
    let (old, new) = (&moves.from, &cluster.owner.issuer);
    let standing = elements(state.config.document.as_ref());
    let mut had = previous_issuers(&standing, state.from.as_ref().unwrap_or(&cluster.owner));
    had.push(old.clone());
    let issuers = Issuers { old: old.clone(), had, new: new.clone() };
    if moves.all_roles {
        let is_other = |owner: &Owner| Some(owner) != state.from.as_ref() && owner.issuer == *old;
        if let Some(other) = owners(&standing).into_iter().find(is_other) {
            return Err(SetupError::RolesOfAnother { other });
        }
    }
    if let Some(name) = &moves.role {
        let (mount, role) = (input.mount.clone(), name.clone());
        match found.get(name) {
            None => return Err(SetupError::NoRole { mount, role }),
            Some(document) if issuers.added(document).is_none() => {
                return Err(SetupError::NotMovable { mount, role, old: old.clone(), new: new.clone() });
            }
            Some(_) => {}
        }
    }
    let (mut moved, mut left) = (Vec::new(), Vec::new());
    for (name, role) in found {
        let named = moves.role.as_ref() == Some(name);
        let plan = issuers.plan(name, role);
        let refuses = fit(role, old).is_some() && fit(role, new).is_none();
        match plan {
            Some(plan) if named || (moves.all_roles && plan.write) => moved.push(plan),
            plan if refuses => left.push(LeftRole { name: name.clone(), exactly: plan.is_some() }),
            _ => {}
        }
    }
    // The one that was named is tested by a login.
    moved.sort_by_key(|role| moves.role.as_ref() != Some(&role.name));
    Ok((moved, left))
}
