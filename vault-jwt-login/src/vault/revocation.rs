//! Revokes a Vault token, and says what became of it. A 403 alone does not: it is
//! the response to a token that expired, and to one that lives and may not revoke
//! itself.

use crate::vault::client::VaultClient;
use crate::vault::error::VaultError;
use crate::vault::token_self::NotRevoked;
use shared::Secret;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeOutcome {
    Revoked,
    /// It expired or was revoked before.
    AlreadyInvalid,
    /// A batch token: it cannot be revoked, and expires by itself.
    BatchToken,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub accessor: Option<String>,
    /// Whether its TTL lasts, as far as this program knows.
    pub lives: bool,
}

/// Revokes `token` in one attempt within `time_left`.
///
/// The words of the responses are those of Vault 1.21.2 and OpenBao 2.7.2.
pub fn revoke(
    vault: &VaultClient,
    token: &Secret,
    expected: &Expected,
    time_left: Duration,
) -> Result<RevokeOutcome, VaultError> {
    let started = Instant::now();
    let denied = match vault.revoke(token, time_left) {
        Ok(()) => return Ok(RevokeOutcome::Revoked),
        Err(VaultError::TokenCallRefused(denied)) if denied.words.contains("batch tokens cannot be revoked") => {
            return Ok(RevokeOutcome::BatchToken);
        }
        Err(VaultError::TokenCallRefused(denied)) if denied.status == 403 => denied,
        Err(other) => return Err(other),
    };
    if denied.is_of_an_invalid_token() {
        return Ok(RevokeOutcome::AlreadyInvalid);
    }
    let mut not_revoked = NotRevoked {
        denied: *denied,
        accessor: expected.accessor.clone().filter(|accessor| !accessor.is_empty()),
        valid: None,
    };
    match vault.look_up(token, time_left.saturating_sub(started.elapsed())) {
        Ok(known) => {
            not_revoked.valid = Some(known.lease.ttl);
            not_revoked.accessor = Some(known.accessor).filter(|a| !a.is_empty()).or(not_revoked.accessor);
        }
        Err(VaultError::TokenCallRefused(denied)) if denied.is_of_an_invalid_token() => {
            return Ok(RevokeOutcome::AlreadyInvalid);
        }
        // OpenBao says no more of a token that it does not know, nor of a valid one that is used
        // from an address outside of token_bound_cidrs; Vault, whose tokens begin with "hv", only
        // of the latter. Of one that lacks a policy both count the errors first.
        Err(VaultError::TokenCallRefused(denied))
            if denied.is_bare()
                && not_revoked.denied.is_bare()
                && !expected.lives
                && !token.expose().starts_with("hv") =>
        {
            return Ok(RevokeOutcome::AlreadyInvalid);
        }
        Err(_) => {}
    }
    Err(VaultError::NotRevoked(Box::new(not_revoked)))
}

#[cfg(test)]
mod tests;
