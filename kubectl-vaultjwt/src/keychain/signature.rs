//! Verifies a JWT's signature locally, against keys that are about to be written: the proof
//! that an API server and an issuer belong together.

use crate::keychain::jwk::PublishedKey;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

/// The JWS algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1) by name.
fn algorithm(alg: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match alg {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        "ES256" => &signature::ECDSA_P256_SHA256_FIXED,
        "ES384" => &signature::ECDSA_P384_SHA384_FIXED,
        "ES512" => &signature::ECDSA_P521_SHA512_FIXED,
        "EdDSA" => &signature::ED25519,
        _ => return None,
    })
}

/// The key among `keys` that signed `signed` as `signature` under `alg`.
/// The algorithm the token claims must be one its key can have: a key never
/// verifies under an algorithm of another kind (RFC 8725 section 3.1).
pub fn signer<'k>(keys: &'k [PublishedKey], alg: &str, signed: &str, signature: &[u8]) -> Option<&'k PublishedKey> {
    let verification = algorithm(alg)?;
    keys.iter().filter(|published| published.algorithms().iter().any(|a| a == alg)).find(|published| {
        UnparsedPublicKey::new(verification, published.key.spki()).verify(signed.as_bytes(), signature).is_ok()
    })
}
