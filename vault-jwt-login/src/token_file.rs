//! Owns the file the Vault token goes to. Whoever looks finds it absent, old
//! or new: never torn, never empty, never open to more readers than asked.

use crate::place;
use crate::random;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fsync, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use shared::Secret;
use shared::text::os_cause;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where the token goes unless told otherwise.
pub const DEFAULT: &str = "/vault/token";

/// A mode such as 0640, never above 0777.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// For the owner only.
    pub const PRIVATE: Self = Self(0o600);

    /// Reads an octal mode. The leading zero is demanded: `416` may be 0640
    /// that a template engine wrote in decimal, and 0416 is not what anybody
    /// wants of a token.
    pub fn parse(typed: &str) -> Option<Self> {
        let digits = typed.strip_prefix('0')?;
        let digits = digits.strip_prefix('o').unwrap_or(digits);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let bits = u32::from_str_radix(digits, 8).ok()?;
        (bits <= 0o777).then_some(Self(bits))
    }

    /// What the mode lets everybody do, at its worst. To execute a token is nothing.
    pub fn right_of_others(self) -> Option<&'static str> {
        match self.0 & 0o006 {
            0 => None,
            0o002 => Some("write"),
            _ => Some("read"),
        }
    }

    fn bits(self) -> Mode {
        Mode::from_raw_mode(self.0)
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A place that was seen to take a file.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    name: OsString,
    /// All work goes through this handle, so that a directory that is moved
    /// or replaced meanwhile is not written to.
    directory: OwnedFd,
    mode: FileMode,
}

/// Why the token file cannot be written.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// The path is a directory, or names none.
    #[error("could not write the token file \"{}\": it is a directory", .0.display())]
    Directory(PathBuf),
    /// Its directory cannot be opened.
    #[error("could not write the token file \"{}\": directory \"{}\": {}", path.display(), directory.display(), os_cause(source))]
    NoDirectory {
        /// The token file.
        path: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be created, written or renamed there.
    #[error("could not write the token file \"{}\": {}", path.display(), os_cause(source))]
    Write {
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
            Self::Directory(_) => "name a file, not a directory, with --token-file or VAULT_TOKEN_FILE".to_owned(),
            Self::NoDirectory { directory, source, .. } if source.kind() == io::ErrorKind::NotFound => format!(
                "mount an emptyDir with medium Memory at \"{}\", or name another file with --token-file",
                place::absolute(directory).display()
            ),
            Self::NoDirectory { path, source, .. } | Self::Write { path, source } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    "set securityContext.fsGroup of the pod, so that its user may write to the volume".to_owned()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "raise sizeLimit of the volume the token file is on".to_owned()
                }
                _ => format!(
                    "mount a writable volume (an emptyDir with medium Memory) at \"{}\"",
                    place::directory(path).display()
                ),
            },
        })
    }
}

impl TokenFile {
    /// Opens the directory of `path` and proves, by making and removing a
    /// file, that it can be written: a login whose token has nowhere to go
    /// leaves a token behind that nobody revokes.
    pub fn prepare(path: &Path, mode: FileMode) -> Result<Self, TokenFileError> {
        let is_directory = || TokenFileError::Directory(path.to_owned());
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(is_directory());
        }
        let name = path.file_name().ok_or_else(is_directory)?.to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(place::parent(path), flags, Mode::empty()).map_err(|errno| {
            TokenFileError::NoDirectory {
                path: path.to_owned(),
                directory: place::parent(path).to_owned(),
                source: errno.into(),
            }
        })?;
        // A link, even one to a directory, is replaced and not followed.
        if let Ok(found) = statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)
            && FileType::from_raw_mode(found.st_mode) == FileType::Directory
        {
            return Err(is_directory());
        }
        let file = Self { path: path.to_owned(), name, directory, mode };
        file.temporary().map(drop).map_err(|source| file.failed(source))?;
        Ok(file)
    }

    /// Puts `token` in place.
    pub fn write(&self, token: &Secret) -> Result<(), TokenFileError> {
        self.replace(token).map_err(|source| self.failed(source))
    }

    fn replace(&self, token: &Secret) -> io::Result<()> {
        let mut temporary = self.temporary()?;
        temporary.file.write_all(token.expose().as_bytes())?;
        // Not at open: there the umask would take bits away.
        fchmod(&temporary.file, self.mode.bits())?;
        fsync(&temporary.file)?;
        renameat(&self.directory, &temporary.name, &self.directory, &self.name)?;
        temporary.renamed = true;
        match fsync(&self.directory) {
            // Some file systems keep no directory entries to flush; the new token is in place either way.
            Err(Errno::INVAL) | Ok(()) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A new, empty file beside the target that nobody but us can open yet.
    /// O_EXCL and the random name keep others from preparing it (the volume
    /// may be writable for other containers).
    fn temporary(&self) -> io::Result<Temporary<'_>> {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{:016x}.tmp", random::bits()?));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let ours = FileMode(self.mode.0 & 0o600).bits();
        let file = std::fs::File::from(openat(&self.directory, &name, flags, ours)?);
        Ok(Temporary { directory: &self.directory, name, file, renamed: false })
    }

    fn failed(&self, source: io::Error) -> TokenFileError {
        TokenFileError::Write { path: self.path.clone(), source }
    }
}

