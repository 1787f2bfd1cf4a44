//! Owns what `remove` found, planned and did, as one document: it can be kept,
//! and holds what an undo needs (configuration before, the deleted roles).

use super::observe::Seen;
use super::plan::{Plan, counted};
use super::{Ports, RemoveInput};
use crate::command::report::{ChangeReport, KeyReport, Place};
use crate::keychain::Owner;
use crate::shell::word;
use crate::vault::Document;
use crate::vault::role::with_issuers;
use serde::Serialize;

/// The report of `remove`; its JSON form is what `-o json` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoveReport {
    /// Whether nothing was changed on purpose.
    pub dry_run: bool,
    /// Whose keys leave.
    pub owner: Owner,
    /// Those keys.
    pub keys: Vec<KeyReport>,
    /// Vault.
    pub vault: Place,
    /// The mount's configuration.
    pub config: ChangeReport,
    /// The roles bound to the owner's issuer.
    pub roles: RolesReport,
    /// Vault tokens that are still about.
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
    /// Not deleted.
    pub kept: Vec<KeptRole>,
    /// Why they could not be read, where they could not.
    pub unreadable: Option<String>,
}

/// A role that is no more.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRole {
    /// Its name.
    pub name: String,
    /// As it was.
    pub document: Document,
}

/// A role that accepts one issuer less.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedRole {
    /// Its name.
    pub name: String,
    /// As it was.
    pub before: Document,
    /// As it is, or would be.
    pub after: Document,
}

/// A role that stays.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptRole {
    /// Its name.
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
    pub(super) fn new(ports: Ports<'_>, input: &RemoveInput, seen: &Seen, plan: &Plan) -> Self {
        let shared = plan.roles.shared.iter().map(|(name, why)| KeptRole { name: name.clone(), why: why.to_string() });
        let mut roles = RolesReport {
            deleted: Vec::new(),
            changed: Vec::new(),
            kept: shared.collect(),
            unreadable: plan.roles_unreadable.clone(),
        };
        for (name, others) in &plan.roles.listed {
            let found = seen.roles.as_ref().ok().and_then(|roles| roles.get(name));
            match found {
                Some(before) if plan.delete_roles => {
                    let after = with_issuers(before, others);
                    roles.changed.push(ChangedRole { name: name.clone(), before: before.clone(), after });
                }
                _ => roles.kept.push(KeptRole { name: name.clone(), why: "--roles was not given".to_owned() }),
            }
        }
        for (name, document) in &plan.roles.sole {
            if plan.delete_roles {
                roles.deleted.push(DeletedRole { name: name.clone(), document: document.clone() });
            } else {
                roles.kept.push(KeptRole { name: name.clone(), why: "--roles was not given".to_owned() });
            }
        }
        let mut also: Vec<String> = plan.config.owners().iter().map(ToString::to_string).collect();
        match plan.config.strange() {
            0 => {}
            n => also.push(format!("whoever signs with {} of no known owner", counted(n, "key"))),
        }
        Self {
            dry_run: input.dry_run,
            owner: plan.owner.clone(),
            keys: plan.config.steps.iter().map(KeyReport::of).collect(),
            vault: Place::of(ports.vault, &input.mount),
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

/// The vault CLI's flag for a namespace, as a word of a shell.
pub(super) fn in_namespace(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!(" -namespace={}", word(namespace)),
        None => String::new(),
    }
}
