//! Escapes text from a server, a token, or a kubeconfig before it is shown: control
//! characters and terminal escapes never reach a terminal.

/// Longest piece of foreign text that is shown, in characters.
pub const SHOWN_AT_MOST: usize = 2_000;

/// `text` with every control character (including ESC, CR and the C1 range)
/// and every bidirectional override written as `\u{..}`, cut after
/// [`SHOWN_AT_MOST`] characters. Tabs become spaces. Line feeds are kept when
/// `keep_lines` is set.
fn escape(text: &str, keep_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_AT_MOST {
            shown.push('…');
            break;
        }
        match c {
            '\n' if keep_lines => shown.push('\n'),
            '\t' => shown.push(' '),
            c if acts(c) => {
                shown.extend(c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Whether a terminal would do something at `c` in place of showing it: control
/// characters (ESC, CR, the C1 range) and what reorders the text around it.
pub fn acts(c: char) -> bool {
    c.is_control() || is_direction_control(c)
}

/// Characters that reorder what is read around them (Unicode TR9, TR36).
fn is_direction_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Foreign text on one line.
pub fn one_line(text: &str) -> String {
    escape(text, false)
}

/// Foreign text whose line breaks mean something (Vault's multi-line errors).
pub fn lines(text: &str) -> String {
    escape(text, true)
}

/// The operating system's reason as one clause: lower case, without the number
/// it gives: `permission denied`.
pub fn os_cause(error: &std::io::Error) -> String {
    lower_first(error.to_string().split(" (os error ").next().unwrap_or_default())
}

/// `text` with a lower-case beginning, unless it begins with an abbreviation
/// such as TLS or I/O.
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_clause() {
        let number = std::io::Error::from_raw_os_error;
        assert_eq!(os_cause(&number(13)), "permission denied");
        assert_eq!(os_cause(&number(2)), "no such file or directory");
        assert_eq!(os_cause(&std::io::Error::other("I/O broke")), "I/O broke");
        assert_eq!(os_cause(&number(111)), "connection refused");
        assert_eq!(lower_first("TLS is off"), "TLS is off");
        assert_eq!(lower_first("Éa"), "éa");
        assert_eq!(lower_first("A thing"), "a thing");
    }

    #[test]
    fn escapes_never_reach_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mred\r\nb\u{9b}"), "a\\u{1b}[31mred\\u{d}\\u{a}b\\u{9b}");
        assert_eq!(lines("a\nb\u{202e}c"), "a\nb\\u{202e}c");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(one_line(&"x".repeat(3_000)).chars().count(), SHOWN_AT_MOST + 1);
    }
}
