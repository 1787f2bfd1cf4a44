//! A token that Vault did not revoke.

use crate::vault::token_self::TokenCallRefusal;
use shared::duration::about;
use shared::text::one_line;
use std::fmt;
use std::time::Duration;

/// Vault did not revoke a token that is, or may be, still valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRevoked {
    pub denied: TokenCallRefusal,
    /// What the token can be revoked by; it is no secret.
    pub accessor: Option<String>,
    /// Whether Vault said that it is valid: `Some` with its TTL, which is `None` for a
    /// token that never expires.
    pub valid: Option<Option<Duration>>,
}

impl fmt::Display for NotRevoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; the token", self.denied)?;
        match self.valid {
            Some(Some(ttl)) => write!(f, " is still valid for {}", about(ttl))?,
            Some(None) => f.write_str(" is still valid and does not expire")?,
            None => f.write_str(" may still be valid")?,
        }
        match &self.accessor {
            Some(accessor) => write!(f, " (accessor \"{}\")", one_line(accessor)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NotRevoked {}

impl NotRevoked {
    pub fn hint(&self) -> String {
        let accessor = self.accessor.as_deref().filter(|accessor| {
            !accessor.is_empty() && accessor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        });
        format!(
            "run: vault token revoke -accessor {}; to allow it from the pod, grant \"update\" on \
             auth/token/revoke-self with a policy of the role",
            accessor.unwrap_or("<ACCESSOR>")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::address::Address;
    use shared::Secret;

    #[test]
    fn an_accessor_puts_no_words_into_the_command() {
        let denied = TokenCallRefusal::read(
            crate::vault::token_self::TokenCall::Revoke,
            &Address::parse("https://vault").unwrap(),
            403,
            b"{\"errors\":[\"no\"]}",
            None,
            &Secret::new("t"),
        );
        let hint = |accessor: Option<&str>| {
            let accessor = accessor.map(str::to_owned);
            NotRevoked { denied: denied.clone(), accessor, valid: None }.hint()
        };
        let told = |accessor: &str| {
            format!(
                "run: vault token revoke -accessor {accessor}; to allow it from the pod, grant \"update\" on \
             auth/token/revoke-self with a policy of the role"
            )
        };
        assert_eq!(hint(Some("abC1")), told("abC1"));
        for odd in [None, Some("a; id"), Some("-h")] {
            assert_eq!(hint(odd), told("<ACCESSOR>"), "{odd:?}");
        }
    }
}
