//! Fills in Krew's template. It supports the functions of krew-release-bot that the template
//! uses: `{{ .TagName }}` and `{{addURIAndSha "URL" .TagName }}`.

/// The line, counted from one, and what is wrong with it.
type Wrong = (usize, String);

/// Fills `text` in. A platform whose archive has no sum is left out. With `base`,
/// that address stands in place of everything before an archive's name.
pub(super) fn render(
    text: &str,
    tag: &str,
    base: Option<&str>,
    sum: impl Fn(&str) -> Option<String>,
) -> Result<String, Wrong> {
    let mut blocks: Vec<Option<String>> = vec![Some(String::new())];
    let mut in_platforms = false;
    for (number, line) in text.lines().enumerate() {
        if in_platforms && line.starts_with("  - ") {
            blocks.push(Some(String::new()));
        }
        in_platforms |= line == "  platforms:";
        let wrong = |cause: &str| (number + 1, format!("{cause}: {}", line.trim()));
        let Some(block) = blocks.last_mut() else { continue };
        let filled = if let Some(call) = line.trim().strip_prefix("{{addURIAndSha \"") {
            let url = call.strip_suffix("\" .TagName }}").ok_or_else(|| wrong("not the call that is known"))?;
            let url = url.replace("{{ .TagName }}", tag);
            let name = url.rsplit('/').next().unwrap_or_default();
            let Some(sha256) = sum(name) else {
                *block = None;
                continue;
            };
            let url = base.map_or_else(|| url.clone(), |base| format!("{}/{name}", base.trim_end_matches('/')));
            let indent = &line[..line.len() - line.trim_start().len()];
            // The bot indents the second line by four, whatever the first has.
            format!("{indent}uri: {url}\n    sha256: {sha256}")
        } else {
            line.replace("{{ .TagName }}", tag)
        };
        if filled.contains("{{") {
            return Err(wrong("a function that is not known"));
        }
        if let Some(block) = block {
            block.push_str(&filled);
            block.push('\n');
        }
    }
    Ok(blocks.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "spec:
  version: {{ .TagName }}
  platforms:
  - bin: a
    {{addURIAndSha \"https://h/{{ .TagName }}/a.tar.gz\" .TagName }}
  - bin: b
    {{addURIAndSha \"https://h/{{ .TagName }}/b.tar.gz\" .TagName }}
";

    #[test]
    fn what_the_bot_would_write() {
        let sums = |name: &str| Some(format!("sum-of-{name}"));
        assert_eq!(
            render(TEMPLATE, "v1", None, sums).unwrap(),
            "spec:\n  version: v1\n  platforms:\n  - bin: a\n    uri: https://h/v1/a.tar.gz\n    sha256: sum-of-a.tar.gz\n  \
             - bin: b\n    uri: https://h/v1/b.tar.gz\n    sha256: sum-of-b.tar.gz\n"
        );
    }

    #[test]
    fn only_what_was_packed_and_from_elsewhere() {
        let sums = |name: &str| (name == "b.tar.gz").then(|| "sum".to_owned());
        assert_eq!(
            render(TEMPLATE, "v1", Some("http://127.0.0.1:1/"), sums).unwrap(),
            "spec:\n  version: v1\n  platforms:\n  - bin: b\n    uri: http://127.0.0.1:1/b.tar.gz\n    sha256: sum\n"
        );
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (line, cause) in [
            ("  {{ .Other }}", "a function that is not known: {{ .Other }}"),
            ("    {{addURIAndSha \"u\" }}", "not the call that is known: {{addURIAndSha \"u\" }}"),
        ] {
            let error = render(&format!("a: b\n{line}\n"), "v1", None, |_| None).unwrap_err();
            assert_eq!(error, (2, cause.to_owned()));
        }
    }
}
