//! The file the Vault token goes to. A reader finds it absent, old or new: never
//! torn, never empty, never open to more readers than asked.

use crate::files::existing_token;
use crate::files::obstacle;
use crate::files::paths;
use crate::files::random;
use crate::files::token_file_error::{TOKEN_FILE, TokenFileError};
use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, fchmod, fchown, flock, fsync, openat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};
use shared::Secret;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

pub const DEFAULT: &str = "/vault/token";

/// A mode such as 0640, never above 0777.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    pub const PRIVATE: Self = Self(0o600);

    /// Reads an octal mode. The leading zero is demanded: `416` may be 0640
    /// that a template engine wrote in decimal, and 0416 is not a sensible
    /// mode for a token.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePermissions {
    pub mode: FileMode,
    /// The user it belongs to; `None` is the user of this process.
    pub owner: Option<u32>,
    /// The group it belongs to; `None` is what the directory gives.
    pub group: Option<u32>,
}

#[derive(Debug)]
pub struct TokenFile {
    what: &'static str,
    path: PathBuf,
    name: OsString,
    /// All work goes through this handle, so that a directory that is moved
    /// or replaced meanwhile is not written to.
    directory: OwnedFd,
    permissions: FilePermissions,
    /// Temporary files that a killed run left behind, and that hold a token.
    leftovers: Vec<OsString>,
}

/// How old a temporary file has to be before it is taken for one that a crash
/// left: it lives for the moment between its creation and its renaming.
const LEFT_BEHIND: Duration = Duration::from_secs(10);

/// Service tokens have about 100 bytes, batch tokens a few hundred.
const LARGER_THAN_A_TOKEN: usize = 1_024;

