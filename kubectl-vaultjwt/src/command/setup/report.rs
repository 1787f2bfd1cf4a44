//! What `setup` found, planned, and did, as one document: it can be kept, and holds what an
//! undo needs (configuration and role, before and after).

use crate::command::mount::elements;
use crate::command::report::{ChangeReport, CloudReport, KeyChangeReport, ProofReport, VaultLocation};
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::plan::SetupPlan;
use crate::command::setup::prove::IssuerProof;
use crate::command::setup::role_plan::RolePlan;
use crate::command::setup::state::MountState;
use crate::issuer::rotation_policy::{self, Rotation};
use crate::issuer::{KeySource, Lag, NamedBy, Resolved};
use crate::keychain::Owner;
use crate::keychain::freshness::Freshness;
use crate::vault::mount::key_source::KeysMode;
use serde::Serialize;

/// The report of `setup`; its JSON form is what `-o json` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupReport {
    pub dry_run: bool,
    /// Whether anything was, or would be, changed.
    pub changed: bool,
    pub cluster: ClusterReport,
    pub owner: Owner,
    pub named_by: NamedBy,
    /// What the cluster's cloud says; `null` where it was not asked.
    pub cloud: Option<CloudReport>,
    pub key_source: KeySource,
    /// How the issuer replaces its keys, where that is known: the mount has to
    /// be kept fresh then.
    pub rotation: Option<Rotation>,
    pub keys_mode: KeysMode,
    pub freshness: Option<Freshness>,
    /// The issuer's URL lacks a key that the API server publishes.
    #[serde(skip)]
    pub lag: Option<Lag>,
    /// Keys of this owner.
    pub keys: Vec<KeyChangeReport>,
    /// Published keys that were left out, in words.
    pub skipped_keys: Vec<String>,
    /// How the issuer was proven; `null` where `--trust-issuer` stood in.
    pub issuer_proof: Option<ProofReport>,
    pub vault: VaultReport,
    pub config: ChangeReport,
    pub role: Option<RoleReport>,
    /// Roles that accept the cluster's new issuer too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_roles: Vec<RoleReport>,
    /// The owner whose keys became this cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Owner>,
    pub login: LoginReport,
    /// Why it ended before its end; what is reported as written may then not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    pub context: Option<String>,
    /// URL of the API server.
    pub server: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultReport {
    #[serde(flatten)]
    pub place: VaultLocation,
    /// Whether the mount was, or would be, enabled.
    pub enabled: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleReport {
    pub name: String,
    pub service_accounts: Vec<String>,
    pub audience: String,
    #[serde(flatten)]
    pub change: ChangeReport,
}

/// The test login with the role.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "result", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LoginReport {
    Proven {
        service_account: String,
        policies: Vec<String>,
        /// TTL in seconds.
        lease_seconds: u64,
        revoked: bool,
    },
    /// No token could be had.
    Skipped { why: String },
    /// `--verify=none`, `--dry-run`, or no role.
    NotAsked,
}

impl SetupReport {
    /// The report before anything is changed.
    pub(super) fn new(
        ports: SetupPorts<'_>,
        input: &SetupInput,
        cluster: &Resolved,
        state: &MountState,
        plan: &SetupPlan,
        proof: &IssuerProof,
    ) -> Self {
        let target = ports.cluster.target();
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
            lag: cluster.lag(&input.cluster_name, |id| plan.config.key_list.has(id)),
            rotation: rotation_policy::of(&cluster.owner.issuer),
            keys_mode: input.keys.mode,
            freshness: match input.keys.mode {
                KeysMode::Static => Freshness::of(&elements(Some(&plan.config.document)), &cluster.owner),
                _ => Some(Freshness::Vault),
            },
            keys: plan.config.key_list.steps.iter().map(KeyChangeReport::of).collect(),
            skipped_keys: cluster.keys.skipped.iter().map(ToString::to_string).collect(),
            issuer_proof: proof
                .shown
                .as_ref()
                .map(|(account, proof)| ProofReport { service_account: account.to_string(), proof: proof.clone() }),
            vault: VaultReport { place: VaultLocation::of(ports.vault, &input.mount), enabled: plan.enable_mount },
            config: ChangeReport {
                written: plan.config.write,
                before: state.config.document.clone(),
                after: plan.config.document.clone(),
            },
            role: plan.roles.role.as_ref().map(role),
            moved_roles: plan.roles.moved.iter().map(role).collect(),
            moved_from: plan.config.key_list.from.clone(),
            login: LoginReport::NotAsked,
            failure: None,
        }
    }
}
