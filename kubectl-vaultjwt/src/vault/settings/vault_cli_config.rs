//! Reads the vault CLI's configuration (`~/.vault`), which has one setting: `token_helper`.
//!
//! The file is HCL (version 1) or JSON, and the CLI refuses every other key (Vault
//! `api/cliconfig/config.go` `parseConfig`). The HCL crates for Rust (hcl-rs, hcl-edit)
//! read version 2 with its templates and functions: a heavy parser of another language for
//! one string. So the one assignment is read here, and strictly: whatever is not understood
//! for certain is refused. Ignoring it would end with another token from an older file.
//!
//! No error shows content: a password of Ansible's is known to be found under this name.

use serde::Deserialize;

/// The token helper that the configuration names; `None` where it names none.
/// The error is a clause.
pub fn token_helper(content: &[u8]) -> Result<Option<String>, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())?;
    // The CLI tells the two apart by the first character (hcl `lexMode`).
    let helper = if text.trim_start().starts_with('{') { json(text).map(Some) } else { hcl(text) };
    // An empty one is none, as in the CLI.
    helper.map(|helper| helper.filter(|helper| !helper.is_empty()))
}

fn json(text: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        token_helper: String,
    }
    serde_json::from_str(text)
        .map(|config: Config| config.token_helper)
        .map_err(|e| format!("line {} is not of the form {{\"token_helper\": \"/path\"}}", e.line()))
}

fn hcl(text: &str) -> Result<Option<String>, String> {
    let at = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    let other = |rest: &str| format!("line {} is not of the form token_helper = \"/path\"", at(rest));
    let start = after_blanks(text).map_err(other)?;
    if start.is_empty() {
        return Ok(None);
    }
    let (helper, rest) = assignment(start).ok_or_else(|| other(start))?;
    let end = after_blanks(rest).map_err(other)?;
    match assignment(end) {
        _ if end.is_empty() => Ok(Some(helper)),
        Some(_) => Err(format!("line {} sets token_helper again", at(end))),
        None => Err(other(end)),
    }
}

/// What follows blanks, line breaks and comments. The error is where a comment
/// begins that does not end.
fn after_blanks(text: &str) -> Result<&str, &str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.starts_with('#') || rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, next)| next);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").ok_or(rest)?.1;
        } else {
            return Ok(rest);
        }
    }
}

/// `token_helper = "…"` on one line: the value and what follows.
fn assignment(text: &str) -> Option<(String, &str)> {
    let key = text.strip_prefix("token_helper").or_else(|| text.strip_prefix("\"token_helper\""))?;
    let blank = [' ', '\t'];
    let value = key.trim_start_matches(blank).strip_prefix('=')?.trim_start_matches(blank);
    let mut chars = value.strip_prefix('"')?.chars();
    let mut helper = String::new();
    loop {
        match chars.next()? {
            '"' => return Some((helper, chars.as_str())),
            '\\' => helper.push(escaped(&mut chars)?),
            // HCL 1 keeps `${…}` for a program to fill in; the CLI does not.
            '$' if chars.as_str().starts_with('{') => return None,
            c if c.is_control() => return None,
            c => helper.push(c),
        }
    }
}

/// The character that an escape stands for, after its backslash. HCL has
/// others too (octal, single bytes); a path has no use for them.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        c @ ('"' | '\\') => return Some(c),
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let number = (0..digits).try_fold(0_u32, |number, _| {
        let digit = chars.next()?.to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    })?;
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Option<String> {
        token_helper(text.as_bytes()).unwrap()
    }

    fn why(text: &str) -> String {
        token_helper(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_helper_is_read_from_hcl() {
        for text in [
            "token_helper = \"/bin/x\"",
            "token_helper=\"/bin/x\"\r\n",
            "\"token_helper\"\t=\t\"/bin/x\" # why",
            "# token_helper = \"/old\"\n// more\n/* a\nb */ token_helper = \"/bin/x\" // why\n/**/",
        ] {
            assert_eq!(named(text).as_deref(), Some("/bin/x"), "{text}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(named(r#"token_helper = "C:\\a b\\\"x\"""#).as_deref(), Some(r#"C:\a b\"x""#));
        assert_eq!(named(r#"token_helper = "/\u00e9\U0001F511\t\r\n$x""#).as_deref(), Some("/é🔑\t\r\n$x"));
    }

    #[test]
    fn a_helper_is_read_from_json() {
        assert_eq!(named("\n {\"token_helper\": \"/bin/\\u0078\"}\n").as_deref(), Some("/bin/x"));
    }

    #[test]
    fn none_is_named() {
        for text in ["", " \n", "# token_helper = \"/x\"", "/* token_helper = \"/x\" */", "token_helper = \"\"", "{}"] {
            assert_eq!(named(text), None, "{text}");
        }
        assert_eq!(named("{\"token_helper\": \"\"}"), None);
    }

    #[test]
    fn what_is_not_surely_understood_is_refused_by_its_line() {
        for (text, line) in [
            ("hunter2", 1),
            ("# a\n\nother = \"x\"", 3),
            ("token_helper = \"/x\"\nother = \"x\"", 2),
            ("token_helper = \"/x\", ", 1),
            ("token_helper = /x", 1),
            ("token_helper = 'x'", 1),
            ("token_helper: \"/x\"", 1),
            ("token_helper \"/x\" {}", 1),
            ("token_helper = [\"/x\"]", 1),
            ("token_helper = <<E\n/x\nE\n", 1),
            ("token_helper =\n\"/x\"", 1),
            ("token_helper = \"/x", 1),
            ("token_helper = \"/x\ny\"", 1),
            ("token_helper = \"/x${y}\"", 1),
            ("token_helpers = \"/x\"", 1),
            ("\n/* token_helper = \"/x\"", 2),
            ("/ token_helper = \"/x\"", 1),
            (r#"token_helper = "\x41""#, 1),
            (r#"token_helper = "\101""#, 1),
            (r#"token_helper = "\u00g0""#, 1),
            (r#"token_helper = "\ud800""#, 1),
            (r#"token_helper = "\UFFFFFFFF""#, 1),
            ("\u{feff}token_helper = \"/x\"", 1),
        ] {
            assert_eq!(why(text), format!("line {line} is not of the form token_helper = \"/path\""), "{text}");
        }
        assert_eq!(why("token_helper = \"/x\"\n\ntoken_helper = \"/x\""), "line 3 sets token_helper again");
        for text in [
            "{",
            "{\"token_helper\": null}",
            "{\"token_helper\": [\"/x\"]}",
            "{\"token_helper\": \"/x\", \"token_helper\": \"/x\"}",
            "{\"hunter2\": 1}",
            "{\"token_helper\": \"/x\"} x",
        ] {
            assert_eq!(why(text), "line 1 is not of the form {\"token_helper\": \"/path\"}", "{text}");
        }
        assert_eq!(token_helper(b"token_helper = \"/\xff\""), Err("it is not UTF-8 text".into()));
    }
}
