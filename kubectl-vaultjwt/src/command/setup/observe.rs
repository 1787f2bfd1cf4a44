//! Owns reading both sides, changing neither.

use super::error::SetupError;
use super::input::SetupInput;
use super::plan::Plan;
use super::{Ports, Step};
use crate::command::patiently;
use crate::issuer::resolve::{KeySource, Resolved, SiteUnused, resolve};
use crate::vault::Document;
use crate::vault::config::KEYS;
use crate::vault::role::binds_an_issuer;
use shared::text::one_line;

/// Mounts that serve JWT logins, by the type Vault lists.
pub(super) const JWT: &str = "jwt";

/// What is at the mount path.
#[derive(Clone, Debug, PartialEq)]
pub enum MountState {
    /// Nothing.
    Missing,
    /// A JWT auth mount, with its configuration and the role's, where there
    /// are any.
    Jwt {
        /// `auth/<mount>/config`
        config: Option<Document>,
        /// `auth/<mount>/role/<name>`
        role: Option<Document>,
    },
}

/// Issuer, owner and keys; claimed, not proven.
pub async fn cluster(ports: Ports<'_>, input: &SetupInput) -> Result<Resolved, SetupError> {
    let work = resolve(ports.cluster, ports.site, &input.wishes);
    let resolved = patiently(ports.progress, "reading the issuer and its keys", work).await?;
    let keys = resolved.keys.keys.len();
    let from = match resolved.source {
        KeySource::IssuerSite => "its own site",
        KeySource::ApiServer => "the API server",
    };
    let issuer = one_line(&resolved.owner.issuer);
    let plural = if keys == 1 { "key" } else { "keys" };
    ports.progress.step(Step::Done(format!("issuer \"{issuer}\", {keys} {plural} from {from}")));
    match &resolved.site_unused {
        Some(why @ SiteUnused::None(_)) => {
            ports.progress.step(Step::Detail(format!("the issuer's own site was not used: {why}")));
        }
        // Told in any case: the keys rest on the word of the API server alone.
        Some(why @ SiteUnused::Unreadable(_)) => {
            ports.progress.step(Step::Skipped(format!("the issuer's own site was not used: {why}")));
        }
        None => {}
    }
    if let Some(why) = &resolved.no_witness {
        ports.progress.step(Step::Skipped(format!("the API server's own key set was not compared: {why}")));
    }
    for skipped in &resolved.keys.skipped {
        ports.progress.step(Step::Warning(skipped.to_string()));
    }
    Ok(resolved)
}

/// What is at the mount path.
pub async fn vault(ports: Ports<'_>, input: &SetupInput) -> Result<MountState, SetupError> {
    let work = ports.vault.auth_mounts();
    let mounts = patiently(ports.progress, "reading the auth mounts of Vault", work).await?;
    match mounts.get(input.mount.as_str()) {
        Some(kind) if kind == JWT => {
            let config = ports.vault.read_config(&input.mount).await?;
            let role = match &input.role {
                Some(role) => ports.vault.read_role(&input.mount, &role.name).await?,
                None => None,
            };
            if config.as_ref().is_none_or(|config| !has_keys(config)) {
                warn_of_sleeping_roles(ports, input).await;
            }
            Ok(MountState::Jwt { config, role })
        }
        Some(kind) => Err(SetupError::MountTaken { mount: input.mount.clone(), kind: one_line(kind) }),
        None => {
            // Vault refuses a mount below or above another one; say it before anything is written.
            let nested = |path: &String| {
                path.starts_with(&format!("{}/", input.mount)) || input.mount.as_str().starts_with(&format!("{path}/"))
            };
            match mounts.keys().find(|path| nested(path)) {
                Some(path) => Err(SetupError::MountNested { mount: input.mount.clone(), other: one_line(path) }),
                None => Ok(MountState::Missing),
            }
        }
    }
}

fn has_keys(config: &Document) -> bool {
    config.get(KEYS).and_then(|keys| keys.as_array()).is_some_and(|keys| !keys.is_empty())
}

/// Roles on a mount without keys let nobody in. With this cluster's keys they
/// come alive, for any of its service accounts that they do not exclude.
async fn warn_of_sleeping_roles(ports: Ports<'_>, input: &SetupInput) {
    let warn = |words: String| ports.progress.step(Step::Warning(words));
    let names = match ports.vault.list_roles(&input.mount).await {
        Ok(names) => names,
        Err(why) => return warn(format!("roles that are on \"{}/\" already could not be listed: {why}", input.mount)),
    };
    for name in names.iter().filter(|name| input.role.as_ref().is_none_or(|role| role.name != **name)) {
        let role = ports.vault.read_role(&input.mount, name).await;
        if !role.is_ok_and(|role| role.is_some_and(|role| binds_an_issuer(&role))) {
            warn(format!(
                "role \"{}\" is on \"{}/\" already and bound to no issuer: this cluster's tokens may fit it",
                one_line(name),
                input.mount
            ));
        }
    }
}

/// What is allowed but should be known before it is done.
pub async fn warnings(ports: Ports<'_>, input: &SetupInput, cluster: &Resolved, plan: &Plan) {
    for warning in plan.warnings(&cluster.owner.issuer) {
        ports.progress.step(Step::Warning(warning));
    }
    // A policy that does not exist gives nothing, without a word of Vault's.
    let policies = input.role.iter().flat_map(|role| &role.policies);
    for policy in policies.filter(|_| plan.role.as_ref().is_some_and(|role| role.write)) {
        match ports.vault.policy_exists(policy).await {
            Ok(true) => {}
            Ok(false) => {
                ports.progress.step(Step::Warning(format!("policy \"{}\" does not exist yet", one_line(policy))))
            }
            Err(why) => {
                ports.progress.step(Step::Detail(format!("policy \"{}\" was not looked up: {why}", one_line(policy))))
            }
        }
    }
}
