//! The identity of a public key: the SHA-256 hash of its SubjectPublicKeyInfo.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// Identity of a key: SHA-256 of its SPKI DER. Independent of kid, text and
/// encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; 32]);

impl fmt::Display for KeyId {
    /// base64url without padding: the form upstream Kubernetes uses as kid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    /// As it is shown, or in hexadecimal as `sha256sum` prints it; `sha256:` may be in front.
    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let digit = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = match text.len() {
            64 if text.bytes().all(|b| b.is_ascii_hexdigit()) => text.as_bytes().chunks(2).map(digit).collect(),
            _ => URL_SAFE_NO_PAD.decode(text).ok(),
        };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(KeyIdError)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A text that is no identity of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the SHA-256 of a public key in SPKI form: 43 characters of base64url, or 64 hexadecimal digits")]
pub struct KeyIdError;
