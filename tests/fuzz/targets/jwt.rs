//! Reading a JWT. An input is a file's content or, if it begins with `{`, the JSON of a header, a
//! line feed and the JSON of the claims, from which a token is made: mutations of base64 seldom
//! reach the claims.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fuzz::{holds, shows};
use libfuzzer_sys::fuzz_target;
use shared::jwt;
use vault_jwt_login::files::jwt_file::{self, Jwt, NoJwt};

/// Nobody's signature.
const SIGNATURE: &str = "dGhpcyBpcyBubyBzaWduYXR1cmUsIGp1c3QgYnl0ZXM";

fuzz_target!(|input: &[u8]| {
    if !input.starts_with(b"{") {
        look(input);
        return;
    }
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, claims) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let token = format!("{}.{}.{SIGNATURE}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let found = look(token.as_bytes());
    // A claim may say anything, and so the same.
    if let Some(jwt) = found.filter(|_| !holds(input, SIGNATURE)) {
        assert!(!jwt.decoded.line(0).contains(SIGNATURE));
    }
    // Members in any order and with any white space around them say the same.
    let around = format!(" \t\r\n{token}\n");
    assert_eq!(look(around.as_bytes()).map(|jwt| jwt.decoded), look(token.as_bytes()).map(|jwt| jwt.decoded));
});

fn look(content: &[u8]) -> Option<Jwt> {
    match jwt_file::decode(content) {
        Ok(jwt) => {
            let token = jwt.secret.expose();
            // It is what stands in the file, and goes through an HTTP client as it is.
            assert_eq!(token, std::str::from_utf8(content).unwrap().trim());
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token:?}");
            assert!(token.len() <= jwt::LARGEST);
            let parts = jwt::segments(token).unwrap();
            let encoded = [&parts.header, &parts.claims, &parts.signature].map(|part| URL_SAFE_NO_PAD.encode(part));
            assert_eq!(encoded.join("."), token);
            assert_eq!(format!("{}.{}", encoded[0], encoded[1]), parts.signed);
            // Read again it says the same, but for a number that equals nothing.
            assert_eq!(jwt_file::decode(token.as_bytes()).unwrap().decoded, jwt.decoded);
            for now in [0, 1_800_000_000, i64::MAX, i64::MIN] {
                let line = jwt.decoded.line(now);
                shows(&line);
                assert!(!line.contains(token));
            }
            shows(&jwt.decoded.audiences());
            if let Some(account) = jwt.decoded.service_account() {
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
                assert!(account.bytes().all(plain), "{account:?}");
                assert_eq!(account.matches(':').count(), 1, "{account:?}");
            }
            Some(jwt)
        }
        Err(NoJwt::Empty) => {
            assert!(std::str::from_utf8(content).unwrap().trim().is_empty());
            None
        }
        Err(NoJwt::Other(why)) => {
            shows(&why);
            // Nothing of the file is in it: only what we say ourselves.
            assert!(why.starts_with("it ") || why.starts_with("its "), "{why:?}");
            assert!(why.len() < 50, "{why:?}");
            None
        }
    }
}
