//! Vault's response to a login, with any content. An input is the status, a line feed, and the
//! body; `$JWT` in the body stands for the token that was sent.
#![no_main]

use fuzz::{holds, shows, shows_lines};
use libfuzzer_sys::{Corpus, fuzz_target};
use shared::Secret;
use shared::mount::MountPath;
use std::sync::LazyLock;
use std::time::Duration;
use vault_jwt_login::command::error::Error;
use vault_jwt_login::command::info_file;
use vault_jwt_login::connection::address::Address;
use vault_jwt_login::files::jwt_claims::DecodedJwt;
use vault_jwt_login::log::{Format, Level};
use vault_jwt_login::vault::error::VaultError;
use vault_jwt_login::vault::login_response::{self, NoLogin};
use vault_jwt_login::vault::target::Target;

/// Nobody's. As long as a short one of Kubernetes.
static JWT: LazyLock<String> = LazyLock::new(|| {
    let part = |seed: &str, times: usize| seed.repeat(times);
    format!("eyJhbGciOiJSUzI1NiJ9.{}.{}", part("eyJpc3Mi", 12), part("Zm9yZ2Vk", 24))
});
/// What is in no input, but in every part of the signature that would be of use.
const SIGNED: &str = "Zm9yZ2VkZm9yZ2Vk";

static TARGET: LazyLock<Target> = LazyLock::new(|| Target {
    address: Address::parse("https://vault:8200").unwrap(),
    namespace: Some("admin/team".to_owned()),
    mount: MountPath::parse("k8s").unwrap(),
    role: None,
});

fuzz_target!(|input: &[u8]| -> Corpus { check(input) });

fn check(input: &[u8]) -> Corpus {
    let Some(end) = input.iter().take(4).position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let status = std::str::from_utf8(&input[..end]).ok().and_then(|text| text.parse().ok());
    let Some(status @ 100..=999) = status else { return Corpus::Reject };
    let raw = &input[end + 1..];
    // Then it may say what it likes: it did not have it from us.
    if holds(raw, SIGNED) {
        return Corpus::Reject;
    }
    let body = expanded(raw);

    match login_response::read(status, &body, &Secret::new(JWT.as_str())) {
        Ok(granted) => {
            assert!((200..300).contains(&status));
            let token = granted.token.expose();
            assert!(!token.is_empty() && token.bytes().all(|byte| (b'!'..=b'~').contains(&byte)), "{token:?}");
            // `{:?}` is what a log would show. An echo of the token elsewhere is not ours to hide.
            assert_eq!(format!("{:?}", granted.token), format!("{:?}", Secret::new("another")));
            let told = info_file::text(&TARGET, &granted, 1_800_000_000);
            assert_eq!(told.matches('\n').count(), 1, "{told:?}");
            let _ = granted.lease.map(shared::duration::short);
        }
        Err(no_login) => {
            match &no_login {
                NoLogin::Refused { words, class } => {
                    assert!(!(200..400).contains(&status));
                    shows(words);
                    // The bound is on what was sent; `\u{202e}` is shown for one character of that.
                    assert!(words.chars().count() <= 8 * shared::text::SHOWN_AT_MOST + 1);
                    // Vault out of order is no refusal of this token, whatever it says.
                    let outage = matches!(status, 412 | 429 | 472 | 473 | 500 | 502..=599);
                    assert_eq!(outage, *class == shared::refusal::Refusal::Unavailable);
                }
                NoLogin::NotVault(why) => shows(why),
                NoLogin::Wrapped => assert!((200..300).contains(&status)),
            }
            let jwt = DecodedJwt::default();
            let (retry_after, took) = (Some(Duration::from_secs(7)), Duration::from_secs(1));
            let error = no_login.into_error(&TARGET, status, retry_after, took, &jwt);
            let is_refusal = matches!(error, VaultError::LoginRefused(_));
            let error = Error::from(error);
            let message = error.message(Level::Error, "");
            assert_eq!(error.exit_code() == 77, is_refusal && message.jwt.is_some());
            let json = message.shown(Format::Json, 1_800_000_000);
            assert!(json.ends_with('\n') && !json.trim_end().contains(char::is_control), "{json:?}");
            assert!(!json.contains(SIGNED), "{json}");
            let lines = message.shown(Format::Text, 1_800_000_000);
            shows_lines(&lines);
            assert!(!lines.contains(SIGNED), "{lines}");
            assert!(lines.lines().count() <= 3, "{lines}");
        }
    }
    Corpus::Keep
}

/// `raw` with the token for `$JWT`.
fn expanded(raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.windows(4).position(|part| part == b"$JWT") {
        body.extend_from_slice(&rest[..at]);
        body.extend_from_slice(JWT.as_bytes());
        rest = &rest[at + 4..];
    }
    body.extend_from_slice(rest);
    body
}
