//! Row 9: keys whose private half can be computed. On a mount, such a key lets anyone log in.

use super::clusters::victim;
use super::entries::Entry;
use super::scene::Scene;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::each_product;
use harness::server::{Presented, Published, Relay, RelayOptions, Tokens};
use serde_json::{Value, json};
use shared::Secret;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Signs claims with the private exponent for the modulus 2^2203 - 1, a prime number
/// (Mersenne): it is the inverse of 65537 modulo one less (RFC 8017 section 9.2 for the
/// rest).
const SIGN: &str = r#"
import base64, hashlib, sys
prime, size = 2**2203 - 1, 276
text = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=")
message = text(b'{"alg":"RS256","kid":"prime"}') + b"." + text(sys.argv[1].encode())
digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
padded = b"\0\1" + b"\xff" * (size - 3 - len(digest)) + b"\0" + digest
signature = pow(int.from_bytes(padded, "big"), pow(65537, -1, prime - 1), prime)
print((message + b"." + text(signature.to_bytes(size, "big"))).decode(), end="")
"#;

/// 2^2203 - 1, big-endian.
fn prime() -> Vec<u8> {
    [&[7][..], &[0xff; 275]].concat()
}

/// A value in DER, which has lengths as short as they can be.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).expect("short").to_be_bytes();
    let length = if high == 0 && low < 0x80 { vec![low] } else { vec![0x82, high, low] };
    [&[tag][..], &length, content].concat()
}

/// The prime modulus with 65537 as a public key (RFC 8017 appendix A.1.1, in a
/// SubjectPublicKeyInfo).
fn pem() -> String {
    let key = der(0x30, &[der(2, &prime()), der(2, &[1, 0, 1])].concat());
    let algorithm = [0x30, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
    let spki = der(0x30, &[&algorithm[..], &der(3, &[&[0][..], &key].concat())].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(spki))
}

/// A token for shop:app that anybody can sign.
fn anybodys(issuer: &str) -> Secret {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let account = json!({"name": "app", "uid": "0f2e8f5a-8a1f-4d0e-9f3a-3a5c1f0e7b11"});
    let claims = json!({"iss": issuer, "sub": "system:serviceaccount:shop:app", "aud": ["vault"], "iat": now,
        "nbf": now, "exp": now + 3_600, "kubernetes.io": {"namespace": "shop", "serviceaccount": account}});
    let ran = Command::new("python3").args(["-c", SIGN, &claims.to_string()]).output().expect("python3 runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Secret::new(String::from_utf8(ran.stdout).expect("ASCII"))
}

fn ed25519(kid: &str, point: &[u8; 32]) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": URL_SAFE_NO_PAD.encode(point)})
}

each_product!(keys_without_a_secret, |product| {
    let scene = Scene::new(product);
    // That it would be a hole: by hand, such a key lets anybody in.
    let token = anybodys(&victim().issuer());
    let elements = scene.elements();
    scene.put(&[elements.clone(), vec![pem()]].concat());
    assert!(scene.logs_in("app", &token), "void: nobody logs in with the key");
    scene.put(&elements);

    let mut identity = [0; 32];
    identity[0] = 1;
    let rsa = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "prime", "e": "AQAB",
        "n": URL_SAFE_NO_PAD.encode(prime())});
    let options = RelayOptions {
        published: Published::Own,
        tokens: Tokens::Forged,
        uid: Some("5f0c4c44-1111-4222-8333-444455556666".to_owned()),
        further: vec![rsa, ed25519("identity", &identity), ed25519("zero", &[0; 32])],
        ..RelayOptions::default()
    };
    let relay = Relay::start(victim(), &Presented::Own(vec!["weak.example".to_owned()]), options).expect("it starts");
    let weak = Entry { name: "weak", ..Entry::revil(&relay).named("weak.example") };
    let entries = [Entry::prod(), weak];
    let enrolls = ["--same-trust-domain", "--allow-same-issuer", "--allow-existing-roles"];
    for words in [
        &[&["setup", "--context", "weak"], &enrolls[..]].concat()[..],
        &["sync", "--context", "weak"],
        &["sync", "--contexts", "prod,weak"],
    ] {
        let ran = scene.run(words, &entries).ok();
        for said in [
            "skipped key \"prime\": its RSA modulus is a prime number: anyone can compute the private key",
            "skipped key \"identity\": its point has a small order: anyone can forge its signatures",
            "skipped key \"zero\": its point has a small order: anyone can forge its signatures",
        ] {
            scene.expect(
                &words.join(" "),
                ran.stderr.contains(said),
                &format!("not a word of: {said}\n{}", ran.stderr),
            );
        }
        // Its own key is one more; it is the only one.
        let more = scene.elements().len() - elements.len();
        scene.expect(&words.join(" "), more == 1, &format!("{more} keys came with it"));
        scene.expect(&words.join(" "), !scene.logs_in("app", &token), "anybody logs in");
    }
    scene.end();
});
