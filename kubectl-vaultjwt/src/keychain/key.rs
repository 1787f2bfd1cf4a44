//! One public signing key: its SPKI form, its identity, its PEM text, and the algorithms it
//! can sign with.

use crate::keychain::key_error::KeyError;
use crate::keychain::key_id::KeyId;
use crate::keychain::weak;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use der::asn1::{Any, BitString, ObjectIdentifier};
use der::{Decode, Encode};
use rsa::BoxedUint;
use sha2::{Digest, Sha256};
use spki::{AlgorithmIdentifier, EncodePublicKey, SubjectPublicKeyInfo, SubjectPublicKeyInfoOwned};
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
    /// ECDSA on P-256, P-384 or P-521.
    Ec(Curve),
    Ed25519,
}

impl fmt::Display for KeyKind {
    /// Its name with its size: `RSA-2048`, `P-256`, `Ed25519`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::Ec(Curve::P256) => f.write_str("P-256"),
            Self::Ec(Curve::P384) => f.write_str("P-384"),
            Self::Ec(Curve::P521) => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
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
    /// The curve's name in a JWK.
    pub fn from_jwk(crv: &str) -> Option<Self> {
        match crv {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    /// Bytes of one coordinate.
    fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// RFC 5480 section 2.1.1.1.
    fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        })
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
        let bits = match modulus.first() {
            None => 0,
            Some(first) => (modulus.len() as u32) * 8 - first.leading_zeros(),
        };
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
        let size = curve.coordinate();
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
        let parameters = Any::encode_from(&curve.oid()).map_err(|_| KeyError::Spki)?;
        Self::wrap(ID_EC_PUBLIC_KEY, Some(parameters), &point, KeyKind::Ec(curve)).map_err(|e| match e {
            KeyError::Spki => KeyError::OffCurve,
            other => other,
        })
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
        ParsedPublicKey::new(verification_of(kind), &spki).map_err(|_| KeyError::Spki)?;
        Ok(Self::new(spki, kind))
    }

    /// A key that is already on a mount, managed or not.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| KeyError::Spki)?;
        let kind = match info.algorithm.oid {
            RSA_ENCRYPTION => {
                use rsa::traits::PublicKeyParts as _;
                use spki::DecodePublicKey as _;
                let key = rsa::PublicKey::from_public_key_der(der).map_err(|_| KeyError::Spki)?;
                KeyKind::Rsa(key.n().bit_width_vartime())
            }
            ID_ED25519 => KeyKind::Ed25519,
            ID_EC_PUBLIC_KEY => {
                let named = info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
                let curve = [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|c| Some(c.oid()) == named);
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
        use rsa::traits::PublicKeyParts as _;
        use spki::DecodePublicKey as _;
        let KeyKind::Rsa(_) = self.kind else { return Ok(()) };
        let key = rsa::PublicKey::from_public_key_der(&self.spki).map_err(|_| KeyError::Spki)?;
        Ok(weak::modulus(key.n_params())?)
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

    /// The SPKI DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// A `PUBLIC KEY` PEM block with line feeds and a final one (RFC 7468).
    pub fn pem(&self) -> String {
        let block = pem::Pem::new("PUBLIC KEY", self.spki.as_slice());
        pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
    }

    /// Every JWS algorithm (RFC 7518 section 3.1, RFC 8037) a key of this
    /// kind can sign with.
    pub fn algorithms(&self) -> &'static [&'static str] {
        match self.kind {
            KeyKind::Rsa(_) => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            KeyKind::Ec(Curve::P256) => &["ES256"],
            KeyKind::Ec(Curve::P384) => &["ES384"],
            KeyKind::Ec(Curve::P521) => &["ES512"],
            KeyKind::Ed25519 => &["EdDSA"],
        }
    }
}

/// An algorithm that parses (and so checks) keys of this kind.
fn verification_of(kind: KeyKind) -> &'static dyn VerificationAlgorithm {
    match kind {
        KeyKind::Rsa(_) => &signature::RSA_PKCS1_2048_8192_SHA256,
        KeyKind::Ec(Curve::P256) => &signature::ECDSA_P256_SHA256_FIXED,
        KeyKind::Ec(Curve::P384) => &signature::ECDSA_P384_SHA384_FIXED,
        KeyKind::Ec(Curve::P521) => &signature::ECDSA_P521_SHA512_FIXED,
        KeyKind::Ed25519 => &signature::ED25519,
    }
}
