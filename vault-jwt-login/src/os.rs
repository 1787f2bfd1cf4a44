//! Owns how files and the operating system's reasons are named in our errors.

use std::io;
use std::path::{Path, PathBuf};

/// The system's reason, lower case and without its number: `permission denied`.
pub fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        // Not an acronym such as "I/O error".
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

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
    fn the_number_goes_and_the_case_falls() {
        assert_eq!(cause(&io::Error::from_raw_os_error(13)), "permission denied");
        assert_eq!(cause(&io::Error::from_raw_os_error(2)), "no such file or directory");
        assert_eq!(cause(&io::Error::other("I/O broke")), "I/O broke");
    }

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
