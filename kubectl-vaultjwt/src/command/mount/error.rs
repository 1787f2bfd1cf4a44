//! Why a cluster's keys are not added to, or not refreshed on, a mount. Every text
//! continues a sentence that names the mount ("it …") or is a cell in a cluster's row of a
//! table. `hint` says what to do about each.

use crate::command::words::{counted, listed, quoted};
use crate::keychain::Owner;
use crate::keychain::authority::Authority;
use crate::keychain::element::MountKey;
use crate::keychain::others::Others;
use crate::keychain::provenance::Provenance;
use crate::keychain::refresh::PlanError;
use crate::shell::word;
use crate::vault::Document;
use crate::vault::mount::fit::Fit;
use shared::mount::MountPath;
use shared::text::one_line;
use std::collections::BTreeMap;

/// What a context claims to be: a cluster that is enrolled.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub context: String,
    /// The name that the cluster was enrolled under; empty where it has none.
    pub enrolled: String,
    pub owner: Owner,
}

impl Claim {
    /// The claim of `context` to be `owner`, which has keys among `elements`.
    pub fn new(context: &str, elements: &[MountKey], owner: &Owner) -> Self {
        Self { context: context.to_owned(), enrolled: enrolled_name(elements, owner), owner: owner.clone() }
    }

    /// The cluster as it is enrolled.
    pub fn cluster(&self) -> String {
        let what = match &self.owner.cluster_uid {
            Some(uid) => format!("UID {}", one_line(uid)),
            None => format!("issuer {}", one_line(&self.owner.issuer)),
        };
        if self.enrolled.is_empty() {
            format!("the cluster with {what}")
        } else {
            format!("cluster {} ({what})", quoted(&self.enrolled))
        }
    }

    /// The same, where its issuer is what matters.
    fn cluster_with_issuer(&self) -> String {
        let issuer = quoted(&self.owner.issuer);
        if self.enrolled.is_empty() {
            format!("the cluster that is enrolled with issuer {issuer}")
        } else {
            format!("cluster {}, which is enrolled with issuer {issuer}", quoted(&self.enrolled))
        }
    }
}

/// The name that the owner's newest key was added under.
fn enrolled_name(elements: &[MountKey], owner: &Owner) -> String {
    let marks = elements.iter().filter_map(MountKey::provenance).filter(|mark| mark.owner == *owner);
    let newest = marks.reduce(|newest, mark| if mark.added > newest.added { mark } else { newest });
    newest.map(|mark: &Provenance| mark.cluster.clone()).unwrap_or_default()
}

