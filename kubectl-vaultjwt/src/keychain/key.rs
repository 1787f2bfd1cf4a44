//! One public signing key: its SPKI form, its identity, its PEM text, and the algorithms it
//! can sign with.

use crate::keychain::key_error::KeyError;
use crate::keychain::key_id::KeyId;
use crate::keychain::weak;
use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{Any, BitString, ObjectIdentifier};
use der::{Decode, Encode};
use rsa::BoxedUint;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest, Sha256};
use spki::{
    AlgorithmIdentifier, DecodePublicKey as _, EncodePublicKey as _, SubjectPublicKeyInfo, SubjectPublicKeyInfoOwned,
};
use std::fmt;

/// Smallest and largest RSA modulus accepted, in bits. The lower bound is
/// NIST SP 800-131A's; the upper is what verifiers take.
pub const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// The kinds of key that Vault verifies with (`certutil.ParsePublicKeyPEM`)
/// and that a Kubernetes issuer can publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with its modulus' size in bits.
    Rsa(u32),
    Ec(Curve),
    Ed25519,
}

impl fmt::Display for KeyKind {
    /// Its name with its size: `RSA-2048`, `P-256`, `Ed25519`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::Ec(curve) => f.write_str(curve.parameters().0),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

impl KeyKind {
    /// Every JWS algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1) that a key of this
    /// kind can sign with, by name.
    fn algorithms(self) -> &'static [(&'static str, &'static dyn VerificationAlgorithm)] {
        match self {
            Self::Rsa(_) => {
                const {
                    &[
                        ("RS256", &signature::RSA_PKCS1_2048_8192_SHA256),
                        ("RS384", &signature::RSA_PKCS1_2048_8192_SHA384),
                        ("RS512", &signature::RSA_PKCS1_2048_8192_SHA512),
                        ("PS256", &signature::RSA_PSS_2048_8192_SHA256),
                        ("PS384", &signature::RSA_PSS_2048_8192_SHA384),
                        ("PS512", &signature::RSA_PSS_2048_8192_SHA512),
                    ]
                }
            }
            Self::Ec(Curve::P256) => const { &[("ES256", &signature::ECDSA_P256_SHA256_FIXED)] },
            Self::Ec(Curve::P384) => const { &[("ES384", &signature::ECDSA_P384_SHA384_FIXED)] },
            Self::Ec(Curve::P521) => const { &[("ES512", &signature::ECDSA_P521_SHA512_FIXED)] },
            Self::Ed25519 => const { &[("EdDSA", &signature::ED25519)] },
        }
    }
}

/// NIST curves (RFC 7518 section 6.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// secp256r1
    P256,
    /// secp384r1
    P384,
    /// secp521r1
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// By its name in a JWK.
    pub fn from_jwk(crv: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.parameters().0 == crv)
    }

    /// Its name, the bytes of one coordinate, and its OID (RFC 5480 section 2.1.1.1).
    fn parameters(self) -> (&'static str, usize, ObjectIdentifier) {
        match self {
            Self::P256 => ("P-256", 32, ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")),
            Self::P384 => ("P-384", 48, ObjectIdentifier::new_unwrap("1.3.132.0.34")),
            Self::P521 => ("P-521", 66, ObjectIdentifier::new_unwrap("1.3.132.0.35")),
        }
    }
}

/// RFC 5480 section 2.1.1.
const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 8410 section 3.
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 8017 appendix A.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A public key in SPKI form (RFC 5280 section 4.1.2.7), checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    kind: KeyKind,
    id: KeyId,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.kind, self.id)
    }
}

