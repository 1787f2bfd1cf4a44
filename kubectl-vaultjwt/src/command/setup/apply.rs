//! Changes Vault, in the order in which an interruption does the least harm: mount, keys,
//! role, login; at the end the keys are verified.

use crate::command::mount::{Grounds, JWT, read_roles};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::plan::{SetupPlan, config};
use crate::command::setup::prove::IssuerProof;
use crate::command::setup::report::{LoginReport, SetupReport};
use crate::command::setup::role_plan::RolePlan;
use crate::command::setup::state::MountState;
use crate::command::words::{listed, quoted};
use crate::command::{Step, patiently};
use crate::issuer::Resolved;
use crate::keychain::action::KeyAction;
use crate::vault::mount::config::MountSnapshot;
use crate::vault::mount::key_source::MountKeySource;
use crate::vault::mount::rewrite::{ConfigWriter, PlannedConfig};
use crate::vault::mount::role::changed_fields;
use crate::vault::{Document, LoginResult, VaultError};
use shared::Secret;
use shared::refusal::{self, Refusal};
use shared::text::one_line;
use std::time::Duration;

/// Logins of one proof, the first included.
const LOGINS: u32 = 4;

/// A plan, and what it was made from.
pub struct SetupRun<'a> {
    pub ports: SetupPorts<'a>,
    pub input: &'a SetupInput,
    pub cluster: &'a Resolved,
    pub state: &'a MountState,
    pub plan: &'a SetupPlan,
    pub proof: &'a IssuerProof,
    pub grounds: &'a Grounds,
}

