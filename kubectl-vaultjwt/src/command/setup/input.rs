//! What `setup` was asked for, resolved: no flags, no files, no clock.

use crate::cluster::Cluster;
use crate::cluster::service_account::ServiceAccount;
use crate::command::mount::{EnrollmentError, MountOptions};
use crate::command::setup::error::SetupError;
use crate::command::{Confirm, Progress};
use crate::issuer::Sources;
use crate::issuer::request::IssuerOverrides;
use crate::keychain::authority::Authority;
use crate::keychain::key_id::KeyId;
use crate::vault::Vault;
use crate::vault::mount::key_source::KeysMode;
use jiff::Timestamp;
use shared::mount::MountPath;

/// Everything `setup` decides from, besides what it observes.
#[derive(Clone, Debug)]
pub struct SetupInput {
    pub mount: MountPath,
    pub role: Option<RoleInput>,
    /// Issuer and UID given by hand.
    pub overrides: IssuerOverrides,
    /// Name of the cluster for people: the context, or the cluster entry.
    pub cluster_name: String,
    /// `--move-from`
    pub moves: Option<MoveInput>,
    /// `--expect-key`: keys that the cluster must publish.
    pub expected: Vec<KeyId>,
    /// Whether an issuer that is not verified is accepted.
    pub trust_issuer: bool,
    /// `--authority`: the way that is not recorded, as a person compared it.
    pub authority: Option<Authority>,
    /// Whether the issuer of a cluster that is on the mount already is proven
    /// again.
    pub prove_enrolled: bool,
    /// Whether the role is proven by a login.
    pub verify: bool,
    pub dry_run: bool,
    /// Time of the run by the local clock; Vault's takes precedence where it sends it.
    pub now: Timestamp,
    pub keys: Keys,
    pub options: MountOptions,
    /// A random audience, new for each run: it makes a token provably fresh.
    pub nonce: String,
}

impl SetupInput {
    /// The reason why the mount does not take the cluster's keys.
    pub fn refused(&self, source: EnrollmentError) -> SetupError {
        SetupError::Enrollment { mount: self.mount.clone(), source }
    }
}

/// The cluster's issuer changed, and its keys are to move to the new one.
#[derive(Clone, Debug)]
pub struct MoveInput {
    /// The issuer that it is enrolled with.
    pub from: String,
    /// The role that is to accept the new issuer too.
    pub role: Option<String>,
    /// Whether all roles are to that are bound to exactly the old issuer.
    pub all_roles: bool,
}

#[derive(Clone, Debug)]
pub struct RoleInput {
    pub name: String,
    /// Who may log in; at least one.
    pub service_accounts: Vec<ServiceAccount>,
    /// What they get; at least one.
    pub policies: Vec<String>,
    pub audiences: Option<Vec<String>>,
    /// In seconds.
    pub ttl: Option<u64>,
    /// In seconds.
    pub max_ttl: Option<u64>,
    pub user_claim: Option<String>,
    pub allow_shared_identity: bool,
    /// `--replace-role`
    pub replace: bool,
}

/// The ways out of the program that `setup` uses.
#[derive(Clone, Copy)]
pub struct SetupPorts<'a> {
    pub cluster: &'a dyn Cluster,
    pub sources: Sources<'a>,
    pub vault: &'a dyn Vault,
    pub progress: &'a dyn Progress,
    pub confirm: &'a dyn Confirm,
}

/// How the mount is to get its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// `--keys`
    pub mode: KeysMode,
    /// `--convert-keys`
    pub convert: bool,
    /// The authorities that Vault is to trust for the issuer's site, PEM;
    /// empty for the system's.
    pub ca: String,
}
