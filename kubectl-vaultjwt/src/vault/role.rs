//! Owns the document `auth/<mount>/role/<name>`: the role that binds service
//! accounts of one cluster, and what may become of one that is there. Pure.
//!
//! Role writes *merge* (vault-plugin-auth-jwt `path_role.go`
//! `pathRoleCreateUpdate`): a field left out keeps its old value, and
//! `role_type` left out becomes `oidc`. So every field is sent, empty or not.

use super::Document;
use super::config::differing;
use serde_json::{Value, json};
use shared::text::one_line;
use std::collections::BTreeSet;

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSpec {
    /// Its name on the mount.
    pub name: String,
    /// `iss` its tokens must carry, byte for byte.
    pub issuer: String,
    /// `sub` values it takes.
    pub subjects: Vec<String>,
    /// Policies its Vault tokens get.
    pub policies: Vec<String>,
    /// Audiences, one of which its tokens must carry; `None` keeps those of
    /// an existing role, and is [`DEFAULT_AUDIENCE`] for a new one.
    pub audiences: Option<Vec<String>>,
    /// Lease in seconds; `None` keeps it, or is [`DEFAULT_TTL`].
    pub ttl: Option<u64>,
    /// Longest lease in seconds; `None` keeps it, or is [`DEFAULT_MAX_TTL`].
    pub max_ttl: Option<u64>,
    /// Whether bounds may be dropped and policies added (`--replace-role`).
    pub replace: bool,
}

/// Audience of a new role.
pub const DEFAULT_AUDIENCE: &str = "vault";
/// Lease of a new role, in seconds.
pub const DEFAULT_TTL: u64 = 3_600;
/// Longest lease of a new role, in seconds. Unset would mean Vault's 32 days.
pub const DEFAULT_MAX_TTL: u64 = 86_400;

/// The alias is the service account's UID, since `sub` of two clusters can be
/// the same and would share one entity; names go into the alias metadata as
/// the kubernetes auth method has them.
const USER_CLAIM: &str = "/kubernetes.io/serviceaccount/uid";

/// Why an existing role is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleConflict {
    /// It serves tokens of somebody else.
    #[error("role \"{name}\" is bound to issuer \"{}\", not to \"{}\"", one_line(.theirs), one_line(.ours))]
    OtherIssuer {
        /// The role.
        name: String,
        /// The issuer it is bound to.
        theirs: String,
        /// The cluster's issuer.
        ours: String,
    },
    /// The change needs the user's word.
    #[error("role \"{name}\" is there already, and the change {}", .changes.join(", and "))]
    NeedsReplace {
        /// The role.
        name: String,
        /// What the change would do, as clauses.
        changes: Vec<String>,
    },
}

impl RoleSpec {
    /// The full role to write beside, or over, `existing`. Equal to it where
    /// nothing changes.
    pub fn document(&self, existing: Option<&Document>) -> Result<Document, RoleConflict> {
        let mut role = self.fresh();
        let Some(existing) = existing else {
            return Ok(role);
        };
        self.check_issuer(existing)?;
        // What was not asked for keeps its value; what we always set does not.
        for (field, value) in existing {
            if !role.contains_key(field) || self.keeps(field) {
                role.insert(field.clone(), value.clone());
            }
        }
        if let Some(Value::Object(bound)) = existing.get("bound_claims") {
            let mut claims = bound.clone();
            claims.insert("iss".to_owned(), json!(self.issuer));
            claims.insert("sub".to_owned(), json!(self.subjects));
            role.insert("bound_claims".to_owned(), Value::Object(claims));
        }
        let changes = self.delicate_changes(existing, &role);
        if !changes.is_empty() && !self.replace {
            return Err(RoleConflict::NeedsReplace { name: self.name.clone(), changes });
        }
        Ok(role)
    }

    /// Whether an existing role's value of `field` stays.
    fn keeps(&self, field: &str) -> bool {
        match field {
            "bound_audiences" => self.audiences.is_none(),
            "token_ttl" => self.ttl.is_none(),
            "token_max_ttl" => self.max_ttl.is_none(),
            "role_type" | "bound_subject" | "bound_claims" | "bound_claims_type" | "token_policies" => false,
            _ => true,
        }
    }

