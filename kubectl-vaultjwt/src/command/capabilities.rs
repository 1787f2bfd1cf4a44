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

/// Those of `needed` that the token lacks; none where Vault does not say.
pub async fn missing(vault: &dyn Vault, progress: &dyn Progress, needed: &[Right]) -> Vec<Right> {
    if needed.is_empty() {
        return Vec::new();
    }
    let paths: Vec<String> = needed.iter().map(|right| right.path.clone()).collect();
    let held = match vault.capabilities(&paths).await {
        Ok(held) => held,
        Err(why) => {
            progress.step(Step::Detail(format!("the token's rights were not checked: {why}")));
            return Vec::new();
        }
    };
    let lacks = |right: &&Right| {
        held.get(&right.path).is_some_and(|held| {
            let has = |wanted: &str| held.iter().any(|h| h == wanted || h == "root");
            !right.capabilities.iter().all(|wanted| has(wanted))
        })
    };
    needed.iter().filter(lacks).cloned().collect()
}

/// The policy lines (HCL) to add.
pub fn hint(missing: &[Right]) -> String {
    let line = |right: &Right| {
        let quoted: Vec<String> = right.capabilities.iter().map(|c| format!("\"{c}\"")).collect();
        format!("\npath \"{}\" {{ capabilities = [{}] }}", one_line(&right.path), quoted.join(", "))
    };
    format!("a policy of it must have:{}", missing.iter().map(line).collect::<String>())
}
