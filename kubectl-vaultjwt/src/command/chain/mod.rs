//! What has to become of a mount's configuration so that the keys of one or
//! more clusters are right on it: one document, however many clusters. Pure.
//!
//! `admission` decides who may be put on a mount that serves others, `grounds` is
//! what a change rests on, `limits` what Vault can hold, `error` says why a cluster
//! is left out.

pub mod admission;
pub mod error;
pub mod grounds;
mod hint;
pub mod limits;
pub mod roles;

pub use admission::{Allowances, Roles};
pub use error::ChainError;
pub use grounds::{Change, Grounds};
pub use roles::roles;

use crate::issuer::Resolved;
use crate::keychain::Owner;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::keychain::element::{Element, Mark};
use crate::keychain::evidence::{Form, Reached};
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key::KeyId;
use crate::keychain::others::Others;
use crate::keychain::plan::{ChainPlan, Copy};
use crate::keychain::recent::Recent;
use crate::keychain::refresh::{Policy, Refresh};
use crate::keychain::transfer::transferred;
use crate::shell::word;
use crate::vault::Document;
use crate::vault::config::{ConfigConflict, Standing, StaticKeys};
use jiff::Timestamp;
use shared::text::one_line;
use std::collections::BTreeSet;

/// One cluster whose keys are to be right.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Its issuer, owner and keys.
    pub cluster: &'a Resolved,
    /// Its name for people.
    pub name: &'a str,
    /// Whether it may be put on the mount where it is not on it.
    pub enrol: bool,
    /// What a change of its keys rests on.
    pub grounds: &'a Grounds,
    /// Its last polls, where there were several.
    pub recent: Option<&'a Recent>,
}

impl<'a> Member<'a> {
    /// What its keys are to be refreshed by.
    fn refresh(&self, now: Timestamp, policy: Policy) -> Refresh<'a> {
        Refresh {
            owner: &self.cluster.owner,
            published: &self.cluster.keys.keys,
            cluster: self.name,
            now,
            signer: self.grounds.signer,
            recent: self.recent,
            proof: self.grounds.proof,
            record: &self.grounds.record,
            adoptable: &self.grounds.adoptable,
            unconfirmed: &self.grounds.unconfirmed,
            absence: self.grounds.absence(),
            policy,
        }
    }

    /// What would become of its keys, whether that is allowed or not: evidence is
    /// gathered only for what changes.
    pub fn outlook(&self, standing: &[Element], now: Timestamp, policy: Policy) -> Result<ChainPlan, ChainError> {
        Ok(ChainPlan::make(standing, &self.refresh(now, policy))?)
    }
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
    /// Whether a cluster may publish none of the keys that stand as its own.
    pub replace_keys: bool,
}

/// The configuration as it should be.
#[derive(Clone, Debug)]
pub struct MountPlan {
    /// The full document.
    pub document: Document,
    /// Whether it has to be written.
    pub write: bool,
    /// How many keys are on the mount then.
    pub keys: usize,
    /// What happens to each member's keys, or why nothing does; in the order
    /// of the members. (The lists are left out: `document` has the last.)
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
        let config = StaticKeys::read(standing.document)?;
        let (elements, algorithms) = (config.elements(), Vec::new());
        let mut draft = Draft { elements, config, algorithms, served: false, told: Vec::new() };
        let members: Vec<_> = members.iter().map(|member| draft.serve(standing.now, member, terms, roles)).collect();
        let keys = draft.elements.len();
        let mut told = draft.told;
        // Nobody was served: what stands there stays, whatever it is.
        let document = if draft.served {
            draft.config.with(&draft.elements, &draft.algorithms)
        } else {
            standing.document.cloned().unwrap_or_default()
        };
        let write = draft.served && !StaticKeys::same(standing.document, &document);
        told.extend(limits::warnings(&document));
        Ok(Self { document, write, keys, members, warnings: told })
    }
}

