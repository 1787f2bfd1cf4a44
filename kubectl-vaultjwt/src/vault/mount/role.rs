//! The document `auth/<mount>/role/<name>`: the role that binds service accounts of one
//! cluster, and how an existing one may change. Pure.
//!
//! Role writes *merge* (vault-plugin-auth-jwt `path_role.go` `pathRoleCreateUpdate`): a
//! field left out keeps its old value, and `role_type` left out becomes `oidc`. So every
//! field is sent, empty or not.

use crate::shell::quoted;
use crate::vault::Document;
use crate::vault::mount::config::differing;
use serde_json::{Value, json};
use shared::jwt::DEFAULT_AUDIENCE;
use shared::mount::MountPath;
use shared::text::one_line;
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSpec {
    pub name: String,
    /// `iss` its tokens must carry, byte for byte.
    pub issuer: String,
    /// `sub` values it accepts.
    pub subjects: Vec<String>,
    pub policies: Vec<String>,
    /// Audiences, one of which its tokens must carry; `None` keeps those of
    /// an existing role, and is [`DEFAULT_AUDIENCE`] for a new one.
    pub audiences: Option<Vec<String>>,
    /// TTL in seconds; `None` keeps it, or is [`DEFAULT_TTL`].
    pub ttl: Option<u64>,
    /// Max TTL in seconds; `None` keeps it, or is [`DEFAULT_MAX_TTL`].
    pub max_ttl: Option<u64>,
    /// The claim that names the identity (a JSON pointer where it begins with
    /// `/`); `None` keeps it, or is [`USER_CLAIM`].
    pub user_claim: Option<String>,
    /// Whether bounds may be dropped and policies added (`--replace-role`).
    pub replace: bool,
}

/// Lease of a new role, in seconds.
pub const DEFAULT_TTL: u64 = 3_600;
/// Longest lease of a new role, in seconds. Unset would mean Vault's 32 days.
pub const DEFAULT_MAX_TTL: u64 = 86_400;

/// The alias is the service account's UID, since `sub` of two clusters can be
/// the same and would share one entity; names go into the alias metadata as
/// the kubernetes auth method has them.
pub const USER_CLAIM: &str = "/kubernetes.io/serviceaccount/uid";

/// Claims that no two clusters give the same value.
const UNIQUE_CLAIMS: &[&str] = &[USER_CLAIM, "/kubernetes.io/pod/uid", "jti"];

/// Old names that still work (sdk `tokenutil`) and are returned beside the new ones. They are
/// never sent: a role written by the old name would get the old value back.
const OLD_NAMES: &[&str] = &["policies", "ttl", "max_ttl", "period", "num_uses", "bound_cidrs"];

/// Lists whose order and repetitions mean nothing.
const SETS: &[&str] = &["token_policies", "bound_audiences", "token_bound_cidrs"];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleConflict {
    #[error("role \"{name}\" is bound to issuer \"{}\", not to \"{}\"", one_line(.theirs), one_line(.ours))]
    OtherIssuer { name: String, theirs: String, ours: String },
    /// The change needs `--replace-role`.
    #[error("role \"{name}\" is there already, and the change {}", .changes.join(", and "))]
    NeedsReplace { name: String, changes: Vec<String> },
    /// A bound that would be kept means something else without patterns.
    #[error("role \"{name}\" binds \"{}\" by a pattern, which is not kept", one_line(.claim))]
    Pattern { name: String, claim: String },
    /// Vault refuses it after everything else is written.
    #[error("role \"{name}\" would have a lease of {}, longer than its longest lease of {}", lease(*.ttl), lease(*.max_ttl))]
    Lease { name: String, ttl: u64, max_ttl: u64 },
}

fn lease(seconds: u64) -> String {
    shared::duration::short(std::time::Duration::from_secs(seconds))
}

impl RoleSpec {
    /// The full role to write beside, or over, `existing`. Equal to it where
    /// nothing changes.
    pub fn document(&self, existing: Option<&Document>) -> Result<Document, RoleConflict> {
        let mut role = self.fresh();
        if let Some(existing) = existing {
            self.check_issuer(existing)?;
            self.keep(existing, &mut role)?;
            let changes = self.delicate_changes(existing, &role);
            if !changes.is_empty() && !self.replace {
                return Err(RoleConflict::NeedsReplace { name: self.name.clone(), changes });
            }
        }
        let seconds = |field: &str| role.get(field).and_then(Value::as_u64).unwrap_or_default();
        let (ttl, max_ttl) = (seconds("token_ttl"), seconds("token_max_ttl"));
        if max_ttl != 0 && ttl > max_ttl {
            return Err(RoleConflict::Lease { name: self.name.clone(), ttl, max_ttl });
        }
        Ok(role)
    }

