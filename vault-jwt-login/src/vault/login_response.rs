//! Reads the response to a login: a Vault token, or the reason why there is none. Nothing is
//! sent here, so that it can be fuzzed.

use crate::vault::api_error;
use serde::Deserialize;
use shared::Secret;
use shared::lease::{self, Lease};
use shared::refusal::Refusal;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Granted {
    pub token: Secret,
    /// Its TTL; `None` where it never expires.
    pub lease: Option<Duration>,
    /// The role Vault says it used.
    pub role: Option<String>,
    /// What a token can be revoked and looked up by, and is no secret.
    pub accessor: String,
    pub policies: Vec<String>,
    pub renewable: bool,
    /// How often it can be used; 0 for no limit.
    pub uses: i64,
}

impl Granted {
    /// What it begins with. A renewal is a use: a token with a limited number of them is
    /// left to the application.
    pub fn lease(&self) -> Lease {
        Lease { ttl: self.lease, renewable: self.renewable && self.uses == 0 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLogin {
    /// It is none of Vault's; what it is.
    NotVault(String),
    Wrapped,
    Refused {
        /// What it said, on one line, safe to show; perhaps nothing.
        words: String,
        class: Refusal,
    },
}

#[derive(Deserialize)]
struct LoginResponse {
    auth: Option<Auth>,
    wrap_info: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    accessor: String,
    // A batch token's answer may have null here.
    policies: Option<Vec<String>>,
    #[serde(default)]
    renewable: bool,
    #[serde(default)]
    num_uses: i64,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    role: Option<String>,
}

/// Reads an answer to a login with `jwt`, which is not shown even where the
/// answer repeats it.
pub fn read(status: u16, content: &[u8], jwt: &Secret) -> Result<Granted, NoLogin> {
    match status {
        200..=299 => granted(status, content),
        // Other redirections ask for something else than this login.
        300..=399 => Err(NoLogin::NotVault(format!("status {status}"))),
        _ => {
            let (class, words) = api_error::read(status, content, jwt);
            Err(NoLogin::Refused { words, class })
        }
    }
}

fn granted(status: u16, content: &[u8]) -> Result<Granted, NoLogin> {
    // The JSON reader's own words may quote the token.
    let response: LoginResponse = serde_json::from_slice(content).map_err(|error| {
        let shape = if error.is_data() { "JSON that is no login" } else { "something that is no JSON" };
        NoLogin::NotVault(format!("status {status} with {shape}"))
    })?;
    let Some(auth) = response.auth else {
        return Err(match response.wrap_info {
            Some(_) => NoLogin::Wrapped,
            None => NoLogin::NotVault(format!("status {status} without a token")),
        });
    };
    if auth.client_token.is_empty() || !auth.client_token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(NoLogin::NotVault(format!("status {status} with an empty or unprintable token")));
    }
    Ok(Granted {
        token: Secret::new(auth.client_token),
        lease: (auth.lease_duration > 0).then(|| lease::from_seconds(auth.lease_duration)),
        role: auth.metadata.and_then(|m| m.role),
        accessor: auth.accessor,
        policies: auth.policies.unwrap_or_default(),
        renewable: auth.renewable,
        uses: auth.num_uses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of an answer without Vault's JSON that repeats the token after `before`.
    fn shown(before: usize) -> String {
        let page = format!("{}{} end", "x".repeat(before), "head.claims.signature");
        match read(502, page.as_bytes(), &Secret::new("head.claims.signature")) {
            Err(NoLogin::Refused { words, .. }) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_part_of_the_token_is_left_by_the_cut() {
        assert_eq!(shown(3), "xxx[the token] end");
        assert_eq!(shown(282), "x".repeat(282) + "[the token] end");
        assert_eq!(shown(295), "x".repeat(295) + "[the");
    }
}
