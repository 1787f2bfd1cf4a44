//! Checks what documents and workflows name: links and their anchors, files, cargo's aliases, and
//! actions by their commits. No network.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::tools::typed;
use harness::workspace::root;

/// Files of this kind below a folder that git would keep.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root(), ".md", &mut found);
    assert!(found.len() >= 8, "{found:?}");
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Without what stands in code blocks.
fn prose(markdown: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            lines.push(line);
        }
    }
    lines
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(markdown) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut unique = slug.clone();
        let mut number = 0;
        while !anchors.insert(unique.clone()) {
            number += 1;
            unique = format!("{slug}-{number}");
        }
    }
    anchors
}

/// Where the links of a text lead.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let sources = text.split("src=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    targets.chain(sources).map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut count = 0;
    for (path, text) in documents() {
        for link in links(&prose(&text).join("\n")) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: \"{link}\" leads to no file", path.display());
            if !anchor.is_empty() {
                let found = anchors(&fs::read_to_string(&target).unwrap());
                assert!(found.contains(anchor), "{}: no \"#{anchor}\" among {found:?}", path.display());
            }
        }
    }
    assert!(count >= 10, "only {count} links were found");
}

#[test]
fn anchors_are_those_of_github() {
    let text = "# A title: `x`, and *more*\n```\n# no title\n```\n## Twice\n## Twice\n#no title\n";
    let expected = ["a-title-x-and-more", "twice", "twice-1"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
}

#[test]
fn every_file_that_documents_on_the_code_name_exists() {
    let mut documents = vec![root().join("docs/architecture.md"), root().join("docs/threat-model.md")];
    files(&root().join("docs/decisions"), ".md", &mut documents);
    let texts = documents.iter().map(|document| fs::read_to_string(document).unwrap());
    let text = texts.collect::<Vec<_>>().join("\n\n");
    let places =
        ["", "kubectl-vaultjwt/src", "vault-jwt-login/src", "tests", "tests/src"].map(|place| root().join(place));
    let mut count = 0;
    for name in prose(&text).join("\n").split('`').skip(1).step_by(2) {
        // `file.rs::test`
        let name = name.split_once("::").map_or(name, |(file, _)| if file.ends_with(".rs") { file } else { name });
        let is_path = !name.contains([' ', '<', '{', ':']) && (name.ends_with('/') || name.ends_with(".rs"));
        if is_path && !name.starts_with('/') {
            count += 1;
            assert!(places.iter().any(|place| place.join(name).exists()), "there is no \"{name}\"");
        }
    }
    assert!(count >= 30, "only {count} paths were found");
}

#[test]
fn every_cargo_command_exists() {
    let config = fs::read_to_string(root().join(".cargo/config.toml")).unwrap();
    let mut count = 0;
    for (path, text) in documents() {
        for block in
            typed::blocks(&text).into_iter().filter(|block| ["", "console", "sh"].contains(&block.language.as_str()))
        {
            for line in block.text.lines() {
                let Some(command) = line.trim_start_matches("$ ").strip_prefix("cargo ") else { continue };
                let name = command.split_whitespace().next().unwrap_or_default();
                let known = ["test", "install", "build", "audit"].contains(&name);
                assert!(known || config.contains(&format!("\n{name} = ")), "{}: {line}", path.display());
                count += 1;
            }
        }
    }
    assert!(count >= 10, "only {count} commands were found");
}

#[test]
fn workflows_have_pinned_actions_and_the_least_rights() {
    let mut found = Vec::new();
    files(&root().join(".github/workflows"), ".yml", &mut found);
    assert!(found.len() >= 2, "{found:?}");
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions: {}\n"), "{}", path.display());
        let (_, jobs) = text.split_once("\njobs:\n").unwrap();
        let is_job = |line: &&str| line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        let count = jobs.lines().filter(is_job).count();
        assert_eq!(jobs.lines().filter(|line| *line == "    permissions:").count(), count, "{}", path.display());
        assert_eq!(jobs.matches("    timeout-minutes: ").count(), count, "{}", path.display());
        for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            let (action, version) = line.split_once(" # v").unwrap_or_else(|| panic!("no version beside {line}"));
            let (_, commit) = action.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
        }
    }
}
