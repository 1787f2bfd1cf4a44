//! Errors from finding, building, or installing a peer.

use std::io;
use std::path::PathBuf;

/// Why there is no peer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The environment names a file that is not there or not executable.
    #[error("{variable}=\"{}\" is not an executable file", .path.display())]
    Variable { variable: &'static str, path: PathBuf },
    /// There is no home folder and no `XDG_CACHE_HOME`.
    #[error("no folder for the peers' cache: neither XDG_CACHE_HOME nor HOME is an absolute path")]
    NoCache,
    /// A file or folder of the cache.
    #[error("cannot {what} \"{}\": {source}", .path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    /// A program the build needs is missing.
    #[error("{what} needs {tool}, which is not installed")]
    Missing {
        /// What is being built.
        what: String,
        tool: &'static str,
        /// The command that installs it.
        install: &'static str,
    },
    /// A build or an installation failed.
    #[error("{what} failed ({status}); its last lines:\n{tail}")]
    Failed {
        /// What was being done.
        what: String,
        status: String,
        /// The last lines of its output.
        tail: String,
        log: PathBuf,
    },
    /// The build went well, but the program is not where it should be.
    #[error("{what} left no program at \"{}\"", .path.display())]
    NoProgram {
        what: String,
        /// Where the program should be.
        path: PathBuf,
    },
}

impl PeerError {
    /// The one thing to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Variable { variable, .. } => Some(format!("unset {variable}, or set it to the program's path")),
            Self::NoCache => Some("set XDG_CACHE_HOME to a folder with about 1 GB free".to_owned()),
            Self::File { .. } => None,
            Self::Missing { install, .. } => Some((*install).to_owned()),
            Self::Failed { log, .. } => Some(format!("the whole output is in {}", log.display())),
            Self::NoProgram { .. } => None,
        }
    }

    /// For `map_err`: an I/O error with what was tried.
    pub(super) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
