//! What has to become of a mount's configuration so that the keys of one or
//! more clusters are right on it: one document, however many clusters. Pure.
//!
//! `admission` decides who may be put on a mount that serves others, `limits`
//! what Vault can hold, `error` says why a cluster is left out.

pub mod admission;
pub mod error;
pub mod limits;
pub mod roles;

pub use admission::{Allowances, Roles};
pub use error::ChainError;
pub use roles::roles;

use crate::issuer::Resolved;
use crate::keychain::element::Element;
use crate::keychain::key::KeyId;
use crate::keychain::plan::{ChainPlan, KeyAction, Policy, Refresh};
use crate::vault::Document;
use crate::vault::config::{ConfigConflict, Standing, StaticKeys};
use jiff::Timestamp;

/// One cluster whose keys are to be right.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its issuer, owner and keys.
    pub cluster: &'a Resolved,
    /// Its name for people.
    pub name: &'a str,
    /// Whether it may be put on the mount where it is not on it.
    pub enrol: bool,
    /// The key that signed a token it just issued, where one was asked for.
    pub signer: Option<KeyId>,
}

/// What the user decides for all clusters of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// About keys.
    pub policy: Policy,
    /// About who may share the mount.
    pub allow: Allowances,
    /// Whether a `bound_issuer` that keeps a cluster out is cleared.
    pub clear_bound_issuer: bool,
}

/// The configuration as it should be.
#[derive(Clone, Debug)]
pub struct MountPlan {
    /// The full document.
    pub document: Document,
    /// Whether it has to be written.
    pub write: bool,
    /// What happens to each member's keys, or why nothing does; in the order
    /// of the members.
    pub members: Vec<Result<ChainPlan, ChainError>>,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
}

impl MountPlan {
    /// Decides. A member that cannot be served leaves the others alone; what
    /// forbids to write the mount at all is an error.
    pub fn make(
        standing: Standing<'_>,
        members: &[Member<'_>],
        terms: &Terms,
        roles: &Roles,
    ) -> Result<Self, ConfigConflict> {
        let mut document = standing.document.cloned();
        let mut outcomes = Vec::with_capacity(members.len());
        for member in members {
            let config = StaticKeys::read(document.as_ref())?;
            match one(config, standing.now, member, terms, roles) {
                Ok((next, chain)) => {
                    if next.is_some() {
                        document = next;
                    }
                    outcomes.push(Ok(chain));
                }
                Err(why) => outcomes.push(Err(why)),
            }
        }
        // Nobody was served: what stands there stays, whatever it is.
        StaticKeys::read(document.as_ref())?;
        let document = document.unwrap_or_default();
        let write = !document.is_empty() && !StaticKeys::same(standing.document, &document);
        let warnings = limits::warnings(&document);
        Ok(Self { document, write, members: outcomes, warnings })
    }
}

/// The document with one more member's keys right, `None` where it stays; and
/// what happens to each of its keys.
fn one(
    mut config: StaticKeys,
    now: Timestamp,
    member: &Member<'_>,
    terms: &Terms,
    roles: &Roles,
) -> Result<(Option<Document>, ChainPlan), ChainError> {
    let owner = &member.cluster.owner;
    let elements = config.elements();
    let enrolled = elements.iter().any(|element| element.is_of(owner));
    admission::refuse_other_form(member.cluster, &elements)?;
    if !enrolled && !member.enrol {
        return Err(ChainError::NotEnrolled { owner: owner.clone() });
    }
    match config.bound_issuer() {
        Some(bound) if bound != owner.issuer && terms.clear_bound_issuer => config.clear_bound_issuer(),
        Some(bound) if bound != owner.issuer => return Err(ChainError::BoundIssuer { bound: bound.to_owned() }),
        _ => {}
    }
    let refresh = Refresh {
        owner,
        published: &member.cluster.keys.keys,
        cluster: member.name,
        now,
        signer: member.signer,
        policy: terms.policy,
    };
    let chain = ChainPlan::make(&elements, &refresh)?;
    if !enrolled && chain.others.any() {
        admission::check(owner, &chain.others, &terms.allow, roles)?;
    }
    let document = config.with(&chain.elements, &member.cluster.keys.algorithms());
    if chain.count(KeyAction::Add) > 0 {
        limits::check(&chain.elements, &document)?;
    }
    Ok((Some(document), chain))
}

/// The elements of a configuration, whatever else it is.
pub fn elements(document: Option<&Document>) -> Vec<Element> {
    let keys = document.and_then(|d| d.get(crate::vault::config::KEYS)).and_then(|keys| keys.as_array());
    keys.into_iter().flatten().filter_map(|key| key.as_str()).map(Element::read).collect()
}

#[cfg(test)]
mod tests;
