//! Plans what `setup` changes, from what was asked for and what was observed. Pure: the
//! same input gives the same plan.

use crate::command::capabilities::Right;
use crate::command::mount::{EnrollmentError, Grounds, Member, MountPlan, Roles, elements};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::SetupInput;
use crate::command::setup::role_plan::{LeftRole, RolePlan};
use crate::command::setup::state::{ConfigPlan, MountState, as_of};
use crate::command::setup::{moves, source};
use crate::command::words::{counted, quoted};
use crate::issuer::Resolved;
use crate::keychain::action::KeyAction;
use crate::keychain::key_id::KeyId;
use crate::keychain::others::Others;
use crate::shell::word;
use crate::vault::mount::config::MountSnapshot;
use crate::vault::mount::key_source::KeysMode;
use crate::vault::mount::role::{DEFAULT_MAX_TTL, shared_identity};
use shared::mount::MountPath;
use shared::text::one_line;

#[derive(Clone, Debug, PartialEq)]
pub struct SetupPlan {
    pub enable_mount: bool,
    pub config: ConfigPlan,
    pub roles: RolesPlan,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolesPlan {
    pub role: Option<RolePlan>,
    /// Roles that accept the cluster's new issuer too.
    pub moved: Vec<RolePlan>,
    /// Roles that accept its old issuer, and not the new one.
    pub left: Vec<LeftRole>,
}

/// Plans from the current configuration, or refuses with the reason.
pub fn config(
    input: &SetupInput,
    cluster: &Resolved,
    standing: MountSnapshot<'_>,
    roles: &Roles,
    grounds: &Grounds,
) -> Result<ConfigPlan, SetupError> {
    if input.keys.mode != KeysMode::Static {
        return source::plan(input, cluster, standing, roles, grounds);
    }
    let emptied = source::back_to_static(input, cluster, standing, grounds)?;
    // A mount that fetched its keys was this cluster's alone: its roles are too.
    let own = Roles::none();
    let roles = if emptied.is_some() { &own } else { roles };
    let before = standing.document;
    let standing = MountSnapshot { document: emptied.as_ref().or(before), ..standing };
    let member = Member { cluster, name: &input.cluster_name, enroll: true, grounds, recent: None };
    let known = as_of(cluster, elements(standing.document), grounds.from.as_ref());
    if !grounds.enrolls && !known.iter().any(|element| element.is_of(&cluster.owner)) {
        // Its enrollment was not confirmed: it was enrolled, and no longer is.
        return Err(input.refused(EnrollmentError::Meanwhile));
    }
    let plan = MountPlan::make(standing, &[member], &input.options, roles)
        .map_err(|source| SetupError::Config { mount: input.mount.clone(), source })?;
    let MountPlan { document, mut write, keys, members, warnings } = plan;
    write |= emptied.is_some();
    // One member in, one outcome out.
    let key_list = members.into_iter().next().unwrap_or(Err(EnrollmentError::Meanwhile));
    let key_list = key_list.map_err(|source| input.refused(source))?;
    let shared = Others::of(&known, &cluster.owner, &cluster.keys.keys, &grounds.adoptable).any();
    Ok(ConfigPlan { key_list, document, keys, shared, write, warnings })
}

impl RolesPlan {
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

impl SetupPlan {
    /// What is allowed but should be known.
    pub fn warnings(&self, issuer: &str) -> Vec<String> {
        let mut warnings = self.config.warnings.clone();
        let unmanaged = self.config.key_list.count(KeyAction::KeepUnmanaged);
        if unmanaged > 0 {
            let keys = counted(unmanaged, "key");
            warnings.push(format!(
                "{keys} of this cluster stand on the mount without a mark and will not be refreshed: --adopt marks them"
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
            warnings.push(shared_entity(&role.name, &claim));
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
        let keys: Vec<KeyId> = input.expected.iter().filter(|id| !self.config.key_list.has(**id)).copied().collect();
        if keys.is_empty() || input.keys.mode != KeysMode::Static {
            return Ok(());
        }
        Err(SetupError::ExpectedWaits { mount: input.mount.clone(), keys })
    }

    /// The rights it needs, measured on Vault 1.21 and OpenBao 2.7: enabling a mount
    /// is an update with sudo, a role is a create at first and an update later.
    pub fn rights(&self, mount: &MountPath) -> Vec<Right> {
        let enable = self.enable_mount.then(|| Right::new(format!("sys/auth/{mount}"), &["update", "sudo"]));
        let config = self.config.write.then(|| Right::new(format!("auth/{mount}/config"), &["read", "update"]));
        let roles = self.roles.all().filter(|role| role.write).map(|role| {
            let write = if role.before.is_some() { "update" } else { "create" };
            Right::new(format!("auth/{mount}/role/{}", role.name), &["read", write])
        });
        enable.into_iter().chain(config).chain(roles).collect()
    }

    /// Whether anything is written at all.
    pub fn changes(&self) -> bool {
        self.enable_mount || self.config.write || self.roles.all().any(|role| role.write)
    }

    pub fn make(
        input: &SetupInput,
        cluster: &Resolved,
        state: &MountState,
        roles: RolesPlan,
        grounds: &Grounds,
    ) -> Result<Self, SetupError> {
        let now = state.config.date.unwrap_or(input.now);
        let standing = MountSnapshot { document: state.config.document.as_ref(), now };
        let config = config(input, cluster, standing, &state.roles, grounds)?;
        if let Some(role) = &roles.role {
            refuse_shared_identity(input, &config, role)?;
        }
        Ok(Self { enable_mount: !state.exists, config, roles })
    }
}

/// What is said of a role that names identities by a claim that clusters share.
pub fn shared_entity(role: &str, claim: &str) -> String {
    format!(
        "role {} takes the claim {} for the identity: another cluster's tokens with the same value share its Vault entity",
        quoted(role),
        quoted(claim)
    )
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
