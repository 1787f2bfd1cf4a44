//! JWKS texts and what is read from them. The two RSA keys are published test
//! vectors of upstream clusters, where kid is the SHA-256 of the SPKI.

use super::*;

const N1: &str = "tqzzgxqEkP7yZDwWGPwrFjlf8Ga7KExEQzPaF2VdtnLn1Xec5C2EDfwgXkr5irttvL7_CtItKh8SKjMjwrYZcoIagebIC5mRX3r4mqnG4z501_XtaYNxFSsPfbQz1yjrxr-07d3AyNmO_vbRHftNg3XJTyH5koG3oNS1k5eFZb8mq_drnAJ3rDEs9DAkoCMrv43EXiAOGosnHSUWGobVMBvn53jsfekq-eksT3uRLamKWaisXxqPlkzaqLzY2dIimFfFFPe3Q3OJEFIDqimFZKTaQu3JoMR2V2rTI_vXVCcvmMN0UZtGarr_Zaqx7eR7x2i-7X8Hd-6pWpOjmJNc8w";
const KID1: &str = "BPlcMy7AywKBfLhl67WEfBoRklvuovLWXk-y79NbOxc";
const N2: &str = "3nHvv39zdZ_APywOHsNe38wia5tFf7lWMwNngPCRxE7Dp0VnBx-p9mcuYXs-sIMmcOj_8dJQZlrYCkpk2nKey_Qf_E9KIWG_o3GROB1N9fHDDRYNwCz699Mbcy3Qrs10cSou41ORYZxdjO2E6pREJzM2hC9Go9-YP-rX9ccdgA1e8HhTK7QlvU7CMVc3bG5OfjJ2xxahbLuhoVC-qz62ktml5AqNvNKMvNkfyO6s-BJq2d5SnCGAB16hZQjzjoESSztCajtRCFtwCPxqlm_V1baUu3DmGctJsStfKCK1UMldtQ1r8V6JcqdGT5HrGIayNlt_fNkiJIjv96A7K3pV-w";
const KID2: &str = "fuNL37K14ZiodLEvvsnoNGimsNBID35sSwU309szO-0";
// A generated P-256 key.
const X: &str = "X838RdijvOdjIK354Hl7HsdWeDVDgLdOOIiVW39Uq_I";
const Y: &str = "DZtagKDlM6r8XSmMi_wWU5FUSCLP7t1cqWyNFm4e7ao";

