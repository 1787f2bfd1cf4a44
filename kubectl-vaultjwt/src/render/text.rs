//! Owns reports as documents for programs.

use serde::Serialize;
use std::io;

/// JSON with a final line feed.
pub fn json(report: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// YAML.
pub fn yaml(report: &impl Serialize) -> io::Result<String> {
    serde_saphyr::to_string(report).map_err(io::Error::other)
}
