//! Owns why a cluster's keys are not put, or not refreshed, on a mount, and
//! what to do about each. Every text continues a sentence that names the
//! mount ("it …") or stands in a cluster's row of a table.

use crate::keychain::Owner;
use crate::keychain::plan::{Others, PlanError};
use crate::shell::word;
use crate::vault::Document;
use crate::vault::fit::Fit;
use crate::vault::role::binding_command;
use shared::mount::MountPath;
use shared::text::one_line;
use std::collections::BTreeMap;

/// Why a cluster is left out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// No key on the mount is marked as this owner's.
    #[error("it holds no key of {owner}")]
    NotEnrolled {
        /// The owner.
        owner: Owner,
    },
    /// Its keys are there, but nothing says whose they are: put there by hand,
    /// or our marks were lost.
    #[error("it holds {} of {owner}, but without a mark that says so", keys_of(*.keys))]
    Unmarked {
        /// The owner.
        owner: Owner,
        /// How many keys.
        keys: usize,
    },
    /// Nothing connects the cluster with the keys that stand there as its own.
    #[error(
        "none of the keys that it holds of {owner} is published any more: this is another cluster with the same UID, or all its keys were replaced at once"
    )]
    Discontinuity {
        /// The owner.
        owner: Owner,
    },
    /// Every token must carry another issuer.
    #[error("its bound_issuer is \"{}\"", one_line(.bound))]
    BoundIssuer {
        /// That issuer.
        bound: String,
    },
    /// The same issuer stands there under the other form of owner.
    #[error("it has keys of issuer \"{}\" {}", one_line(.issuer), form(.site_unused))]
    OtherForm {
        /// The issuer.
        issuer: String,
        /// Why its site was not read this time; `None` if it was.
        site_unused: Option<String>,
    },
    /// The keys contradict each other.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Two clusters that roles cannot tell apart.
    #[error("it serves another cluster with the same issuer already: {other}")]
    SameIssuer {
        /// The other one.
        other: Owner,
    },
    /// Others are on the mount, and one of all could sign for any.
    #[error("it serves others already: {}; whoever holds one key of a mount can sign for every issuer on it", describe(.others, .owner))]
    TrustDomain {
        /// Whose keys are there.
        others: Others,
        /// This cluster.
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
        /// The cluster's issuer.
        issuer: String,
    },
    /// Whether such roles exist is not known.
    #[error("its roles could not be read, and some of them may accept this cluster's tokens: {why}")]
    RolesUnreadable {
        /// Why not.
        why: String,
    },
    /// The cluster was enrolled a moment ago, or others were not.
    #[error("it was changed by another writer while this command ran")]
    Meanwhile,
    /// More keys than one mount should hold.
    #[error("it would hold {keys} keys, more than {}", super::limits::KEYS_AT_MOST)]
    TooManyKeys {
        /// How many.
        keys: usize,
    },
    /// More texts than a server takes in one request.
    #[error("its configuration would have {texts} texts, more than the 1000 that OpenBao takes in one request")]
    TooManyTexts {
        /// How many.
        texts: usize,
    },
    /// More bytes than a storage entry.
    #[error("its configuration would have {bytes} bytes, more than the 1048576 of one storage entry")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
}

fn keys_of(count: usize) -> String {
    if count == 1 { "1 key".to_owned() } else { format!("{count} keys") }
}

fn form(site_unused: &Option<String>) -> String {
    match site_unused {
        Some(why) => format!("that were read from the issuer's own site, which was not used now: {why}"),
        None => "that were read from an API server; now the issuer's own site was read".to_owned(),
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
    if others.unmarked > 0 {
        parts.push(count(others.unmarked, "without a mark"));
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

impl ChainError {
    /// The one thing to do next, for the mount at hand.
    pub fn hint(&self, mount: &MountPath) -> Option<String> {
        let another = "choose another path with --mount";
        Some(match self {
            Self::NotEnrolled { .. } => {
                "put the cluster on the mount with 'kubectl vaultjwt setup', or with --enroll".to_owned()
            }
            Self::Unmarked { .. } => {
                "mark them with --adopt; if they were marked before, somebody else writes the list (Terraform, an operator), and two writers undo each other".to_owned()
            }
            Self::Discontinuity { .. } => {
                "if it is the same cluster, add --replace-keys; a cluster made from a backup of another needs a mount of its own (--mount)".to_owned()
            }
            Self::BoundIssuer { .. } => format!(
                "{another}; or, if the mount is to serve more than that issuer, add --clear-bound-issuer (vault read auth/{mount}/config)"
            ),
            Self::OtherForm { site_unused: Some(_), .. } => {
                format!("run this where the issuer's site can be read (--issuer-ca-cert, HTTPS_PROXY), or {another}")
            }
            Self::OtherForm { site_unused: None, .. } | Self::Plan(_) => another.to_owned(),
            Self::SameIssuer { .. } => format!(
                "{another}; --allow-same-issuer lets every role of that issuer take tokens of both clusters, unless each cluster's roles have an audience of their own"
            ),
            Self::TrustDomain { .. } => format!(
                "{another}; or, if everybody who runs one of these clusters may act as any of them, add --same-trust-domain"
            ),
            Self::UnboundRoles { roles, cel, issuer } => {
                let mend: String = roles
                    .iter()
                    .map(|(name, role)| format!("\n{}", binding_command(mount, name, role, issuer.as_deref())))
                    .collect();
                let beside = if cel.is_empty() {
                    ""
                } else {
                    "\nCEL roles cannot be bound so: if they check the issuer themselves, add --allow-unbound-roles"
                };
                if mend.is_empty() {
                    format!("{another}; or, if CEL roles check the issuer themselves, add --allow-unbound-roles")
                } else {
                    format!("bind each to the issuer of the cluster it is for (or add --allow-unbound-roles):{mend}{beside}")
                }
            }
            Self::ExistingRoles { roles, cel, .. } => {
                let path = match (roles.keys().next(), cel.first()) {
                    (Some(name), _) => format!("auth/{mount}/role/{}", word(name)),
                    (None, name) => format!("auth/{mount}/cel/role/{}", word(name.map_or("", String::as_str))),
                };
                let them = if roles.len() + cel.len() == 1 {
                    "delete the role if it is not for this cluster; if it is"
                } else {
                    "delete each role that is not for this cluster; if all others are"
                };
                format!("{them}, add --allow-existing-roles:\nvault read {path}\nvault delete {path}")
            }
            Self::RolesUnreadable { .. } => {
                let line = |path: &str, capability: &str| {
                    format!("\npath \"auth/{mount}/{path}\" {{ capabilities = [\"{capability}\"] }}")
                };
                let lines = [line("role", "list"), line("role/*", "read"), line("cel/role", "list")].concat();
                format!("let the token list and read them (cel is OpenBao's):{lines}")
            }
            Self::Meanwhile => "run the command again".to_owned(),
            Self::TooManyKeys { .. } | Self::TooManyTexts { .. } | Self::TooLarge { .. } => {
                format!("give each trust domain a mount of its own: {another}")
            }
        })
    }
}
