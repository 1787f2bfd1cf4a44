//! Plans a mount's configuration so that the keys of one or more clusters are right on it:
//! one document, however many clusters. Pure, but for `read_roles`.
//!
//! `admission` decides which clusters can be enrolled on a mount that serves others,
//! `grounds` is what a change is based on, `limits` what Vault can hold, `read_roles` reads
//! the roles that a new cluster's tokens would be accepted by. `error` says why a cluster
//! is left out, `hint` what to do about it.

pub mod admission;
pub mod error;
pub mod grounds;
mod hint;
pub mod limits;
pub mod read_roles;

pub use admission::{Roles, SharingConsent};
pub use error::EnrollmentError;
pub use grounds::{Change, Grounds};
pub use read_roles::read_roles;

use crate::command::words::{named, quoted};
use crate::issuer::Resolved;
use crate::keychain::Owner;
use crate::keychain::action::{KeyAction, KeyStep};
use crate::keychain::element::{Management, MountKey};
use crate::keychain::evidence::{Form, Reached};
use crate::keychain::jwk::PublishedKey;
use crate::keychain::others::Others;
use crate::keychain::plan::{Copy, KeyListPlan};
use crate::keychain::poll_history::PollHistory;
use crate::keychain::provenance::Provenance;
use crate::keychain::refresh::{Policy, RefreshRequest};
use crate::keychain::transfer::transferred;
use crate::shell::word;
use crate::vault::Document;
use crate::vault::mount::config::{ConfigConflict, MountSnapshot, StaticKeys};
use jiff::Timestamp;
use shared::text::one_line;

/// Mounts that serve JWT logins, by the type Vault lists.
pub const JWT: &str = "jwt";

/// One cluster whose keys are to be right.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    pub cluster: &'a Resolved,
    /// Its name for people.
    pub name: &'a str,
    /// Whether it may be put on the mount where it is not on it.
    pub enroll: bool,
    pub grounds: &'a Grounds,
    /// Its last polls, where there were several.
    pub recent: Option<&'a PollHistory>,
}

impl<'a> Member<'a> {
    /// What its keys are to be refreshed by.
    fn refresh(&self, now: Timestamp, policy: Policy) -> RefreshRequest<'a> {
        RefreshRequest {
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
    pub fn outlook(
        &self,
        standing: &[MountKey],
        now: Timestamp,
        policy: Policy,
    ) -> Result<KeyListPlan, EnrollmentError> {
        Ok(KeyListPlan::make(standing, &self.refresh(now, policy))?)
    }
}

/// What the user decides for all clusters of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct MountOptions {
    pub policy: Policy,
    /// About who may share the mount.
    pub allow: SharingConsent,
    /// Whether a `bound_issuer` that keeps a cluster out is cleared.
    pub clear_bound_issuer: bool,
    /// Whether a cluster may publish none of its keys on the mount.
    pub replace_keys: bool,
}

/// The configuration as it should be.
#[derive(Clone, Debug)]
pub struct MountPlan {
    pub document: Document,
    pub write: bool,
    /// How many keys are on the mount then.
    pub keys: usize,
    /// What happens to each member's keys, or why nothing does; in the order
    /// of the members. (The lists are left out: `document` has the last.)
    pub members: Vec<Result<KeyListPlan, EnrollmentError>>,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
}

