//! Owns how files and the operating system's reasons are named in our errors.

use std::io;
use std::path::Path;

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
}
