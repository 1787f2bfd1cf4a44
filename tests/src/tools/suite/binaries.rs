//! Builds the test binaries and reads their paths from cargo's messages.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::artifacts::{self, ArtifactError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Package and target, as `tests/e2e`.
    pub name: String,
    pub path: PathBuf,
    /// Where it is run: the folder of its package, as cargo does.
    pub folder: PathBuf,
}

/// Builds all of them, in cargo's order.
pub(super) fn build() -> Result<Vec<Binary>, ArtifactError> {
    let messages = artifacts::cargo_messages(&["test", "--locked", "--workspace", "--no-run"])?;
    Ok(messages.iter().filter_map(binary).collect())
}

/// The test binary that a message of cargo's tells of.
fn binary(message: &Value) -> Option<Binary> {
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let package = folder.file_name()?.to_str()?;
    let target = message["target"]["name"].as_str()?;
    let kind = message["target"]["kind"][0].as_str()?;
    let name = match kind {
        "test" => format!("{package}/{target}"),
        // A library and a program may have one name.
        kind => format!("{package}/{kind}/{target}"),
    };
    Some(Binary { name, path: message["executable"].as_str()?.into(), folder: folder.to_path_buf() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn test_binaries_are_told_from_other_programs() {
        let message = |kind: &str, test: bool, executable: Value| {
            json!({"reason": "compiler-artifact", "manifest_path": "/w/tests/Cargo.toml", "profile": {"test": test},
                "target": {"name": "e2e", "kind": [kind]}, "executable": executable})
        };
        let found = binary(&message("test", true, json!("/t/e2e-1"))).unwrap();
        assert_eq!(found, Binary { name: "tests/e2e".into(), path: "/t/e2e-1".into(), folder: "/w/tests".into() });
        assert_eq!(binary(&message("lib", true, json!("/t/lib-1"))).unwrap().name, "tests/lib/e2e");
        assert_eq!(binary(&message("bin", false, json!("/t/e2e"))), None);
        assert_eq!(binary(&message("lib", true, Value::Null)), None);
        assert_eq!(binary(&json!({"reason": "build-finished", "success": true})), None);
    }
}
