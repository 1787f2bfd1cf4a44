//! Why a cluster's keys are not added to, or not refreshed on, a mount. Every text
//! continues a sentence that names the mount ("it …") or is a cell in a cluster's row of a
//! table. `hint` says what to do about each.

use crate::keychain::Owner;
use crate::keychain::authority::Authority;
use crate::keychain::others::Others;
use crate::keychain::refresh::PlanError;
use crate::shell::word;
use crate::vault::Document;
use crate::vault::mount::fit::Fit;
use shared::mount::MountPath;
use shared::text::one_line;
use std::collections::BTreeMap;

/// Why a cluster is left out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnrollmentError {
    /// No key on the mount has this owner's provenance.
    #[error("it holds no key of {owner}")]
    NotEnrolled { owner: Owner },
    /// Its keys are there, but nothing says whose they are: added by hand, or the provenance
    /// was lost.
    #[error("it holds {} of {owner}, but without a mark that says so", keys_of(*.keys))]
    Unmarked { owner: Owner, keys: usize },
    /// Nothing connects the cluster with its keys on the mount.
    #[error(
        "none of the keys that it has of {owner} is published any more: all keys of the cluster were replaced at once, or this is another cluster with the same UID"
    )]
    Discontinuity { context: String, owner: Owner },
    /// Every token must carry another issuer.
    #[error("its bound_issuer is \"{}\"", one_line(.bound))]
    BoundIssuer { bound: String },
    /// The cluster is enrolled under another issuer.
    #[error("context \"{}\" is {}, and its issuer is now \"{}\"", one_line(.context), claimed_with_issuer(.enrolled, .old), one_line(&.owner.issuer))]
    Moved {
        context: String,
        /// The name that the cluster was enrolled under.
        enrolled: String,
        /// The owner that it is enrolled as.
        old: Owner,
        /// The owner that it is now.
        owner: Owner,
    },
    /// The issuer that a server names is its own claim.
    #[error("context \"{}\" {}", one_line(.context), cannot_move(.enrolled, .from, .why))]
    CannotMove {
        context: String,
        /// The name that the cluster was enrolled under.
        enrolled: String,
        /// The owner that it claims to have been.
        from: Owner,
        /// Why there is no token; `None` where the way is not recorded.
        why: Option<String>,
    },
    /// No keys of the owner that a cluster was.
    #[error("it has no keys of issuer \"{}\" that this cluster could have moved from{}", one_line(.old), instead(.owners))]
    NotMoved {
        /// `--move-from`
        old: String,
        /// Owners with that issuer, which are other clusters.
        owners: Vec<Owner>,
    },
    /// The cluster is enrolled under both issuers.
    #[error("it has keys of {owner} already, so that those of {old} cannot become its keys")]
    MovedAlready {
        /// The owner that the cluster was.
        old: Owner,
        /// The owner that it is.
        owner: Owner,
    },
    /// What is recorded on the mount contradicts the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Everything that names the cluster can be copied, and the connection is not one
    /// of those recorded.
    #[error("context \"{}\" claims to be {} but is reached by another way", one_line(.context), claimed(.enrolled, .owner))]
    AnotherWay {
        context: String,
        /// The name that the cluster was enrolled under.
        enrolled: String,
        /// The owner that it claims to be.
        owner: Owner,
        recorded: Vec<Authority>,
        /// The way of this run.
        way: Option<Authority>,
    },
    /// An earlier program enrolled it.
    #[error("context \"{}\" claims to be {}, and no way to that cluster is recorded, because an earlier version enrolled it", one_line(.context), claimed(.enrolled, .owner))]
    NoWay {
        context: String,
        /// The name that the cluster was enrolled under.
        enrolled: String,
        /// The owner that it claims to be.
        owner: Owner,
    },
    /// Something between could answer too.
    #[error("context \"{}\" reaches {} by an indirect way, and no token verified that it is that cluster: {why}", one_line(.context), claimed(.enrolled, .owner))]
    NoPossession {
        context: String,
        /// The name that the cluster was enrolled under.
        enrolled: String,
        /// The owner that it claims to be.
        owner: Owner,
        /// Why there is no such token.
        why: String,
    },
    /// What answered cannot be recorded as one server.
    #[error("context \"{}\" reached servers whose certificates do not lead to the same authority, or its URL is longer than 512 bytes", one_line(.context))]
    Unsteady { context: String },
    /// A person named another one.
    #[error("context \"{}\" is reached by the way \"{way}\", and not by the one that --authority names", one_line(.context))]
    NotThisWay {
        context: String,
        /// The way of this run.
        way: Authority,
    },
    /// One cluster is enrolled at a time: which of these it is only a person knows.
    #[error("{} claim to be {owner}, by different ways", contexts_named(.contexts))]
    Contested {
        /// All that claim it, in the order named.
        contexts: Vec<String>,
        /// The owner that they claim to be.
        owner: Owner,
    },
    /// Keys of such an issuer come from its URL only.
    #[error("the keys of {owner} are read at its issuer URL only, which could not be read: {why}")]
    NoSite { context: String, owner: Owner, why: String },
    /// Two clusters that roles cannot distinguish.
    #[error("it serves another cluster with the same issuer already: {other}")]
    SameIssuer { other: Owner },
    /// Others are on the mount, and one of all could sign for any.
    #[error("it serves others already: {}; whoever holds one key of a mount can sign for every issuer on it", describe(.others, .owner))]
    TrustDomain {
        /// Whose keys are there.
        others: Others,
        owner: Owner,
    },
    /// Roles would take tokens of this cluster too.
    #[error("{} tokens of any cluster on it", unbound(.roles, .cel))]
    UnboundRoles {
        /// Roles without an exact `iss`.
        roles: BTreeMap<String, Document>,
        /// CEL roles.
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
    /// Whether such roles exist is not known.
    #[error("its roles could not be read, and some of them may accept this cluster's tokens: {why}")]
    RolesUnreadable { why: String },
    /// The cluster was enrolled a moment ago, or others were not.
    #[error("it was changed by another writer while this command ran")]
    Meanwhile,
    /// More keys than one mount should hold.
    #[error("it would hold {keys} keys, more than {at_most}")]
    TooManyKeys { keys: usize, at_most: usize },
    /// More texts than a server takes in one request.
    #[error("its configuration would have {texts} texts, more than the 1000 that OpenBao takes in one request")]
    TooManyTexts { texts: usize },
    /// More bytes than a storage entry.
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

/// A cluster as it is enrolled.
pub fn claimed(enrolled: &str, owner: &Owner) -> String {
    let what = match &owner.cluster_uid {
        Some(uid) => format!("UID {}", one_line(uid)),
        None => format!("issuer {}", one_line(&owner.issuer)),
    };
    if enrolled.is_empty() {
        format!("the cluster with {what}")
    } else {
        format!("cluster \"{}\" ({what})", one_line(enrolled))
    }
}

/// All of them up to a limit, so that a large kubeconfig stays readable.
fn contexts_named(names: &[String]) -> String {
    let mut named: Vec<String> =
        names.iter().take(NAMED_AT_MOST).map(|name| format!("\"{}\"", one_line(name))).collect();
    let more = names.len().saturating_sub(NAMED_AT_MOST);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    let last = named.pop().unwrap_or_default();
    format!("contexts {} and {last}", named.join(", "))
}

fn keys_of(count: usize) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}

