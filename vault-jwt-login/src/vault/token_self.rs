//! The calls with a token about itself (lookup, renewal, revocation): their
//! paths, and what the responses mean. Nothing is sent here.

use crate::connection::address::Address;
use crate::lease::ttl::{self, Lease};
use crate::vault::api_error;
use crate::vault::flat_json::FlatJson;
use serde::Deserialize;
use shared::Secret;
use shared::refusal::Refusal;
use std::fmt;
use std::time::Duration;

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

#[derive(Clone, Debug, PartialEq, Eq)]
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

impl fmt::Display for TokenCallRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, words) = (self.call.verb(), if self.words.is_empty() { "no reason given" } else { &self.words });
        let Self { address, status, .. } = self;
        if self.unavailable {
            write!(f, "Vault at \"{address}\" cannot {verb} the token now (status {status}): {words}")
        } else {
            write!(f, "Vault at \"{address}\" did not {verb} the token (status {status}): {words}")
        }
    }
}

impl std::error::Error for TokenCallRefusal {}

impl TokenCallRefusal {
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
    Ok(Lease { lasts: Some(ttl::from_seconds(auth.lease_duration)), renewable: auth.renewable })
}

/// Reads the answer to a look-up; the error says what it is instead.
pub fn looked_up(content: &[u8]) -> Result<TokenLookup, String> {
    let LookUpResponse { data } = json(content, "look-up")?;
    Ok(TokenLookup {
        lease: Lease {
            lasts: (data.ttl > 0 || data.expire_time.is_some()).then(|| ttl::from_seconds(data.ttl)),
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
        assert_eq!(renewed(renewal), Ok(Lease { lasts: Some(Duration::from_secs(3_600)), renewable: true }));
        let look_up = br#"{"data":{"accessor":"a","path":"auth/jwt/login","ttl":59,"renewable":true,
            "expire_time":"2026-11-30T14:38:48Z","meta":{"role":"app"},"display_name":"jwt-s","policies":["default"]}}"#;
        let known = looked_up(look_up).unwrap();
        assert_eq!(
            (known.path.as_str(), known.role(), known.accessor.as_str(), known.display_name.as_str()),
            ("auth/jwt/login", Some("app"), "a", "jwt-s")
        );
        assert_eq!(known.lease, Lease { lasts: Some(Duration::from_secs(59)), renewable: true });
        let root = br#"{"data":{"accessor":"a","path":"auth/token/root","ttl":0,"expire_time":null,"meta":null,
            "policies":["root"]}}"#;
        let root = looked_up(root).unwrap();
        assert_eq!((root.role(), root.lease.lasts), (None, None));
        for (content, why) in [
            (&b"<html>hvs.secret"[..], "something that is no JSON"),
            (br#"{"data":{"ttl":"hvs.secret"}}"#, "JSON that is no look-up"),
        ] {
            assert_eq!(looked_up(content), Err(why.to_owned()));
        }
        // In its last second, and at its max TTL: not a token that never expires.
        let last = br#"{"data":{"path":"auth/jwt/login","ttl":0,"expire_time":"2026-11-30T14:38:48Z","num_uses":-1}}"#;
        let last = looked_up(last).unwrap();
        assert_eq!((last.lease.lasts, last.uses), (Some(Duration::ZERO), -1));
        let ended = renewed(br#"{"auth":{"lease_duration":0,"renewable":true}}"#).unwrap();
        assert_eq!(ended.lasts, Some(Duration::ZERO));
        let absurd = format!("{{\"auth\":{{\"lease_duration\":{}}}}}", u64::MAX);
        assert_eq!(renewed(absurd.as_bytes()).unwrap().lasts, Some(ttl::LONGEST_TTL));
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
}
