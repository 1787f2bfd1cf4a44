//! Becomes the command after a login (`-- CMD ARGS`): it keeps the process, its signals and
//! its exit code.

use rustix::fs::{Access, access};
use shared::Secret;
use shared::text::{one_line, os_cause};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use thiserror::Error;

/// What is behind `--`.
#[derive(Debug, PartialEq, Eq)]
pub struct ExecCommand {
    /// The program: a path, or a name to be looked for in PATH.
    pub program: OsString,
    pub arguments: Vec<OsString>,
    pub environment: bool,
}

#[derive(Debug, Error)]
pub enum ExecError {
    #[error("could not run \"{}\": there is no such program", one_line(.0))]
    Missing(String),
    #[error("could not run \"{}\": {}", one_line(.program), os_cause(.source))]
    NotStarted { program: String, source: io::Error },
}

impl ExecError {
    /// As env(1) and the shell have it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Missing(_) => 127,
            Self::NotStarted { .. } => 126,
        }
    }

    pub fn hint(&self) -> String {
        match self {
            Self::Missing(_) => {
                "name a program of this image behind \"--\", by its path or one that PATH leads to".to_owned()
            }
            Self::NotStarted { .. } => "see that it is executable, and built for this machine".to_owned(),
        }
    }
}

impl ExecCommand {
    /// Where the program is. Looked for before the login: a token that nobody
    /// takes is left behind.
    pub fn find(&self) -> Result<PathBuf, ExecError> {
        let shown = || self.program.to_string_lossy().into_owned();
        let program = Path::new(&self.program);
        if program.components().count() > 1 || self.program.as_encoded_bytes().contains(&b'/') {
            return match access(program, Access::EXEC_OK) {
                Ok(()) => Ok(program.to_owned()),
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Err(ExecError::Missing(shown())),
                Err(errno) => Err(ExecError::NotStarted { program: shown(), source: errno.into() }),
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let runs = |found: &PathBuf| found.is_file() && access(found, Access::EXEC_OK).is_ok();
        let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(runs);
        found.ok_or_else(|| ExecError::Missing(shown()))
    }

    /// Becomes the program; comes back only where that cannot be done.
    pub fn exec(&self, token: &Secret) -> ExecError {
        match self.prepared(token) {
            Ok(mut command) => self.not_started(command.exec()),
            Err(error) => error,
        }
    }

    pub fn start(&self, token: &Secret) -> Result<Child, ExecError> {
        self.prepared(token)?.spawn().map_err(|source| self.not_started(source))
    }

    fn prepared(&self, token: &Secret) -> Result<Command, ExecError> {
        let mut command = Command::new(self.find()?);
        command.arg0(&self.program).args(&self.arguments);
        if self.environment {
            // bao would prefer a BAO_TOKEN that was there before.
            command.env("VAULT_TOKEN", token.expose()).env_remove("BAO_TOKEN");
        }
        Ok(command)
    }

    fn not_started(&self, source: io::Error) -> ExecError {
        ExecError::NotStarted { program: self.program.to_string_lossy().into_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(program: &str) -> ExecCommand {
        ExecCommand { program: program.into(), arguments: Vec::new(), environment: true }
    }

    #[test]
    fn found_by_path_or_by_name() {
        assert!(wrapped("sh").find().is_ok_and(|found| found.ends_with("sh") && found.is_absolute()));
        assert!(wrapped("/bin/sh").find().is_ok());
        for missing in ["no-such-program", "/bin/no-such-program", "/bin/sh/x"] {
            let error = wrapped(missing).find().unwrap_err();
            assert_eq!(error.to_string(), format!("could not run \"{missing}\": there is no such program"));
            assert_eq!(error.exit_code(), 127);
            assert_eq!(
                error.hint(),
                "name a program of this image behind \"--\", by its path or one that PATH leads to"
            );
        }
    }

    #[test]
    fn what_cannot_be_run_is_told_with_the_systems_reason() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "no program").unwrap();
        let error = wrapped(file.to_str().unwrap()).find().unwrap_err();
        assert_eq!(error.to_string(), format!("could not run \"{}\": permission denied", file.display()));
        assert_eq!(
            (error.exit_code(), error.hint().as_str()),
            (126, "see that it is executable, and built for this machine")
        );
    }
}
