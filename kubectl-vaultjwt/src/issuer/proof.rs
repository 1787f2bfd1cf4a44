//! The proof that an API server and an issuer belong together: a token that the API server
//! just issued names the issuer byte for byte, and one of the keys about to be written
//! verifies it. *Just issued* is part of it: an API server could return any old token of
//! the issuer that it claims, so the token must be for the service account and for the
//! random audience of this very request. Its times are checked as well, since every
//! verifier does that.

use crate::keychain::jwk::{PublishedKey, signer};
use crate::keychain::key_id::KeyId;
use crate::keychain::provenance::time_text;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::text::one_line;
use shared::{Secret, jwt};

/// How far the local clock and the API server's may differ. The random audience
/// makes a token fresh, so this can be generous.
pub const CLOCKS_DIFFER_AT_MOST: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// kid of the key that verified the token, where the issuer names one.
    pub kid: Option<String>,
    pub alg: String,
    #[serde(skip)]
    pub key: KeyId,
}

/// Why a token does not prove the issuer. Never holds the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the API server issued a token that is no JWT: {0}")]
    NotAJwt(String),
    #[error("the API server's tokens are issued by \"{}\", not by \"{}\"", one_line(.found), one_line(.wanted))]
    OtherIssuer { found: String, wanted: String },
    #[error("the API server answered with a token of \"{}\", not of \"{}\"", one_line(.found), one_line(.wanted))]
    OtherSubject { found: String, wanted: String },
    #[error("the API server answered with a token that was not issued for this request")]
    NotFresh,
    /// Every Kubernetes token has `exp` and `nbf`.
    #[error("the API server answered with a token that has no claim \"{0}\"")]
    NoTime(&'static str),
    #[error("the API server answered with a token that expired at {expired} (local time: {now})")]
    Expired { expired: String, now: String },
    #[error("the API server answered with a token that is not valid before {begins} (local time: {now})")]
    NotYetValid { begins: String, now: String },
    /// Its header has `crit`: no extension is known here (RFC 7515 section 4.1.11).
    #[error("the API server answered with a token whose header has an unknown crit: {}", one_line(.0))]
    UnknownCrit(String),
    /// `kid` and `alg` are the token's, or a dash.
    #[error("none of the {keys} keys of issuer \"{}\" verifies a token of this API server (kid \"{}\", {})",
        one_line(.issuer), one_line(.kid), one_line(.alg))]
    NoKey { keys: usize, issuer: String, kid: String, alg: String },
}

/// What a proof is asked of.
#[derive(Clone, Copy, Debug)]
pub struct ProofRequest<'a> {
    pub issuer: &'a str,
    pub keys: &'a [PublishedKey],
    /// Subject of the service account whose token was asked for.
    pub subject: &'a str,
    /// Audiences that were asked for; one of them is random.
    pub audiences: &'a [String],
    pub now: Timestamp,
}

/// The member of a JOSE header that names extensions a verifier must understand.
/// Not in [`jwt::Header`], which the pod binary reads too.
#[derive(Deserialize)]
struct Extensions {
    crit: Option<serde_json::Value>,
}

/// Checks `token` against `claim`.
pub fn check(token: &Secret, claim: ProofRequest<'_>) -> Result<Proof, ProofError> {
    let ProofRequest { issuer, keys, subject, audiences, now } = claim;
    let parts = jwt::segments(token.expose()).map_err(|e| ProofError::NotAJwt(e.to_string()))?;
    let no_header = |_| ProofError::NotAJwt("its header is not JSON".to_owned());
    let header: jwt::Header = serde_json::from_slice(&parts.header).map_err(no_header)?;
    let extensions: Extensions = serde_json::from_slice(&parts.header).map_err(no_header)?;
    if let Some(crit) = extensions.crit {
        return Err(ProofError::UnknownCrit(crit.to_string()));
    }
    let claims: jwt::Claims =
        serde_json::from_slice(&parts.claims).map_err(|_| ProofError::NotAJwt("its payload is not JSON".to_owned()))?;
    let found = claims.iss.unwrap_or_default();
    if found != issuer {
        return Err(ProofError::OtherIssuer { found, wanted: issuer.to_owned() });
    }
    let found = claims.sub.unwrap_or_default();
    if found != subject {
        return Err(ProofError::OtherSubject { found, wanted: subject.to_owned() });
    }
    if !audiences.iter().all(|wanted| claims.aud.all().contains(wanted)) {
        return Err(ProofError::NotFresh);
    }
    in_time(claims.exp, claims.nbf, now)?;
    let alg = header.alg.unwrap_or_else(|| "-".to_owned());
    match signer(keys, &alg, parts.signed, &parts.signature) {
        Some(key) => Ok(Proof { kid: key.kid.clone(), alg, key: key.key.id() }),
        None => Err(ProofError::NoKey {
            keys: keys.len(),
            issuer: issuer.to_owned(),
            kid: header.kid.unwrap_or_else(|| "-".to_owned()),
            alg,
        }),
    }
}

/// Checks the times of a token (seconds since the epoch) by the local clock.
fn in_time(exp: Option<f64>, nbf: Option<f64>, now: Timestamp) -> Result<(), ProofError> {
    let exp = exp.ok_or(ProofError::NoTime("exp"))?;
    let nbf = nbf.ok_or(ProofError::NoTime("nbf"))?;
    let (seconds, slack) = (now.as_second() as f64, CLOCKS_DIFFER_AT_MOST.as_secs_f64());
    if exp < seconds - slack {
        return Err(ProofError::Expired { expired: shown(exp), now: time_text(now) });
    }
    if nbf > seconds + slack {
        return Err(ProofError::NotYetValid { begins: shown(nbf), now: time_text(now) });
    }
    Ok(())
}