impl PublicKey {
    /// An RSA key from its big-endian numbers; leading zeros are ignored.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let trim = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<u8>>();
        let (modulus, exponent) = (trim(modulus), trim(exponent));
        let bits = modulus.first().map_or(0, |first| (modulus.len() as u32) * 8 - first.leading_zeros());
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::RsaSize(bits));
        }
        if exponent.len() > 8 {
            return Err(KeyError::Rsa);
        }
        let exponent = exponent.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        weak::exponent(exponent)?;
        let modulus = BoxedUint::from_be_slice_vartime(&modulus);
        weak::small_factor(&modulus)?;
        let key = rsa::PublicKey::new_with_size_limits(modulus, BoxedUint::from(exponent), 2048..=8192)
            .map_err(|_| KeyError::Rsa)?;
        let document = key.to_public_key_der().map_err(|_| KeyError::Rsa)?;
        Ok(Self::new(document.into_vec(), KeyKind::Rsa(bits)))
    }

    /// An EC key from its coordinates; shorter ones are padded (some servers
    /// strip leading zeros although RFC 7518 section 6.2.1.2 forbids it).
    pub fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let (_, size, oid) = curve.parameters();
        let mut point = vec![4u8];
        for coordinate in [x, y] {
            let excess = coordinate.len().saturating_sub(size);
            if coordinate[..excess].iter().any(|b| *b != 0) {
                return Err(KeyError::CoordinateLength);
            }
            let digits = &coordinate[excess..];
            point.resize(point.len() + size - digits.len(), 0);
            point.extend_from_slice(digits);
        }
        let parameters = Any::encode_from(&oid).map_err(|_| KeyError::Spki)?;
        Self::wrap(ID_EC_PUBLIC_KEY, Some(parameters), &point, KeyKind::Ec(curve)).map_err(|_| KeyError::OffCurve)
    }

    /// An Ed25519 key from its 32 bytes (RFC 8037).
    pub fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        let encoded = x.try_into().map_err(|_| KeyError::CoordinateLength)?;
        weak::ed25519(encoded)?;
        Self::wrap(ID_ED25519, None, x, KeyKind::Ed25519)
    }

    fn wrap(oid: ObjectIdentifier, parameters: Option<Any>, key: &[u8], kind: KeyKind) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfo {
            algorithm: AlgorithmIdentifier { oid, parameters },
            subject_public_key: BitString::from_bytes(key).map_err(|_| KeyError::Spki)?,
        };
        let spki = info.to_der().map_err(|_| KeyError::Spki)?;
        // Parsing checks the key, under any algorithm of its kind.
        let (_, algorithm) = kind.algorithms().first().ok_or(KeyError::Spki)?;
        ParsedPublicKey::new(*algorithm, &spki).map_err(|_| KeyError::Spki)?;
        Ok(Self::new(spki, kind))
    }

    /// A key that is already on a mount, managed or not.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| KeyError::Spki)?;
        let kind = match info.algorithm.oid {
            RSA_ENCRYPTION => KeyKind::Rsa(rsa_key(der)?.n().bit_width_vartime()),
            ID_ED25519 => KeyKind::Ed25519,
            ID_EC_PUBLIC_KEY => {
                let named = info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
                let curve = Curve::ALL.into_iter().find(|curve| Some(curve.parameters().2) == named);
                KeyKind::Ec(curve.ok_or(KeyError::Spki)?)
            }
            _ => return Err(KeyError::Spki),
        };
        Ok(Self::new(der.to_vec(), kind))
    }

    fn new(spki: Vec<u8>, kind: KeyKind) -> Self {
        let id = KeyId(Sha256::digest(&spki).into());
        Self { spki, kind, id }
    }

    /// Whether its RSA modulus is a prime number or the like. Costs milliseconds
    /// (see [`weak::modulus`]); keys of other kinds are checked where they are
    /// read.
    pub fn check_modulus(&self) -> Result<(), KeyError> {
        let KeyKind::Rsa(_) = self.kind else { return Ok(()) };
        weak::modulus(rsa_key(&self.spki)?.n_params())
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The size of its RSA modulus; `None` for keys of other kinds.
    pub fn rsa_bits(&self) -> Option<u32> {
        match self.kind {
            KeyKind::Rsa(bits) => Some(bits),
            KeyKind::Ec(_) | KeyKind::Ed25519 => None,
        }
    }

    /// SHA-256 of the SPKI DER.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// In DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// A `PUBLIC KEY` PEM block with line feeds and a final one (RFC 7468).
    pub fn pem(&self) -> String {
        let block = pem::Pem::new("PUBLIC KEY", self.spki.as_slice());
        pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
    }

    /// The algorithms that tokens of this key may carry: `alg` where the issuer names one,
    /// else all that a key of its kind can sign with.
    pub fn algorithms(&self, alg: Option<&str>) -> Vec<String> {
        match alg {
            Some(alg) => vec![alg.to_owned()],
            None => self.kind.algorithms().iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    /// Whether a key of its kind can sign under `alg`.
    pub fn fits(&self, alg: &str) -> bool {
        self.kind.algorithms().iter().any(|(name, _)| *name == alg)
    }

    /// Whether it signed `signed` as `signature` under `alg`. A key never verifies under an
    /// algorithm of another kind (RFC 8725 section 3.1).
    pub fn verifies(&self, alg: &str, signed: &str, signature: &[u8]) -> bool {
        self.kind.algorithms().iter().filter(|(name, _)| *name == alg).any(|(_, algorithm)| {
            UnparsedPublicKey::new(*algorithm, &self.spki).verify(signed.as_bytes(), signature).is_ok()
        })
    }
}

fn rsa_key(spki: &[u8]) -> Result<rsa::PublicKey, KeyError> {
    rsa::PublicKey::from_public_key_der(spki).map_err(|_| KeyError::Spki)
}
