//! Decides what reaches a terminal beyond plain ASCII: colors, and the program's few signs
//! outside ASCII.
//!
//! Colors are shown where `--color` says so; by default, on a terminal that is not dumb,
//! unless NO_COLOR is set (anstream decides). Signs are shown unless the locale says that
//! the terminal has another encoding than UTF-8.

use std::borrow::Cow;
use std::sync::OnceLock;

/// The program's signs in what the terminal's encoding has. Each takes one column in
/// a table either way.
pub fn signs(text: &str) -> Cow<'_, str> {
    static UTF8: OnceLock<bool> = OnceLock::new();
    if *UTF8.get_or_init(|| is_utf8(|name| std::env::var(name).ok())) { Cow::Borrowed(text) } else { ascii(text) }
}

fn ascii(text: &str) -> Cow<'_, str> {
    if text.contains(['✓', '…']) {
        Cow::Owned(text.replace('✓', "+").replace('…', "~"))
    } else {
        Cow::Borrowed(text)
    }
}

/// As POSIX orders them: the first that is set and not empty. Where none is, it
/// is a container or Windows, and UTF-8 nowadays.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    set.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_as_posix_orders_it() {
        for (set, utf8) in [
            (&[][..], true),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8")], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "POSIX")], false),
            (&[("LANG", "de_DE.ISO-8859-1")], false),
            (&[("LANG", "C.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "C"), ("LC_CTYPE", "en_US.UTF-8")], true),
            (&[("LANG", "C"), ("LC_CTYPE", "en_US.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "C"), ("LC_ALL", "")], false),
        ] {
            let found = is_utf8(|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned()));
            assert_eq!(found, utf8, "{set:?}");
        }
    }

    #[test]
    fn signs_have_a_twin_of_the_same_width() {
        assert_eq!(ascii("✓ done: oidc.…d/abc"), "+ done: oidc.~d/abc");
        assert_eq!(ascii("plain"), "plain");
    }
}
