//! Decides what is offered to a shell, and escapes it. A shell puts a candidate into the
//! command line unchanged, and runs the line when the person presses Enter; names come from
//! kubeconfigs, clusters, and Vault, whose authors are not always trusted. So what a shell
//! would not read as one plain word is not offered.

use shared::text::{acts, one_line};

/// How a word could go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) value: String,
    pub(super) description: String,
}

/// What the shell does with the candidates, in cobra's numbers: 2 is no space after one, 4 no
/// file beside them, 16 a folder in place of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Values = 4,
    /// The word is not at its end.
    Unfinished = 2 + 4,
    Files = 0,
    Folders = 16,
}

impl Candidate {
    pub(super) fn plain(value: impl Into<String>) -> Self {
        Self { value: value.into(), description: String::new() }
    }

    /// With the first line of a text to describe it.
    pub(super) fn described(value: impl Into<String>, text: Option<impl ToString>) -> Self {
        let text = text.map(|text| text.to_string()).unwrap_or_default();
        Self { value: value.into(), description: one_line(text.lines().next().unwrap_or_default()) }
    }

    /// Whether it begins with what is typed, and may be offered.
    pub(super) fn continues(&self, typed: &str) -> bool {
        self.value.starts_with(typed) && is_plain(&self.value)
    }
}

/// Whether every shell takes it as one word that means itself. No word that begins
/// with a colon either: as the last line it would be the directive.
fn is_plain(value: &str) -> bool {
    const ACTIVE: &str = "\"'`$\\!&|;<>()[]{}*?#~^";
    !value.is_empty()
        && !value.starts_with([':', '=', '@', ','])
        && !value.chars().any(|c| acts(c) || c.is_whitespace() || ACTIVE.contains(c))
}

pub(super) fn text(candidates: &[Candidate], with_descriptions: bool, directive: Directive) -> String {
    let mut text = String::new();
    for Candidate { value, description } in candidates {
        text.push_str(value);
        let description = description.trim();
        if with_descriptions && !description.is_empty() {
            text.push('\t');
            text.push_str(description);
        }
        text.push('\n');
    }
    text.push_str(&format!(":{}\n", directive as u8));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_act_on_is_not_offered() {
        for plain in
            ["prod", "arn:aws:eks:us-east-1:1:cluster/a", "admin@prod.example.com", "shop:app", "a_b-c.d", "--as", "é"]
        {
            assert!(is_plain(plain), "{plain}");
        }
        for active in [
            "",
            "a b",
            "a\tb",
            "a\nb",
            "a\u{1b}[31m",
            "a\r",
            "a\u{202e}b",
            "a\u{a0}b",
            "$(touch x)",
            "`x`",
            "a;b",
            "a|b",
            "a&b",
            "a>b",
            "'a'",
            "\"a",
            "a\\b",
            "a*",
            "~a",
            "#a",
            "a!b",
            "{a,b}",
            ":4",
            "=ls",
        ] {
            assert!(!is_plain(active), "{active}");
        }
    }

    #[test]
    fn the_text_is_cobras() {
        let candidates = [Candidate::described("a", Some("One\nTwo\u{1b}")), Candidate::plain("b")];
        assert_eq!(text(&candidates, true, Directive::Values), "a\tOne\nb\n:4\n");
        assert_eq!(text(&candidates, false, Directive::Unfinished), "a\nb\n:6\n");
        assert_eq!(text(&[], true, Directive::Files), ":0\n");
        assert_eq!(text(&[], true, Directive::Folders), ":16\n");
        let tab = Candidate::described("a", Some("x\ty\u{7}"));
        assert_eq!(tab.description, "x y\\u{7}");
    }
}