/// A time of a token; the number itself where no calendar has it.
fn shown(seconds: f64) -> String {
    // The cast saturates, and what is out of range stays so.
    Timestamp::from_second(seconds as i64).map_or_else(|_| format!("{seconds:e}"), time_text)
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
    const CLAIMS: &str = r#"{"iss":"https://a/","sub":"s","aud":["vault","nonce"],"exp":1796000600,"nbf":1796000000}"#;
    const NOW: i64 = 1_796_000_000;

    fn proof(token: &Secret, issuer: &str, keys: &[PublishedKey]) -> Result<Proof, String> {
        proof_at(token, issuer, keys, NOW)
    }

    fn proof_at(token: &Secret, issuer: &str, keys: &[PublishedKey], now: i64) -> Result<Proof, String> {
        let audiences = ["vault".to_owned(), "nonce".to_owned()];
        let now = Timestamp::from_second(now).unwrap();
        check(token, ProofRequest { issuer, keys, subject: "s", audiences: &audiences, now }).map_err(|e| e.to_string())
    }

    #[test]
    fn the_signer_is_found_among_several() {
        let ((one, key1), (_, key2)) = (pair(1), pair(2));
        let key = key1.key.id();
        let found = proof(&token(&one, HEADER, CLAIMS), "https://a/", &[key2, key1]);
        assert_eq!(found, Ok(Proof { kid: Some("k1".into()), alg: "EdDSA".into(), key }));
    }

    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        let (one, key1) = pair(1);
        let found = proof(&token(&one, HEADER, CLAIMS), "https://a", &[key1]);
        assert_eq!(found, Err("the API server's tokens are issued by \"https://a/\", not by \"https://a\"".into()));
    }

    #[test]
    fn a_key_that_only_shares_the_kid_proves_nothing() {
        let ((one, _), (_, mut key2)) = (pair(1), pair(2));
        key2.kid = Some("k1".into());
        assert_eq!(
            proof(&token(&one, HEADER, CLAIMS), "https://a/", &[key2]),
            Err("none of the 1 keys of issuer \"https://a/\" verifies a token of this API server (kid \"k1\", EdDSA)"
                .into())
        );
    }

    #[test]
    fn an_unsigned_token_proves_nothing() {
        let (one, key1) = pair(1);
        let unsigned = proof(&token(&one, r#"{"alg":"none"}"#, CLAIMS), "https://a/", &[key1]);
        assert!(unsigned.is_err_and(|e| e.starts_with("none of the 1 keys")));
    }

    #[test]
    fn a_token_picked_up_elsewhere_proves_nothing() {
        let (one, key1) = pair(1);
        let keys = [key1];
        for (claims, words) in [
            (
                r#"{"iss":"https://a/","sub":"other","aud":["vault","nonce"],"exp":1}"#,
                "the API server answered with a token of \"other\", not of \"s\"",
            ),
            (
                r#"{"iss":"https://a/","sub":"s","aud":["vault"],"exp":1}"#,
                "the API server answered with a token that was not issued for this request",
            ),
            (
                r#"{"iss":"https://a/","sub":"s","aud":["vault","nonce"],"nbf":1}"#,
                "the API server answered with a token that has no claim \"exp\"",
            ),
            (
                r#"{"iss":"https://a/","sub":"s","aud":["vault","nonce"],"exp":1e300}"#,
                "the API server answered with a token that has no claim \"nbf\"",
            ),
            (
                r#"{"iss":"https://a/","sub":"s","aud":["vault","nonce"],"exp":1e300,"nbf":1e300}"#,
                "the API server answered with a token that is not valid before 1e300 (local time: 2026-11-30T00:53:20Z)",
            ),
        ] {
            assert_eq!(proof(&token(&one, HEADER, claims), "https://a/", &keys), Err(words.into()));
        }
    }

    /// Five minutes either way, as clocks differ.
    #[test]
    fn the_local_clock_is_asked_within_reason() {
        let (one, key1) = pair(1);
        let keys = [key1];
        let token = token(&one, HEADER, CLAIMS);
        let at = |now: i64| proof_at(&token, "https://a/", &keys, now);
        for now in [NOW - 300, NOW, NOW + 600, NOW + 900] {
            assert!(at(now).is_ok(), "{now}");
        }
        assert_eq!(
            at(NOW - 301),
            Err("the API server answered with a token that is not valid before 2026-11-30T00:53:20Z (local time: 2026-11-30T00:48:19Z)".into())
        );
        assert_eq!(
            at(NOW + 901),
            Err("the API server answered with a token that expired at 2026-11-30T01:03:20Z (local time: 2026-11-30T01:08:21Z)".into())
        );
    }

    #[test]
    fn an_extension_that_must_be_understood_is_not() {
        let (one, key1) = pair(1);
        let keys = [key1];
        for (crit, shown) in [(r#"["b64","exp"]"#, r#"["b64","exp"]"#), ("[]", "[]"), (r#""b64""#, r#""b64""#)] {
            let header = format!(r#"{{"alg":"EdDSA","kid":"k1","crit":{crit}}}"#);
            assert_eq!(
                proof(&token(&one, &header, CLAIMS), "https://a/", &keys),
                Err(format!("the API server answered with a token whose header has an unknown crit: {shown}"))
            );
        }
    }
}
