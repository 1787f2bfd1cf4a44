//! Why a public key is refused.

use crypto_bigint::Word;

/// SP 800-89 section 5.3.3 accepts exponents above 2^16.
pub const EXPONENT_AT_LEAST: u64 = 65_537;

/// Why numbers are no usable key, or a weak one: anyone can compute or look up its private
/// key. One clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("its RSA modulus has {0} bits (2048 to 8192 are accepted)")]
    RsaSize(u32),
    /// An exponent above what verifiers take.
    #[error("its RSA numbers are not a public key")]
    Rsa,
    /// A coordinate longer than the field.
    #[error("its coordinates do not fit the curve")]
    CoordinateLength,
    #[error("its point is not on the curve")]
    OffCurve,
    /// DER that is no SPKI of a kind we take.
    #[error("it is not an RSA, EC or Ed25519 public key in SPKI form")]
    Spki,
    #[error("its RSA exponent is {0} (an odd number of at least {EXPONENT_AT_LEAST} is required)")]
    Exponent(u64),
    #[error("its RSA modulus is divisible by {0}: anyone can compute the private key")]
    SmallFactor(Word),
    #[error("its RSA modulus is a prime number: anyone can compute the private key")]
    Prime,
    #[error("its RSA modulus is a power of a prime number: anyone can compute the private key")]
    PrimePower,
    /// The RSA modulus shares a property with prime numbers that no product of
    /// random prime numbers has.
    #[error("its RSA modulus is not a product of random prime numbers: the private key can probably be computed")]
    NotRandom,
    /// The Ed25519 point has order 1, 2, 4 or 8.
    #[error("its point has a small order: anyone can forge its signatures")]
    SmallOrder,
    /// The private key is in this public document.
    #[error("its private key is published in {0}: anyone can sign with it")]
    Published(&'static str),
}
