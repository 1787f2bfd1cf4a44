//! Owns the proof that an API server and an issuer belong together: a token
//! the API server just issued names the issuer byte for byte, and one of the
//! keys about to be written verifies it.

use crate::keychain::jwk::PublishedKey;
use crate::keychain::signature::signer;
use serde::Serialize;
use shared::text::one_line;
use shared::{Secret, jwt};

/// What was proven, for the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// kid of the key that verified the token, where the issuer names one.
    pub kid: Option<String>,
    /// The token's algorithm.
    pub alg: String,
}

/// Why a token does not prove the issuer. Never holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The API server issued something else.
    #[error("the API server issued a token that is no JWT: {0}")]
    NotAJwt(String),
    /// Another issuer.
    #[error("the API server's tokens are issued by \"{}\", not by \"{}\"", one_line(.found), one_line(.wanted))]
    OtherIssuer {
        /// `iss` of the token.
        found: String,
        /// The issuer in question.
        wanted: String,
    },
    /// No published key fits.
    #[error("none of the {keys} keys of issuer \"{}\" verifies a token of this API server (kid \"{}\", {})",
        one_line(.issuer), one_line(.kid), one_line(.alg))]
    NoKey {
        /// How many were tried.
        keys: usize,
        /// The issuer in question.
        issuer: String,
        /// kid of the token, or a dash.
        kid: String,
        /// alg of the token, or a dash.
        alg: String,
    },
}

/// Checks `token` against `issuer` and its `keys`.
pub fn check(token: &Secret, issuer: &str, keys: &[PublishedKey]) -> Result<Proof, ProofError> {
    let parts = jwt::segments(token.expose()).map_err(|e| ProofError::NotAJwt(e.to_string()))?;
    let header: jwt::Header =
        serde_json::from_slice(&parts.header).map_err(|_| ProofError::NotAJwt("its header is not JSON".to_owned()))?;
    let claims: jwt::Claims =
        serde_json::from_slice(&parts.claims).map_err(|_| ProofError::NotAJwt("its payload is not JSON".to_owned()))?;
    let found = claims.iss.unwrap_or_default();
    if found != issuer {
        return Err(ProofError::OtherIssuer { found, wanted: issuer.to_owned() });
    }
    let alg = header.alg.unwrap_or_else(|| "-".to_owned());
    match signer(keys, &alg, parts.signed, &parts.signature) {
        Some(key) => Ok(Proof { kid: key.kid.clone(), alg }),
        None => Err(ProofError::NoKey {
            keys: keys.len(),
            issuer: issuer.to_owned(),
            kid: header.kid.unwrap_or_else(|| "-".to_owned()),
            alg,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::key::PublicKey;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn pair(seed: u8) -> (Ed25519KeyPair, PublishedKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let key = PublicKey::ed25519(pair.public_key().as_ref()).unwrap();
        (pair, PublishedKey { key, kid: Some(format!("k{seed}")), alg: None })
    }

    fn token(pair: &Ed25519KeyPair, header: &str, claims: &str) -> Secret {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).as_ref());
        Secret::new(format!("{signed}.{signature}"))
    }

    const HEADER: &str = r#"{"alg":"EdDSA","kid":"k1"}"#;

    #[test]
    fn the_signer_is_found_among_several() {
        let ((one, key1), (_, key2)) = (pair(1), pair(2));
        let proof = check(&token(&one, HEADER, r#"{"iss":"https://a/"}"#), "https://a/", &[key2, key1]).unwrap();
        assert_eq!(proof, Proof { kid: Some("k1".into()), alg: "EdDSA".into() });
    }

    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        let (one, key1) = pair(1);
        let error = check(&token(&one, HEADER, r#"{"iss":"https://a/"}"#), "https://a", &[key1]).unwrap_err();
        assert_eq!(error.to_string(), "the API server's tokens are issued by \"https://a/\", not by \"https://a\"");
    }

    #[test]
    fn a_key_that_only_shares_the_kid_proves_nothing() {
        let ((one, _), (_, mut key2)) = (pair(1), pair(2));
        key2.kid = Some("k1".into());
        let error = check(&token(&one, HEADER, r#"{"iss":"https://a"}"#), "https://a", &[key2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "none of the 1 keys of issuer \"https://a\" verifies a token of this API server (kid \"k1\", EdDSA)"
        );
    }

    #[test]
    fn an_unsigned_token_proves_nothing() {
        let (one, key1) = pair(1);
        let unsigned = token(&one, r#"{"alg":"none"}"#, r#"{"iss":"https://a"}"#);
        assert!(matches!(check(&unsigned, "https://a", &[key1]), Err(ProofError::NoKey { .. })));
    }
}