/// Why a cluster is left out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnrollmentError {
    #[error("it holds no key of {owner}")]
    NotEnrolled { owner: Owner },
    /// Its keys are there, but nothing says whose they are: added by hand, or the provenance
    /// was lost.
    #[error("it holds {} of {owner}, but without a mark that says so", counted(*.keys, "key"))]
    Unmarked { owner: Owner, keys: usize },
    /// Nothing connects the cluster with its keys on the mount.
    #[error(
        "none of the keys that it has of {owner} is published any more: all keys of the cluster were replaced at once, or this is another cluster with the same UID"
    )]
    Discontinuity { context: String, owner: Owner },
    #[error("its bound_issuer is {}", quoted(.bound))]
    BoundIssuer { bound: String },
    /// The cluster is enrolled under another issuer; `issuer` is the one that it has now.
    #[error("context {} is {}, and its issuer is now {}", quoted(&.claim.context), .claim.cluster_with_issuer(), quoted(.issuer))]
    Moved { claim: Claim, issuer: String },
    /// The issuer that a server names is its own claim.
    #[error("context {} {}", quoted(&.claim.context), cannot_move(.claim, .why))]
    CannotMove {
        claim: Claim,
        /// Why there is no token; `None` where the way is not recorded.
        why: Option<String>,
    },
    #[error("it has no keys of issuer {} that this cluster could have moved from{}", quoted(.old), instead(.owners))]
    NotMoved {
        /// `--move-from`
        old: String,
        /// Owners with that issuer, which are other clusters.
        owners: Vec<Owner>,
    },
    #[error("it has keys of {owner} already, so that those of {old} cannot become its keys")]
    MovedAlready { old: Owner, owner: Owner },
    /// What is recorded on the mount contradicts the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Everything that names the cluster can be copied, and the connection is not one
    /// of those recorded.
    #[error("context {} claims to be {} but is reached by another way", quoted(&.claim.context), .claim.cluster())]
    AnotherWay { claim: Claim, recorded: Vec<Authority> },
    #[error("context {} claims to be {}, and no way to that cluster is recorded, because an earlier version enrolled it", quoted(&.0.context), .0.cluster())]
    NoWay(Claim),
    /// Something between could answer too.
    #[error("context {} reaches {} by an indirect way, and no token verified that it is that cluster: {why}", quoted(&.claim.context), .claim.cluster())]
    NoPossession { claim: Claim, why: String },
    /// What answered cannot be recorded as one server.
    #[error("context {} reached servers whose certificates do not lead to the same authority, or its URL is longer than 512 bytes", quoted(.context))]
    Unsteady { context: String },
    #[error("context {} is reached by the way \"{way}\", and not by the one that --authority names", quoted(.context))]
    NotThisWay { context: String, way: Authority },
    /// One cluster is enrolled at a time: which of these it is only a person knows.
    #[error("{} claim to be {owner}, by different ways", contexts_named(.contexts))]
    Contested {
        /// All that claim it, in the order named.
        contexts: Vec<String>,
        owner: Owner,
    },
    #[error("the keys of {owner} are read at its issuer URL only, which could not be read: {why}")]
    NoSite { context: String, owner: Owner, why: String },
    /// Two clusters that roles cannot distinguish.
    #[error("it serves another cluster with the same issuer already: {other}")]
    SameIssuer { other: Owner },
    #[error("it serves others already: {}; whoever holds one key of a mount can sign for every issuer on it", describe(.others, .owner))]
    TrustDomain { others: Others, owner: Owner },
    #[error("{} tokens of any cluster on it", unbound(.roles, .cel))]
    UnboundRoles {
        /// Roles without an exact `iss`.
        roles: BTreeMap<String, Document>,
        cel: Vec<String>,
        /// The issuer that the mount served alone until now.
        issuer: Option<String>,
    },
    /// Roles that accept this cluster's tokens exist before it is enrolled.
    #[error("{}", existing(.roles, .cel, .issuer))]
    ExistingRoles {
        /// Roles whose `iss` fits, and how.
        roles: BTreeMap<String, Fit>,
        /// CEL roles, which cannot be judged.
        cel: Vec<String>,
        issuer: String,
    },
    #[error("its roles could not be read, and some of them may accept this cluster's tokens: {why}")]
    RolesUnreadable { why: String },
    /// The cluster was enrolled a moment ago, or others were not.
    #[error("it was changed by another writer while this command ran")]
    Meanwhile,
    #[error("it would hold {keys} keys, more than {at_most}")]
    TooManyKeys { keys: usize, at_most: usize },
    #[error("its configuration would have {texts} texts, more than the 1000 that OpenBao takes in one request")]
    TooManyTexts { texts: usize },
    #[error("its configuration would have {bytes} bytes, more than the 1048576 of one storage entry")]
    TooLarge { bytes: usize },
}

/// An error with the mount that it is about, where it is about one.
pub fn about_mount(mount: &MountPath, keys: &str, source: &EnrollmentError) -> String {
    if source.is_of_evidence() {
        return source.to_string();
    }
    format!("auth mount \"{mount}/\" cannot take {keys}: {source}")
}

/// All of them up to a limit, so that a large kubeconfig stays readable.
fn contexts_named(names: &[String]) -> String {
    let mut named: Vec<String> = names.iter().take(NAMED_AT_MOST).map(|name| quoted(name)).collect();
    let more = names.len().saturating_sub(NAMED_AT_MOST);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    let last = named.pop().unwrap_or_default();
    format!("contexts {} and {last}", named.join(", "))
}

