//! Owns the effects on Vault, in the order in which an interruption hurts
//! least: mount, keys, role, login. Each step is read back before it counts.

use super::error::SetupError;
use super::input::SetupInput;
use super::plan::Plan;
use super::prove::IssuerProof;
use super::report::{Applied, LoginReport};
use super::{Ports, Step};
use crate::command::patiently;
use crate::keychain::plan::KeyAction;
use crate::vault::VaultError;
use crate::vault::config::differing;
use crate::vault::role::changed_fields;
use shared::text::one_line;

/// Carries out the plan.
pub async fn changes(ports: Ports<'_>, input: &SetupInput, plan: &Plan) -> Result<Applied, SetupError> {
    let mount = &input.mount;
    let done = |text: String| ports.progress.step(Step::Done(text));
    if plan.enable_mount {
        ports.vault.enable_jwt(mount).await?;
        done(format!("auth mount \"{mount}/\" enabled"));
    } else {
        done(format!("auth mount \"{mount}/\" is there"));
    }
    let added = plan.chain.steps.iter().filter(|s| s.action == KeyAction::Add).count();
    let config = if plan.write_config {
        let work = ports.vault.write_config(mount, &plan.config);
        patiently(ports.progress, "writing the keys", work).await?;
        let found = ports.vault.read_config(mount).await?.unwrap_or_default();
        let fields = differing(&found, &plan.config);
        if !fields.is_empty() {
            return Err(SetupError::ReadBack { what: format!("the configuration of \"{mount}/\""), fields });
        }
        done(format!("keys written: {added} added, {} kept", plan.chain.elements.len() - added));
        found
    } else {
        done(format!("keys unchanged: {} on the mount", plan.chain.elements.len()));
        plan.config.clone()
    };
    let Some(role) = &plan.role else {
        return Ok(Applied { config, role: None });
    };
    if role.write {
        ports.vault.write_role(mount, &role.name, &role.document).await?;
        let found = ports.vault.read_role(mount, &role.name).await?.unwrap_or_default();
        let fields = changed_fields(&found, &role.document);
        if !fields.is_empty() {
            return Err(SetupError::ReadBack { what: format!("role \"{}\" on \"{mount}/\"", role.name), fields });
        }
        done(format!("role \"{}\" {}", role.name, if role.exists { "changed" } else { "created" }));
        Ok(Applied { config, role: Some(found) })
    } else {
        done(format!("role \"{}\" unchanged", role.name));
        Ok(Applied { config, role: Some(role.document.clone()) })
    }
}

/// Proves the role by a login, and revokes what it gave.
pub async fn login(
    ports: Ports<'_>,
    input: &SetupInput,
    plan: &Plan,
    proof: IssuerProof,
) -> Result<LoginReport, SetupError> {
    let Some(role) = plan.role.as_ref().filter(|_| input.verify) else {
        return Ok(LoginReport::NotAsked);
    };
    let Some((account, token)) = proof.login_token else {
        let why = proof.no_login.unwrap_or_else(|| "no service account of the role gave a token".to_owned());
        ports.progress.step(Step::Skipped(format!("login not proven: {why}")));
        ports.progress.step(Step::Warning(
            "prove the role later by running the same command again, once the service account is there and you may create its tokens"
                .to_owned(),
        ));
        return Ok(LoginReport::Skipped { why });
    };
    let work = ports.vault.login(&input.mount, &role.name, &token);
    let login = patiently(ports.progress, "logging in", work).await.map_err(|source| SetupError::LoginRefused {
        account: account.clone(),
        role: role.name.clone(),
        mount: input.mount.clone(),
        source: Box::new(source),
    })?;
    let revoked = ports.vault.revoke(&login.token).await;
    let policies: Vec<String> = login.policies.iter().map(|p| one_line(p)).collect();
    ports.progress.step(Step::Done(format!(
        "logged in as \"{account}\" with role \"{}\": policies {}, lease {}",
        role.name,
        policies.join(", "),
        shared::duration::short(std::time::Duration::from_secs(login.lease_seconds))
    )));
    if let Err(why) = &revoked {
        ports.progress.step(Step::Warning(not_revoked(&login.accessor, why)));
    } else {
        ports.progress.step(Step::Done("that Vault token is revoked".to_owned()));
    }
    let missing: Vec<&String> =
        input.role.iter().flat_map(|r| &r.policies).filter(|p| !login.policies.contains(p)).collect();
    for policy in missing {
        ports.progress.step(Step::Warning(format!("the login did not get policy \"{}\"", one_line(policy))));
    }
    Ok(LoginReport::Proven {
        service_account: account.to_string(),
        policies,
        lease_seconds: login.lease_seconds,
        revoked: revoked.is_ok(),
    })
}

fn not_revoked(accessor: &str, why: &VaultError) -> String {
    if accessor.is_empty() {
        // A batch token (token_type=batch) has no accessor.
        return format!("the Vault token of the login could not be revoked ({why}); it ends with its lease");
    }
    format!(
        "the Vault token of the login could not be revoked ({why}); revoke it with: vault token revoke -accessor {}",
        one_line(accessor)
    )
}