/// The configuration while one member after the other is served.
struct Draft {
    config: StaticKeys,
    elements: Vec<Element>,
    /// What the tokens of the members served carry.
    algorithms: Vec<String>,
    served: bool,
    /// What is allowed but should be known.
    told: Vec<String>,
}

impl Draft {
    /// Makes one more member's keys right, and says what happens to each; or
    /// leaves all as it is, and says why.
    fn serve(
        &mut self,
        now: Timestamp,
        member: &Member<'_>,
        terms: &Terms,
        roles: &Roles,
    ) -> Result<ChainPlan, ChainError> {
        let owner = &member.cluster.owner;
        let grounds = member.grounds;
        let from = grounds.from.as_ref().filter(|from| self.elements.iter().any(|element| element.is_of(from)));
        let Some(from) = from else { return self.refresh(now, member, terms, roles, None) };
        grounds.check_transfer(member.cluster, member.name, &self.elements, from, terms.replace_keys)?;
        let with_new_owner = transferred(&self.elements, from, owner);
        let standing = std::mem::replace(&mut self.elements, with_new_owner);
        let served = self.refresh(now, member, terms, roles, Some(from));
        if served.is_err() {
            self.elements = standing;
        }
        served
    }

    /// The same, once the keys of the owner `from` are this one's.
    fn refresh(
        &mut self,
        now: Timestamp,
        member: &Member<'_>,
        terms: &Terms,
        roles: &Roles,
        from: Option<&Owner>,
    ) -> Result<ChainPlan, ChainError> {
        let owner = &member.cluster.owner;
        let enrolled = self.elements.iter().any(|element| element.is_of(owner));
        if !enrolled {
            admission::refuse_moved(member.cluster, member.name, &self.elements, member.grounds)?;
        }
        if !enrolled && !member.enrol {
            return Err(match self.unmarked(member.cluster) {
                0 => ChainError::NotEnrolled { owner: owner.clone() },
                keys => ChainError::Unmarked { owner: owner.clone(), keys },
            });
        }
        admission::refuse_discontinuity(member.cluster, member.name, &self.elements, terms.replace_keys)?;
        // Over a recorded direct way it is the cluster, whatever it signs with.
        let is_itself = member.grounds.evidence.reached == Reached::Direct && !member.grounds.confirmed;
        let newcomer = !enrolled || (!is_itself && admission::is_discontinuous(member.cluster, &self.elements));
        let bound = self.config.bound_issuer().filter(|bound| *bound != owner.issuer).map(str::to_owned);
        if let Some(bound) = bound.clone().filter(|_| !terms.clear_bound_issuer) {
            return Err(ChainError::BoundIssuer { bound });
        }
        let grounds = member.grounds;
        let refresh = member.refresh(now, terms.policy);
        let mut chain = ChainPlan::make(&self.elements, &refresh)?;
        chain.from = from.cloned();
        if enrolled {
            grounds.check(member.cluster, member.name, &self.elements, Change::of(&chain))?;
        }
        if !chain.elements.iter().any(|element| element.is_of(owner)) {
            // Its keys would be trusted, and nobody would ever refresh them.
            return Err(ChainError::Unmarked { owner: owner.clone(), keys: self.unmarked(member.cluster) });
        }
        let others = Others::of(&self.elements, owner, refresh.published, &grounds.adoptable);
        if newcomer {
            admission::newcomer(owner, &others, &terms.allow, roles)?;
        } else {
            if let Some(from) = from.filter(|from| from.issuer != owner.issuer) {
                admission::moved(owner, from, &others, &terms.allow, roles)?;
            }
            if bound.is_some() && others.any() {
                // Who was shut out by a bound issuer is let in by clearing it.
                admission::beside(owner, &others, &terms.allow, roles)?;
            }
        }
        if chain.changes() {
            limits::check(&chain.elements, self.elements.len(), &self.config)?;
        }
        if bound.is_some() {
            self.config.clear_bound_issuer();
        }
        self.told.extend(chain.copies.iter().map(|copy| copied(copy, owner)));
        self.told.extend(waiting(&chain, member.cluster));
        if enrolled && !grounds.evidence.recorded && chain.recorded.is_empty() && grounds::form(owner) != Form::Managed
        {
            self.told.push(format!(
                "no way to {owner} is recorded on the mount: its keys stay and are not changed before you run: \
                 kubectl vaultjwt setup --context {}",
                word(member.name)
            ));
        }
        self.elements = std::mem::take(&mut chain.elements);
        let added = |published: &&PublishedKey| {
            let withheld = |step: &KeyStep| {
                step.id == published.key.id() && matches!(step.action, KeyAction::Withhold | KeyAction::Wait)
            };
            !chain.steps.iter().any(withheld)
        };
        self.algorithms.extend(member.cluster.keys.keys.iter().filter(added).flat_map(PublishedKey::algorithms));
        self.served = true;
        Ok(chain)
    }

