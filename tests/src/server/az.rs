//! A fake `az`, the Azure command line, for programs that run it to get a token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::arm::TOKEN;
use super::{ServerError, text};
use crate::certificates::utc;

/// A program `az` in a folder that goes in front of `PATH`.
#[derive(Debug)]
pub struct FakeAz {
    folder: PathBuf,
}

/// How long a token is good for, in seconds.
const LIFE: u64 = 3_600;

impl FakeAz {
    /// One that is logged in: it gives the token that [`super::ArmStub`] takes.
    ///
    /// # Errors
    /// The program cannot be written.
    pub fn logged_in(folder: &Path) -> Result<Self, ServerError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let until = now + LIFE;
        let answer = json!({
            "accessToken": TOKEN,
            "expires_on": until,
            "expiresOn": utc(until).replace('T', " ").replace('Z', ".000000"),
            "subscription": "00000000-0000-0000-0000-000000000000",
            "tenant": "00000000-0000-0000-0000-000000000002",
            "tokenType": "Bearer",
        });
        Self::write(folder, &format!("echo '{answer}'"))
    }

    /// One without a login.
    ///
    /// # Errors
    /// The program cannot be written.
    pub fn logged_out(folder: &Path) -> Result<Self, ServerError> {
        Self::write(folder, "echo \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1")
    }

    fn write(folder: &Path, token: &str) -> Result<Self, ServerError> {
        let failed = |what: &str| ServerError::io(format!("{what} in {}", text(folder)));
        fs::create_dir_all(folder).map_err(failed("making a folder"))?;
        let program = folder.join("az");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/az.calls\"\n\
             echo \"$AZURE_CONFIG_DIR\" >>\"$(dirname \"$0\")/az.folders\"\ncase \"$*\" in\n\"account get-access-token\"*)\n\
             {token}\n;;\n*)\necho \"ERROR: '$*' is misspelled or not recognized by the system.\" >&2\nexit 2\n;;\nesac\n"
        );
        fs::write(&program, script).map_err(failed("writing az"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).map_err(failed("writing az"))?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// The folder for the front of `PATH`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The arguments of every call, a line each.
    pub fn calls(&self) -> Vec<String> {
        self.lines("az.calls")
    }

    /// The folder of configuration (`AZURE_CONFIG_DIR`) of every call; empty
    /// where it was not told.
    pub fn config_folders(&self) -> Vec<String> {
        self.lines("az.folders")
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
