//! The cache of the peers: `vaultjwt-peers` in the user's cache folder, with one folder for
//! each name and version. A folder is made under another name and then renamed, so a folder
//! under its own name is always complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fd_lock::RwLock;

use super::error::PeerError;
use super::pins::Pin;
use super::version;
use crate::process::say;

/// The folder of all peers.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// A program that is now in the cache.
#[derive(Debug)]
pub(super) struct Made {
    pub path: PathBuf,
    /// How long it took, unless another process had made it meanwhile.
    pub took: Option<Duration>,
}

impl Cache {
    pub fn of_user() -> Result<Self, PeerError> {
        // Relative paths are to be ignored (XDG Base Directory Specification).
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Ok(Self::at(base.ok_or(PeerError::NoCache)?.join("vaultjwt-peers")))
    }

    /// A cache in the given folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder everything is in.
    pub fn base(&self) -> &Path {
        &self.folder
    }

    /// The folder of one peer.
    pub fn folder(&self, name: &str, version: &str) -> PathBuf {
        self.folder.join(format!("{name}-{version}"))
    }

    /// Where the output of a build goes.
    pub fn log(&self, name: &str, version: &str) -> Result<PathBuf, PeerError> {
        let logs = self.folder.join("logs");
        fs::create_dir_all(&logs).map_err(PeerError::file("make the folder", &logs))?;
        Ok(logs.join(format!("{name}-{version}.log")))
    }

    /// The program of a peer, if it is there.
    pub fn program(&self, pin: &Pin) -> Option<PathBuf> {
        Some(self.folder(pin.name, pin.version).join(pin.binary)).filter(|path| version::is_executable(path))
    }

    /// Makes a peer's folder with `build`, once: others that want the same
    /// peer, here or in another process, wait and then find it.
    pub fn make(
        &self,
        pin: &Pin,
        build: impl FnOnce(&Self, &Path) -> Result<(), PeerError>,
    ) -> Result<Made, PeerError> {
        self.make_file(pin.name, pin.version, pin.binary, build)
    }

    /// As [`Cache::make`], for what is not a peer (Go).
    pub fn make_file(
        &self,
        name: &str,
        version: &str,
        file: &str,
        build: impl FnOnce(&Self, &Path) -> Result<(), PeerError>,
    ) -> Result<Made, PeerError> {
        let folder = self.folder(name, version);
        let path = folder.join(file);
        self.locked(name, || {
            if version::is_executable(&path) {
                return Ok(Made { path: path.clone(), took: None });
            }
            let start = Instant::now();
            self.remove_partial(name);
            let partial = self.folder.join(format!(".partial-{name}-{}", std::process::id()));
            fs::create_dir_all(&partial).map_err(PeerError::file("make the folder", &partial))?;
            let built = build(self, &partial).and_then(|()| {
                if !version::is_executable(&partial.join(file)) {
                    let what = format!("building {name} {version}");
                    return Err(PeerError::NoProgram { what, path: partial.join(file) });
                }
                // Left by hand, or by someone who removed the program only.
                let _ = fs::remove_dir_all(&folder);
                fs::rename(&partial, &folder).map_err(PeerError::file("move into place", &folder))
            });
            if built.is_err() {
                let _ = fs::remove_dir_all(&partial);
            }
            built?;
            Ok(Made { path: path.clone(), took: Some(start.elapsed()) })
        })
    }

    /// What a process that was killed had begun. Only under the peer's lock.
    fn remove_partial(&self, name: &str) {
        let begun = format!(".partial-{name}-");
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&begun) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Runs `inside` while no other process holds the lock of that name. The
    /// kernel gives the lock back when its holder dies.
    pub fn locked<T>(&self, name: &str, inside: impl FnOnce() -> Result<T, PeerError>) -> Result<T, PeerError> {
        fs::create_dir_all(&self.folder).map_err(PeerError::file("make the folder", &self.folder))?;
        let path = self.folder.join(format!("{name}.lock"));
        let file = File::options().create(true).append(true).open(&path).map_err(PeerError::file("open", &path))?;
        let mut lock = RwLock::new(file);
        // Two steps, only to tell why nothing happens meanwhile.
        let is_free = lock.try_write().is_ok();
        if !is_free {
            say(&format!("waiting: another process is getting {name} ({})", path.display()));
        }
        let _held = lock.write().map_err(PeerError::file("lock", &path))?;
        inside()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::super::peer::Peer;
    use super::*;

    fn write_program(path: &Path) -> Result<(), PeerError> {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        Ok(())
    }

    #[test]
    fn two_at_once_build_once() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("peers"));
        let builds = AtomicU32::new(0);
        let both_ready = Barrier::new(2);
        let made: Vec<Made> = thread::scope(|scope| {
            let build = || {
                both_ready.wait();
                cache.make(Peer::Vault.pin(), |_, folder| {
                    builds.fetch_add(1, Ordering::SeqCst);
                    // Long enough for the other one to come to the lock.
                    thread::sleep(Duration::from_millis(100));
                    write_program(&folder.join("vault"))
                })
            };
            let threads = [scope.spawn(build), scope.spawn(build)];
            threads.map(|thread| thread.join().unwrap().unwrap()).into_iter().collect()
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
        assert_eq!(made.iter().filter(|made| made.took.is_some()).count(), 1);
        assert!(made.iter().all(|made| made.path == folder.path().join("peers/vault-1.21.2/vault")));
    }

    #[test]
    fn a_failed_or_killed_build_leaves_nothing_that_counts() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_path_buf());
        let pin = Peer::Vault.pin();

        let killed = folder.path().join(".partial-vault-1");
        fs::create_dir(&killed).unwrap();
        write_program(&killed.join("vault")).unwrap();
        assert!(cache.program(pin).is_none());

        let failed = cache.make(pin, |_, folder| {
            write_program(&folder.join("vault")).unwrap();
            Err(PeerError::NoCache)
        });
        assert!(matches!(failed, Err(PeerError::NoCache)));
        assert!(cache.program(pin).is_none());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["vault.lock"]);
    }

    #[test]
    fn a_build_without_its_program_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_path_buf());
        let error = cache.make(Peer::OpenBao.pin(), |_, _| Ok(())).unwrap_err();
        let path = folder.path().join(format!(".partial-openbao-{}/bao", std::process::id()));
        assert_eq!(error.to_string(), format!("building openbao 2.7.2 left no program at \"{}\"", path.display()));
    }
}
