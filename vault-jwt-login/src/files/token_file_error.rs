//! Why the token file or the info file cannot be written, and what to change.

use crate::files::obstacle::Obstacle;
use crate::files::paths;
use shared::text::os_cause;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

pub const TOKEN_FILE: &str = "token file";
/// The file with what is known about the token.
pub const INFO_FILE: &str = "info file";

#[derive(Debug, Error)]
pub enum TokenFileError {
    #[error("could not write the {what} \"{}\": it is a directory", path.display())]
    Directory { what: &'static str, path: PathBuf },
    #[error("could not write the {what} \"{}\": {obstacle}", path.display())]
    Obstacle { what: &'static str, path: PathBuf, obstacle: Obstacle },
    #[error("could not write the {what} \"{}\": directory \"{}\": {}", path.display(), directory.display(), os_cause(source))]
    NoDirectory { what: &'static str, path: PathBuf, directory: PathBuf, source: io::Error },
    /// It cannot be given to whom it was asked to be.
    #[error("could not give the {what} \"{}\" to {to}: {}", path.display(), os_cause(source))]
    Owner { what: &'static str, path: PathBuf, to: String, source: io::Error },
    #[error("could not write the {what} \"{}\": {}", path.display(), os_cause(source))]
    Write { what: &'static str, path: PathBuf, source: io::Error },
}

impl TokenFileError {
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
                paths::absolute(directory).display(),
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
                    paths::absolute_parent_dir(path).display()
                ),
            },
        })
    }
}

fn flags(what: &str) -> &'static str {
    if what == INFO_FILE { "--info-file or VAULT_TOKEN_INFO_FILE" } else { "--token-file or VAULT_TOKEN_FILE" }
}
