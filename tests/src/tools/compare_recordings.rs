//! Compares two recordings: what differs in every run is replaced by a number in the
//! order of its first appearance, and what is left must be the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::{fs, io};

use crate::recording::BLOCK;

/// How the tests of two recordings compare.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Tests with the same blocks in the same order.
    pub same: BTreeSet<String>,
    /// Tests with the same blocks, but lines in another order.
    pub reordered: BTreeSet<String>,
    /// Tests whose blocks differ, each with the kinds of blocks that do.
    pub different: BTreeMap<String, BTreeSet<String>>,
    /// Tests that only one of the recordings has.
    pub alone: BTreeSet<String>,
}

/// Compares the recordings in two folders. A test may have moved into a folder: its new
/// name then ends with the old one.
///
/// # Errors
/// A folder or a file cannot be read.
pub fn compare(before: &Path, after: &Path) -> io::Result<Comparison> {
    let (before, after) = (read(before)?, read(after)?);
    let (mut comparison, mut matched) = (Comparison::default(), BTreeSet::new());
    for (test, old) in &before {
        let Some((moved, new)) = found(&after, test) else {
            comparison.alone.insert(test.clone());
            continue;
        };
        matched.insert(moved.clone());
        let kinds = differences(old, new);
        if kinds.is_empty() {
            let (old, new) = (normalize(old), normalize(new));
            let into = if old == new { &mut comparison.same } else { &mut comparison.reordered };
            into.insert(test.clone());
        } else {
            comparison.different.insert(test.clone(), kinds);
        }
    }
    comparison.alone.extend(after.into_keys().filter(|test| !matched.contains(test)));
    Ok(comparison)
}

/// The recording of a test under its name, or under the only name that ends with it.
fn found<'a>(after: &'a BTreeMap<String, String>, test: &str) -> Option<(&'a String, &'a String)> {
    let exact = after.get_key_value(test);
    let end = format!(".{test}");
    let mut moved = after.iter().filter(|(name, _)| name.ends_with(&end));
    exact.or_else(|| moved.next().filter(|_| moved.next().is_none()))
}

/// The recording of one test as it is compared.
///
/// # Errors
/// The file cannot be read.
pub fn normalized(file: &Path) -> io::Result<String> {
    fs::read_to_string(file).map(|text| normalize(&text))
}

/// Each test's recording, by the test's name.
fn read(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut tests = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        tests.insert(name, fs::read_to_string(&path)?);
    }
    Ok(tests)
}

/// The kinds of blocks that two recordings do not share, whatever their order.
fn differences(old: &str, new: &str) -> BTreeSet<String> {
    let (old, new) = (blocks(old), blocks(new));
    let kinds: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    kinds.into_iter().filter(|kind| old.get(*kind) != new.get(*kind)).cloned().collect()
}

/// The lines of each kind of block, sorted. Values that differ in every run are
/// replaced without a number: the order of appearance is not looked at here.
fn blocks(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for block in text.split(BLOCK).filter(|block| !block.is_empty()) {
        let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
        let lines = text
            .lines()
            .filter(|line| kind != "audit" || is_ours(line))
            .map(|line| replace(line, &mut |kind, _| format!("<{kind}>")));
        blocks.entry(kind.to_owned()).or_default().extend(lines);
    }
    blocks.values_mut().for_each(|lines| lines.sort());
    blocks
}

/// Whether one of the programs under test sent a request of the audit log.
fn is_ours(line: &str) -> bool {
    ["kubectl-vaultjwt/", "vault-jwt-login/"]
        .iter()
        .any(|program| line.contains(&format!("\"user-agent\":[\"{program}")))
}

/// Replaces what differs in every run by a number in the order of appearance.
fn normalize(text: &str) -> String {
    let mut seen: HashMap<String, usize> = HashMap::new();
    replace(text, &mut |kind, value| {
        if kind == "time" {
            return "<time>".to_owned();
        }
        let next = seen.len() + 1;
        format!("<{kind} {}>", seen.entry(value.to_owned()).or_insert(next))
    })
}

/// Numbers of JSON members and of texts that are times.
const TIMES: [&str; 11] = [
    "\"duration\":",
    "\"ttl\":",
    "\"token_ttl\":",
    "\"lease_duration\":",
    "\"remote_port\":",
    "\"issue_time\":",
    "\"creation_time\":",
    "\"last_renewal_time\":",
    "\"waited_ms\":",
    "\"seconds\":",
    "\"took_ms\":",
];

/// Passes each word that differs in every run, with its kind, to `name`.
fn replace(text: &str, name: &mut impl FnMut(&str, &str) -> String) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-+/=.:~".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(key) = TIMES.iter().find(|key| rest.starts_with(**key)) {
            let value = &rest[key.len()..];
            let length = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').len();
            out.push_str(key);
            out.push_str("<time>");
            rest = &value[length..];
            continue;
        }
        let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
        if length == 0 {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..next]);
            rest = &rest[next..];
            continue;
        }
        let (word, behind) = rest.split_at(length);
        word_of(word, name, &mut out);
        rest = behind;
    }
    out
}

/// One word: as it is, or the parts of it that differ in every run replaced.
fn word_of(word: &str, name: &mut impl FnMut(&str, &str) -> String, out: &mut String) {
    if is_time(word) {
        out.push_str(&name("time", word));
        return;
    }
    // A checkout and the folders of the harness are elsewhere in each run.
    if let Some((_, rest)) = word.split_once("/target/") {
        out.push_str("<checkout>/target/");
        return word_of(rest, name, out);
    }
    // Base64 has slashes and plus signs of its own.
    if word.len() >= 40 && is_mixed(word) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) {
        out.push_str(&name("value", word));
        return;
    }
    // Addresses, paths and hashes are made of parts of which each can be foreign.
    for part in word.split_inclusive(['/', ':', '.', '=']) {
        let bare = part.trim_end_matches(['/', ':', '.', '=']);
        if is_time(bare) {
            out.push_str(&name("time", bare));
        } else if is_random(bare) {
            out.push_str(&name("value", bare));
        } else {
            out.push_str(bare);
        }
        out.push_str(&part[bare.len()..]);
    }
}

