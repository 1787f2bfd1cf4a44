//! The calls with a token about itself (lookup, renewal, revocation): their
//! paths, and what the responses mean. Nothing is sent here.

use crate::connection::address::Address;
use crate::vault::api_error::{self, or_no_reason};
use crate::vault::flat_json::FlatJson;
use serde::Deserialize;
use shared::Secret;
use shared::duration::about;
use shared::lease::{self, Lease};
use shared::refusal::Refusal;
use shared::text::one_line;
use std::time::Duration;
use thiserror::Error;

/// A call with a token about itself (Vault's token auth method). The policy
/// "default" allows all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCall {
    LookUp,
    Renew,
    Revoke,
}

impl TokenCall {
    /// Its path below `/v1/`.
    pub fn path(self) -> &'static str {
        match self {
            Self::LookUp => "auth/token/lookup-self",
            Self::Renew => "auth/token/renew-self",
            Self::Revoke => "auth/token/revoke-self",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::LookUp => "look up",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
        }
    }

    fn capability(self) -> &'static str {
        if self == Self::LookUp { "read" } else { "update" }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Vault at \"{address}\" {} (status {status}): {}", self.what(), or_no_reason(.words))]
pub struct TokenCallRefusal {
    pub call: TokenCall,
    pub address: Address,
    pub status: u16,
    /// What Vault said, on one line, safe to show; perhaps nothing.
    pub words: String,
    /// Whether it may grant it later: it is away, sealed or busy.
    pub unavailable: bool,
    pub retry_after: Option<Duration>,
}

impl TokenCallRefusal {
    fn what(&self) -> String {
        let verb = self.call.verb();
        if self.unavailable { format!("cannot {verb} the token now") } else { format!("did not {verb} the token") }
    }

    pub fn read(
        call: TokenCall,
        address: &Address,
        status: u16,
        content: &[u8],
        retry_after: Option<Duration>,
        token: &Secret,
    ) -> Self {
        let (class, words) = api_error::read(status, content, token);
        let unavailable = class == Refusal::Unavailable;
        Self { call, address: address.clone(), status, words, unavailable, retry_after }
    }

    /// Whether Vault says that it does not know the token.
    pub fn is_of_an_invalid_token(&self) -> bool {
        self.status == 403 && (self.words.contains("invalid token") || self.words.contains("bad token"))
    }

    pub fn is_bare(&self) -> bool {
        self.status == 403 && self.words == "permission denied"
    }

    pub fn hint(&self) -> String {
        let (path, capability) = (self.call.path(), self.call.capability());
        match self.status {
            429 if self.call == TokenCall::Renew => {
                "raise the rate limit quota, or renew less often with a longer token_ttl of the role".to_owned()
            }
            429 => "raise the rate limit quota".to_owned(),
            _ if self.unavailable => "check Vault: vault status".to_owned(),
            _ => format!(
                "the token has expired, or none of its policies grants \"{capability}\" on {path}; the policy \"default\" \
                 does, unless the role sets token_no_default_policy"
            ),
        }
    }
}

/// Vault did not revoke a token that is, or may be, still valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{denied}; the token {}{}", self.validity(), self.named())]
pub struct NotRevoked {
    pub denied: TokenCallRefusal,
    /// What the token can be revoked by; it is no secret.
    pub accessor: Option<String>,
    /// Whether Vault said that it is valid: `Some` with its TTL, which is `None` for a
    /// token that never expires.
    pub valid: Option<Option<Duration>>,
}

impl NotRevoked {
    fn validity(&self) -> String {
        match self.valid {
            Some(Some(ttl)) => format!("is still valid for {}", about(ttl)),
            Some(None) => "is still valid and does not expire".to_owned(),
            None => "may still be valid".to_owned(),
        }
    }

