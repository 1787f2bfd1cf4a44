//! Owns what is asked of Vault about a token that we hold: to look it up, to
//! renew it, to revoke it. Which calls these are, and what the answers mean;
//! nothing is sent here.

use crate::address::Address;
use serde::Deserialize;
use shared::Secret;
use shared::refusal::Refusal;
use std::fmt;
use std::time::Duration;

/// A call with a token about itself (Vault's token auth method). The policy
/// "default" allows all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// What it is.
    LookUp,
    /// A new lease.
    Renew,
    /// Its end.
    Revoke,
}

impl Call {
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

/// A call that Vault did not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Which.
    pub call: Call,
    /// Where.
    pub address: Address,
    /// HTTP status.
    pub status: u16,
    /// What Vault said, on one line, safe to show; perhaps nothing.
    pub words: String,
    /// Whether it may grant it later: it is away, sealed or busy.
    pub unavailable: bool,
    /// When Vault wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Denied {
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

impl std::error::Error for Denied {}

impl Denied {
    /// What an answer of this status says.
    pub fn read(
        call: Call,
        address: &Address,
        status: u16,
        content: &[u8],
        retry_after: Option<Duration>,
        token: &Secret,
    ) -> Self {
        let (class, words) = crate::answer::said(status, content, token);
        let unavailable = class == Refusal::Unavailable;
        Self { call, address: address.clone(), status, words, unavailable, retry_after }
    }

    /// What to change.
    pub fn hint(&self) -> String {
        let (path, capability) = (self.call.path(), self.call.capability());
        match self.status {
            429 => "raise the rate limit quota, or renew less often with a longer token_ttl of the role".to_owned(),
            _ if self.unavailable => "look at Vault itself: vault status".to_owned(),
            _ => format!(
                "the token is over, or lacks a policy with {capability} on {path} (\"default\" has it; \
                 token_no_default_policy of the role leaves it out)"
            ),
        }
    }
}

/// What a renewal gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// How long the token lives from now on; zero is for ever.
    pub lasts: Duration,
    /// Whether it can be renewed again.
    pub renewable: bool,
}

/// What Vault knows of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its lease, from now on.
    pub lease: Lease,
    /// The path it was made at, such as `auth/jwt/login`.
    pub path: String,
    /// The role it was made with, as the JWT method notes it.
    pub role: Option<String>,
    /// For the info file.
    pub accessor: String,
    /// The policies it carries.
    pub policies: Vec<String>,
}

#[derive(Deserialize)]
struct RenewAnswer {
    auth: RenewedAuth,
}

#[derive(Deserialize)]
struct RenewedAuth {
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct LookUpAnswer {
    data: LookedUp,
}

#[derive(Deserialize)]
struct LookedUp {
    ttl: u64,
    // A root token's answer lacks it.
    #[serde(default)]
    renewable: bool,
    path: String,
    meta: Option<Meta>,
    #[serde(default)]
    accessor: String,
    policies: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Meta {
    role: Option<String>,
}

/// Reads the answer to a renewal; the error says what it is instead.
pub fn renewed(content: &[u8]) -> Result<Lease, String> {
    let RenewAnswer { auth } = json(content, "renewal")?;
    Ok(Lease { lasts: Duration::from_secs(auth.lease_duration), renewable: auth.renewable })
}

/// Reads the answer to a look-up; the error says what it is instead.
pub fn looked_up(content: &[u8]) -> Result<Known, String> {
    let LookUpAnswer { data } = json(content, "look-up")?;
    Ok(Known {
        lease: Lease { lasts: Duration::from_secs(data.ttl), renewable: data.renewable },
        path: data.path,
        role: data.meta.and_then(|meta| meta.role),
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
        assert_eq!(renewed(renewal), Ok(Lease { lasts: Duration::from_secs(3_600), renewable: true }));
        let look_up = br#"{"data":{"accessor":"a","path":"auth/jwt/login","ttl":59,"renewable":true,
            "meta":{"role":"app"},"policies":["default"]}}"#;
        let known = looked_up(look_up).unwrap();
        assert_eq!(
            (known.path.as_str(), known.role.as_deref(), known.accessor.as_str()),
            ("auth/jwt/login", Some("app"), "a")
        );
        assert_eq!(known.lease, Lease { lasts: Duration::from_secs(59), renewable: true });
        let root = br#"{"data":{"accessor":"a","path":"auth/token/root","ttl":0,"meta":null,"policies":["root"]}}"#;
        assert_eq!(looked_up(root).unwrap().role, None);
        for (content, why) in [
            (&b"<html>hvs.secret"[..], "something that is no JSON"),
            (br#"{"data":{"ttl":"hvs.secret"}}"#, "JSON that is no look-up"),
        ] {
            assert_eq!(looked_up(content), Err(why.to_owned()));
        }
        assert_eq!(renewed(br#"{"auth":null}"#), Err("JSON that is no renewal".to_owned()));
    }

    #[test]
    fn refusals_word_for_word() {
        let address = Address::parse("https://vault:8200").unwrap();
        let token = Secret::new("hvs.secret");
        let denied = |call, status, content: &str| {
            let denied = Denied::read(call, &address, status, content.as_bytes(), None, &token);
            (denied.to_string(), denied.hint(), denied.unavailable)
        };
        assert_eq!(
            denied(Call::Renew, 403, r#"{"errors":["permission denied"]}"#),
            (
                "Vault at \"https://vault:8200\" did not renew the token (status 403): permission denied".into(),
                "the token is over, or lacks a policy with update on auth/token/renew-self (\"default\" has it; \
                 token_no_default_policy of the role leaves it out)"
                    .into(),
                false
            )
        );
        assert_eq!(
            denied(Call::LookUp, 503, r#"{"errors":["Vault is sealed"]}"#),
            (
                "Vault at \"https://vault:8200\" cannot look up the token now (status 503): Vault is sealed".into(),
                "look at Vault itself: vault status".into(),
                true
            )
        );
        let (text, hint, unavailable) = denied(Call::Revoke, 429, "you sent hvs.secret");
        assert!(text.ends_with("cannot revoke the token now (status 429): you sent [the token]"), "{text}");
        assert_eq!(hint, "raise the rate limit quota, or renew less often with a longer token_ttl of the role");
        assert!(unavailable);
    }
}