    /// What was not asked for keeps its value.
    fn keep(&self, existing: &Document, role: &mut Document) -> Result<(), RoleConflict> {
        for (field, value) in existing {
            if !OLD_NAMES.contains(&field.as_str()) && (!role.contains_key(field) || self.keeps(field, value)) {
                role.insert(field.clone(), value.clone());
            }
        }
        let Some(Value::Object(bound)) = existing.get("bound_claims") else { return Ok(()) };
        let mut claims = bound.clone();
        claims.insert("iss".to_owned(), json!(self.issuer));
        claims.insert("sub".to_owned(), json!(self.subjects));
        let pattern = |value: &Value| strings(Some(value)).iter().any(|v| v.contains('*'));
        if let Some((claim, _)) =
            claims.iter().find(|(claim, value)| binds_by_pattern(existing) && *claim != "sub" && pattern(value))
        {
            return Err(RoleConflict::Pattern { name: self.name.clone(), claim: claim.clone() });
        }
        role.insert("bound_claims".to_owned(), Value::Object(claims));
        Ok(())
    }

    /// Whether an existing role's value of `field` stays.
    fn keeps(&self, field: &str, value: &Value) -> bool {
        match field {
            // A role without audience passes the write and fails at login.
            "bound_audiences" => self.audiences.is_none() && !strings(Some(value)).is_empty(),
            "token_ttl" => self.ttl.is_none(),
            "user_claim" | "user_claim_json_pointer" => self.user_claim.is_none(),
            "token_max_ttl" => self.max_ttl.is_none(),
            "role_type" | "bound_subject" | "bound_claims" | "bound_claims_type" | "token_policies" => false,
            _ => true,
        }
    }

    fn fresh(&self) -> Document {
        let audiences = self.audiences.clone().unwrap_or_else(|| vec![DEFAULT_AUDIENCE.to_owned()]);
        let user_claim = self.user_claim.as_deref().unwrap_or(USER_CLAIM);
        let role = json!({
            "role_type": "jwt",
            "bound_audiences": once(&audiences),
            "bound_subject": "",
            "bound_claims": {"iss": self.issuer, "sub": once(&self.subjects)},
            "bound_claims_type": "string",
            "user_claim": user_claim,
            "user_claim_json_pointer": user_claim.starts_with('/'),
            "claim_mappings": {
                "/kubernetes.io/serviceaccount/name": "service_account_name",
                "/kubernetes.io/namespace": "service_account_namespace",
            },
            "groups_claim": "",
            "expiration_leeway": 0,
            "not_before_leeway": 0,
            "clock_skew_leeway": 0,
            "token_policies": once(&self.policies),
            "token_ttl": self.ttl.unwrap_or(DEFAULT_TTL.min(self.max_ttl.unwrap_or(DEFAULT_TTL))),
            "token_max_ttl": self.max_ttl.unwrap_or(DEFAULT_MAX_TTL.max(self.ttl.unwrap_or(0))),
            "token_explicit_max_ttl": 0,
            "token_period": 0,
            "token_num_uses": 0,
            "token_no_default_policy": false,
            "token_bound_cidrs": [],
            "token_type": "default",
        });
        role.as_object().cloned().unwrap_or_default()
    }

    fn check_issuer(&self, existing: &Document) -> Result<(), RoleConflict> {
        match bound_claim(existing, "iss").into_iter().find(|theirs| *theirs != self.issuer) {
            None => Ok(()),
            Some(theirs) => {
                Err(RoleConflict::OtherIssuer { name: self.name.clone(), theirs, ours: self.issuer.clone() })
            }
        }
    }

    /// What the change does that could admit or exclude a service account.
    fn delicate_changes(&self, existing: &Document, role: &Document) -> Vec<String> {
        let listed = |document: &Document, field: &str| strings(document.get(field));
        let mut changes = Vec::new();
        let mut compare = |old: Vec<String>, new: Vec<String>, gains: &str, loses: &str| {
            for (of, than, what) in [(&new, &old, gains), (&old, &new, loses)] {
                let only: BTreeSet<&String> = of.iter().filter(|item| !than.contains(item)).collect();
                if !only.is_empty() {
                    let quoted: Vec<String> = only.iter().map(|item| format!("\"{}\"", one_line(item))).collect();
                    changes.push(format!("{what} {}", quoted.join(", ")));
                }
            }
        };
        compare(listed(existing, "token_policies"), listed(role, "token_policies"), "adds policy", "takes away policy");
        let subjects = bound_claim(existing, "sub");
        if !subjects.is_empty() {
            compare(subjects.clone(), bound_claim(role, "sub"), "lets in", "shuts out");
        }
        let (old, new) = (listed(existing, "bound_audiences"), listed(role, "bound_audiences"));
        compare(old, new, "accepts audience", "drops audience");
        for field in ["role_type", "bound_claims_type", "user_claim"] {
            let (old, new) = (listed(existing, field).join(","), listed(role, field).join(","));
            if old != new {
                changes.push(format!("changes {field} from \"{}\" to \"{new}\"", one_line(&old)));
            }
        }
        let bound_subject = listed(existing, "bound_subject").into_iter().find(|s| !s.is_empty());
        if let Some(subject) = &bound_subject {
            changes.push(format!("drops bound_subject \"{}\"", one_line(subject)));
        }
        if bound_claim(existing, "iss").is_empty() {
            changes.push("binds it to this issuer, which it was not".to_owned());
        }
        if subjects.is_empty() && bound_subject.is_none() {
            changes.push("binds it to service accounts, which it was not".to_owned());
        }
        changes
    }
}

