//! Owns what an answer to a login means: a status and a body go in, a Vault
//! token or the reason why there is none comes out. Nothing is sent here, so
//! that it can be fuzzed.

use crate::facts::TokenFacts;
use crate::refused::Refused;
use crate::token::{self, Lease};
use crate::vault::{Target, VaultError};
use serde::Deserialize;
use shared::Secret;
use shared::refusal::{self, Refusal};
use shared::text::one_line;
use std::time::Duration;

/// Most characters that are shown of an answer that is none of Vault's.
const SHOWN_AT_MOST: usize = 300;

/// A successful login.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The Vault token.
    pub token: Secret,
    /// Its TTL; `None` where it never expires.
    pub lease: Option<Duration>,
    /// The role Vault says it used.
    pub role: Option<String>,
    /// What a token can be revoked and looked up by, and is no secret.
    pub accessor: String,
    /// The policies it carries.
    pub policies: Vec<String>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// How often it can be used; 0 for no limit.
    pub uses: i64,
}

impl Granted {
    /// What it begins with. A renewal is a use: a token with a limited number of them is
    /// left to the application.
    pub fn lease(&self) -> Lease {
        Lease { lasts: self.lease, renewable: self.renewable && self.uses == 0 }
    }
}

/// Why an answer is no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLogin {
    /// It is none of Vault's; what it is.
    NotVault(String),
    /// The token is in a wrapping token.
    Wrapped,
    /// Vault said no, or not now.
    Refused {
        /// What it said, on one line, safe to show; perhaps nothing.
        words: String,
        /// What that means.
        class: Refusal,
    },
}

impl NoLogin {
    /// The same with what is known of the login: where it went, the response's
    /// status, `Retry-After` and time, and what the JWT says about itself.
    pub fn of(
        self,
        target: &Target,
        status: u16,
        retry_after: Option<Duration>,
        took: Duration,
        facts: &TokenFacts,
    ) -> VaultError {
        match self {
            Self::NotVault(why) => VaultError::NotVault { address: target.address.clone(), why },
            Self::Wrapped => VaultError::Wrapped { address: target.address.clone() },
            Self::Refused { words, class } => VaultError::Refused(Box::new(Refused {
                target: target.clone(),
                status,
                words,
                class,
                retry_after,
                took,
                facts: facts.clone(),
            })),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
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

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// Reads an answer to a login with `jwt`, which is not shown even where the
/// answer repeats it.
pub fn read(status: u16, content: &[u8], jwt: &Secret) -> Result<Granted, NoLogin> {
    match status {
        200..=299 => granted(status, content),
        // Other redirections ask for something else than this login.
        300..=399 => Err(NoLogin::NotVault(format!("status {status}"))),
        _ => Err(refused(status, content, jwt)),
    }
}

fn granted(status: u16, content: &[u8]) -> Result<Granted, NoLogin> {
    // The JSON reader's own words may quote the token.
    let answer: Answer = serde_json::from_slice(content).map_err(|error| {
        let shape = if error.is_data() { "JSON that is no login" } else { "something that is no JSON" };
        NoLogin::NotVault(format!("status {status} with {shape}"))
    })?;
    let Some(auth) = answer.auth else {
        return Err(match answer.wrap_info {
            Some(_) => NoLogin::Wrapped,
            None => NoLogin::NotVault(format!("status {status} without a token")),
        });
    };
    if auth.client_token.is_empty() || !auth.client_token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(NoLogin::NotVault(format!("status {status} with an empty or unprintable token")));
    }
    Ok(Granted {
        token: Secret::new(auth.client_token),
        lease: (auth.lease_duration > 0).then(|| token::ttl(auth.lease_duration)),
        role: auth.metadata.and_then(|m| m.role),
        accessor: auth.accessor,
        policies: auth.policies.unwrap_or_default(),
        renewable: auth.renewable,
        uses: auth.num_uses,
    })
}

fn refused(status: u16, content: &[u8], jwt: &Secret) -> NoLogin {
    let (class, words) = said(status, content, jwt);
    NoLogin::Refused { words, class }
}

/// What a refusal means, and what it says: on one line, safe to show, without
/// the credential `sent`, which an answer may repeat.
pub fn said(status: u16, content: &[u8], sent: &Secret) -> (Refusal, String) {
    // Nor with a part of it that a cut leaves.
    let redacted = |text: &str| text.replace(sent.expose(), "[the token]");
    let said: Vec<String> = match serde_json::from_slice::<Errors>(content) {
        Ok(answer) => answer.errors.iter().map(|text| redacted(text)).collect(),
        Err(_) => vec![redacted(&String::from_utf8_lossy(content)).chars().take(SHOWN_AT_MOST).collect()],
    };
    // Vault's own errors break lines.
    let words: Vec<&str> = said.iter().flat_map(|text| text.split_whitespace()).collect();
    (refusal::classify(status, &said), one_line(&words.join(" ")))
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
