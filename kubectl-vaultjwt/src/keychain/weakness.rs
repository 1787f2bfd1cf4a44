//! Why a key is weak: anyone can compute or look up its private key.

use crypto_bigint::Word;

/// Why a key is weak; one clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// The RSA exponent is even or too small.
    #[error("its RSA exponent is {0} (an odd number of at least {EXPONENT_AT_LEAST} is required)")]
    Exponent(u64),
    /// The RSA modulus has a small prime factor.
    #[error("its RSA modulus is divisible by {0}: anyone can compute the private key")]
    SmallFactor(Word),
    /// The RSA modulus is a prime number.
    #[error("its RSA modulus is a prime number: anyone can compute the private key")]
    Prime,
    /// The RSA modulus is a power of a prime number.
    #[error("its RSA modulus is a power of a prime number: anyone can compute the private key")]
    PrimePower,
    /// The RSA modulus shares a property with prime numbers that no product of
    /// random prime numbers has.
    #[error("its RSA modulus is not a product of random prime numbers: the private key can probably be computed")]
    NotRandom,
    /// The Ed25519 point has order 1, 2, 4 or 8.
    #[error("its point has a small order: anyone can forge its signatures")]
    SmallOrder,
    /// The private key is in a public document.
    #[error("its private key is published in {0}: anyone can sign with it")]
    Published(&'static str),
}

/// SP 800-89 section 5.3.3 accepts exponents above 2^16.
pub const EXPONENT_AT_LEAST: u64 = 65_537;