impl SetupRun<'_> {
    /// Carries out the plan, and records the result in `report`.
    pub async fn apply(&self, report: &mut SetupReport) -> Result<(), SetupError> {
        let Self { ports, input, cluster, state, plan, .. } = *self;
        let mount = &input.mount;
        let enabled = plan.enable_mount && self.enable().await?;
        let is_there = if enabled { "enabled" } else { "is there" };
        self.done(format!("auth mount \"{mount}/\" {is_there}"));

        let read;
        let roles = if state.exists || enabled {
            &state.roles
        } else {
            // A concurrent run that enabled it may have added roles by now.
            read = read_roles(ports.vault, mount, None).await;
            &read
        };
        // The plan is made again on the configuration at the moment of writing.
        let wanted = |standing: MountSnapshot<'_>| {
            let planned = config(input, cluster, standing, roles, self.grounds)?;
            Ok(PlannedConfig { document: planned.document, write: planned.write })
        };
        let mut rewrite = ConfigWriter::new(ports.vault, mount, input.now);
        let mut written = None;
        if plan.config.write {
            let put = patiently(ports.progress, "writing the keys", rewrite.write::<SetupError>(&wanted)).await?;
            (report.config.before, report.config.after) = (put.before.clone(), put.after.clone());
            written = Some(put);
            if let Some(from) = fetched(plan) {
                self.done(format!("configuration written: Vault fetches the keys itself from {from}"));
            } else {
                self.done(keys_written(plan));
                if let Some(from) = &plan.config.key_list.from {
                    self.done(format!("the keys of {from} are now keys of {}", cluster.owner));
                }
            }
        } else if let Some(from) = fetched(plan) {
            self.done(format!("configuration unchanged: Vault fetches the keys itself from {from}"));
        } else {
            self.done(format!("keys unchanged: {} on the mount", plan.config.keys));
        }

        let mut proven = self.role_and_login(report).await;
        if let Some(written) = written {
            // Role and login were done inside the wait, which therefore costs little.
            // It is waited for in any case: a login that fails may be refused because
            // another writer undid this write, and only this check sees it.
            let work = rewrite.wait_until_stable::<SetupError>(&wanted, written);
            report.config.after = patiently(ports.progress, "waiting to see the keys stay", work).await?.after;
            self.done("keys read back: they stand as written".to_owned());
            if matches!(proven, Err(SetupError::LoginRefused { .. })) {
                proven = self.login(report).await;
            }
        } else if fetched(plan).is_none() && refused_for_its_signature(&proven) && rewrite.rewrite(&wanted).await? {
            self.done("keys written again: Vault had them, and did not use them for logins".to_owned());
            proven = self.login(report).await;
        }
        proven?;
        if !plan.changes() {
            self.done("nothing to change".to_owned());
        }
        Ok(())
    }

    fn done(&self, text: String) {
        self.ports.progress.step(Step::Done(text));
    }

    fn warn(&self, text: String) {
        self.ports.progress.step(Step::Warning(text));
    }

    async fn role_and_login(&self, report: &mut SetupReport) -> Result<(), SetupError> {
        if let Some(role) = &self.plan.roles.role {
            let standing = self.write_role(role).await?;
            if let Some(report) = &mut report.role {
                report.change.after = standing;
            }
        }
        for (role, report) in self.plan.roles.moved.iter().zip(&mut report.moved_roles) {
            match self.move_role(role).await? {
                Some(standing) => report.change.after = standing,
                None => report.change.written = false,
            }
        }
        self.login(report).await
    }

    /// Enables the mount; `false` where a concurrent run just did.
    async fn enable(&self) -> Result<bool, SetupError> {
        let (vault, mount) = (self.ports.vault, &self.input.mount);
        let Err(error) = vault.enable_jwt(mount).await else { return Ok(true) };
        let refused = error.refusal().is_some_and(|refused| refused.status == 400);
        if refused && vault.auth_mounts().await?.get(mount.as_str()).is_some_and(|kind| kind == JWT) {
            return Ok(false);
        }
        Err(error.into())
    }

    /// Adds the new issuer to a role as it is now: another writer may have changed or deleted
    /// it since the plan was made.
    async fn move_role(&self, role: &RolePlan) -> Result<Option<Document>, SetupError> {
        let name = quoted(&role.name);
        let Some(found) = self.ports.vault.read_role(&self.input.mount, &role.name).await? else {
            self.warn(format!("role {name} was deleted by another writer"));
            return Ok(None);
        };
        let Some(plan) = role.issuers.as_ref().and_then(|issuers| issuers.plan(&role.name, &found)) else {
            self.warn(format!("role {name} was changed by another writer and stays as it is"));
            return Ok(None);
        };
        self.write_role(&plan).await.map(Some)
    }

    async fn write_role(&self, role: &RolePlan) -> Result<Document, SetupError> {
        let (vault, mount) = (self.ports.vault, &self.input.mount);
        if !role.write {
            self.done(format!("role \"{}\" unchanged", role.name));
            return Ok(role.document.clone());
        }
        vault.write_role(mount, &role.name, &role.document).await?;
        let found = vault.read_role(mount, &role.name).await?.unwrap_or_default();
        let fields = changed_fields(&found, &role.document);
        if !fields.is_empty() {
            return Err(SetupError::ReadBack { what: format!("role \"{}\" on \"{mount}/\"", role.name), fields });
        }
        if role.before.is_some() {
            self.done(format!("role \"{}\" changed: {}", role.name, role.changes.join(", ")));
        } else {
            self.done(format!("role \"{}\" created", role.name));
        }
        Ok(found)
    }

    /// Proves the role by a login, and revokes what it gave.
    async fn login(&self, report: &mut SetupReport) -> Result<(), SetupError> {
        let Self { ports, input, plan, proof, .. } = *self;
        let Some(role) = plan.roles.tested().filter(|_| input.verify) else {
            report.login = LoginReport::NotAsked;
            return Ok(());
        };
        let Some((account, token)) = &proof.login_token else {
            let why = proof.no_login.clone();
            let why = why.unwrap_or_else(|| "no service account of the role gave a token".to_owned());
            ports.progress.step(Step::Skipped(format!("login not proven: {why}")));
            self.warn(format!("role \"{}\" is not proven: when that is mended, run the same command again", role.name));
            report.login = LoginReport::Skipped { why };
            return Ok(());
        };
        let work = self.log_in(&role.name, token);
        let login = patiently(ports.progress, "logging in", work).await.map_err(|source| SetupError::LoginRefused {
            account: account.clone(),
            role: role.name.clone(),
            mount: input.mount.clone(),
            source: Box::new(source),
        })?;
        let revoked = ports.vault.revoke(&login.token).await;
        let policies: Vec<String> = login.policies.iter().map(|p| one_line(p)).collect();
        let others = role.accounts.len() > 1;
        self.done(format!(
            "logged in as \"{account}\"{} with role \"{}\": policies {}, lease {}",
            if others { " (of the others, none was tried)" } else { "" },
            role.name,
            policies.join(", "),
            shared::duration::short(Duration::from_secs(login.lease_seconds))
        ));
        match &revoked {
            Ok(()) => self.done("that Vault token is revoked".to_owned()),
            Err(why) => self.warn(not_revoked(&login.accessor, why)),
        }
        for policy in input.role.iter().flat_map(|role| &role.policies).filter(|p| !login.policies.contains(p)) {
            self.warn(format!("the login did not get policy {}", quoted(policy)));
        }
        report.login = LoginReport::Proven {
            service_account: account.to_string(),
            policies,
            lease_seconds: login.lease_seconds,
            revoked: revoked.is_ok(),
        };
        Ok(())
    }

    /// Logs in, again where a moment can make the difference: another node may not
    /// have the keys yet, and a Vault whose configuration is being written by
    /// another client can drop the connection (the plugin uses the configuration it
    /// has just thrown away and panics; seen on Vault 1.21.2 in
    /// vault-plugin-auth-jwt `provider_config.go` `NewProviderConfig`).
    async fn log_in(&self, role: &str, token: &Secret) -> Result<LoginResult, VaultError> {
        let mut left = LOGINS;
        loop {
            left -= 1;
            let error = match self.ports.vault.login(&self.input.mount, role, token).await {
                Ok(login) => return Ok(login),
                Err(error) => error,
            };
            let passing = match refusal_of(&error) {
                Some(refusal) => matches!(refusal, Refusal::Signature | Refusal::NoConfiguration),
                None => matches!(error, VaultError::NoAnswer { .. }),
            };
            if !passing || left == 0 {
                return Err(error);
            }
            self.ports.progress.step(Step::Detail(format!("logging in again: {error}")));
            tokio::time::sleep(Duration::from_millis(rand::random_range(300..=600))).await;
        }
    }
}

