//! Checks, before the first write, whether the Vault token has all rights that a plan
//! needs: half a plan is of no use, and missing rights found one at a time cost a run each.

use crate::command::{Progress, Step};
use crate::vault::Vault;
use shared::text::one_line;

/// A path, and what a plan does there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Path without `/v1/`.
    pub path: String,
    /// Capabilities, as in a policy.
    pub capabilities: Vec<&'static str>,
}

impl Right {
    pub fn new(path: String, capabilities: &[&'static str]) -> Self {
        Self { path, capabilities: capabilities.to_vec() }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the Vault token may not do all that this needs; nothing was changed")]
pub struct MissingRights(pub Vec<Right>);

/// Refuses where the token lacks some of `needed`; passes where Vault does not say.
pub async fn check(vault: &dyn Vault, progress: &dyn Progress, needed: &[Right]) -> Result<(), MissingRights> {
    if needed.is_empty() {
        return Ok(());
    }
    let paths: Vec<String> = needed.iter().map(|right| right.path.clone()).collect();
    let held = match vault.capabilities(&paths).await {
        Ok(held) => held,
        Err(why) => {
            progress.step(Step::Detail(format!("the token's rights were not checked: {why}")));
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
    if missing.is_empty() { Ok(()) } else { Err(MissingRights(missing)) }
}

impl MissingRights {
    /// The policy lines (HCL) to add.
    pub fn hint(&self) -> String {
        let line = |right: &Right| {
            let quoted: Vec<String> = right.capabilities.iter().map(|c| format!("\"{c}\"")).collect();
            format!("\npath \"{}\" {{ capabilities = [{}] }}", one_line(&right.path), quoted.join(", "))
        };
        format!("a policy of it must have:{}", self.0.iter().map(line).collect::<String>())
    }
}
