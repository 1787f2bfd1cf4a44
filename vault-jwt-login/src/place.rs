//! Owns where a file is: its directory, and both as they are named in errors.

use std::path::{Path, PathBuf};

/// The directory a file is in; `.` for a bare name.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The same path from the root, for whoever reads it elsewhere.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The directory a file is in, from the root.
pub fn directory(file: &Path) -> PathBuf {
    absolute(parent(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(parent(Path::new("token")), Path::new("."));
        assert_eq!(parent(Path::new("/vault/token")), Path::new("/vault"));
    }

    #[test]
    fn a_directory_is_named_from_the_root() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(directory(Path::new("token")), here);
        assert_eq!(directory(Path::new("./out/token")), here.join("out"));
        assert_eq!(directory(Path::new("/vault/token")), Path::new("/vault"));
    }
}
