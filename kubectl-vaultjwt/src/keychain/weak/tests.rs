//! Each kind of weak key is refused in its own words, and generated keys are not.

use crate::keychain::jwk::{KeySet, KeySetError};
use crate::keychain::key::PublicKey;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto_bigint::modular::BoxedMontyParams;
use crypto_bigint::{BoxedUint, Resize};
use proptest::prelude::*;
use rsa::traits::PublicKeyParts as _;
use spki::DecodePublicKey as _;

/// 2^exponent - 1: a prime number for 521, 607, 1279 and 2203 (Mersenne).
fn mersenne(exponent: u32) -> BoxedUint {
    BoxedUint::one().resize(8192).shl(exponent).wrapping_sub(BoxedUint::one())
}

fn product(factors: &[&BoxedUint]) -> BoxedUint {
    factors.iter().fold(BoxedUint::one().resize(8192), |product, factor| product.wrapping_mul(*factor))
}

fn jwk(modulus: &BoxedUint, exponent: u64) -> String {
    let (n, e) = (modulus.to_be_bytes_trimmed_vartime(), exponent.to_be_bytes());
    let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
    format!(r#"{{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","n":"{n}","e":"{e}"}}"#)
}

fn ed25519(point: &[u8]) -> String {
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(point))
}

fn parse(keys: &[String]) -> Result<KeySet, KeySetError> {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

/// Why a set of this key alone is refused, by both groups of checks.
fn refused(key: String) -> Option<String> {
    let words = parse(&[key]).and_then(|set| set.without_weak(&|_| false)).err()?.to_string();
    let prefix = "it holds no key that Vault can verify with; skipped key \"k1\": ";
    Some(words.strip_prefix(prefix).unwrap_or_else(|| panic!("{words}")).to_owned())
}

/// A modulus of two random prime numbers.
fn generated(size: aws_lc_rs::rsa::KeySize) -> BoxedUint {
    let pair = aws_lc_rs::rsa::KeyPair::generate(size).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    rsa::PublicKey::from_public_key_der(spki.as_ref()).unwrap().n().as_ref().clone()
}

#[test]
fn generated_keys_pass() {
    use aws_lc_rs::rsa::KeySize;
    for size in [KeySize::Rsa2048, KeySize::Rsa2048, KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096] {
        let modulus = generated(size);
        assert_eq!(refused(jwk(&modulus, 65_537)), None, "{modulus}");
        assert_eq!(refused(jwk(&modulus, (1 << 33) - 1)), None, "{modulus}");
    }
}

#[test]
fn an_exponent_is_odd_and_not_small() {
    let modulus = generated(aws_lc_rs::rsa::KeySize::Rsa2048);
    for exponent in [0, 1, 3, 17, 65_535, 65_536, 65_538] {
        assert_eq!(
            refused(jwk(&modulus, exponent)),
            Some(format!("its RSA exponent is {exponent} (an odd number of at least 65537 is required)"))
        );
    }
}

#[test]
fn a_modulus_with_a_small_factor() {
    let large = mersenne(2203);
    for prime in [2u32, 3, 5, 331, 743, 751] {
        assert_eq!(
            refused(jwk(&product(&[&large, &BoxedUint::from(prime)]), 65_537)),
            Some(format!("its RSA modulus is divisible by {prime}: anyone can compute the private key"))
        );
    }
    // The next prime number is none of those that are tried.
    assert_eq!(super::small_factor(&product(&[&large, &BoxedUint::from(757u32)])), Ok(()));
}

#[test]
fn the_small_primes_are_all_below_752() {
    let by_division = (2..752).filter(|n: &super::Word| (2..*n).all(|d| !n.is_multiple_of(d)));
    assert!(by_division.eq(super::SMALL_PRIMES));
}

#[test]
fn a_modulus_that_is_a_prime_number() {
    assert_eq!(
        refused(jwk(&mersenne(2203), 65_537)).as_deref(),
        Some("its RSA modulus is a prime number: anyone can compute the private key")
    );
}

#[test]
fn a_modulus_that_is_a_power_of_a_prime_number() {
    let (p521, p607, p1279) = (mersenne(521), mersenne(607), mersenne(1279));
    for modulus in [product(&[&p1279, &p1279]), product(&[&p607; 4]), product(&[&p521; 5])] {
        assert_eq!(
            refused(jwk(&modulus, 65_537)).as_deref(),
            Some("its RSA modulus is a power of a prime number: anyone can compute the private key")
        );
    }
}

#[test]
fn a_modulus_that_gives_itself_away() {
    // 2^2207 - 1 is composite, and 2 shows it as little as with a prime number.
    let pseudoprime = mersenne(2207);
    // 2^521 - 1 divides 2^n - 2, since n - 1 is a multiple of 521.
    let partner = BoxedUint::from(521u32 * 180).resize(8192).shl(1570).wrapping_add(BoxedUint::one());
    for modulus in [pseudoprime, product(&[&mersenne(521), &partner])] {
        assert_eq!(
            refused(jwk(&modulus, 65_537)).as_deref(),
            Some("its RSA modulus is not a product of random prime numbers: the private key can probably be computed")
        );
    }
}

/// The encodings of the eight points, with either sign, reduced or not.
#[test]
fn points_of_small_order() {
    let mut zero = [0u8; 32];
    let hex =
        |text: &str| -> [u8; 32] { BoxedUint::from_be_hex(text, 256).unwrap().to_be_bytes()[..].try_into().unwrap() };
    let mut encodings = vec![
        zero,
        hex("0100000000000000000000000000000000000000000000000000000000000000"),
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        // p - 1, and p and p + 1, which stand for 0 and 1.
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];
    let negative = |encoding: &[u8; 32]| {
        let mut encoding = *encoding;
        encoding[31] |= 0x80;
        encoding
    };
    encodings.extend(encodings.clone().iter().map(negative));
    for encoding in encodings {
        assert_eq!(
            refused(ed25519(&encoding)).as_deref(),
            Some("its point has a small order: anyone can forge its signatures"),
            "{encoding:02x?}"
        );
    }

    // y = 3 is on the curve, y = 2 is not, and p + 3 is not reduced.
    zero[0] = 3;
    assert_eq!(refused(ed25519(&zero)), None);
    zero[0] = 2;
    let unreduced = hex("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    for encoding in [zero, unreduced] {
        assert_eq!(refused(ed25519(&encoding)).as_deref(), Some("its point is not on the curve"));
    }
    assert_eq!(refused(ed25519(&zero[1..])).as_deref(), Some("its coordinates do not fit the curve"));
}

proptest! {
    #[test]
    fn generated_points_pass(seed in any::<[u8; 32]>()) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        prop_assert_eq!(refused(ed25519(pair.public_key().as_ref())), None);
    }

    /// Random bytes are refused where they encode no point, which is half of them.
    #[test]
    fn points_are_told_from_other_bytes(encoded in any::<[u8; 32]>()) {
        let refused = super::ed25519(&encoded).is_err();
        prop_assert_eq!(refused, !is_point(&encoded));
    }
}

