//! The flags as typed.

use crate::cli::usage_error::{UsageError, bad};
use std::ffi::OsString;

/// The flags that take a value.
pub(crate) const WITH_VALUE: [&str; 15] = [
    "--group",
    "--info-file",
    "--jwt-file",
    "--log-format",
    "--mode",
    "--mount",
    "--owner",
    "--role",
    "--splay",
    "--timeout",
    "--token-file",
    "--vault-addr",
    "--vault-ca-cert",
    "--vault-namespace",
    "--vault-tls-server-name",
];
/// Those of which the value is a path, which need not be UTF-8.
const PATHS: [&str; 3] = ["--info-file", "--jwt-file", "--token-file"];

#[derive(Default)]
pub(crate) struct Flags {
    pub values: Vec<(&'static str, OsString)>,
    pub no_env: bool,
    pub command: Option<Vec<OsString>>,
    pub vault_skip_verify: Option<bool>,
    pub quiet: bool,
    pub watch: bool,
    pub renew: bool,
    pub revoke_on_exit: bool,
}

impl Flags {
    /// Where a flag is given twice, the last one counts.
    pub fn set(&mut self, flag: &'static str, value: OsString) -> Result<(), UsageError> {
        if value.to_str().is_none() && !PATHS.contains(&flag) {
            return Err(bad(flag, "it is not UTF-8".to_owned()));
        }
        self.values.push((flag, value));
        Ok(())
    }

    pub fn path(&self, flag: &str) -> Option<OsString> {
        self.values.iter().rev().find(|(given, _)| *given == flag).map(|(_, value)| value.clone())
    }

    pub fn text(&self, flag: &str) -> Option<String> {
        self.path(flag)?.into_string().ok()
    }
}