    /// How many keys that a cluster publishes stand there without a mark.
    fn unmarked(&self, cluster: &Resolved) -> usize {
        let ids: BTreeSet<KeyId> = cluster.keys.keys.iter().map(|published| published.key.id()).collect();
        let unmarked =
            |element: &&Element| element.mark == Mark::None && element.id().is_some_and(|id| ids.contains(&id));
        self.elements.iter().filter(unmarked).count()
    }
}

/// A public key that two owners publish.
fn copied(copy: &Copy, owner: &Owner) -> String {
    let key = one_line(&copy.kid.clone().unwrap_or_else(|| copy.id.to_string()));
    let other = &copy.other;
    if copy.both {
        format!(
            "key \"{key}\" belongs to both {owner} and {other}: one cluster is a copy of the other, and each can act as the other"
        )
    } else {
        format!(
            "key \"{key}\" of {owner} is not added: it belongs to {other}, and nothing verifies that {owner} has its private key"
        )
    }
}

/// Keys that only the issuer's URL publishes.
fn waiting(chain: &ChainPlan, cluster: &Resolved) -> Option<String> {
    let name = |step: &KeyStep| one_line(&step.kid.clone().unwrap_or_else(|| step.id.to_string()));
    let waiting = chain.steps.iter().filter(|step| step.action == KeyAction::Wait);
    let names: Vec<String> = waiting.map(|step| format!("\"{}\"", name(step))).collect();
    let (keys, are) = match &names[..] {
        [] => return None,
        [one] => (format!("key {one}"), "is"),
        many => (format!("keys {}", many.join(", ")), "are"),
    };
    let url = one_line(cluster.keys_url.as_deref().unwrap_or_default());
    Some(match &cluster.no_witness {
        Some(why) => format!(
            "{keys} at \"{url}\" {are} not added: the API server's key set could not be read, which the ClusterRole \
             system:service-account-issuer-discovery allows: {why}"
        ),
        None => format!(
            "{keys} at \"{url}\" {are} not added: this API server does not publish {}, and another cluster that uses the \
             same issuer could log in with this cluster's roles",
            if are == "is" { "it" } else { "them" }
        ),
    })
}

/// The owners on a mount, each once.
pub fn owners(elements: &[Element]) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    for mark in elements.iter().filter_map(Element::provenance) {
        if !owners.contains(&mark.owner) {
            owners.push(mark.owner.clone());
        }
    }
    owners
}

/// The elements of a configuration, whatever else it is.
pub fn elements(document: Option<&Document>) -> Vec<Element> {
    let keys = document.and_then(|d| d.get(crate::vault::config::KEYS)).and_then(|keys| keys.as_array());
    keys.into_iter().flatten().filter_map(|key| key.as_str()).map(Element::read).collect()
}

#[cfg(test)]
mod tests;