fn rsa(kid: &str, n: &str) -> String {
    format!(r#"{{"use":"sig","kty":"RSA","kid":"{kid}","alg":"RS256","n":"{n}","e":"AQAB"}}"#)
}

fn read(keys: &[String]) -> Result<KeySet, KeySetError> {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
}

/// The reason one key is skipped, beside a good one.
fn skipped(key: &str) -> String {
    let set = read(&[rsa(KID1, N1), key.to_owned()]).unwrap();
    assert_eq!(set.keys.len(), 1, "{key}");
    set.skipped.first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn upstream_kids_are_the_identity() {
    let set = read(&[rsa(KID1, N1), rsa(KID2, N2)]).unwrap();
    assert_eq!(set.keys[0].key.id().to_string(), KID1);
    assert_eq!(set.keys[1].key.id().to_string(), KID2);
    assert_eq!(set.algorithms(), ["RS256"]);
}

#[test]
fn pem_goes_back_to_the_same_key() {
    let ec = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","kid":"1"}}"#);
    for published in read(&[rsa(KID1, N1), ec]).unwrap().keys {
        let pem = published.key.pem();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n") && pem.ends_with("-----END PUBLIC KEY-----\n"));
        assert!(!pem.contains('\r'));
        let block = pem::parse(pem).unwrap();
        assert_eq!(PublicKey::from_spki(block.contents()).unwrap(), published.key);
    }
}

#[test]
fn odd_encodings_are_the_same_key() {
    use base64::Engine as _;
    let modulus = NUMBER.decode(N1).unwrap();
    let with_zero = base64::engine::general_purpose::URL_SAFE.encode([&[0u8], modulus.as_slice()].concat());
    let odd = format!(r#"{{"kty":"RSA","kid":"x","n":"{with_zero}","e":"AAEAAQ"}}"#);
    let set = read(&[odd]).unwrap();
    assert_eq!(set.keys[0].key.id().to_string(), KID1);
    assert_eq!(set.keys[0].algorithms(), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
}

#[test]
fn the_same_key_twice_is_one_key() {
    assert_eq!(read(&[rsa("a", N1), rsa("b", N1)]).unwrap().keys.len(), 1);
}

/// A JWK of a fresh key on a curve, and its point.
fn fresh(
    alg: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm,
    crv: &str,
) -> (String, aws_lc_rs::signature::EcdsaKeyPair) {
    use aws_lc_rs::signature::KeyPair as _;
    let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(alg).unwrap();
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    // Some servers strip leading zeros, against RFC 7518 section 6.2.1.2.
    let strip = |n: &[u8]| NUMBER.encode(n.iter().copied().skip_while(|b| *b == 0).collect::<Vec<u8>>());
    (format!(r#"{{"kty":"EC","kid":"{crv}","crv":"{crv}","x":"{}","y":"{}"}}"#, strip(x), strip(y)), pair)
}

#[test]
fn every_curve_is_taken_and_verifies() {
    use aws_lc_rs::signature as aws;
    let random = aws_lc_rs::rand::SystemRandom::new();
    for (alg, crv, signing) in [
        ("ES256", "P-256", &aws::ECDSA_P256_SHA256_FIXED_SIGNING),
        ("ES384", "P-384", &aws::ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES512", "P-521", &aws::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        let (jwk, pair) = fresh(signing, crv);
        let set = read(&[rsa(KID1, N1), jwk]).unwrap();
        assert_eq!(set.skipped, [], "{crv}");
        let signature = pair.sign(&random, b"head.claims").unwrap();
        let signer = |alg, signed| super::signer(&set.keys, alg, signed, signature.as_ref());
        assert_eq!(signer(alg, "head.claims").and_then(|k| k.kid.as_deref()), Some(crv));
        assert_eq!(signer(alg, "head.other"), None, "{crv}");
        assert_eq!(signer("RS256", "head.claims"), None, "{crv}");
        assert_eq!(signer("none", "head.claims"), None, "{crv}");
    }
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519","x":"5TdiJTDNM5LkT2PznG0vy3HVhij1aaPMximmmjXjvxY"}"#;
    assert_eq!(read(&[ed25519.to_owned()]).unwrap().algorithms(), ["EdDSA"]);
}

#[test]
fn what_is_skipped_says_why() {
    let short = "wJIVqNSEs_ZgDTqJrmBL4w7S0Q6kvBiLd8yWUJMTpJy6EpX5JXzIUYnJ9yOZZ8nWjiAdPJPvwLsVxKtcPlyLvYQfjN7EQqZ1BBmtp_2HFoC_eBkFCD2eZMr9a1QbwaeVdQ6xqJ3xAzFq0yvRzgPnVZfXhpBm8G5vx5kpVzPSE1k";
    for (key, why) in [
        (
            format!(r#"{{"kty":"RSA","use":"enc","kid":"e","n":"{N2}","e":"AQAB"}}"#),
            "skipped key \"e\": its use is \"enc\", not \"sig\"",
        ),
        (
            format!(r#"{{"kty":"RSA","key_ops":["encrypt"],"n":"{N2}","e":"AQAB"}}"#),
            "skipped a key without kid: its key_ops do not include \"verify\"",
        ),
        (
            format!(r#"{{"kty":"RSA","kid":"s","n":"{short}","e":"AQAB"}}"#),
            "skipped key \"s\": its RSA modulus has 1024 bits (2048 to 8192 are accepted)",
        ),
        (
            format!(r#"{{"kty":"RSA","kid":"f","n":"{N2}","e":"Ag"}}"#),
            "skipped key \"f\": its RSA exponent is 2 (an odd number of at least 65537 is required)",
        ),
        (
            format!(r#"{{"kty":"RSA","kid":"g","n":"{N2}","e":"AgAAAAE"}}"#),
            "skipped key \"g\": its RSA numbers are not a public key",
        ),
        (
            format!(r#"{{"kty":"RSA","kid":"h","alg":"HS256","n":"{N2}","e":"AQAB"}}"#),
            "skipped key \"h\": its algorithm \"HS256\" does not fit a key of this type",
        ),
        (r#"{"kty":"RSA","kid":"m","e":"AQAB"}"#.to_owned(), "skipped key \"m\": it has no \"n\""),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","kid":"o","x":"{X}","y":"{X}"}}"#),
            "skipped key \"o\": its point is not on the curve",
        ),
        (
            format!(r#"{{"kty":"EC","crv":"secp256k1","kid":"k","x":"{X}","y":"{Y}"}}"#),
            "skipped key \"k\": its curve \"secp256k1\" is not supported",
        ),
        (
            r#"{"kty":"AKP","alg":"ML-DSA-44","kid":"pq\u001b[31m"}"#.to_owned(),
            "skipped key \"pq\\u{1b}[31m\": its type \"AKP\" is not supported",
        ),
    ] {
        assert_eq!(skipped(&key), why);
    }
}

#[test]
fn private_members_refuse_the_whole_set() {
    for member in ["d", "p", "k"] {
        let key = format!(r#"{{"kty":"RSA","kid":"x","n":"{N2}","e":"AQAB","{member}":"AAAA"}}"#);
        let error = read(&[rsa(KID1, N1), key]).unwrap_err().to_string();
        assert_eq!(error, format!("it publishes private key material (member \"{member}\" of key \"x\")"));
    }
}

#[test]
fn sets_that_are_none() {
    for (body, words) in [
        ("<html>", "it is not a JWKS: expected value at line 1 column 1"),
        (r#"{"jwks":[]}"#, "it is not a JWKS: missing field `keys` at line 1 column 11"),
        (r#"{"keys":[]}"#, "it holds no key that Vault can verify with"),
        (
            r#"{"keys":[{"kty":"x","kid":"1"}]}"#,
            "it holds no key that Vault can verify with; skipped key \"1\": its type \"x\" is not supported",
        ),
    ] {
        assert_eq!(KeySet::parse(body.as_bytes()).unwrap_err().to_string(), words);
    }
    let many = vec![r#"{"kty":"x"}"#.to_owned(); 101];
    assert_eq!(read(&many).unwrap_err().to_string(), "it holds 101 keys, more than 100");
}
