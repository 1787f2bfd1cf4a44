//! Owns asking Vault, before the first write, whether the token may do all of
//! the plan: half a plan helps nobody, and rights that turn up missing one at a
//! time cost a run each.

use super::error::SetupError;
use super::input::SetupInput;
use super::plan::Plan;
use super::{Ports, Step};

/// A path, and what the plan does there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Path without `/v1/`.
    pub path: String,
    /// Capabilities, as in a policy.
    pub capabilities: Vec<&'static str>,
}

/// What `plan` needs, measured on Vault 1.21 and OpenBao 2.7: enabling a mount
/// is an update with sudo, a role is a create at first and an update later.
fn needed(input: &SetupInput, plan: &Plan) -> Vec<Right> {
    let mount = &input.mount;
    let right = |path: String, capabilities: &[&'static str]| Right { path, capabilities: capabilities.to_vec() };
    let mut all = Vec::new();
    if plan.enable_mount {
        all.push(right(format!("sys/auth/{mount}"), &["update", "sudo"]));
    }
    if plan.config.write {
        all.push(right(format!("auth/{mount}/config"), &["read", "update"]));
    }
    if let Some(role) = plan.role.as_ref().filter(|role| role.write) {
        let write = if role.exists { "update" } else { "create" };
        all.push(right(format!("auth/{mount}/role/{}", role.name), &["read", write]));
    }
    all
}

/// Refuses where a right is missing; passes where Vault does not say.
pub async fn check(ports: Ports<'_>, input: &SetupInput, plan: &Plan) -> Result<(), SetupError> {
    let needed = needed(input, plan);
    if needed.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = needed.iter().map(|right| right.path.clone()).collect();
    let held = match ports.vault.capabilities(&paths).await {
        Ok(held) => held,
        Err(why) => {
            ports.progress.step(Step::Detail(format!("the token's rights were not checked: {why}")));
            return Ok(());
        }
    };
    let lacks = |right: &&Right| {
        held.get(&right.path).is_some_and(|held| {
            let has = |wanted: &str| held.iter().any(|h| h == wanted || h == "root");
            !right.capabilities.iter().all(|wanted| has(wanted))
        })
    };
    let missing: Vec<Right> = needed.iter().filter(lacks).cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(SetupError::Rights { missing }) }
}
