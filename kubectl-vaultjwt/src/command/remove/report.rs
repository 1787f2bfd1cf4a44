//! What `remove` found, planned, and did, as one document: it can be kept, and holds what
//! an undo needs (configuration before, the deleted roles).

use crate::command::remove::input::{RemoveInput, RemovePorts};
use crate::command::remove::plan::{RemovePlan, RemoveState};
use crate::command::remove::roles::OwnersRoles;
use crate::command::report::{ChangeReport, KeyChangeReport, VaultLocation};
use crate::command::words::counted;
use crate::keychain::Owner;
use crate::shell::in_namespace;
use crate::vault::Document;
use crate::vault::mount::role::with_issuers;
use serde::Serialize;

/// The report of `remove`; its JSON form is what `-o json` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoveReport {
    pub dry_run: bool,
    pub owner: Owner,
    pub keys: Vec<KeyChangeReport>,
    pub vault: VaultLocation,
    pub config: ChangeReport,
    pub roles: RolesReport,
    pub leases: LeasesReport,
    /// Why it ended before its end; what is reported as written may then not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The roles bound to the owner's issuer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolesReport {
    /// Deleted, or would be.
    pub deleted: Vec<DeletedRole>,
    /// Those that the owner's issuer was, or would be, removed from.
    pub changed: Vec<ChangedRole>,
    pub kept: Vec<KeptRole>,
    /// Why they could not be read, where they could not.
    pub unreadable: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRole {
    pub name: String,
    pub document: Document,
}

/// A role that accepts one issuer less.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedRole {
    pub name: String,
    pub before: Document,
    /// As it is, or would be.
    pub after: Document,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptRole {
    pub name: String,
    /// Why, as a clause.
    pub why: String,
}

/// Vault tokens that the mount issued.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeasesReport {
    /// The command that revokes them: all that the mount issued.
    pub command: String,
    /// Whom else it hits, in words.
    pub also: Vec<String>,
}

impl RemoveReport {
    /// The report before anything is changed.
    pub(super) fn new(ports: RemovePorts<'_>, input: &RemoveInput, seen: &RemoveState, plan: &RemovePlan) -> Self {
        let shared = plan.roles.shared.iter().map(|(name, why)| KeptRole { name: name.clone(), why: why.to_string() });
        let (kept, unreadable) = (shared.collect(), plan.roles_unreadable.clone());
        let mut roles = RolesReport { deleted: Vec::new(), changed: Vec::new(), kept, unreadable };
        let OwnersRoles { exclusive, listed, .. } = &plan.roles;
        if plan.delete_roles {
            let changed = listed.iter().filter_map(|(name, others)| {
                let before = seen.roles.as_ref().ok()?.get(name)?.clone();
                Some(ChangedRole { name: name.clone(), after: with_issuers(&before, others), before })
            });
            roles.changed = changed.collect();
            let deleted =
                |(name, document): (&String, &Document)| DeletedRole { name: name.clone(), document: document.clone() };
            roles.deleted = exclusive.iter().map(deleted).collect();
        } else {
            let kept = |name: &String| KeptRole { name: name.clone(), why: "--roles was not given".to_owned() };
            roles.kept.extend(listed.keys().chain(exclusive.keys()).map(kept));
        }
        let mut also: Vec<String> = plan.config.owners().iter().map(ToString::to_string).collect();
        match plan.config.strange() {
            0 => {}
            n => also.push(format!("whoever signs with {} of no known owner", counted(n, "key"))),
        }
        Self {
            dry_run: input.dry_run,
            owner: plan.owner.clone(),
            keys: plan.config.steps.iter().map(KeyChangeReport::of).collect(),
            vault: VaultLocation::of(ports.vault, &input.mount),
            config: ChangeReport {
                written: plan.config.write(),
                before: seen.config.document.clone(),
                after: plan.config.document.clone(),
            },
            roles,
            leases: LeasesReport { command: lease_command(&input.mount.to_string(), ports.vault.namespace()), also },
            failure: None,
        }
    }
}

/// Leases of tokens that a mount issued are kept under its login path
/// (vault `vault/expiration.go` `RegisterAuth`; seen on Vault 1.21 and OpenBao 2.7).
fn lease_command(mount: &str, namespace: Option<&str>) -> String {
    format!("vault lease revoke{} -prefix auth/{mount}/login", in_namespace(namespace))
}