    /// A role as it is written where there is none.
    fn fresh(&self) -> Document {
        let audiences = self.audiences.clone().unwrap_or_else(|| vec![DEFAULT_AUDIENCE.to_owned()]);
        let role = json!({
            "role_type": "jwt",
            "bound_audiences": audiences,
            "bound_subject": "",
            "bound_claims": {"iss": self.issuer, "sub": self.subjects},
            "bound_claims_type": "string",
            "user_claim": USER_CLAIM,
            "user_claim_json_pointer": true,
            "claim_mappings": {
                "/kubernetes.io/serviceaccount/name": "service_account_name",
                "/kubernetes.io/namespace": "service_account_namespace",
            },
            "groups_claim": "",
            "expiration_leeway": 0,
            "not_before_leeway": 0,
            "clock_skew_leeway": 0,
            "token_policies": self.policies,
            "token_ttl": self.ttl.unwrap_or(DEFAULT_TTL),
            "token_max_ttl": self.max_ttl.unwrap_or(DEFAULT_MAX_TTL.max(self.ttl.unwrap_or(0))),
            "token_explicit_max_ttl": 0,
            "token_period": 0,
            "token_num_uses": 0,
            "token_no_default_policy": false,
            "token_bound_cidrs": [],
            "token_type": "default",
        });
        match role {
            Value::Object(role) => role,
            _ => Document::new(),
        }
    }

    fn check_issuer(&self, existing: &Document) -> Result<(), RoleConflict> {
        let bound = existing.get("bound_claims").and_then(|c| c.get("iss"));
        for theirs in strings(bound) {
            if theirs != self.issuer {
                return Err(RoleConflict::OtherIssuer { name: self.name.clone(), theirs, ours: self.issuer.clone() });
            }
        }
        Ok(())
    }

    /// What the change does that could let somebody in or lock somebody out.
    fn delicate_changes(&self, existing: &Document, role: &Document) -> Vec<String> {
        let mut changes = Vec::new();
        let listed = |document: &Document, field: &str| strings(document.get(field));
        let quoted = |items: &BTreeSet<&String>| {
            items.iter().map(|i| format!("\"{}\"", one_line(i))).collect::<Vec<_>>().join(", ")
        };
        let (old, new) = (listed(existing, "token_policies"), listed(role, "token_policies"));
        let old_policies: BTreeSet<&String> = old.iter().collect();
        let new_policies: BTreeSet<&String> = new.iter().collect();
        let gained: BTreeSet<_> = new_policies.difference(&old_policies).copied().collect();
        let lost: BTreeSet<_> = old_policies.difference(&new_policies).copied().collect();
        if !gained.is_empty() {
            changes.push(format!("adds policy {}", quoted(&gained)));
        }
        if !lost.is_empty() {
            changes.push(format!("takes policy {} away", quoted(&lost)));
        }
        let subject = |document: &Document| strings(document.get("bound_claims").and_then(|c| c.get("sub")));
        let (old, new) = (subject(existing), subject(role));
        let lost: BTreeSet<_> = old.iter().filter(|s| !new.contains(s)).collect();
        if !lost.is_empty() {
            changes.push(format!("shuts out {}", quoted(&lost)));
        }
        let bound_subject = listed(existing, "bound_subject");
        if let Some(subject) = bound_subject.iter().find(|s| !s.is_empty()) {
            changes.push(format!("drops bound_subject \"{}\"", one_line(subject)));
        }
        if self.audiences.is_some() {
            let (old, new) = (listed(existing, "bound_audiences"), listed(role, "bound_audiences"));
            let gained: BTreeSet<_> = new.iter().filter(|a| !old.contains(a)).collect();
            let lost: BTreeSet<_> = old.iter().filter(|a| !new.contains(a)).collect();
            if !gained.is_empty() {
                changes.push(format!("accepts audience {}", quoted(&gained)));
            }
            if !lost.is_empty() {
                changes.push(format!("drops audience {}", quoted(&lost)));
            }
        }
        for field in ["role_type", "bound_claims_type"] {
            let (old, new) = (listed(existing, field), listed(role, field));
            if old != new {
                changes.push(format!("changes {field} from \"{}\" to \"{}\"", one_line(&old.join(",")), new.join(",")));
            }
        }
        if existing.get("bound_claims").and_then(|c| c.get("iss")).is_none() {
            changes.push("binds it to one issuer, which it was not".to_owned());
        }
        changes
    }
}

/// A string, or a list of strings, as a list.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Whether writing `role` over `existing` would change nothing.
pub fn unchanged(existing: &Document, role: &Document) -> bool {
    // A single bound value may be stored as a string or as a list of one.
    differing(existing, role).iter().all(|field| field == "bound_claims" && same_claims(existing, role))
}

fn same_claims(existing: &Document, role: &Document) -> bool {
    let claims = |document: &Document| match document.get("bound_claims") {
        Some(Value::Object(claims)) => claims.iter().map(|(k, v)| (k.clone(), strings(Some(v)))).collect(),
        _ => std::collections::BTreeMap::new(),
    };
    claims(existing) == claims(role)
}

#[cfg(test)]
#[path = "role_tests.rs"]
mod tests;
