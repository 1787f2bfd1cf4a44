//! Owns what `setup` will change, decided from what was asked for and what
//! was observed. Pure: the same input gives the same plan.

use super::error::SetupError;
use super::input::SetupInput;
use super::moves::{self, Issuers};
use super::observe::{Jwt, MountState, as_of};
use super::source;
use crate::cluster::ServiceAccount;
use crate::command::chain::{ChainError, Grounds, Member, MountPlan, Roles, elements};
use crate::issuer::Resolved;
use crate::keychain::action::KeyAction;
use crate::keychain::key::KeyId;
use crate::keychain::others::Others;
use crate::keychain::plan::ChainPlan;
use crate::shell::word;
use crate::vault::Document;
use crate::vault::config::Standing;
use crate::vault::role::{DEFAULT_AUDIENCE, DEFAULT_MAX_TTL, RoleSpec, changed_fields, shared_identity};
use crate::vault::source::KeysMode;
use shared::text::one_line;

/// What will change on the mount.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Whether the mount has to be enabled.
    pub enable_mount: bool,
    /// The mount's configuration.
    pub config: ConfigPlan,
    /// The roles.
    pub roles: RolesPlan,
}

/// What will become of roles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolesPlan {
    /// The role that was asked for.
    pub role: Option<RolePlan>,
    /// Roles that accept the cluster's new issuer too.
    pub moved: Vec<RolePlan>,
    /// Roles that accept its old issuer, and not the new one.
    pub left: Vec<LeftRole>,
}

/// A role that accepts a cluster's old issuer, and not the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRole {
    /// Its name.
    pub name: String,
    /// Whether it is bound to exactly the old issuer, so that a flag changes it.
    pub exactly: bool,
}

/// What will become of the mount's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigPlan {
    /// The chain, key by key.
    pub chain: ChainPlan,
    /// The full document.
    pub document: Document,
    /// How many keys are on the mount then.
    pub keys: usize,
    /// Whether the mount serves others too.
    pub shared: bool,
    /// Whether it has to be written.
    pub write: bool,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
}

impl ConfigPlan {
    /// Decides on the configuration as it stands, or refuses with the reason.
    pub fn make(
        input: &SetupInput,
        cluster: &Resolved,
        standing: Standing<'_>,
        roles: &Roles,
        grounds: &Grounds,
    ) -> Result<Self, SetupError> {
        let mount = || input.mount.clone();
        if input.keys.mode != KeysMode::Static {
            return source::plan(input, cluster, standing, roles, grounds);
        }
        let emptied = source::back_to_static(input, cluster, standing, grounds)?;
        // A mount that fetched its keys was this cluster's alone: its roles are too.
        let own = Roles::none();
        let roles = if emptied.is_some() { &own } else { roles };
        let before = standing.document;
        let standing = Standing { document: emptied.as_ref().or(before), ..standing };
        let member = Member { cluster, name: &input.cluster_name, enrol: true, grounds, recent: None };
        let known = as_of(cluster, elements(standing.document), grounds.from.as_ref());
        if !grounds.enrolls && !known.iter().any(|element| element.is_of(&cluster.owner)) {
            // Nobody confirmed that it may be enrolled: it was, and is not any more.
            return Err(SetupError::Chain { mount: mount(), source: ChainError::Meanwhile });
        }
        let plan = MountPlan::make(standing, &[member], &input.terms, roles)
            .map_err(|source| SetupError::Config { mount: mount(), source })?;
        let MountPlan { document, mut write, keys, members, warnings } = plan;
        write |= emptied.is_some();
        // One member in, one outcome out.
        let chain = members.into_iter().next().unwrap_or(Err(ChainError::Meanwhile));
        let chain = chain.map_err(|source| SetupError::Chain { mount: mount(), source })?;
        let standing = elements(standing.document);
        let standing = as_of(cluster, standing, grounds.from.as_ref());
        let shared = Others::of(&standing, &cluster.owner, &cluster.keys.keys, &grounds.adoptable).any();
        Ok(Self { chain, document, keys, shared, write, warnings })
    }
}

/// What will become of the role.
#[derive(Clone, Debug, PartialEq)]
pub struct RolePlan {
    /// Its name.
    pub name: String,
    /// Whether there is one already.
    pub exists: bool,
    /// The full document.
    pub document: Document,
    /// Whether it has to be written.
    pub write: bool,
    /// The fields that change; empty for a new role.
    pub changes: Vec<String>,
    /// What stands there.
    pub before: Option<Document>,
    /// Service accounts that it accepts.
    pub accounts: Vec<ServiceAccount>,
    /// The cluster's issuers, where the role gets the new one.
    pub issuers: Option<Issuers>,
}

impl RolesPlan {
    /// Decides on the roles.
    pub fn make(input: &SetupInput, cluster: &Resolved, state: &MountState) -> Result<Self, SetupError> {
        let role = RolePlan::make(input, cluster, state)?;
        let (moved, left) = moves::roles(input, cluster, state)?;
        Ok(Self { role, moved, left })
    }

    /// The role that is tested by a login.
    pub fn tested(&self) -> Option<&RolePlan> {
        self.role.as_ref().or(self.moved.first())
    }

    /// Those that are written.
    pub fn all(&self) -> impl Iterator<Item = &RolePlan> {
        self.role.iter().chain(&self.moved)
    }
}

impl RolePlan {
    fn audiences(&self) -> impl Iterator<Item = &str> {
        let bound = self.document.get("bound_audiences").and_then(|a| a.as_array());
        bound.into_iter().flatten().filter_map(|a| a.as_str())
    }