/// Whether Vault knows none of the keys on its mount that made the token.
fn refused_for_its_signature(proven: &Result<(), SetupError>) -> bool {
    matches!(proven, Err(SetupError::LoginRefused { source, .. }) if refusal_of(source) == Some(Refusal::Signature))
}

/// What Vault says of a login that it refuses.
fn refusal_of(error: &VaultError) -> Option<Refusal> {
    error.refusal().map(|refused| refusal::classify(refused.status, &refused.errors))
}

/// Where Vault fetches the keys from, where it does.
fn fetched(plan: &SetupPlan) -> Option<String> {
    let urls = MountKeySource::of(Some(&plan.config.document));
    let urls = urls.urls();
    (!urls.is_empty()).then(|| listed(urls.into_iter().map(one_line)))
}

/// What became of the keys, in words.
fn keys_written(plan: &SetupPlan) -> String {
    let key_list = &plan.config.key_list;
    let counts = [
        ("added", KeyAction::Add),
        ("adopted", KeyAction::Adopt),
        ("published again", KeyAction::Return),
        ("retired", KeyAction::Retire),
        ("removed", KeyAction::Remove),
    ];
    let told = counts.iter().map(|(word, action)| (word, key_list.count(*action))).filter(|(_, n)| *n > 0);
    let told: Vec<String> = told.map(|(word, n)| format!("{n} {word}")).collect();
    let changed =
        key_list.steps.iter().filter(|step| step.action.changes() && step.action != KeyAction::Remove).count();
    let told = [told, vec![format!("{} kept", plan.config.keys - changed)]].concat();
    format!("keys written: {}", told.join(", "))
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
