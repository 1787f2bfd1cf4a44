//! Reads a JWKS (RFC 7517 section 5): which keys it holds that Vault can verify with, and
//! which are skipped, and why. The text is untrusted input. Its keys verify signatures: the
//! proof that an API server and an issuer belong together.

use crate::keychain::key::{Curve, PublicKey};
use crate::keychain::key_id::KeyId;
use crate::keychain::weak;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use shared::text::one_line;
use std::fmt;

/// More keys than any issuer publishes; the mount's limits are near.
pub const KEYS_AT_MOST: usize = 100;

/// What [`KeySet::without_weak`] may cost, in RSA moduli of 2048 bits: a set of
/// [`KEYS_AT_MOST`] of these is checked. The cost of a modulus grows with the cube
/// of its length: 9 ms for 2048 bits, 63 ms for 4096, and 515 ms for 8192, and four
/// to five times as much for a prime number (release build on a cloud server's core).
/// So no set takes longer than about 5 s; 100 keys of 8192 bits would take minutes.
pub(super) const COST_AT_MOST: u64 = 128;

/// Numbers of a JWK: base64url, with or without the padding that RFC 7515
/// forbids and some servers send all the same.
const NUMBER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One key an issuer publishes now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    pub key: PublicKey,
    /// `kid`, as published.
    pub kid: Option<String>,
    /// `alg`, where it is published and fits the key.
    pub alg: Option<String>,
}

impl PublishedKey {
    /// The algorithms tokens of this key may carry: `alg`, else all the key
    /// can sign with.
    pub fn algorithms(&self) -> Vec<String> {
        self.key.algorithms(self.alg.as_deref())
    }
}

/// The key among `keys` that signed `signed` as `signature` under `alg`: the algorithm the
/// token claims must be one that its key can have.
pub fn signer<'k>(keys: &'k [PublishedKey], alg: &str, signed: &str, signature: &[u8]) -> Option<&'k PublishedKey> {
    let may_carry = |published: &PublishedKey| published.alg.as_ref().is_none_or(|own| own == alg);
    keys.iter().find(|published| may_carry(published) && published.key.verifies(alg, signed, signature))
}

/// A key left out, with the reason to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// `kid`, as published.
    pub kid: Option<String>,
    /// One clause.
    pub why: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "skipped key \"{}\": {}", one_line(kid), one_line(&self.why)),
            None => write!(f, "skipped a key without kid: {}", one_line(&self.why)),
        }
    }
}

/// What an issuer publishes, sorted into usable and not. In the order of the
/// set, each key once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// Keys Vault can verify with; never empty.
    pub keys: Vec<PublishedKey>,
    pub skipped: Vec<Skipped>,
}

/// Why a text is no usable JWKS.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON, or not of the shape `{"keys": [...]}`.
    #[error("it is not a JWKS: {}", one_line(&.0.to_string()))]
    Syntax(#[source] serde_json::Error),
    #[error("it publishes private key material (member \"{member}\" of key \"{}\")", one_line(.kid))]
    Private {
        /// kid of the key, or a dash.
        kid: String,
        member: &'static str,
    },
    #[error("it holds {0} keys, more than {KEYS_AT_MOST}")]
    TooMany(usize),
    /// More or longer RSA keys than can be checked in a reasonable time.
    #[error(
        "it holds {keys} new RSA keys of up to {bits} bits, more than can be checked \
         (100 of 2048 bits, 16 of 4096 bits, or 2 of 8192 bits)"
    )]
    TooCostly {
        /// How many RSA keys there are to check.
        keys: usize,
        bits: u32,
    },
    #[error("it holds no key that Vault can verify with{}", .0.iter().map(|s| format!("; {s}")).collect::<String>())]
    NothingUsable(Vec<Skipped>),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2. Unknown