    fn named(&self) -> String {
        self.accessor.as_ref().map(|accessor| format!(" (accessor \"{}\")", one_line(accessor))).unwrap_or_default()
    }

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLookup {
    pub lease: Lease,
    /// The path it was made at, such as `auth/jwt/login`.
    pub path: String,
    /// What the JWT auth method recorded: the role, and the claims that the role maps.
    pub metadata: FlatJson,
    /// `MOUNT-ALIAS`: the alias is the value of the role's `user_claim`.
    pub display_name: String,
    /// The remaining number of uses; 0 for no limit, -1 where this lookup was the last one.
    pub uses: i64,
    pub accessor: String,
    pub policies: Vec<String>,
}

impl TokenLookup {
    pub fn role(&self) -> Option<&str> {
        self.metadata.get("role")
    }
}

#[derive(Deserialize)]
struct RenewResponse {
    auth: RenewedAuth,
}

#[derive(Deserialize)]
struct RenewedAuth {
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct LookUpResponse {
    data: LookedUp,
}

#[derive(Deserialize)]
struct LookedUp {
    ttl: u64,
    // A root token's answer lacks it.
    #[serde(default)]
    renewable: bool,
    path: String,
    // `ttl` is 0 for a token in its last second and for one that never expires: only the
    // latter has null here (seen on both servers).
    expire_time: Option<serde::de::IgnoredAny>,
    meta: Option<FlatJson>,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    num_uses: i64,
    #[serde(default)]
    accessor: String,
    policies: Option<Vec<String>>,
}

/// Reads the answer to a renewal; the error says what it is instead.
pub fn renewed(content: &[u8]) -> Result<Lease, String> {
    let RenewResponse { auth } = json(content, "renewal")?;
    // A token that never expires cannot be renewed: 0 is one whose max TTL is reached.
    Ok(Lease { ttl: Some(lease::from_seconds(auth.lease_duration)), renewable: auth.renewable })
}

/// Reads the answer to a look-up; the error says what it is instead.
pub fn looked_up(content: &[u8]) -> Result<TokenLookup, String> {
    let LookUpResponse { data } = json(content, "look-up")?;
    Ok(TokenLookup {
        lease: Lease {
            ttl: (data.ttl > 0 || data.expire_time.is_some()).then(|| lease::from_seconds(data.ttl)),
            renewable: data.renewable,
        },
        path: data.path,
        metadata: data.meta.unwrap_or_default(),
        display_name: data.display_name,
        uses: data.num_uses,
        accessor: data.accessor,
        policies: data.policies.unwrap_or_default(),
    })
}

/// The JSON reader's own words may quote what it reads.
fn json<'a, T: Deserialize<'a>>(content: &'a [u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(content).map_err(|error| {
        if error.is_data() { format!("JSON that is no {what}") } else { "something that is no JSON".to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let renewal = br#"{"auth":{"client_token":"hvs.x","lease_duration":3600,"renewable":true},"warnings":["w"]}"#;
        assert_eq!(renewed(renewal), Ok(Lease { ttl: Some(Duration::from_secs(3_600)), renewable: true }));
        let look_up = br#"{"data":{"accessor":"a","path":"auth/jwt/login","ttl":59,"renewable":true,
            "expire_time":"2026-11-30T14:38:48Z","meta":{"role":"app"},"display_name":"jwt-s","policies":["default"]}}"#;
        let known = looked_up(look_up).unwrap();
        assert_eq!(
            (known.path.as_str(), known.role(), known.accessor.as_str(), known.display_name.as_str()),
            ("auth/jwt/login", Some("app"), "a", "jwt-s")
        );
        assert_eq!(known.lease, Lease { ttl: Some(Duration::from_secs(59)), renewable: true });
        let root = br#"{"data":{"accessor":"a","path":"auth/token/root","ttl":0,"expire_time":null,"meta":null,
            "policies":["root"]}}"#;
        let root = looked_up(root).unwrap();
        assert_eq!((root.role(), root.lease.ttl), (None, None));
        for (content, why) in [
            (&b"<html>hvs.secret"[..], "something that is no JSON"),
            (br#"{"data":{"ttl":"hvs.secret"}}"#, "JSON that is no look-up"),
        ] {
            assert_eq!(looked_up(content), Err(why.to_owned()));
        }
        // In its last second, and at its max TTL: not a token that never expires.
        let last = br#"{"data":{"path":"auth/jwt/login","ttl":0,"expire_time":"2026-11-30T14:38:48Z","num_uses":-1}}"#;
        let last = looked_up(last).unwrap();
        assert_eq!((last.lease.ttl, last.uses), (Some(Duration::ZERO), -1));
        let ended = renewed(br#"{"auth":{"lease_duration":0,"renewable":true}}"#).unwrap();
        assert_eq!(ended.ttl, Some(Duration::ZERO));
        let absurd = format!("{{\"auth\":{{\"lease_duration\":{}}}}}", u64::MAX);
        assert_eq!(renewed(absurd.as_bytes()).unwrap().ttl, Some(lease::LONGEST_TTL));
        assert_eq!(renewed(br#"{"auth":null}"#), Err("JSON that is no renewal".to_owned()));
    }

    #[test]
    fn refusals_word_for_word() {
        let address = Address::parse("https://vault:8200").unwrap();
        let token = Secret::new("hvs.secret");
        let denied = |call, status, content: &str| {
            let denied = TokenCallRefusal::read(call, &address, status, content.as_bytes(), None, &token);
            (denied.to_string(), denied.hint(), denied.unavailable)
        };
        assert_eq!(
            denied(TokenCall::Renew, 403, r#"{"errors":["permission denied"]}"#),
            (
                "Vault at \"https://vault:8200\" did not renew the token (status 403): permission denied".into(),
                "the token has expired, or none of its policies grants \"update\" on auth/token/renew-self; the policy \
                 \"default\" does, unless the role sets token_no_default_policy"
                    .into(),
                false
            )
        );
        assert_eq!(
            denied(TokenCall::LookUp, 503, r#"{"errors":["Vault is sealed"]}"#),
            (
                "Vault at \"https://vault:8200\" cannot look up the token now (status 503): Vault is sealed".into(),
                "check Vault: vault status".into(),
                true
            )
        );
        let (text, hint, unavailable) = denied(TokenCall::Revoke, 429, "you sent hvs.secret");
        assert!(text.ends_with("cannot revoke the token now (status 429): you sent [the token]"), "{text}");
        assert_eq!(hint, "raise the rate limit quota");
        let hint = denied(TokenCall::Renew, 429, "").1;
        assert_eq!(hint, "raise the rate limit quota, or renew less often with a longer token_ttl of the role");
        assert!(unavailable);
    }

    #[test]
    fn an_accessor_puts_no_words_into_the_command() {
        let denied = TokenCallRefusal::read(
            TokenCall::Revoke,
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