/// Whether bytes are a point of the curve, computed as RFC 8032 section 5.1.3 does
/// it: by the root, not by the symbol.
fn is_point(encoded: &[u8; 32]) -> bool {
    let mut bytes = *encoded;
    bytes[31] &= 0x7f;
    let y = super::FieldElement::new(&super::U256::from_le_slice(&bytes));
    let (u, v) = (y.square() - super::FieldElement::ONE, super::D * y.square() + super::FieldElement::ONE);
    let (v3, v7) = (v.square() * v, v.square() * v.square() * v.square() * v);
    // (p - 5) / 8
    let exponent = super::U256::from_be_hex("0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd");
    let x = u * v3 * (u * v7).pow(&exponent);
    v * x.square() == u || v * x.square() == -u
}

#[test]
fn published_keys() {
    const RSA_7515: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    for (key, place) in [
        (format!(r#""kty":"RSA","n":"{RSA_7515}","e":"AQAB""#), "RFC 7515 appendix A.2"),
        (
            r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#.to_owned(),
            "RFC 7515 appendix A.3",
        ),
        (
            r#""kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2""#.to_owned(),
            "RFC 7515 appendix A.4",
        ),
        (
            r#""kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM""#.to_owned(),
            "RFC 7517 appendix A.2",
        ),
        (
            r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#.to_owned(),
            "RFC 8037 appendix A.1",
        ),
    ] {
        assert_eq!(
            refused(format!(r#"{{"kid":"k1",{key}}}"#)),
            Some(format!("its private key is published in {place}: anyone can sign with it"))
        );
    }
}

#[test]
fn the_identities_of_published_keys_are_well_formed() {
    let distinct: std::collections::BTreeSet<_> = super::PUBLISHED.iter().map(|(id, _)| id).collect();
    assert_eq!(distinct.len(), super::PUBLISHED.len());
    for id in distinct {
        assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 32, "{id}");
    }
}

/// What is on the mount stays readable, and is not checked again.
#[test]
fn a_known_key_is_not_checked_again() {
    let weak = parse(&[jwk(&mersenne(2203), 65_537)]).unwrap();
    let id = weak.keys[0].key.id();
    assert!(PublicKey::from_spki(weak.keys[0].key.spki()).is_ok());
    assert_eq!(weak.clone().without_weak(&|known| known == id).unwrap(), weak);
}

#[test]
fn a_weak_key_is_skipped_beside_others() {
    let good = generated(aws_lc_rs::rsa::KeySize::Rsa2048);
    let set = parse(&[jwk(&mersenne(2203), 65_537), jwk(&good, 65_537), r#"{"kty":"x"}"#.to_owned()]).unwrap();
    let checked = set.clone().without_weak(&|_| false).unwrap();
    assert_eq!(checked.keys, set.keys[1..]);
    let skipped: Vec<String> = checked.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        skipped,
        [
            "skipped a key without kid: its type \"x\" is not supported",
            "skipped key \"k1\": its RSA modulus is a prime number: anyone can compute the private key",
        ]
    );
}

/// A set of the longest keys is refused before it costs a minute.
#[test]
fn what_would_take_too_long_is_refused() {
    // Numbers without small factors that nothing else is known of.
    let number = |bits: u32, at: u32| {
        let start =
            BoxedUint::one().resize(8192).shl(bits - 1).wrapping_add(BoxedUint::from(u64::from(at) * 100_000 + 1));
        let candidates = (0u64..).map(|step| start.wrapping_add(BoxedUint::from(2 * step)));
        candidates.into_iter().find(|number| super::small_factor(number).is_ok()).unwrap()
    };
    let set =
        |bits: u32, many: u32| parse(&(0..many).map(|at| jwk(&number(bits, at), 65_537)).collect::<Vec<_>>()).unwrap();
    for (bits, many) in [(8192, 3), (4096, 17)] {
        assert_eq!(
            set(bits, many).without_weak(&|_| false).unwrap_err().to_string(),
            format!(
                "it holds {many} new RSA keys of up to {bits} bits, more than can be checked \
                 (100 of 2048 bits, 16 of 4096 bits, or 2 of 8192 bits)"
            )
        );
    }
    // Known ones cost nothing.
    assert_eq!(set(8192, 3).without_weak(&|_| true).unwrap().keys.len(), 3);
    let costs = |bits: u32, many: u64| crate::keychain::jwk::cost(bits) * many;
    let at_most = crate::keychain::jwk::COST_AT_MOST * crate::keychain::jwk::cost(2048);
    for (bits, many) in [(2048, 100), (4096, 16), (8192, 2)] {
        assert!(costs(bits, many) <= at_most, "{bits}");
    }
}

/// What one key costs: cargo test --release -- --ignored --nocapture costs
#[test]
#[ignore = "a measurement"]
fn costs() {
    for (size, prime) in [(2048u32, 2203u32), (4096, 4253), (8192, 8191)] {
        let number = BoxedUint::one().resize(size).shl(size - 1).wrapping_add(BoxedUint::from(21u32));
        let params = BoxedMontyParams::new_vartime(number.to_odd().unwrap());
        let start = std::time::Instant::now();
        let verdict = super::modulus(&params).is_ok();
        println!("{size}: {:?} {verdict}", start.elapsed());
        let start = std::time::Instant::now();
        for _ in 0..1000 {
            let _ = super::small_factor(params.modulus().as_ref());
        }
        println!("{size}: small factors {:?}", start.elapsed() / 1000);
        let number = mersenne(prime).resize(prime);
        let params = BoxedMontyParams::new_vartime(number.to_odd().unwrap());
        let start = std::time::Instant::now();
        let verdict = super::modulus(&params);
        println!("2^{prime} - 1: {:?} {verdict:?}", start.elapsed());
    }
}
