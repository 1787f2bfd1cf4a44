//! The type for tokens and JWTs. It keeps them out of log lines, errors, and `{:?}`.

use std::fmt;

/// A Vault token or a JWT. Neither `Debug` nor any error shows its content;
/// [`Secret::expose`] is the only way to it, and easy to find by search.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the request or file it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value() {
        let shown = format!("{:?}", Some(Secret::new("hvs.abc")));
        assert_eq!(shown, "Some(Secret(…))");
    }
}
