//! The directory of a file, and absolute paths for messages.

use std::path::{Path, PathBuf};

/// The directory a file is in; `.` for a bare name.
pub fn parent_dir(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The same path from the root, for messages that are read elsewhere.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

pub fn absolute_parent_dir(file: &Path) -> PathBuf {
    absolute(parent_dir(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(parent_dir(Path::new("token")), Path::new("."));
        assert_eq!(parent_dir(Path::new("/vault/token")), Path::new("/vault"));
    }

    #[test]
    fn a_directory_is_named_from_the_root() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute_parent_dir(Path::new("token")), here);
        assert_eq!(absolute_parent_dir(Path::new("./out/token")), here.join("out"));
        assert_eq!(absolute_parent_dir(Path::new("/vault/token")), Path::new("/vault"));
    }
}
