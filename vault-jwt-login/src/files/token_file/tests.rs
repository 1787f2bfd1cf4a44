//! The token file in every state a run can meet or leave.

use super::*;
use crate::files::token_file_error::INFO_FILE;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Mutex;

impl From<FileMode> for FilePermissions {
    fn from(mode: FileMode) -> Self {
        Self { mode, owner: None, group: None }
    }
}

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
    for typed in ["640", "416", "384", "0690", "9", "01000", "04755", "u=rw", "-0600", "0+600", "0o", "0", "", "0x1ff"]
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
                let file = TokenFile::prepare(TOKEN_FILE, &path, FileMode(mode).into()).unwrap();
                assert_eq!(names(dir.path()), Vec::<String>::new());
                file.write("hvs.new").unwrap();
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
            let file = TokenFile::prepare(TOKEN_FILE, &dir.path().join("token"), FileMode(mode).into()).unwrap();
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
    TokenFile::prepare(TOKEN_FILE, &path, FileMode::PRIVATE.into()).unwrap().write("new").unwrap();
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
    TokenFile::prepare(TOKEN_FILE, &path, FileMode::PRIVATE.into()).unwrap().write("new").unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn a_failed_rename_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let file = TokenFile::prepare(TOKEN_FILE, &path, FileMode::PRIVATE.into()).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = file.write("new").unwrap_err();
    assert_eq!(error.to_string(), format!("could not write the token file \"{}\": is a directory", path.display()));
    assert_eq!(names(dir.path()), ["token"]);
}

#[test]
fn places_that_take_no_file_are_found_before_the_login() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().display();
    let place = |name: &str| {
        let error = TokenFile::prepare(TOKEN_FILE, &dir.path().join(name), FileMode::PRIVATE.into()).unwrap_err();
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
            format!("mount an emptyDir with medium Memory at \"{shown}/none\", or name another file with --token-file")
        )
    );
    assert_eq!(
        place("f/token").0,
        format!("could not write the token file \"{shown}/f/token\": directory \"{shown}/f\": not a directory")
    );
}

#[test]
fn what_a_crash_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let left = [
        (".token.0123456789abcdef.tmp", old, false),
        // Perhaps somebody else's at this moment.
        (".token.fedcba9876543210.tmp", std::time::SystemTime::now(), true),
        (".token.0123456789abcdeg.tmp", old, true),
        (".token.0123.tmp", old, true),
        (".other.0123456789abcdef.tmp", old, true),
        ("token.0123456789abcdef.tmp", old, true),
    ];
    for (name, time, _) in left {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.set_modified(time).unwrap();
    }
    std::os::unix::fs::symlink("/", dir.path().join(".token.aaaaaaaaaaaaaaaa.tmp")).unwrap();
    TokenFile::prepare(TOKEN_FILE, &path, FileMode::PRIVATE.into()).unwrap();
    for (name, _, stays) in left {
        assert_eq!(dir.path().join(name).exists(), stays, "{name}");
    }
    assert!(dir.path().join(".token.aaaaaaaaaaaaaaaa.tmp").is_symlink());
}

#[test]
fn a_file_is_given_to_whom_it_was_asked_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let mine = std::fs::metadata(dir.path()).unwrap();
    let permissions = |owner, group| FilePermissions { mode: FileMode(0o640), owner, group };
    // To oneself anybody may.
    let file = TokenFile::prepare(TOKEN_FILE, &path, permissions(Some(mine.uid()), Some(mine.gid()))).unwrap();
    file.write("t").unwrap();
    assert_eq!(mode_of(&path), 0o640);
    let foreign = TokenFile::prepare(INFO_FILE, &path, permissions(Some(12_345), Some(54_321)));
    match foreign {
        // Root may, to anybody.
        Ok(file) => {
            file.write("t").unwrap();
            let found = std::fs::metadata(&path).unwrap();
            assert_eq!((found.uid(), found.gid(), mode_of(&path)), (12_345, 54_321, 0o640));
        }
        Err(error) => {
            assert_eq!(
                error.to_string(),
                format!(
                    "could not give the info file \"{}\" to user 12345 and group 54321: operation not permitted",
                    path.display()
                )
            );
            assert_eq!(
                error.hint().as_deref(),
                Some("leave --owner out, and name a group that the pod's user is in (supplementalGroups) with --group")
            );
        }
    }
    assert_eq!(names(dir.path()), ["token"]);
}

#[test]
fn a_directory_nothing_can_be_created_in_is_found_before_the_login() {
    let error = TokenFile::prepare(TOKEN_FILE, Path::new("/proc/token"), FileMode::PRIVATE.into()).unwrap_err();
    assert!(matches!(error, TokenFileError::Write { .. }), "{error:?}");
    assert_eq!(error.hint().as_deref(), Some("mount a writable volume (an emptyDir with medium Memory) at \"/proc\""));
}
