//! The path of an auth mount: parses what a user enters, and formats it for URLs.

use std::fmt;

/// Path of an auth mount without the `auth/` prefix and without slashes at
/// its ends, for example `jwt` or `k8s/prod`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountPath(String);

/// Why a mount path was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountPathError {
    /// Nothing is left after trimming slashes and `auth/`.
    Empty,
    /// A segment is empty, `.` or `..`, or holds a character Vault's router
    /// or a URL would read differently.
    BadSegment(String),
}

impl fmt::Display for MountPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the mount path is empty"),
            Self::BadSegment(segment) => write!(
                f,
                "the mount path has a segment \"{}\" (use letters, digits, '-', '_' and '.' between slashes)",
                crate::text::one_line(segment)
            ),
        }
    }
}

impl std::error::Error for MountPathError {}

impl MountPath {
    /// Accepts `jwt`, `/jwt`, `jwt/`, `auth/jwt` and nested paths, as the
    /// tools around Vault do.
    pub fn parse(typed: &str) -> Result<Self, MountPathError> {
        let path = typed.trim().trim_matches('/');
        let path = path.strip_prefix("auth/").unwrap_or(path).trim_matches('/');
        if path.is_empty() || path == "auth" {
            return Err(MountPathError::Empty);
        }
        for segment in path.split('/') {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
            if segment.is_empty() || segment == "." || segment == ".." || !segment.chars().all(plain) {
                return Err(MountPathError::BadSegment(segment.to_owned()));
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// The path as Vault lists it, without the trailing slash: `k8s/prod`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for MountPath {
    type Err = MountPathError;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        Self::parse(typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_one_path() {
        for typed in ["jwt", "/jwt", "jwt/", "auth/jwt", "/auth/jwt/", " jwt "] {
            assert_eq!(MountPath::parse(typed).map(|m| m.to_string()), Ok("jwt".into()), "{typed}");
        }
        assert_eq!(MountPath::parse("auth/k8s/prod/").map(|m| m.to_string()), Ok("k8s/prod".into()));
    }

    #[test]
    fn paths_that_a_url_would_bend_are_refused() {
        for typed in ["", "/", "auth/", "auth"] {
            assert_eq!(MountPath::parse(typed), Err(MountPathError::Empty), "{typed}");
        }
        for typed in ["a//b", "../sys", "a/./b", "a?b", "a#b", "a b", "a%2fb"] {
            assert!(matches!(MountPath::parse(typed), Err(MountPathError::BadSegment(_))), "{typed}");
        }
        assert_eq!(
            MountPathError::BadSegment("a b".into()).to_string(),
            "the mount path has a segment \"a b\" (use letters, digits, '-', '_' and '.' between slashes)"
        );
    }
}