fn cannot_move(claim: &Claim, why: &Option<String>) -> String {
    let cluster = claim.cluster();
    match why {
        Some(why) => format!("reaches {cluster}, but no token verified that it is that cluster: {why}"),
        None => format!("claims to be {cluster} with another issuer, but is not reached by a recorded way"),
    }
}

fn instead(owners: &[Owner]) -> String {
    if owners.is_empty() { String::new() } else { format!("; it has keys of {}", listed(owners)) }
}

/// Whom else the mount serves, and whether one of them is this issuer.
pub fn describe(others: &Others, owner: &Owner) -> String {
    let mut parts: Vec<String> = Vec::new();
    for other in &others.owners {
        let same = if other.issuer == owner.issuer { " (the same issuer, another cluster)" } else { "" };
        parts.push(format!("keys of {other}{same}"));
    }
    if others.unmanaged > 0 {
        parts.push(format!("{} without a mark", counted(others.unmanaged, "key")));
    }
    if others.unreadable > 0 {
        parts.push(format!("{} with a mark that cannot be read", counted(others.unreadable, "key")));
    }
    parts.join(", ")
}

fn cel_names(cel: &[String]) -> impl Iterator<Item = String> {
    cel.iter().map(|name| format!("{} (CEL)", quoted(name)))
}

fn unbound(roles: &BTreeMap<String, Document>, cel: &[String]) -> String {
    let names: Vec<String> = roles.keys().map(|name| quoted(name)).chain(cel_names(cel)).collect();
    match &names[..] {
        [one] => format!("role {one} is bound to no issuer and would take"),
        many => format!("roles {} are bound to no issuer and would take", many.join(", ")),
    }
}

/// The flags of `remove` that name an owner without a cluster.
pub fn naming_flags(owner: &Owner) -> String {
    let uid = owner.cluster_uid.as_deref().unwrap_or("none");
    format!("--issuer {} --cluster-uid {}", word(&owner.issuer), word(uid))
}

/// Most roles that an error names.
const NAMED_AT_MOST: usize = 10;

fn existing(roles: &BTreeMap<String, Fit>, cel: &[String], issuer: &str) -> String {
    let mut named: Vec<String> = roles
        .iter()
        .map(|(name, fit)| {
            let how = match fit {
                Fit::Exact => String::new(),
                Fit::Listed => " (in a list of issuers)".to_owned(),
                Fit::Pattern(pattern) => format!(" (pattern {})", quoted(pattern)),
                Fit::Unbound => " (bound to no issuer)".to_owned(),
            };
            format!("{}{how}", quoted(name))
        })
        .chain(cel_names(cel))
        .collect();
    let more = named.len().saturating_sub(NAMED_AT_MOST);
    named.truncate(NAMED_AT_MOST);
    let issuer = one_line(issuer);
    // A program may accept anything.
    let may = if cel.is_empty() { "already" } else { "may already" };
    if let ([one], 0) = (&named[..], more) {
        let accepts = if cel.is_empty() { "accepts" } else { "accept" };
        return format!(
            "role {one} {may} {accepts} tokens of issuer \"{issuer}\": this cluster's pods could log in with a role that \
             was made for another cluster"
        );
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "roles {}{more} {may} accept tokens of issuer \"{issuer}\": this cluster's pods could log in with roles that \
         were made for another cluster",
        named.join(", ")
    )
}

impl EnrollmentError {
    /// Whether it is about the connection and not about the mount, so that it is a
    /// sentence of its own.
    pub fn is_of_evidence(&self) -> bool {
        matches!(
            self,
            Self::AnotherWay { .. }
                | Self::NoWay { .. }
                | Self::NoPossession { .. }
                | Self::Unsteady { .. }
                | Self::NotThisWay { .. }
                | Self::Contested { .. }
                | Self::NoSite { .. }
                | Self::Moved { .. }
                | Self::CannotMove { .. }
        )
    }
}
