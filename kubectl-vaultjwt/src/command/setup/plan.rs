//! Owns what `setup` will change, decided from what was asked for and what
//! was observed. Pure: the same input gives the same plan.

use super::error::SetupError;
use super::input::SetupInput;
use super::observe::MountState;
use crate::issuer::Resolved;
use crate::keychain::element::Element;
use crate::keychain::plan::{ChainPlan, Enrolment};
use crate::vault::Document;
use crate::vault::config::StaticKeys;
use crate::vault::role::{DEFAULT_AUDIENCE, DEFAULT_MAX_TTL, RoleSpec, changed_fields};
use shared::text::one_line;

/// What will change on the mount.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Whether the mount has to be enabled.
    pub enable_mount: bool,
    /// The mount's configuration.
    pub config: ConfigPlan,
    /// The role, where one was asked for.
    pub role: Option<RolePlan>,
}

/// What will become of the mount's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigPlan {
    /// The chain, key by key.
    pub chain: ChainPlan,
    /// The full document.
    pub document: Document,
    /// Whether it has to be written.
    pub write: bool,
}

impl ConfigPlan {
    /// Decides on the configuration as it stands, or refuses with the reason.
    pub fn make(input: &SetupInput, cluster: &Resolved, current: Option<&Document>) -> Result<Self, SetupError> {
        let mount = || input.mount.clone();
        let standing = StaticKeys::read(current, &cluster.owner.issuer)
            .map_err(|source| SetupError::Config { mount: mount(), source })?;
        let elements: Vec<Element> = standing.keys().iter().map(|text| Element::read(text)).collect();
        let enrolment = Enrolment {
            owner: &cluster.owner,
            published: &cluster.keys.keys,
            cluster: &input.cluster_name,
            now: &input.now,
        };
        refuse_other_form(input, cluster, &elements)?;
        let chain =
            ChainPlan::make(&elements, &enrolment).map_err(|source| SetupError::Chain { mount: mount(), source })?;
        if chain.others.any() {
            let (others, owner) = (chain.others, cluster.owner.clone());
            return Err(SetupError::OthersOnMount { mount: mount(), others, owner });
        }
        let document = standing.with(&chain.elements, &cluster.keys.algorithms());
        let write = !standing.equals(&document);
        Ok(Self { chain, document, write })
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
        let Some(role) = &self.role else { return Vec::new() };
        let mut warnings = Vec::new();
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

    /// Whether anything is written at all.
    pub fn changes(&self) -> bool {
        self.enable_mount || self.config.write || self.role.as_ref().is_some_and(|r| r.write)
    }

    /// Decides, or refuses with the reason.
    pub fn make(input: &SetupInput, cluster: &Resolved, state: &MountState) -> Result<Self, SetupError> {
        let (config, role) = match state {
            MountState::Missing => (None, None),
            MountState::Jwt { config, role } => (config.as_ref(), role.as_ref()),
        };
        // The role first: a clash there is what the user can act on at once.
        let role = role_plan(input, cluster, role)?;
        let config = ConfigPlan::make(input, cluster, config)?;
        Ok(Self { enable_mount: *state == MountState::Missing, config, role })
    }
}

/// One issuer, once owned by itself (its site was read) and once by a cluster
/// (it was not): the same cluster seen from two networks, or somebody who
/// claims the issuer. The two are never taken for each other.
fn refuse_other_form(input: &SetupInput, cluster: &Resolved, elements: &[Element]) -> Result<(), SetupError> {
    let owner = &cluster.owner;
    let other_form = |element: &&Element| {
        element.provenance().is_some_and(|p| {
            p.owner.issuer == owner.issuer && p.owner.cluster_uid.is_some() != owner.cluster_uid.is_some()
        })
    };
    match elements.iter().find(other_form) {
        Some(_) => Err(SetupError::OtherForm {
            mount: input.mount.clone(),
            issuer: owner.issuer.clone(),
            site_unused: cluster.site_unused.as_ref().map(ToString::to_string),
        }),
        None => Ok(()),
    }
}

fn role_plan(
    input: &SetupInput,
    cluster: &Resolved,
    existing: Option<&Document>,
) -> Result<Option<RolePlan>, SetupError> {
    let Some(role) = &input.role else { return Ok(None) };
    let spec = RoleSpec {
        name: role.name.clone(),
        issuer: cluster.owner.issuer.clone(),
        subjects: role.service_accounts.iter().map(|a| a.subject()).collect(),
        policies: role.policies.clone(),
        audiences: role.audiences.clone(),
        ttl: role.ttl,
        max_ttl: role.max_ttl,
        replace: role.replace,
    };
    let document = spec.document(existing).map_err(|source| SetupError::Role {
        mount: input.mount.clone(),
        cluster: input.cluster_name.clone(),
        source,
    })?;
    let changes = existing.map(|existing| changed_fields(existing, &document)).unwrap_or_default();
    let exists = existing.is_some();
    Ok(Some(RolePlan { name: role.name.clone(), exists, write: !exists || !changes.is_empty(), changes, document }))
}
