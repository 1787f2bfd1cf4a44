//! What becomes of one role in `setup`.

use crate::cluster::service_account::ServiceAccount;
use crate::command::setup::error::SetupError;
use crate::command::setup::input::SetupInput;
use crate::command::setup::state::MountState;
use crate::issuer::Resolved;
use crate::vault::Document;
use crate::vault::mount::role::{RoleSpec, bound_issuers, changed_fields, with_issuers};
use serde_json::Value;
use shared::jwt::DEFAULT_AUDIENCE;

/// A role that accepts a cluster's old issuer, and not the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRole {
    pub name: String,
    /// Whether it is bound to exactly the old issuer, so that a flag changes it.
    pub exactly: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RolePlan {
    pub name: String,
    pub document: Document,
    pub write: bool,
    /// The fields that change; empty for a new role.
    pub changes: Vec<String>,
    /// `None` for a new role.
    pub before: Option<Document>,
    pub accounts: Vec<ServiceAccount>,
    /// The cluster's issuers, where the role gets the new one.
    pub issuers: Option<Issuers>,
}

impl RolePlan {
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        let bound = self.document.get("bound_audiences").and_then(|a| a.as_array());
        bound.into_iter().flatten().filter_map(|a| a.as_str())
    }

    /// An audience that the role takes, for tokens that prove it.
    pub fn audience(&self) -> String {
        self.audiences().next().unwrap_or(DEFAULT_AUDIENCE).to_owned()
    }

    /// Decides on the role, where one was asked for.
    pub fn make(input: &SetupInput, cluster: &Resolved, state: &MountState) -> Result<Option<Self>, SetupError> {
        let Some(role) = &input.role else { return Ok(None) };
        let existing = state.role.as_ref();
        let spec = RoleSpec {
            name: role.name.clone(),
            issuer: cluster.owner.issuer.clone(),
            subjects: role.service_accounts.iter().map(|a| a.subject()).collect(),
            policies: role.policies.clone(),
            audiences: role.audiences.clone(),
            ttl: role.ttl,
            max_ttl: role.max_ttl,
            user_claim: role.user_claim.clone(),
            replace: role.replace,
        };
        let document = spec.document(existing).map_err(|source| SetupError::Role {
            mount: input.mount.clone(),
            cluster: input.cluster_name.clone(),
            source,
        })?;
        Ok(Some(Self::of(role.name.clone(), state.role.clone(), document, role.service_accounts.clone())))
    }

    fn of(name: String, before: Option<Document>, document: Document, accounts: Vec<ServiceAccount>) -> Self {
        let changes = before.as_ref().map(|before| changed_fields(before, &document)).unwrap_or_default();
        let write = before.is_none() || !changes.is_empty();
        Self { name, document, write, changes, before, accounts, issuers: None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuers {
    /// The one that it moves from.
    pub old: String,
    /// All that it had.
    pub had: Vec<String>,
    pub new: String,
}

impl Issuers {
    /// The issuers of a role that it accepts when the new one is added; `None` for a role
    /// that is not the cluster's alone, or whose claims are more than exact strings.
    pub fn added(&self, role: &Document) -> Option<Vec<String>> {
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
        let plan = RolePlan::of(name.to_owned(), Some(role.clone()), document, accounts(role));
        Some(RolePlan { issuers: Some(self.clone()), ..plan })
    }
}

/// The service accounts that a role is bound to.
pub fn accounts(role: &Document) -> Vec<ServiceAccount> {
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