impl MountPlan {
    /// Plans. A member that cannot be served does not affect the others; what forbids to write
    /// the mount at all is an error.
    pub fn make(
        standing: MountSnapshot<'_>,
        members: &[Member<'_>],
        options: &MountOptions,
        roles: &Roles,
    ) -> Result<Self, ConfigConflict> {
        let config = StaticKeys::read(standing.document)?;
        let elements = config.elements();
        let mut draft = Draft {
            now: standing.now,
            options,
            roles,
            config,
            elements,
            algorithms: Vec::new(),
            served: false,
            told: Vec::new(),
        };
        let members: Vec<_> = members.iter().map(|member| draft.serve(member)).collect();
        let keys = draft.elements.len();
        let mut told = draft.told;
        // No cluster was served: the configuration stays, whatever it is.
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
struct Draft<'a> {
    now: Timestamp,
    options: &'a MountOptions,
    roles: &'a Roles,
    config: StaticKeys,
    elements: Vec<MountKey>,
    /// What the tokens of the members served carry.
    algorithms: Vec<String>,
    served: bool,
    told: Vec<String>,
}

impl Draft<'_> {
    /// Makes one more member's keys right, and says what happens to each; or
    /// leaves all as it is, and says why.
    fn serve(&mut self, member: &Member<'_>) -> Result<KeyListPlan, EnrollmentError> {
        let grounds = member.grounds;
        let from = grounds.from.as_ref().filter(|from| self.elements.iter().any(|element| element.is_of(from)));
        let Some(from) = from else { return self.refresh(member, None) };
        grounds.check_transfer(member.cluster, member.name, &self.elements, from, self.options.replace_keys)?;
        let with_new_owner = transferred(&self.elements, from, &member.cluster.owner);
        let standing = std::mem::replace(&mut self.elements, with_new_owner);
        let served = self.refresh(member, Some(from));
        if served.is_err() {
            self.elements = standing;
        }
        served
    }

    /// The same, once the keys of the owner `from` are this one's.
    fn refresh(&mut self, member: &Member<'_>, from: Option<&Owner>) -> Result<KeyListPlan, EnrollmentError> {
        let (options, roles) = (self.options, self.roles);
        let owner = &member.cluster.owner;
        let enrolled = self.elements.iter().any(|element| element.is_of(owner));
        if !enrolled {
            admission::refuse_moved(member.cluster, member.name, &self.elements, member.grounds)?;
        }
        if !enrolled && !member.enroll {
            return Err(match self.unmanaged(member.cluster) {
                0 => EnrollmentError::NotEnrolled { owner: owner.clone() },
                keys => EnrollmentError::Unmarked { owner: owner.clone(), keys },
            });
        }
        admission::ensure_key_continuity(member.cluster, member.name, &self.elements, options.replace_keys)?;
        // Over a recorded direct way it is the cluster, whatever it signs with.
        let is_itself = member.grounds.evidence.reached == Reached::Direct && !member.grounds.confirmed;
        let new_cluster = !enrolled || (!is_itself && admission::is_discontinuous(member.cluster, &self.elements));
        let bound = self.config.bound_issuer().filter(|bound| *bound != owner.issuer).map(str::to_owned);
        if let Some(bound) = bound.clone().filter(|_| !options.clear_bound_issuer) {
            return Err(EnrollmentError::BoundIssuer { bound });
        }
        let grounds = member.grounds;
        let refresh = member.refresh(self.now, options.policy);
        let mut chain = KeyListPlan::make(&self.elements, &refresh)?;
        chain.from = from.cloned();
        if enrolled {
            grounds.check(member.cluster, member.name, &self.elements, Change::of(&chain))?;
        }
        if !chain.elements.iter().any(|element| element.is_of(owner)) {
            // Its keys would be trusted, and would never be refreshed.
            return Err(EnrollmentError::Unmarked { owner: owner.clone(), keys: self.unmanaged(member.cluster) });
        }
        let others = Others::of(&self.elements, owner, refresh.published, &grounds.adoptable);
        if new_cluster {
            admission::new_cluster(owner, &others, &options.allow, roles)?;
        } else {
            if let Some(from) = from.filter(|from| from.issuer != owner.issuer) {
                admission::moved(owner, from, &others, &options.allow, roles)?;
            }
            if bound.is_some() && others.any() {
                // Clearing a bound issuer admits clusters that it shut out.
                admission::beside(owner, &others, &options.allow, roles)?;
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

    /// How many keys that a cluster publishes are unmanaged on the mount.
    fn unmanaged(&self, cluster: &Resolved) -> usize {
        let unmanaged =
            |element: &&MountKey| element.management == Management::Unmanaged && cluster.keys.has(element.id());
        self.elements.iter().filter(unmanaged).count()
    }
}

/// A public key that two owners publish.
fn copied(copy: &Copy, owner: &Owner) -> String {
    let key = quoted(&copy.kid.clone().unwrap_or_else(|| copy.id.to_string()));
    let other = &copy.other;
    if copy.both {
        format!(
            "key {key} belongs to both {owner} and {other}: one cluster is a copy of the other, and each can act as the other"
        )
    } else {
        format!(
            "key {key} of {owner} is not added: it belongs to {other}, and nothing verifies that {owner} has its private key"
        )
    }
}

/// Keys that only the issuer's URL publishes.
fn waiting(chain: &KeyListPlan, cluster: &Resolved) -> Option<String> {
    let name = |step: &KeyStep| quoted(&step.kid.clone().unwrap_or_else(|| step.id.to_string()));
    let names: Vec<String> = chain.steps.iter().filter(|step| step.action == KeyAction::Wait).map(name).collect();
    let keys = named("key", &names);
    let (are, them) = match names.len() {
        0 => return None,
        1 => ("is", "it"),
        _ => ("are", "them"),
    };
    let url = one_line(cluster.keys_url.as_deref().unwrap_or_default());
    Some(match &cluster.api_keys_unread {
        Some(why) => format!(
            "{keys} at \"{url}\" {are} not added: the API server's key set could not be read, which the ClusterRole \
             system:service-account-issuer-discovery allows: {why}"
        ),
        None => format!(
            "{keys} at \"{url}\" {are} not added: this API server does not publish {them}, and another cluster that uses the \
             same issuer could log in with this cluster's roles"
        ),
    })
}

/// The owners on a mount, each once.
pub fn owners(elements: &[MountKey]) -> Vec<Owner> {
    owners_where(elements, |_| true)
}

/// The owners of the keys whose mark is as wanted, each once.
pub fn owners_where(elements: &[MountKey], wanted: impl Fn(&Provenance) -> bool) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    for mark in elements.iter().filter_map(MountKey::provenance).filter(|mark| wanted(mark)) {
        if !owners.contains(&mark.owner) {
            owners.push(mark.owner.clone());
        }
    }
    owners
}

/// The elements of a configuration, whatever else it is.
pub fn elements(document: Option<&Document>) -> Vec<MountKey> {
    let keys = document.and_then(|d| d.get(crate::vault::mount::config::KEYS)).and_then(|keys| keys.as_array());
    keys.into_iter().flatten().filter_map(|key| key.as_str()).map(MountKey::read).collect()
}

#[cfg(test)]
mod tests;
