//! Detects, before a login, a file that a rename cannot replace: a mount point,
//! and the file of another user in a directory with the sticky bit.

use crate::files::paths;
use crate::files::proc_status;
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, fstat, statat, statx};
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use thiserror::Error;

/// The sticky bit (inode(7)): only its owner, the directory's, and root may replace a file.
const STICKY: u32 = 0o1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Obstacle {
    /// Such as a `subPath` of a volume.
    #[error("it is a mount point, which cannot be replaced")]
    MountPoint,
    #[error(
        "it belongs to user {0}, and its directory has the sticky bit: only that user, the directory's owner, and \
         root can replace it"
    )]
    OwnedBy(u32),
}

impl Obstacle {
    /// What to change; `flags` name the file at `path`.
    pub fn hint(&self, file: &Path, flags: &str) -> String {
        let path = file.display();
        match self {
            Self::MountPoint => format!(
                "mount the volume at \"{}\", without subPath, or name another file with {flags}",
                paths::absolute_parent_dir(file).display()
            ),
            Self::OwnedBy(user) => format!(
                "run all containers that write \"{path}\" as one user (securityContext.runAsUser: {user}), or name \
                 another file with {flags}"
            ),
        }
    }
}

/// What keeps a rename from replacing `name` in `directory`; `None` where nothing is known to.
pub fn detect(directory: impl AsFd, name: &OsStr) -> Option<Obstacle> {
    let directory = directory.as_fd();
    if is_mount_point(directory, name) {
        return Some(Obstacle::MountPoint);
    }
    let (file, parent) = (statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?, fstat(directory).ok()?);
    let user = geteuid().as_raw();
    let may_replace = may_replace_all() || parent.st_mode & STICKY == 0 || [file.st_uid, parent.st_uid].contains(&user);
    (!may_replace).then_some(Obstacle::OwnedBy(file.st_uid))
}

/// Whether this process has CAP_FOWNER (capabilities(7)). A pod that drops all capabilities has it
/// not, even as root.
fn may_replace_all() -> bool {
    const FOWNER: u32 = 3;
    // Where it is not said, the rename tells.
    proc_status::mask("CapEff").is_none_or(|mask| mask & (1 << FOWNER) != 0)
}

/// What the kernel says (statx(2), Linux 5.8); an older one does not, and the rename fails later.
fn is_mount_point(directory: BorrowedFd<'_>, name: &OsStr) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    statx(directory, name, flags, StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_mount_point_is_seen_and_a_file_is_not_one() {
        assert!(is_mount_point(CWD.as_fd(), OsStr::new("/proc")));
        let dir = tempfile::tempdir().unwrap();
        let open = std::fs::File::open(dir.path()).unwrap();
        assert_eq!(detect(&open, OsStr::new("token")), None);
        std::fs::write(dir.path().join("token"), "t").unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(detect(&open, OsStr::new("token")), None, "it is ours");
    }

    #[test]
    fn obstacles_and_their_hints() {
        let path = Path::new("/vault/token");
        let said = |obstacle: Obstacle| (obstacle.to_string(), obstacle.hint(path, "--token-file or VAULT_TOKEN_FILE"));
        assert_eq!(
            said(Obstacle::MountPoint),
            (
                "it is a mount point, which cannot be replaced".into(),
                "mount the volume at \"/vault\", without subPath, or name another file with \
                 --token-file or VAULT_TOKEN_FILE"
                    .into()
            )
        );
        assert_eq!(
            said(Obstacle::OwnedBy(1000)),
            (
                "it belongs to user 1000, and its directory has the sticky bit: only that user, the directory's owner, \
                 and root can replace it"
                    .into(),
                "run all containers that write \"/vault/token\" as one user (securityContext.runAsUser: 1000), or name \
                 another file with --token-file or VAULT_TOKEN_FILE"
                    .into()
            )
        );
    }
}
