//! Why the token file or the info file cannot be written, and what to change.

use crate::files::obstacle::Obstacle;
use crate::place;
use crate::token_file::INFO;
use shared::text::os_cause;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why the token file cannot be written.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// The path is a directory, or names none.
    #[error("could not write the {what} \"{}\": it is a directory", path.display())]
    Directory {
        /// What the file is for.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// What is there cannot be replaced.
    #[error("could not write the {what} \"{}\": {obstacle}", path.display())]
    Obstacle {
        /// What the file is for.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        obstacle: Obstacle,
    },
    /// Its directory cannot be opened.
    #[error("could not write the {what} \"{}\": directory \"{}\": {}", path.display(), directory.display(), os_cause(source))]
    NoDirectory {
        /// What the file is for.
        what: &'static str,
        /// The token file.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It cannot be given to whom it was asked to be.
    #[error("could not give the {what} \"{}\" to {to}: {}", path.display(), os_cause(source))]
    Owner {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// User and group.
        to: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be created, written or renamed there.
    #[error("could not write the {what} \"{}\": {}", path.display(), os_cause(source))]
    Write {
        /// What the file is for.
        what: &'static str,
        /// The token file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl TokenFileError {
    /// What to change.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Directory { what, .. } => format!("name a file, not a directory, with {}", flags(what)),
            Self::Obstacle { what, path, obstacle } => obstacle.hint(path, flags(what)),
            Self::Owner { .. } => {
                "leave --owner out, and name a group that the pod's user is in (supplementalGroups) with --group"
                    .to_owned()
            }
            Self::NoDirectory { what, directory, source, .. } if source.kind() == io::ErrorKind::NotFound => format!(
                "mount an emptyDir with medium Memory at \"{}\", or name another file with {}",
                place::absolute(directory).display(),
                flags(what).split(' ').next().unwrap_or_default()
            ),
            Self::NoDirectory { what, path, source, .. } | Self::Write { what, path, source } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "set securityContext.fsGroup of the pod, so that its user may write to the volume".to_owned()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    format!("raise sizeLimit of the volume that the {what} is on")
                }
                _ => format!(
                    "mount a writable volume (an emptyDir with medium Memory) at \"{}\"",
                    place::directory(path).display()
                ),
            },
        })
    }
}

/// How a file is named.
fn flags(what: &str) -> &'static str {
    if what == INFO { "--info-file or VAULT_TOKEN_INFO_FILE" } else { "--token-file or VAULT_TOKEN_FILE" }
}
