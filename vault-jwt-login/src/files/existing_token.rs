//! Reads a token from its file without following links, and checks that only this
//! user can have written it.

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::geteuid;
use shared::Secret;
use shared::text::os_cause;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

const LARGEST: u64 = 64 * 1_024;

const LARGEST_INFO: u64 = 1_024 * 1_024;

#[derive(Debug, Error)]
pub enum ExistingTokenError {
    #[error("could not read the token file \"{}\": {}", path.display(), os_cause(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the token file \"{}\" {why}", path.display())]
    NoToken { path: PathBuf, why: &'static str },
    /// The file with what is known about it cannot be read.
    #[error("could not read the info file \"{}\": {why}", path.display())]
    NoInfo { path: PathBuf, why: String },
    #[error("the token in \"{}\" is over since {ago}", path.display())]
    Expired { path: PathBuf, ago: String },
    #[error("could not remove \"{}\": {}", path.display(), os_cause(source))]
    NotRemoved { path: PathBuf, source: io::Error },
}

impl ExistingTokenError {
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run this as the user that logged in, or give the file a group of its own (--mode 0640, fsGroup)"
                    .to_owned()
            }
            Self::NoInfo { .. } => {
                "name the same --info-file or VAULT_TOKEN_INFO_FILE as the login, or none".to_owned()
            }
            Self::Expired { .. } => {
                "look at the log of the vault-jwt-login that keeps it; without --watch nobody renews it".to_owned()
            }
            Self::NotRemoved { .. } => "mount the volume of the token file writable".to_owned(),
            Self::Unreadable { .. } | Self::NoToken { .. } => {
                "look whether vault-jwt-login has logged in, and whether --token-file or VAULT_TOKEN_FILE is the same"
                    .to_owned()
            }
        }
    }
}

/// Reads a token. A link in the file's place is not followed, and a pipe not
/// waited for.
pub fn read(path: &Path) -> Result<Secret, ExistingTokenError> {
    open_token(CWD, path.as_os_str(), path).map(|(token, _)| token)
}

/// Reads a token that we can have put there ourselves: the file is ours, and
/// nobody else may write to it. `None` if it can be another's, with the reason.
pub fn read_own(path: &Path) -> Result<Result<Secret, &'static str>, ExistingTokenError> {
    read_own_at(CWD, path.as_os_str(), path)
}

/// The same for `name` in a directory that is open; `path` is for messages.
pub fn read_own_at(
    directory: impl AsFd,
    name: &OsStr,
    path: &Path,
) -> Result<Result<Secret, &'static str>, ExistingTokenError> {
    let (token, metadata) = open_token(directory, name, path)?;
    Ok(if metadata.uid() != geteuid().as_raw() {
        Err("it belongs to another user")
    } else if metadata.nlink() > 1 {
        // Possibly a file from another directory.
        Err("it has more than one hard link")
    } else if metadata.mode() & 0o022 != 0 {
        Err("others may write to it")
    } else {
        Ok(token)
    })
}

/// Reads a regular file, which another container can have replaced: without waiting for a
/// pipe, and not without end.
pub fn read_regular_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::from(openat(CWD, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_INFO).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_token(
    directory: impl AsFd,
    name: &OsStr,
    path: &Path,
) -> Result<(Secret, std::fs::Metadata), ExistingTokenError> {
    let unreadable = |source: io::Error| ExistingTokenError::Unreadable { path: path.to_owned(), source };
    let no_token = |why| ExistingTokenError::NoToken { path: path.to_owned(), why };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // open(2), of O_NOFOLLOW.
        Err(rustix::io::Errno::LOOP) => return Err(no_token("is a link")),
        Err(errno) => return Err(unreadable(errno.into())),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(no_token("is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(256);
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let token = String::from_utf8(bytes).map_err(|_| no_token("holds no token"))?;
    match token.trim() {
        "" => Err(no_token("is empty")),
        token if token.len() as u64 <= LARGEST && token.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok((Secret::new(token), metadata))
        }
        _ => Err(no_token("holds no token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let said = |path: &Path| match read(path) {
            Ok(token) => token.expose().to_owned(),
            Err(error) => error.to_string().replace(&dir.path().display().to_string(), "DIR"),
        };
        assert_eq!(said(&path), "could not read the token file \"DIR/token\": no such file or directory");
        assert!(read(&path).unwrap_err().is_absent());
        for (content, expected) in [
            ("hvs.token", "hvs.token"),
            ("hvs.token\n", "hvs.token"),
            (" \n", "the token file \"DIR/token\" is empty"),
            ("two words", "the token file \"DIR/token\" holds no token"),
            ("\u{e9}", "the token file \"DIR/token\" holds no token"),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(said(&path), expected);
        }
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(said(&link), "the token file \"DIR/link\" is a link");
        assert_eq!(said(dir.path()), "the token file \"DIR\" is not a regular file");
    }

    #[test]
    fn a_file_that_others_can_have_written_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "hvs.token").unwrap();
        for (mode, why) in [
            (0o600, None),
            (0o644, None),
            (0o440, None),
            (0o660, Some("others may write to it")),
            (0o602, Some("others may write to it")),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_own(&path).unwrap().err(), why, "{mode:o}");
        }
    }
}
