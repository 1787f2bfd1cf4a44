//! Reads the body of an error response.

use serde::Deserialize;
use shared::Secret;
use shared::refusal::{self, Refusal};
use shared::text::one_line;

/// Most characters that are shown of an answer that is none of Vault's.
const SHOWN_AT_MOST: usize = 300;

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// What a refusal means, and what it says: on one line, safe to show, without
/// the credential `sent`, which an answer may repeat.
pub fn read(status: u16, content: &[u8], sent: &Secret) -> (Refusal, String) {
    // Nor with a part of it that a cut leaves.
    let redacted = |text: &str| text.replace(sent.expose(), "[the token]");
    let said: Vec<String> = match serde_json::from_slice::<Errors>(content) {
        Ok(body) => body.errors.iter().map(|text| redacted(text)).collect(),
        Err(_) => vec![redacted(&String::from_utf8_lossy(content)).chars().take(SHOWN_AT_MOST).collect()],
    };
    // Vault's own errors break lines.
    let words: Vec<&str> = said.iter().flat_map(|text| text.split_whitespace()).collect();
    (refusal::classify(status, &said), one_line(&words.join(" ")))
}

/// What Vault said.
pub fn or_no_reason(words: &str) -> &str {
    if words.is_empty() { "no reason given" } else { words }
}