/// Each string once, in order.
fn once(items: &[String]) -> Vec<&String> {
    let mut seen = BTreeSet::new();
    items.iter().filter(|item| seen.insert(*item)).collect()
}

/// The issuers that a role is bound to exactly; empty where it accepts any, or binds them by a
/// pattern.
pub fn bound_issuers(role: &Document) -> Vec<String> {
    let issuers = bound_claim(role, "iss");
    if binds_by_pattern(role) && issuers.iter().any(|issuer| issuer.contains('*')) { Vec::new() } else { issuers }
}

/// Whether a role accepts tokens of every cluster on the mount. Roles for OIDC accept no tokens
/// at all (vault-plugin-auth-jwt `path_login.go`).
pub fn takes_any_issuer(role: &Document) -> bool {
    !is_for_oidc(role) && bound_issuers(role).is_empty()
}

/// The role bound to exactly these issuers; the rest of it stays. What every role write
/// resets is sent along.
pub fn with_issuers(role: &Document, issuers: &[String]) -> Document {
    let sent = |field: &str| !OLD_NAMES.contains(&field);
    let mut role: Document =
        role.iter().filter(|(field, _)| sent(field)).map(|(f, v)| (f.clone(), v.clone())).collect();
    if let Some(Value::Object(claims)) = role.get_mut("bound_claims") {
        claims.insert("iss".to_owned(), if let [one] = issuers { json!(one) } else { json!(issuers) });
    }
    role
}

/// The vault CLI command that binds `role` to `issuer` and leaves the rest of
/// it alone. What every role write resets (`role_type`, `bound_claims_type`)
/// and what it replaces whole (`bound_claims`) is sent along.
pub fn binding_command(mount: &MountPath, name: &str, role: &Document, issuer: Option<&str>) -> String {
    let mut claims = role.get("bound_claims").and_then(Value::as_object).cloned().unwrap_or_default();
    claims.insert("iss".to_owned(), json!(issuer.unwrap_or("<the issuer of its cluster>")));
    let kind = role.get("bound_claims_type").and_then(Value::as_str).filter(|k| !k.is_empty()).unwrap_or("string");
    let body = json!({"role_type": "jwt", "bound_claims_type": kind, "bound_claims": claims});
    let body = quoted(&body.to_string());
    format!("echo {body} | vault write auth/{mount}/role/{} -", one_line(name))
}

/// The claim that makes the alias, where another cluster's tokens could carry
/// the same value.
pub fn shared_identity(role: &Document) -> Option<String> {
    let claim = role.get("user_claim").and_then(Value::as_str)?;
    (!UNIQUE_CLAIMS.contains(&claim)).then(|| claim.to_owned())
}

pub(super) fn is_for_oidc(role: &Document) -> bool {
    role.get("role_type").and_then(Value::as_str) == Some("oidc")
}

/// Whether `*` in a bound value stands for anything.
pub(super) fn binds_by_pattern(role: &Document) -> bool {
    role.get("bound_claims_type").and_then(Value::as_str) == Some("glob")
}

/// The values that a role accepts for a claim; empty where it does not bind it.
pub(super) fn bound_claim(role: &Document, claim: &str) -> Vec<String> {
    strings(role.get("bound_claims").and_then(|claims| claims.get(claim)))
}

/// A string, or a list of strings, as a list.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// The fields in which `role` says something else than `existing`. Order does
/// not matter where it means nothing, nor whether a single bound value is in a
/// list of its own.
pub fn changed_fields(existing: &Document, role: &Document) -> Vec<String> {
    differing(&comparable(existing), &comparable(role))
}

fn comparable(document: &Document) -> Document {
    let set = |value: &Value| json!(strings(Some(value)).into_iter().collect::<BTreeSet<_>>());
    let texts_only = |value: &Value| match value {
        Value::String(_) => true,
        Value::Array(items) => items.iter().all(Value::is_string),
        _ => false,
    };
    let mut document = document.clone();
    for (field, value) in &mut document {
        match value {
            Value::Object(claims) if field == "bound_claims" => {
                claims.values_mut().filter(|v| texts_only(v)).for_each(|v| *v = set(v));
            }
            value if SETS.contains(&field.as_str()) && texts_only(value) => *value = set(value),
            _ => {}
        }
    }
    document
}

#[cfg(test)]
mod tests;
