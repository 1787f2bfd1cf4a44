//! Paths: the workspace, its target folder, and the harness's folder in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root folder of the workspace.
pub fn root() -> PathBuf {
    let member = Path::new(env!("CARGO_MANIFEST_DIR"));
    member.parent().unwrap_or(member).to_path_buf()
}

/// The target folder: `CARGO_TARGET_DIR`, else `target` in the workspace.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The folder for everything that lives only while servers run.
pub fn harness() -> PathBuf {
    target().join("harness")
}

/// Where logs of a failed test are kept.
pub fn failed() -> PathBuf {
    harness().join("failed")
}

/// The folders of `PATH`, without empty ones (which would mean the current folder).
pub fn path_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

/// `PATH` with `first` in front of the present one.
pub fn path_with(first: &[&Path]) -> OsString {
    let folders = first.iter().map(|folder| folder.to_path_buf()).chain(path_folders());
    std::env::join_paths(folders).unwrap_or_default()
}
