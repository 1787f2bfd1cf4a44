//! Owns what `setup` was asked for, resolved: no flags, no files, no clock.

use super::source::Keys;
use crate::cluster::ServiceAccount;
use crate::command::chain::Terms;
use crate::issuer::resolve::Wishes;
use crate::keychain::authority::Authority;
use crate::keychain::key::KeyId;
use jiff::Timestamp;
use shared::mount::MountPath;

/// Everything `setup` decides from, besides what it observes.
#[derive(Clone, Debug)]
pub struct SetupInput {
    /// The auth mount.
    pub mount: MountPath,
    /// The role to write, where one was asked for.
    pub role: Option<RoleInput>,
    /// Issuer and UID given by hand.
    pub wishes: Wishes,
    /// Name of the cluster for people: the context, or the cluster entry.
    pub cluster_name: String,
    /// `--move-from`
    pub moves: Option<MoveInput>,
    /// `--expect-key`: keys that the cluster must publish.
    pub expected: Vec<KeyId>,
    /// Whether an unproven issuer is believed.
    pub trust_issuer: bool,
    /// `--authority`: the way that is not recorded, as a person compared it.
    pub authority: Option<Authority>,
    /// Whether the issuer of a cluster that is on the mount already is proven
    /// again.
    pub prove_enrolled: bool,
    /// Whether the role is proven by a login.
    pub verify: bool,
    /// Whether to stop after the plan.
    pub dry_run: bool,
    /// Time of the run by the local clock; Vault's counts where it tells it.
    pub now: Timestamp,
    /// How the mount is to get its keys.
    pub keys: Keys,
    /// What holds for the keys and for sharing the mount.
    pub terms: Terms,
    /// A random audience, new for each run: it makes a token provably fresh.
    pub nonce: String,
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

/// The role that was asked for.
#[derive(Clone, Debug)]
pub struct RoleInput {
    /// Its name.
    pub name: String,
    /// Who may log in; at least one.
    pub service_accounts: Vec<ServiceAccount>,
    /// What they get; at least one.
    pub policies: Vec<String>,
    /// Audiences, where given.
    pub audiences: Option<Vec<String>>,
    /// Lease in seconds, where given.
    pub ttl: Option<u64>,
    /// Longest lease in seconds, where given.
    pub max_ttl: Option<u64>,
    /// `--user-claim`
    pub user_claim: Option<String>,
    /// `--allow-shared-identity`
    pub allow_shared_identity: bool,
    /// `--replace-role`
    pub replace: bool,
}