/// RFC 3339, or a number with a unit (`3s`, `720h`, `1m30s`, `12ms`).
fn is_time(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    let date = word.len() >= 19 && word.as_bytes()[4] == b'-' && word.as_bytes()[10] == b'T' && word.is_ascii();
    let digits = word.starts_with(|c: char| c.is_ascii_digit());
    let unit =
        digits && word.ends_with(['s', 'm', 'h']) && word.chars().all(|c| c.is_ascii_digit() || "dhms.".contains(c));
    date || unit
}

/// A port, a name with a random end, a key, a hash, an identifier.
fn is_random(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let upper = is_mixed(word);
    let port = letters == 0 && digits == word.len() && (4..=5).contains(&digits);
    let long_number = letters == 0 && digits == word.len() && digits > 8;
    // Names of folders end in six random characters.
    let folder = !word.ends_with("sha256")
        && word.rsplit_once('-').is_some_and(|(_, end)| {
            end.len() >= 6 && end.bytes().any(|b| b.is_ascii_digit()) && end.bytes().all(|b| b.is_ascii_alphanumeric())
                || end.len() == 6 && end.bytes().any(|b| b.is_ascii_uppercase())
        });
    // The harness numbers its folders: `28-fixture`.
    let numbered = word.split_once('-').is_some_and(|(number, _)| {
        !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit())
    });
    // Names that the harness counts: `test-12`, `12.kubeconfig`.
    let counted = word.split_once('-').is_some_and(|(name, number)| {
        ["test", "api", "kind"].contains(&name) && number.bytes().all(|b| b.is_ascii_digit())
    });
    // Accessors of mounts: `system_ba8e7104`.
    let accessor = word.rsplit_once('_').is_some_and(|(_, end)| {
        end.len() == 8 && end.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    });
    let value = word.len() >= 16 && (digits >= 3 || digits >= 1 && upper) && letters > 0;
    let short = word.len() >= 8 && digits >= 1 && is_mixed(word) && changes_of_case(word) >= 4;
    let key = word.len() >= 14 && changes_of_case(word) >= 5;
    let temporary = word.starts_with(".tmp");
    let hex = word.len() == 8 && digits >= 1 && letters >= 1 && word.bytes().all(|b| b"0123456789abcdef".contains(&b));
    // The last line of an RSA key in PEM.
    let key = key || hex || word.ends_with("IDAQAB");
    port || long_number || folder || numbered || counted || accessor || value || short || key || temporary
}

fn is_mixed(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_uppercase()) && word.bytes().any(|b| b.is_ascii_lowercase())
}

/// How often the case of neighboring letters changes: often in base64, rarely in words.
fn changes_of_case(word: &str) -> usize {
    let letters: Vec<bool> = word.bytes().filter(u8::is_ascii_alphabetic).map(|b| b.is_ascii_uppercase()).collect();
    letters.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_run_are_numbered() {
        let text = "at 2026-11-30T10:00:00Z https://127.0.0.1:41234/v1/auth/jwt hvs.CAESIAbc123def456ghi789 127.0.0.1:41234\n\
                    accessor hmac-sha256:9f86d081884c7d659a2feaa0c55ad015 in 3s \"ttl\": 17, \"role\": \"app\"";
        assert_eq!(
            normalize(text),
            "at <time> https://127.0.0.1:<value 1>/v1/auth/jwt hvs.<value 2> 127.0.0.1:<value 1>\n\
             accessor hmac-sha256:<value 3> in <time> \"ttl\":<time>, \"role\": \"app\""
        );
    }

    #[test]
    fn a_test_that_moved_is_found_once() {
        let after = ["plugin.setup.twice", "pod.login.twice", "setup.exact"];
        let after = after.map(|name| (name.to_owned(), String::new())).into_iter().collect();
        let named = |test: &str| found(&after, test).map(|(name, _)| name.as_str());
        assert_eq!(named("setup.twice"), Some("plugin.setup.twice"));
        assert_eq!(named("setup.exact"), Some("setup.exact"));
        assert_eq!((named("twice"), named("else")), (None, None));
    }

    #[test]
    fn places_of_one_checkout_are_left_out() {
        let text = |root: &str| normalize(&format!("{root}/target/harness/123/28-fixture/test-7/12.kubeconfig"));
        assert_eq!(text("/a/b"), text("/c"));
        assert!(text("/a").starts_with("<checkout>/target/harness/"), "{}", text("/a"));
    }

    #[test]
    fn words_are_left_alone() {
        let text = "error: role \"app\" on auth mount \"jwt/\" has token_max_ttl and jwt_validation_pubkeys, 12 of 345";
        assert_eq!(normalize(text), text);
    }

    #[test]
    fn a_difference_is_found() {
        let run = |stdout: &str| format!("{BLOCK}run\nsetup -o json\n{BLOCK}stdout\n{stdout}\n");
        let old = run("{\"role\": \"app\", \"port\": 40001}");
        assert!(differences(&old, &run("{\"role\": \"app\", \"port\": 40002}")).is_empty());
        assert_eq!(differences(&old, &run("{\"role\": \"web\", \"port\": 40001}")), ["stdout".to_owned()].into());
        assert_eq!(differences(&old, &format!("{old}{BLOCK}audit\n{{}}\n")), ["audit".to_owned()].into());
    }
}
