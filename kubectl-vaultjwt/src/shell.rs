//! Quotes text as one word of a shell, in commands that people paste.

use shared::text::one_line;

/// `text` as one word, quoted where it has to be.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// `text` as one quoted word.
pub fn quoted(text: &str) -> String {
    format!("'{}'", one_line(text).replace('\'', r"'\''"))
}

/// The vault CLI's flag for a namespace, as a word of a shell.
pub fn in_namespace(namespace: Option<&str>) -> String {
    namespace.map(|namespace| format!(" -namespace={}", word(namespace))).unwrap_or_default()
}
