//! The owner that a cluster was before its issuer, or the place that its keys are read at,
//! changed, and the roles that follow it.

use super::Ports;
use super::error::SetupError;
use super::input::{MoveInput, SetupInput};
use super::observe::MountState;
use super::plan::{LeftRole, RolePlan};
use crate::cluster::ServiceAccount;
use crate::command::chain::{ChainError, Roles, elements, owners};
use crate::issuer::{IssuerError, Resolved};
use crate::keychain::Owner;
use crate::keychain::element::Element;
use crate::keychain::element::authorities;
use crate::keychain::evidence::Reached;
use crate::vault::Document;
use crate::vault::fit::fit;
use crate::vault::role::{bound_issuers, changed_fields, with_issuers};
use serde_json::Value;

/// The owner on the mount whose keys become this cluster's; `None` where nothing changes
/// but the keys. What may be done is decided by the connection, later.
pub async fn from(
    ports: Ports<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    standing: &[Element],
) -> Result<Option<Owner>, SetupError> {
    let from = match &input.moves {
        Some(moves) => moved_from(ports, input, cluster, moves, standing).await?,
        None => other_form(ports, input, cluster, standing),
    };
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    match from {
        Some(old) if enrolled => {
            let source = ChainError::MovedAlready { old, owner: cluster.owner.clone() };
            Err(SetupError::Chain { mount: input.mount.clone(), source })
        }
        from => Ok(from),
    }
}

/// The same cluster by the other place that its keys can be read at. Who shares its issuer
/// with a cluster that is known by the issuer alone may be another one: then the connection
/// is none of that owner's.
fn other_form(ports: Ports<'_>, input: &SetupInput, cluster: &Resolved, standing: &[Element]) -> Option<Owner> {
    input.wishes.keys_from.as_ref()?;
    let owner = cluster.standing.clone().filter(|owner| *owner != cluster.owner)?;
    let reached = ports.cluster.reached(&authorities(standing, &owner)) != Reached::Unrecorded;
    (owner.cluster_uid.is_some() || reached).then_some(owner)
}

async fn moved_from(
    ports: Ports<'_>,
    input: &SetupInput,
    cluster: &Resolved,
    moves: &MoveInput,
    standing: &[Element],
) -> Result<Option<Owner>, SetupError> {
    let old = |owner: &Owner| owner.issuer == moves.from && moves.from != cluster.owner.issuer;
    let candidates: Vec<Owner> = owners(standing).into_iter().filter(old).collect();
    let uid = match &cluster.owner.cluster_uid {
        Some(uid) => Some(uid.clone()),
        // Only where it tells several apart.
        None if candidates.iter().all(|owner| owner.cluster_uid.is_none()) => None,
        None => match (ports.cluster.uid().await, &input.wishes.cluster_uid) {
            (Ok(uid), _) => Some(uid),
            (Err(_), Some(uid)) => Some(uid.clone()),
            (Err(error), None) => return Err(IssuerError::Uid(error).into()),
        },
    };
    let same = candidates.iter().find(|owner| owner.cluster_uid.is_some() && owner.cluster_uid == uid);
    if let Some(same) = same.or(candidates.iter().find(|owner| owner.cluster_uid.is_none())) {
        return Ok(Some(same.clone()));
    }
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    if enrolled && moves.from != cluster.owner.issuer {
        // Its keys were moved before; roles may be left.
        return Ok(None);
    }
    let source = ChainError::NotMoved { old: moves.from.clone(), owners: candidates };
    Err(SetupError::Chain { mount: input.mount.clone(), source })
}

/// The roles that accept the new issuer too, and those that stay bound to the old one.
pub fn roles(
    input: &SetupInput,
    cluster: &Resolved,
    state: &MountState,
) -> Result<(Vec<RolePlan>, Vec<LeftRole>), SetupError> {
    let (Some(moves), MountState::Jwt(jwt)) = (&input.moves, state) else { return Ok((Vec::new(), Vec::new())) };
    let found = match &jwt.roles {
        Roles::Read { roles, .. } => roles,
        Roles::Unreadable(why) if moves.all_roles || moves.role.is_some() => {
            let source = ChainError::RolesUnreadable { why: why.clone() };
            return Err(SetupError::Chain { mount: input.mount.clone(), source });
        }
        Roles::Unreadable(_) | Roles::NotRead => return Ok((Vec::new(), Vec::new())),
    };
    let (old, new) = (&moves.from, &cluster.owner.issuer);
    let both = [old.clone(), new.clone()];
    let is_jwt = |role: &Document| role.get("role_type").and_then(Value::as_str) != Some("oidc");
    let exactly = |role: &Document| is_jwt(role) && bound_issuers(role) == [old.clone()];
    let done = |role: &Document| is_jwt(role) && bound_issuers(role) == both;
    if moves.all_roles {
        let standing = elements(jwt.config.document.as_ref());
        let is_other = |owner: &Owner| Some(owner) != jwt.from.as_ref() && owner.issuer == *old;
        if let Some(other) = owners(&standing).into_iter().find(is_other) {
            return Err(SetupError::RolesOfAnother { other });
        }
    }
    if let Some(name) = &moves.role {
        let (mount, role) = (input.mount.clone(), name.clone());
        match found.get(name) {
            None => return Err(SetupError::NoRole { mount, role }),
            Some(document) if !exactly(document) && !done(document) => {
                return Err(SetupError::NotMovable { mount, role, old: old.clone(), new: new.clone() });
            }
            Some(_) => {}
        }
    }
    let (mut moved, mut left) = (Vec::new(), Vec::new());
    for (name, role) in found {
        let named = moves.role.as_ref() == Some(name);
        if (exactly(role) && (named || moves.all_roles)) || (named && done(role)) {
            let document = with_issuers(role, &both);
            let changes = changed_fields(role, &document);
            let (write, accounts) = (!done(role), accounts(role));
            let (name, before) = (name.clone(), Some(role.clone()));
            moved.push(RolePlan { name, exists: true, document, write, changes, before, accounts });
        } else if is_jwt(role) && fit(role, old).is_some() && fit(role, new).is_none() {
            left.push(LeftRole { name: name.clone(), exactly: exactly(role) });
        }
    }
    // The one that was named is tested by a login.
    moved.sort_by_key(|role| moves.role.as_ref() != Some(&role.name));
    Ok((moved, left))
}

/// The service accounts that a role is bound to.
fn accounts(role: &Document) -> Vec<ServiceAccount> {
    let subjects = role.get("bound_claims").and_then(|claims| claims.get("sub"));
    let subjects = match subjects {
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let account = |subject: &str| {
        let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        let plain =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        let ok = plain(namespace) && plain(name);
        ok.then(|| ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() })
    };
    subjects.into_iter().filter_map(account).collect()
}