fn cannot_move(enrolled: &str, from: &Owner, why: &Option<String>) -> String {
    let cluster = claimed(enrolled, from);
    match why {
        Some(why) => format!("reaches {cluster}, but no token verified that it is that cluster: {why}"),
        None => format!("claims to be {cluster} with another issuer, but is not reached by a recorded way"),
    }
}

fn instead(owners: &[Owner]) -> String {
    let listed: Vec<String> = owners.iter().map(ToString::to_string).collect();
    if listed.is_empty() { String::new() } else { format!("; it has keys of {}", listed.join(", ")) }
}

/// A cluster as it is enrolled, where its issuer is what matters.
fn claimed_with_issuer(enrolled: &str, owner: &Owner) -> String {
    let issuer = one_line(&owner.issuer);
    if enrolled.is_empty() {
        format!("the cluster that is enrolled with issuer \"{issuer}\"")
    } else {
        format!("cluster \"{}\", which is enrolled with issuer \"{issuer}\"", one_line(enrolled))
    }
}

/// Whom else the mount serves, and whether one of them is this issuer.
pub fn describe(others: &Others, owner: &Owner) -> String {
    let mut parts: Vec<String> = Vec::new();
    for other in &others.owners {
        let same = if other.issuer == owner.issuer { " (the same issuer, another cluster)" } else { "" };
        parts.push(format!("keys of {other}{same}"));
    }
    let count = |n: usize, what: &str| match n {
        1 => format!("1 key {what}"),
        n => format!("{n} keys {what}"),
    };
    if others.unmanaged > 0 {
        parts.push(count(others.unmanaged, "without a mark"));
    }
    if others.unreadable > 0 {
        parts.push(count(others.unreadable, "with a mark that cannot be read"));
    }
    parts.join(", ")
}

fn unbound(roles: &BTreeMap<String, Document>, cel: &[String]) -> String {
    let quoted: Vec<String> = roles
        .keys()
        .map(|name| format!("\"{}\"", one_line(name)))
        .chain(cel.iter().map(|name| format!("\"{}\" (CEL)", one_line(name))))
        .collect();
    match &quoted[..] {
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
                Fit::Pattern(pattern) => format!(" (pattern \"{}\")", one_line(pattern)),
                Fit::Unbound => " (bound to no issuer)".to_owned(),
            };
            format!("\"{}\"{how}", one_line(name))
        })
        .chain(cel.iter().map(|name| format!("\"{}\" (CEL)", one_line(name))))
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
