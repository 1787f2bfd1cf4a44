//! Why a public key is refused.

use crate::keychain::weakness::Weakness;

/// Why numbers are no usable key; one clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Outside [`RSA_BITS`].
    #[error("its RSA modulus has {0} bits (2048 to 8192 are accepted)")]
    RsaSize(u32),
    /// An exponent above what verifiers take.
    #[error("its RSA numbers are not a public key")]
    Rsa,
    /// A coordinate longer than the field.
    #[error("its coordinates do not fit the curve")]
    CoordinateLength,
    /// The point does not lie on the curve.
    #[error("its point is not on the curve")]
    OffCurve,
    /// Anyone can have the private key.
    #[error(transparent)]
    Weak(#[from] Weakness),
    /// DER that is no SPKI of a kind we take.
    #[error("it is not an RSA, EC or Ed25519 public key in SPKI form")]
    Spki,
}