impl TokenFile {
    /// Opens the directory of `path` and checks, by creating and removing a
    /// file, that it can be written: a token that cannot be stored has to be revoked.
    pub fn prepare(what: &'static str, path: &Path, permissions: FilePermissions) -> Result<Self, TokenFileError> {
        let is_directory = || TokenFileError::Directory { what, path: path.to_owned() };
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(is_directory());
        }
        let name = path.file_name().ok_or_else(is_directory)?.to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(paths::parent_dir(path), flags, Mode::empty()).map_err(|errno| {
            TokenFileError::NoDirectory {
                what,
                path: path.to_owned(),
                directory: paths::parent_dir(path).to_owned(),
                source: errno.into(),
            }
        })?;
        // A link, even one to a directory, is replaced and not followed.
        if let Ok(found) = statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)
            && FileType::from_raw_mode(found.st_mode) == FileType::Directory
        {
            return Err(is_directory());
        }
        if let Some(obstacle) = obstacle::detect(&directory, &name) {
            return Err(TokenFileError::Obstacle { what, path: path.to_owned(), obstacle });
        }
        let mut file = Self { what, path: path.to_owned(), name, directory, permissions, leftovers: Vec::new() };
        file.clean();
        file.trial()?;
        Ok(file)
    }

    /// Creates a file as a token needs one, and removes it when dropped.
    pub fn trial(&self) -> Result<TemporaryFile<'_>, TokenFileError> {
        let mut temporary = self.temporary().map_err(|source| self.failed(source))?;
        // A full disk still takes an empty file.
        temporary.file.write_all(&[b' '; LARGER_THAN_A_TOKEN]).map_err(|source| self.failed(source))?;
        self.give_away(&temporary).map_err(|source| self.not_given(source))?;
        Ok(temporary)
    }

    /// Whether there is no file: it was removed after it was written.
    pub fn is_missing(&self) -> bool {
        matches!(statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
    }

    pub fn write(&self, text: &str) -> Result<(), TokenFileError> {
        self.put_in_place(self.stage(text)?)
    }

    /// Writes a text beside the target, with all that can fail for lack of room.
    pub fn stage(&self, text: &str) -> Result<TemporaryFile<'_>, TokenFileError> {
        let staged = || {
            let mut temporary = self.temporary()?;
            // Before the token is in it: a file with a token and without a lock is a leftover. Where
            // there are no locks, its age decides.
            let _ = flock(&temporary.file, FlockOperation::NonBlockingLockExclusive);
            temporary.file.write_all(text.as_bytes())?;
            fsync(&temporary.file)?;
            Ok(temporary)
        };
        staged().map_err(|source| self.failed(source))
    }

    /// Puts what was staged in place.
    ///
    /// Until then the file is ours and private, so that the next start can revoke the token of a
    /// run that is killed here.
    pub fn put_in_place(&self, mut staged: TemporaryFile<'_>) -> Result<(), TokenFileError> {
        let put = || {
            // Before the mode, which this may narrow; and no one else has it open.
            self.give_away(&staged)?;
            // Not at open: there the umask would take bits away.
            fchmod(&staged.file, self.permissions.mode.bits())?;
            fsync(&staged.file)?;
            Ok(renameat(&self.directory, &staged.name, &self.directory, &self.name)?)
        };
        put().map_err(|source| self.failed(source))?;
        staged.renamed = true;
        // Not all file systems can; the token is in place either way.
        let _ = fsync(&self.directory);
        Ok(())
    }

    /// The tokens that killed runs left behind in temporary files, where nobody else can
    /// have put them there.
    pub fn leftovers(&self) -> Vec<(&OsStr, Secret)> {
        let mut tokens = Vec::new();
        for name in &self.leftovers {
            if let Ok(Ok(token)) = existing_token::read_own_at(&self.directory, name, &self.beside(name)) {
                tokens.push((name.as_os_str(), token));
            }
        }
        tokens
    }

    pub fn remove_leftover(&self, name: &OsStr) {
        // Nothing better can be done than to try.
        let _ = unlinkat(&self.directory, name, AtFlags::empty());
    }

    pub fn beside(&self, name: &OsStr) -> PathBuf {
        paths::parent_dir(&self.path).join(name)
    }

    fn give_away(&self, temporary: &TemporaryFile<'_>) -> io::Result<()> {
        let FilePermissions { owner, group, .. } = self.permissions;
        if owner.is_none() && group.is_none() {
            return Ok(());
        }
        Ok(fchown(&temporary.file, owner.map(Uid::from_raw), group.map(Gid::from_raw))?)
    }

    /// Removes what a killed run left beside the target: files of this user, with names that
    /// only this program gives. One that holds a token is noted instead: the token is revoked
    /// first. Errors are ignored.
    fn clean(&mut self) {
        let Ok(entries) = Dir::read_from(&self.directory) else { return };
        let mut left = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !self.is_temporary(name.to_bytes()) {
                continue;
            }
            let Ok(found) = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let ours =
                FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && found.st_uid == geteuid().as_raw();
            if !ours {
                continue;
            }
            let name = OsString::from_vec(name.to_bytes().to_vec());
            let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(found.st_mtime).unwrap_or_default());
            let old = changed.elapsed().is_ok_and(|age| age > LEFT_BEHIND);
            let holds_a_token = self.what == TOKEN_FILE
                && matches!(existing_token::read_own_at(&self.directory, &name, &self.beside(&name)), Ok(Ok(_)));
            match (holds_a_token, old) {
                (true, true) => left.push(name),
                (true, false) if self.is_abandoned(&name) => left.push(name),
                (true, false) => {}
                (false, true) => self.remove_leftover(&name),
                (false, false) => {}
            }
        }
        self.leftovers = left;
    }

    /// Whether no process is writing a file any more: a writer has it locked.
    fn is_abandoned(&self, name: &OsStr) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(&self.directory, name, flags, Mode::empty())
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
    }

    /// `.<name>.<16 hexadecimal digits>.tmp`
    fn is_temporary(&self, name: &[u8]) -> bool {
        let middle = name
            .strip_prefix(b".")
            .and_then(|rest| rest.strip_prefix(self.name.as_bytes()))
            .and_then(|rest| rest.strip_prefix(b"."))
            .and_then(|rest| rest.strip_suffix(b".tmp"));
        middle.is_some_and(|middle| middle.len() == 16 && middle.iter().all(u8::is_ascii_hexdigit))
    }

    /// A new, empty file beside the target that nobody but us can open yet.
    /// O_EXCL and the random name keep others from preparing it (the volume
    /// may be writable for other containers).
    fn temporary(&self) -> io::Result<TemporaryFile<'_>> {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{:016x}.tmp", random::bits()?));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let ours = FileMode(self.permissions.mode.0 & 0o600).bits();
        let file = std::fs::File::from(openat(&self.directory, &name, flags, ours)?);
        Ok(TemporaryFile { directory: &self.directory, name, file, renamed: false })
    }

    fn failed(&self, source: io::Error) -> TokenFileError {
        TokenFileError::Write { what: self.what, path: self.path.clone(), source }
    }

    fn not_given(&self, source: io::Error) -> TokenFileError {
        let FilePermissions { owner, group, .. } = self.permissions;
        let named = |word: &str, id: Option<u32>| id.map(|id| format!("{word} {id}"));
        let to: Vec<String> = [named("user", owner), named("group", group)].into_iter().flatten().collect();
        TokenFileError::Owner { what: self.what, path: self.path.clone(), to: to.join(" and "), source }
    }
}

/// A file beside the target. Removes itself unless it was renamed.
#[derive(Debug)]
pub struct TemporaryFile<'a> {
    directory: &'a OwnedFd,
    name: OsString,
    file: std::fs::File,
    renamed: bool,
}

impl Drop for TemporaryFile<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            // Nothing better can be done than to try.
            let _ = unlinkat(self.directory, &self.name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests;
