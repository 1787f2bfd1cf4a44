//! The rights that a plan of `setup` needs.

use crate::command::capabilities::{self, Right};
use crate::command::setup::error::SetupError;
use crate::command::setup::input::{SetupInput, SetupPorts};
use crate::command::setup::plan::SetupPlan;

/// What `plan` needs, measured on Vault 1.21 and OpenBao 2.7: enabling a mount
/// is an update with sudo, a role is a create at first and an update later.
fn needed(input: &SetupInput, plan: &SetupPlan) -> Vec<Right> {
    let mount = &input.mount;
    let mut all = Vec::new();
    if plan.enable_mount {
        all.push(Right::new(format!("sys/auth/{mount}"), &["update", "sudo"]));
    }
    if plan.config.write {
        all.push(Right::new(format!("auth/{mount}/config"), &["read", "update"]));
    }
    for role in plan.roles.all().filter(|role| role.write) {
        let write = if role.exists { "update" } else { "create" };
        all.push(Right::new(format!("auth/{mount}/role/{}", role.name), &["read", write]));
    }
    all
}

/// Refuses where a right is missing; passes where Vault does not say.
pub async fn check(ports: SetupPorts<'_>, input: &SetupInput, plan: &SetupPlan) -> Result<(), SetupError> {
    let missing = capabilities::missing(ports.vault, ports.progress, &needed(input, plan)).await;
    if missing.is_empty() { Ok(()) } else { Err(SetupError::Rights { missing }) }
}