/// Removes itself unless it was renamed.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: OsString,
    file: std::fs::File,
    renamed: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            // Nothing better can be done than to try.
            let _ = unlinkat(self.directory, &self.name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::sync::Mutex;

    /// The umask is the process's: the tests that set it take turns.
    static UMASK: Mutex<()> = Mutex::new(());

    fn under_umask<T>(mask: u32, work: impl FnOnce() -> T) -> T {
        let _turn = UMASK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = rustix::process::umask(Mode::from_raw_mode(mask));
        let result = work();
        rustix::process::umask(before);
        result
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn mode_of(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn modes_are_octal_and_cannot_be_misread() {
        for (typed, mode) in
            [("0600", 0o600), ("0640", 0o640), ("0o640", 0o640), ("0777", 0o777), ("00644", 0o644), ("0400", 0o400)]
        {
            assert_eq!(FileMode::parse(typed), Some(FileMode(mode)), "{typed}");
        }
        for typed in
            ["640", "416", "384", "0690", "9", "01000", "04755", "u=rw", "-0600", "0+600", "0o", "0", "", "0x1ff"]
        {
            assert_eq!(FileMode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn what_a_mode_gives_to_everybody() {
        for (mode, right) in [
            (0o600, None),
            (0o660, None),
            (0o601, None),
            (0o604, Some("read")),
            (0o666, Some("read")),
            (0o602, Some("write")),
        ] {
            assert_eq!(FileMode(mode).right_of_others(), right, "{mode:o}");
        }
    }

    #[test]
    fn the_mode_is_the_asked_one_whatever_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for mask in [0o000, 0o022, 0o077, 0o777] {
            for mode in [0o600, 0o640, 0o400, 0o644] {
                under_umask(mask, || {
                    let file = TokenFile::prepare(&path, FileMode(mode)).unwrap();
                    assert_eq!(names(dir.path()), Vec::<String>::new());
                    file.write(&Secret::new("hvs.new")).unwrap();
                });
                assert_eq!(mode_of(&path), mode, "mode {mode:o} under umask {mask:o}");
                assert_eq!(std::fs::read(&path).unwrap(), b"hvs.new");
                std::fs::remove_file(&path).unwrap();
            }
        }
    }

    #[test]
    fn the_temporary_file_is_narrower_than_the_target() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, narrow) in [(0o640, 0o600), (0o644, 0o600), (0o400, 0o400), (0o440, 0o400)] {
            under_umask(0, || {
                let file = TokenFile::prepare(&dir.path().join("token"), FileMode(mode)).unwrap();
                let temporary = file.temporary().unwrap();
                assert_eq!(mode_of(&dir.path().join(&temporary.name)), narrow);
            });
        }
    }

    #[test]
    fn an_old_file_is_replaced_not_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "old and longer").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let old = std::fs::metadata(&path).unwrap().ino();
        let reader = std::fs::File::open(&path).unwrap();
        TokenFile::prepare(&path, FileMode::PRIVATE).unwrap().write(&Secret::new("new")).unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "old and longer");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_ne!(std::fs::metadata(&path).unwrap().ino(), old);
        assert_eq!(mode_of(&path), 0o600);
        assert_eq!(names(dir.path()), ["token"]);
    }

    #[test]
    fn a_link_is_replaced_and_what_it_points_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("token"), dir.path().join("victim"));
        std::fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        TokenFile::prepare(&path, FileMode::PRIVATE).unwrap().write(&Secret::new("new")).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn a_failed_rename_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = TokenFile::prepare(&path, FileMode::PRIVATE).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = file.write(&Secret::new("new")).unwrap_err();
        assert_eq!(error.to_string(), format!("could not write the token file \"{}\": is a directory", path.display()));
        assert_eq!(names(dir.path()), ["token"]);
    }

    #[test]
    fn places_that_take_no_file_are_found_before_the_login() {
        let dir = tempfile::tempdir().unwrap();
        let shown = dir.path().display();
        let place = |name: &str| {
            let error = TokenFile::prepare(&dir.path().join(name), FileMode::PRIVATE).unwrap_err();
            (error.to_string(), error.hint().unwrap_or_default())
        };
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("f"), "").unwrap();
        assert_eq!(
            place("d"),
            (
                format!("could not write the token file \"{shown}/d\": it is a directory"),
                "name a file, not a directory, with --token-file or VAULT_TOKEN_FILE".to_owned()
            )
        );
        assert_eq!(place("new/").0, format!("could not write the token file \"{shown}/new/\": it is a directory"));
        assert_eq!(
            place("none/token"),
            (
                format!(
                    "could not write the token file \"{shown}/none/token\": directory \"{shown}/none\": no such file or directory"
                ),
                format!(
                    "mount an emptyDir with medium Memory at \"{shown}/none\", or name another file with --token-file"
                )
            )
        );
        assert_eq!(
            place("f/token").0,
            format!("could not write the token file \"{shown}/f/token\": directory \"{shown}/f\": not a directory")
        );
    }

    #[test]
    fn a_directory_nothing_can_be_created_in_is_found_before_the_login() {
        let error = TokenFile::prepare(Path::new("/proc/token"), FileMode::PRIVATE).unwrap_err();
        assert!(matches!(error, TokenFileError::Write { .. }), "{error:?}");
        assert_eq!(
            error.hint().as_deref(),
            Some("mount a writable volume (an emptyDir with medium Memory) at \"/proc\"")
        );
    }
}
