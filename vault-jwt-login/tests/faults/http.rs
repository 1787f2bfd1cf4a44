//! Servers that do not respond, or respond with something other than a login.

use crate::server::{Fault, Server, granted, json, status};
use crate::{Case, JWT, Many, Times, Tries, Unheard, check};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::{SystemTime, UNIX_EPOCH};

/// Name, fault, exit code, attempts, and words of the error.
fn table() -> Vec<(&'static str, Fault, i32, Tries, &'static str)> {
    let to = |code: u16, place: &str| status(code, &format!("location: {place}\r\n"), "");
    let signature = "error validating token: error verifying token signature: no known key successfully validated the token signature";
    vec![
        ("refused", Fault::Nobody, 69, Unheard, "connection refused"),
        ("hangs up", Fault::HangUp, 69, Many, "could not reach Vault"),
        ("ends in the header", Fault::Send("HTTP/1.1 2".into()), 69, Many, "could not reach Vault"),
        (
            "ends in the body",
            Fault::Send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".into()),
            69,
            Many,
            "could not reach Vault",
        ),
        (
            "a byte now and then",
            Fault::Drip("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".into()),
            69,
            Times(1),
            "did not respond within 1s",
        ),
        ("silence", Fault::Silence, 69, Times(1), "did not respond within 1s"),
        ("a body without end", Fault::Endless, 69, Times(1), "1048576 bytes"),
        (
            "a bad chunk",
            Fault::Send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n".into()),
            69,
            Many,
            "could not reach Vault",
        ),
        ("no HTTP", Fault::Greet("SSH-2.0-OpenSSH_9.2\r\n"), 69, Many, "could not reach Vault"),
        ("JSON that ends early", status(200, "", "{\"auth\":{\"client_tok"), 69, Times(1), "something that is no JSON"),
        ("JSON of another shape", status(200, "", "{\"auth\":[1,2]}"), 69, Times(1), "JSON that is no login"),
        ("no token", status(200, "", "{\"data\":{}}"), 69, Times(1), "without a token"),
        (
            "a token with control characters",
            status(200, "", "{\"auth\":{\"client_token\":\"hvs.\\u001b[2J\"}}"),
            69,
            Times(1),
            "unprintable token",
        ),
        ("HTML", status(200, "", "<html>hello</html>"), 69, Times(1), "something that is no JSON"),
        ("301 to another host", to(301, "http://vault.example.com/v1/x"), 69, Times(1), "vault.example.com"),
        ("302 to another host", to(302, "http://vault.example.com/v1/x"), 69, Times(1), "vault.example.com"),
        ("307 to another host", to(307, "http://vault.example.com/v1/x"), 69, Many, "vault.example.com"),
        ("301 to itself, without end", to(301, "/v1/x"), 69, Times(2), "a second redirect"),
        ("302 to itself, without end", to(302, "http://127.0.0.1:PORT/v1/x"), 69, Times(2), "a second redirect"),
        ("307 to itself, without end", to(307, "/v1/x"), 69, Times(2), "a second redirect"),
        ("308 to itself, without end", to(308, "/v1/x"), 69, Times(2), "a second redirect"),
        ("303 to itself", to(303, "/v1/x"), 69, Times(1), "status 303"),
        ("308 to no place", status(308, "", ""), 69, Times(1), "without a usable location"),
        ("400", json(400, "missing role"), 77, Times(1), "status 400"),
        ("400, the signature", json(400, signature), 77, Many, "no known key"),
        ("403", json(403, "permission denied"), 77, Times(1), "status 403"),
        ("404", json(404, "no handler for route"), 77, Times(1), "status 404"),
        ("412", json(412, "required index state not present"), 69, Many, "status 412"),
        ("429", json(429, "rate limit quota exceeded"), 69, Many, "status 429"),
        ("429 for an hour", status(429, "retry-after: 3600\r\n", "{\"errors\":[\"busy\"]}"), 69, Many, "status 429"),
        ("472", status(472, "", ""), 69, Many, "status 472"),
        ("473", status(473, "", ""), 69, Many, "status 473"),
        ("500", json(500, "internal error"), 69, Many, "status 500"),
        ("503", json(503, "Vault is sealed"), 69, Many, "status 503"),
    ]
}

#[test]
fn answers_of_all_kinds() {
    let case = |(name, fault, code, tries, words)| Case::new(name, Server::plain(fault), code, tries, words);
    check(table().into_iter().map(case).collect());
}

/// A JWT that is valid from `from` to `until`, in seconds from now.
fn jwt(from: i64, until: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = format!("{{\"iss\":\"x\",\"nbf\":{},\"exp\":{}}}", now + from, now + until);
    let (header, signature) = JWT.split_once('.').map(|(h, rest)| (h, rest.rsplit('.').next().unwrap())).unwrap();
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims))
}

/// This clock may be the wrong one: Vault says what is valid.
#[test]
fn a_clock_that_is_an_hour_off() {
    let (ahead, behind) = (jwt(-7_200, -3_595), jwt(3_600, 7_200));
    let plain = Server::plain;
    check(vec![
        Case::new("this clock is ahead, Vault's is right", plain(granted()), 0, Times(1), "").jwt(ahead.clone()),
        Case::new("this clock is behind, Vault's is right", plain(granted()), 0, Times(1), "").jwt(behind.clone()),
        Case::new(
            "expired, says Vault",
            plain(json(400, "error validating token: invalid expiration time (exp) claim: token is expired")),
            77,
            Many,
            " ago by this clock)",
        )
        .jwt(ahead),
        Case::new(
            "not valid yet, says Vault",
            plain(json(400, "error validating token: invalid not before (nbf) claim: token not yet valid")),
            77,
            Many,
            "hint: compare the clocks",
        )
        .jwt(behind),
    ]);
}