/// members are ignored, as section 4 of RFC 7517 asks.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    p: Option<serde::de::IgnoredAny>,
    q: Option<serde::de::IgnoredAny>,
    dp: Option<serde::de::IgnoredAny>,
    dq: Option<serde::de::IgnoredAny>,
    qi: Option<serde::de::IgnoredAny>,
    oth: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    fn private_member(&self) -> Option<&'static str> {
        let members = [
            ("d", &self.d),
            ("p", &self.p),
            ("q", &self.q),
            ("dp", &self.dp),
            ("dq", &self.dq),
            ("qi", &self.qi),
            ("oth", &self.oth),
            ("k", &self.k),
        ];
        members.into_iter().find(|(_, value)| value.is_some()).map(|(name, _)| name)
    }

    fn number(value: &Option<String>, name: &str) -> Result<Vec<u8>, String> {
        let text = value.as_ref().ok_or_else(|| format!("it has no \"{name}\""))?;
        NUMBER.decode(text).map_err(|_| format!("its \"{name}\" is not base64url"))
    }

    fn read(&self) -> Result<PublishedKey, String> {
        if let Some(purpose) = self.purpose.as_deref().filter(|p| *p != "sig") {
            return Err(format!("its use is \"{purpose}\", not \"sig\""));
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err("its key_ops do not include \"verify\"".to_owned());
        }
        let key = match self.kty.as_str() {
            "RSA" => PublicKey::rsa(&Self::number(&self.n, "n")?, &Self::number(&self.e, "e")?),
            "EC" => {
                let crv = self.crv.as_deref().unwrap_or_default();
                let curve = Curve::from_jwk(crv).ok_or_else(|| format!("its curve \"{crv}\" is not supported"))?;
                PublicKey::ec(curve, &Self::number(&self.x, "x")?, &Self::number(&self.y, "y")?)
            }
            "OKP" => match self.crv.as_deref() {
                Some("Ed25519") => PublicKey::ed25519(&Self::number(&self.x, "x")?),
                other => return Err(format!("its curve \"{}\" is not supported", other.unwrap_or_default())),
            },
            other => return Err(format!("its type \"{other}\" is not supported")),
        };
        let key = key.and_then(|key| weak::published(key.id()).map(|()| key)).map_err(|why| why.to_string())?;
        match &self.alg {
            Some(alg) if !key.fits(alg) => Err(format!("its algorithm \"{alg}\" does not fit a key of this type")),
            alg => Ok(PublishedKey { key, kid: self.kid.clone(), alg: alg.clone() }),
        }
    }
}

impl KeySet {
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|published| published.key.id())
    }

    /// Whether it has the key of a mount's element; an element without a key is in no set.
    pub fn has(&self, id: Option<KeyId>) -> bool {
        id.is_some_and(|id| self.ids().any(|published| published == id))
    }

    pub fn parse(body: &[u8]) -> Result<Self, KeySetError> {
        let set: Set = serde_json::from_slice(body).map_err(KeySetError::Syntax)?;
        if set.keys.len() > KEYS_AT_MOST {
            return Err(KeySetError::TooMany(set.keys.len()));
        }
        // A private member means the issuer's signing key is public: such a set must not be
        // trusted, not even in part.
        if let Some((jwk, member)) = set.keys.iter().find_map(|jwk| Some((jwk, jwk.private_member()?))) {
            return Err(KeySetError::Private { kid: jwk.kid.clone().unwrap_or_else(|| "-".to_owned()), member });
        }
        let read = |jwk: Jwk| jwk.read().map_err(|why| Skipped { kid: jwk.kid, why });
        Self::sorted(set.keys.into_iter().map(read), Vec::new())
    }

    /// Sorts keys into usable ones, each once, and those to skip beside `skipped`.
    pub(super) fn sorted(
        keys: impl Iterator<Item = Result<PublishedKey, Skipped>>,
        skipped: Vec<Skipped>,
    ) -> Result<Self, KeySetError> {
        let mut set = Self { keys: Vec::new(), skipped };
        for key in keys {
            match key {
                Ok(key) if set.keys.iter().any(|known| known.key.id() == key.key.id()) => {}
                Ok(key) => set.keys.push(key),
                Err(skipped) => set.skipped.push(skipped),
            }
        }
        if set.keys.is_empty() { Err(KeySetError::NothingUsable(set.skipped)) } else { Ok(set) }
    }

    /// The set without RSA keys whose modulus is a prime number, a power of one,
    /// or made in a way that gives it away; those are in `skipped` afterwards.
    ///
    /// [`Self::parse`] leaves this check out because it costs milliseconds for each
    /// key: call it before keys are written. Keys for which `known` is true are not
    /// checked again; `known` says which ones are on the mount already.
    pub fn without_weak(self, known: &dyn Fn(KeyId) -> bool) -> Result<Self, KeySetError> {
        let new: Vec<u32> = self.keys.iter().filter(|k| !known(k.key.id())).filter_map(|k| k.key.rsa_bits()).collect();
        if new.iter().map(|bits| cost(*bits)).sum::<u64>() > COST_AT_MOST * cost(2048) {
            return Err(KeySetError::TooCostly { keys: new.len(), bits: new.into_iter().max().unwrap_or_default() });
        }
        let checked = self.keys.into_iter().map(|published| {
            let checks = if known(published.key.id()) { Ok(()) } else { published.key.check_modulus() };
            checks.map_err(|why| Skipped { kid: published.kid.clone(), why: why.to_string() }).map(|()| published)
        });
        Self::sorted(checked, self.skipped)
    }

    /// All algorithms the set's tokens may carry, sorted.
    pub fn algorithms(&self) -> Vec<String> {
        let mut all: Vec<String> = self.keys.iter().flat_map(PublishedKey::algorithms).collect();
        all.sort();
        all.dedup();
        all
    }

    pub fn shares_a_key_with(&self, other: &Self) -> bool {
        self.keys.iter().any(|mine| other.keys.iter().any(|theirs| mine.key.id() == theirs.key.id()))
    }
}

/// What checking a modulus costs: multiplications as long as the modulus, as many
/// as it has bits.
pub(super) fn cost(bits: u32) -> u64 {
    u64::from(bits).pow(3)
}

#[cfg(test)]
mod tests;
