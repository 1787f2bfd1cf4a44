//! Temporary folders of the harness. They are removed however the process ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::keeper::{Keeper, STOP_AT_MOST};
use crate::workspace;

/// A folder below `target/harness` that goes away with its owner, and also
/// when the process ends without running destructors.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    marks: AtomicU64,
    keeper: Arc<Keeper>,
}

/// One folder per process, so that runs at the same time do not meet.
fn run() -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        workspace::harness().join(format!("run-{}-{}", std::process::id(), now.as_millis()))
    })
}

impl Scratch {
    /// A new, empty folder whose name ends in `name`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let path = run().join(format!("{}-{name}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let keeper = Keeper::start(include_str!("janitor.sh"), [&path], |_| ())?;
        let mut left = 10;
        // The janitor of another folder removes the run's folder when it is
        // empty; between two steps of create_dir_all that looks like an error.
        while let Err(error) = fs::create_dir_all(path.join(".running")) {
            left -= 1;
            if left == 0 || error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
        }
        Ok(Self { path, marks: AtomicU64::new(1), keeper })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file in it and returns the file's path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// Makes a folder in it and returns its path.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// A file that says: a program that uses this folder may be running.
    pub(super) fn new_mark(&self) -> io::Result<PathBuf> {
        let name = self.marks.fetch_add(1, Ordering::Relaxed).to_string();
        self.write(&format!(".running/{name}"), "")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.keeper.close();
        self.keeper.wait(STOP_AT_MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cgroups_names_goes_with_the_folder_when_it_is_empty() {
        // Folders in place of cgroups, whose files do not stand in rmdir's way.
        let outside = tempfile::tempdir().unwrap();
        let (empty, nested) = (outside.path().join("empty"), outside.path().join("nested"));
        fs::create_dir_all(nested.join("kubepods/pod")).unwrap();
        fs::create_dir(&empty).unwrap();
        let scratch = Scratch::new("cgroups").unwrap();
        let gone = outside.path().join("gone");
        let names = [&empty, &gone, &nested].map(|folder| format!("{}\n", folder.display())).concat();
        scratch.write(".cgroups", names).unwrap();
        let folder = scratch.path().to_path_buf();
        drop(scratch);
        assert_eq!([&empty, &nested, &folder].map(|folder| folder.exists()), [false; 3]);
        assert!(outside.path().exists());
    }
}
