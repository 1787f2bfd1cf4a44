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
use crate::keychain::transfer::previous_issuers;
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
    if moves.from == cluster.owner.issuer {
        return Err(SetupError::IssuerUnchanged { issuer: moves.from.clone() });
    }
    let candidates: Vec<Owner> = owners(standing).into_iter().filter(|owner| owner.issuer == moves.from).collect();
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
        None => {
            let source = ChainError::NotMoved { old: moves.from.clone(), owners: candidates };
            Err(SetupError::Chain { mount: input.mount.clone(), source })
        }
    }
}

/// A cluster's issuers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuers {
    /// The one that it moves from.
    old: String,
    /// All that it had.
    had: Vec<String>,
    /// The one that it has.
    new: String,
}

impl Issuers {
    /// The issuers of a role that it accepts when the new one is added; `None` for a role
    /// that is not the cluster's alone, or whose claims are more than exact strings.
    fn added(&self, role: &Document) -> Option<Vec<String>> {
        let text = |field: &str| role.get(field).and_then(Value::as_str);
        let pointer = role.get("bound_claims").is_some_and(|claims| claims.get("/iss").is_some());
        if text("role_type") == Some("oidc") || text("bound_claims_type") == Some("glob") || pointer {
            return None;
        }
        let mut bound = bound_issuers(role);
        let its = |issuer: &String| self.had.contains(issuer) || *issuer == self.new;
        if !bound.contains(&self.old) || !bound.iter().all(its) {
            return None;
        }
        if !bound.contains(&self.new) {
            bound.push(self.new.clone());
        }
        Some(bound)
    }

    /// What becomes of a role, as it is now.
    pub fn plan(&self, name: &str, role: &Document) -> Option<RolePlan> {
        let document = with_issuers(role, &self.added(role)?);
        let changes = changed_fields(role, &document);
        Some(RolePlan {
            name: name.to_owned(),
            exists: true,
            write: !changes.is_empty(),
            document,
            changes,
            before: Some(role.clone()),
            accounts: accounts(role),
            issuers: Some(self.clone()),
        })
    }
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
    let standing = elements(jwt.config.document.as_ref());
    let mut had = previous_issuers(&standing, jwt.from.as_ref().unwrap_or(&cluster.owner));
    had.push(old.clone());
    let issuers = Issuers { old: old.clone(), had, new: new.clone() };
    if moves.all_roles {
        let is_other = |owner: &Owner| Some(owner) != jwt.from.as_ref() && owner.issuer == *old;
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