    /// An audience that the role takes, for tokens that prove it.
    pub fn audience(&self) -> String {
        self.audiences().next().unwrap_or(DEFAULT_AUDIENCE).to_owned()
    }
}

impl Plan {
    /// What is allowed but should be known.
    pub fn warnings(&self, issuer: &str) -> Vec<String> {
        let mut warnings = self.config.warnings.clone();
        let unmarked = self.config.chain.count(KeyAction::KeepUnmarked);
        if unmarked > 0 {
            let keys = if unmarked == 1 {
                "1 key of this cluster".to_owned()
            } else {
                format!("{unmarked} keys of this cluster")
            };
            warnings.push(format!(
                "{keys} stand on the mount without a mark and will not be refreshed: --adopt marks them"
            ));
        }
        let moved = self.roles.left.iter().map(|role| {
            let (name, what) = (one_line(&role.name), "refuses this cluster's new tokens");
            if role.exactly {
                format!(
                    "role \"{name}\" is bound to the old issuer and {what}; run the command again with --role {}",
                    word(&role.name)
                )
            } else {
                format!(
                    "role \"{name}\" accepts the old issuer among others and {what}; add the new issuer to it by hand"
                )
            }
        });
        warnings.extend(moved);
        let Some(role) = &self.roles.role else { return warnings };
        if let (Some(claim), true) = (shared_identity(&role.document), self.config.shared) {
            warnings.push(format!(
                "role \"{}\" takes the claim \"{}\" for the identity: another cluster's tokens with the same value share its Vault entity",
                role.name,
                one_line(&claim)
            ));
        }
        // kubeadm, kind and k3s take their issuer for the API server's audience too.
        for audience in role.audiences().filter(|a| *a == issuer || a.starts_with("https://kubernetes.default.svc")) {
            warnings.push(format!(
                "role \"{}\" takes tokens for audience \"{}\", which the API server takes too: Vault gets to see a credential for it",
                role.name,
                one_line(audience)
            ));
        }
        let longest = role.document.get("token_max_ttl").and_then(|t| t.as_u64()).unwrap_or_default();
        let lease = match longest {
            0 => "no longest lease of its own, so Vault's holds (768h unless changed)".to_owned(),
            long if long > DEFAULT_MAX_TTL => {
                format!("a longest lease of {}", shared::duration::short(std::time::Duration::from_secs(long)))
            }
            _ => return warnings,
        };
        warnings.push(format!("role \"{}\" has {lease}: a stolen token lives as long (--max-ttl sets it)", role.name));
        warnings
    }

    /// Refuses where a key that the user expects is not on the mount then. Where Vault
    /// fetches the keys, all that are published are.
    pub fn ensure_expected(&self, input: &SetupInput) -> Result<(), SetupError> {
        let keys: Vec<KeyId> = input.expected.iter().filter(|id| !self.config.chain.has(**id)).copied().collect();
        if keys.is_empty() || input.keys.mode != KeysMode::Static {
            return Ok(());
        }
        Err(SetupError::ExpectedWaits { mount: input.mount.clone(), keys })
    }

    /// Whether anything is written at all.
    pub fn changes(&self) -> bool {
        self.enable_mount || self.config.write || self.roles.all().any(|role| role.write)
    }

    /// Decides, or refuses with the reason.
    pub fn make(
        input: &SetupInput,
        cluster: &Resolved,
        state: &MountState,
        roles: RolesPlan,
        grounds: &Grounds,
    ) -> Result<Self, SetupError> {
        let missing = Jwt { roles: Roles::none(), ..Jwt::default() };
        let jwt = match state {
            MountState::Missing => &missing,
            MountState::Jwt(jwt) => jwt,
        };
        let now = jwt.config.date.unwrap_or(input.now);
        let standing = Standing { document: jwt.config.document.as_ref(), now };
        let config = ConfigPlan::make(input, cluster, standing, &jwt.roles, grounds)?;
        if let Some(role) = &roles.role {
            refuse_shared_identity(input, &config, role)?;
        }
        Ok(Self { enable_mount: *state == MountState::Missing, config, roles })
    }
}

/// Two clusters can give the same value to most claims, and Vault would take
/// both for one entity: its policies, groups and metadata.
fn refuse_shared_identity(input: &SetupInput, config: &ConfigPlan, role: &RolePlan) -> Result<(), SetupError> {
    let Some(wanted) = input.role.as_ref().filter(|role| !role.allow_shared_identity) else { return Ok(()) };
    match shared_identity(&role.document) {
        // What an existing role has is warned of, not refused: it is not this run's doing.
        Some(claim) if wanted.user_claim.is_some() && config.shared => {
            Err(SetupError::SharedIdentity { mount: input.mount.clone(), role: role.name.clone(), claim })
        }
        _ => Ok(()),
    }
}

impl RolePlan {
    /// Decides on the role, where one was asked for.
    pub fn make(input: &SetupInput, cluster: &Resolved, state: &MountState) -> Result<Option<Self>, SetupError> {
        let Some(role) = &input.role else { return Ok(None) };
        let existing = match state {
            MountState::Missing => None,
            MountState::Jwt(jwt) => jwt.role.as_ref(),
        };
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
        let changes = existing.map(|existing| changed_fields(existing, &document)).unwrap_or_default();
        let exists = existing.is_some();
        Ok(Some(Self {
            name: role.name.clone(),
            exists,
            write: !exists || !changes.is_empty(),
            changes,
            document,
            before: existing.cloned(),
            accounts: role.service_accounts.clone(),
            issuers: None,
        }))
    }
}
