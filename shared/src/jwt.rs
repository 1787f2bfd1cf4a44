//! Reads the claims of a JWT *without verifying it*: issuer, audience, key ID, and times.
//! The result serves explanations and comparisons; signatures are verified elsewhere.
//!
//! The types carry serde so that each program parses the segments with the
//! JSON reader it has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::fmt;

/// Audience of a new role.
pub const DEFAULT_AUDIENCE: &str = "vault";

/// Largest token that is looked at. Kubernetes' are about 1 KiB.
pub const LARGEST: usize = 64 * 1024;

/// A compact JWS (RFC 7515 section 3.1) taken apart, nothing verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Segments<'a> {
    /// JSON text of the JOSE header.
    pub header: Vec<u8>,
    /// JSON text of the claims.
    pub claims: Vec<u8>,
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// What the signature is over: the first two segments with their dot.
    pub signed: &'a str,
}

/// Why a text is no compact JWS. Never holds a part of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAJwt {
    /// It is empty or only white space.
    Empty,
    /// It is longer than [`LARGEST`].
    TooLong,
    /// It has not exactly three segments; the number found.
    Segments(usize),
    /// A segment is not base64url without padding.
    Encoding(&'static str),
}

impl fmt::Display for NotAJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it is longer than {LARGEST} bytes"),
            Self::Segments(1) => f.write_str("it has 1 segment, not 3"),
            Self::Segments(n) => write!(f, "it has {n} segments, not 3"),
            Self::Encoding(which) => write!(f, "its {which} is not base64url"),
        }
    }
}

impl std::error::Error for NotAJwt {}

/// Takes a compact JWS apart. White space around it is ignored.
pub fn segments(token: &str) -> Result<Segments<'_>, NotAJwt> {
    let token = token.trim();
    if token.is_empty() {
        return Err(NotAJwt::Empty);
    }
    if token.len() > LARGEST {
        return Err(NotAJwt::TooLong);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err(NotAJwt::Segments(parts.len()));
    };
    let decode = |part: &str, which| URL_SAFE_NO_PAD.decode(part).map_err(|_| NotAJwt::Encoding(which));
    Ok(Segments {
        header: decode(header, "header")?,
        claims: decode(claims, "payload")?,
        signature: decode(signature, "signature")?,
        signed: &token[..header.len() + 1 + claims.len()],
    })
}

/// The parts of a JOSE header that choose the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// Signature algorithm (RFC 7518 section 3.1).
    pub alg: Option<String>,
    /// Key id the issuer names.
    pub kid: Option<String>,
}

/// The registered claims (RFC 7519 section 4.1) that a Vault login turns on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Claims {
    /// Issuer, compared byte for byte.
    pub iss: Option<String>,
    /// Subject, `system:serviceaccount:<namespace>:<name>` in Kubernetes.
    pub sub: Option<String>,
    /// Audience: one or several.
    #[serde(default)]
    pub aud: Audience,
    /// Expiry, seconds since the epoch.
    pub exp: Option<f64>,
    /// Not valid before, seconds since the epoch.
    pub nbf: Option<f64>,
    /// Issued at, seconds since the epoch.
    pub iat: Option<f64>,
}

/// `aud` is a string or a list of strings (RFC 7519 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A plain string.
    One(String),
    /// A list, possibly empty.
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Audience {
    /// All audiences, in the token's order.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_apart() {
        // {"alg":"RS256","kid":"a"} . {"iss":"x"} . "sig"
        let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln\n";
        let parts = segments(token).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(parts.header, br#"{"alg":"RS256","kid":"a"}"#);
        assert_eq!(parts.claims, br#"{"iss":"x"}"#);
        assert_eq!(parts.signature, b"sig");
        assert_eq!(parts.signed, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0");
    }

    #[test]
    fn what_is_no_token_says_why_without_showing_it() {
        let long = "a".repeat(LARGEST + 1);
        for (text, why) in [
            (" \n", "it is empty"),
            ("$TOKEN", "it has 1 segment, not 3"),
            ("a.b", "it has 2 segments, not 3"),
            ("a.b.c.d", "it has 4 segments, not 3"),
            ("!.e30.c2ln", "its header is not base64url"),
            ("e30.e.c2ln", "its payload is not base64url"),
            (long.as_str(), "it is longer than 65536 bytes"),
        ] {
            assert_eq!(segments(text).err().map(|e| e.to_string()).as_deref(), Some(why));
        }
    }
}
