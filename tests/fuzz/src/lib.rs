//! Checks that several fuzz targets share.

/// Panics where a terminal would do something at a character of `text` in
/// place of showing it. Written apart from `shared::text`, which is what this
/// checks: U+0000 to U+001F, U+007F to U+009F, and what reorders text.
pub fn shows(text: &str) {
    for character in text.chars() {
        let acts = matches!(
            character,
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        assert!(!acts, "{character:?} in {text:?}");
    }
}

/// As [`shows`], for a text of whole lines.
pub fn shows_lines(text: &str) {
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines().for_each(shows);
}

/// Whether `bytes` hold `text`.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}
