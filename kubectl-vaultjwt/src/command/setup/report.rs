//! Owns what `setup` found, planned and did, as one document: it can be kept,
//! and holds what an undo needs (configuration and role, before and after).

use super::Ports;
use super::input::SetupInput;
use super::observe::MountState;
use super::plan::{Plan, RolePlan};
use super::prove::IssuerProof;
use crate::command::chain::elements;
use crate::command::report::{ChangeReport, CloudReport, KeyReport, Place};
use crate::issuer::proof::Proof;
use crate::issuer::rotation::{self, Rotation};
use crate::issuer::{KeySource, Lag, NamedBy, Resolved};
use crate::keychain::Owner;
use crate::keychain::freshness::Freshness;
use crate::vault::source::KeysMode;
use serde::Serialize;

/// The report of `setup`; its JSON form is what `-o json` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupReport {
    /// Whether nothing was changed on purpose.
    pub dry_run: bool,
    /// Whether anything was, or would be, changed.
    pub changed: bool,
    /// The cluster.
    pub cluster: ClusterReport,
    /// Who answers for the keys.
    pub owner: Owner,
    /// Who named the issuer.
    pub named_by: NamedBy,
    /// What the cluster's cloud says; `null` where it was not asked.
    pub cloud: Option<CloudReport>,
    /// Where the keys came from.
    pub key_source: KeySource,
    /// How the issuer replaces its keys, where that is known: the mount has to
    /// be kept fresh then.
    pub rotation: Option<Rotation>,
    /// How the mount gets its keys.
    pub keys_mode: KeysMode,
    /// Whether anything keeps them fresh.
    pub freshness: Option<Freshness>,
    /// The issuer's URL lacks a key that the API server publishes.
    #[serde(skip)]
    pub lag: Option<Lag>,
    /// Keys of this owner.
    pub keys: Vec<KeyReport>,
    /// Published keys that were left out, in words.
    pub skipped_keys: Vec<String>,
    /// How the issuer was proven; `null` where `--trust-issuer` stood in.
    pub issuer_proof: Option<IssuerProofReport>,
    /// Vault.
    pub vault: VaultReport,
    /// The mount's configuration.
    pub config: ChangeReport,
    /// The role, where one was asked for.
    pub role: Option<RoleReport>,
    /// Roles that accept the cluster's new issuer too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_roles: Vec<RoleReport>,
    /// The owner whose keys became this cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Owner>,
    /// The proof of the role.
    pub login: LoginReport,
    /// Why it ended before its end; what is reported as written may then not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Which cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// The context.
    pub context: Option<String>,
    /// URL of the API server.
    pub server: String,
}

/// How the issuer was proven.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerProofReport {
    /// Whose token proved it.
    pub service_account: String,
    /// What it showed.
    #[serde(flatten)]
    pub proof: Proof,
}

/// Which Vault, which mount.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultReport {
    /// The mount.
    #[serde(flatten)]
    pub place: Place,
    /// Whether the mount was, or would be, enabled.
    pub enabled: bool,
}

/// The role.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleReport {
    /// Its name.
    pub name: String,
    /// The service accounts it takes.
    pub service_accounts: Vec<String>,
    /// The audience pods ask for.
    pub audience: String,
    /// Its document.
    #[serde(flatten)]
    pub change: ChangeReport,
}

/// The proof of the role.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "result", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LoginReport {
    /// A login worked.
    Proven {
        /// Whose token logged in.
        service_account: String,
        /// Policies it got.
        policies: Vec<String>,
        /// Lease in seconds.
        lease_seconds: u64,
        /// Whether the Vault token is revoked.
        revoked: bool,
    },
    /// No token could be had.
    Skipped {
        /// Why.
        why: String,
    },
    /// `--verify=none`, `--dry-run`, or no role.
    NotAsked,
}

impl SetupReport {
    /// The report before anything is changed.
    pub(super) fn new(
        ports: Ports<'_>,
        input: &SetupInput,
        cluster: &Resolved,
        state: &MountState,
        plan: &Plan,
        proof: &IssuerProof,
    ) -> Self {
        let target = ports.cluster.target();
        let config = match state {
            MountState::Missing => None,
            MountState::Jwt(jwt) => jwt.config.document.clone(),
        };
        let role = |planned: &RolePlan| RoleReport {
            name: planned.name.clone(),
            service_accounts: planned.accounts.iter().map(ToString::to_string).collect(),
            audience: planned.audience(),
            change: ChangeReport {
                written: planned.write,
                before: planned.before.clone(),
                after: planned.document.clone(),
            },
        };
        Self {
            dry_run: input.dry_run,
            changed: plan.changes(),
            cluster: ClusterReport { context: target.context.clone(), server: target.server.clone() },
            owner: cluster.owner.clone(),
            named_by: cluster.named_by,
            cloud: CloudReport::of(&cluster.cloud),
            key_source: cluster.source,
            lag: cluster.lag(&input.cluster_name, |id| plan.config.chain.has(id)),
            rotation: rotation::of(&cluster.owner.issuer),
            keys_mode: input.keys.mode,
            freshness: match input.keys.mode {
                KeysMode::Static => Freshness::of(&elements(Some(&plan.config.document)), &cluster.owner),
                _ => Some(Freshness::Vault),
            },
            keys: plan.config.chain.steps.iter().map(KeyReport::of).collect(),
            skipped_keys: cluster.keys.skipped.iter().map(ToString::to_string).collect(),
            issuer_proof: proof.shown.as_ref().map(|(account, proof)| IssuerProofReport {
                service_account: account.to_string(),
                proof: proof.clone(),
            }),
            vault: VaultReport { place: Place::of(ports.vault, &input.mount), enabled: plan.enable_mount },
            config: ChangeReport { written: plan.config.write, before: config, after: plan.config.document.clone() },
            role: plan.roles.role.as_ref().map(role),
            moved_roles: plan.roles.moved.iter().map(role).collect(),
            moved_from: plan.config.chain.from.clone(),
            login: LoginReport::NotAsked,
            failure: None,
        }
    }
}
