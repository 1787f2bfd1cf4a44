//! The text in front of a key on a mount, as anyone with write access to the mount's configuration
//! can write it. An input is that text; a key follows, unless the input has a PEM block.
#![no_main]

use keychain::element::{Management, MountKey};
use keychain::provenance::{FAMILY, HEADING, Provenance};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// First line of what earlier versions wrote.
const HEADING_V1: &str = "vaultjwt/v1";
/// RFC 8410 section 10.1.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fuzz_target!(|text: &str| {
    if let Ok(read) = Provenance::parse(text) {
        parsed(text, &read);
    }
    element(text);
    element(&format!("{text}{KEY}"));
});

fn parsed(text: &str, read: &Provenance) {
    let heading = text.lines().next().unwrap().trim_end();
    let earlier = heading == HEADING_V1;
    assert!(earlier || heading == HEADING, "{heading:?}");
    // What an earlier version wrote proves nothing, whatever else stands there.
    assert!(!earlier || (read.proof.is_none() && read.authorities.is_empty() && read.previous_issuers.is_empty()));
    assert!(!read.owner.issuer.is_empty());
    assert_ne!(read.owner.cluster_uid.as_deref(), Some(""));

    let written = read.to_text();
    // Vault stores it with the key behind it, and its command line splits at commas.
    assert!(written.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{written:?}");
    assert!(!written.contains(',') && !written.contains("-----"), "{written:?}");
    assert!(written.ends_with('\n') && !written.contains("\n\n"), "{written:?}");

    let again = Provenance::parse(&written).unwrap();
    assert_eq!(again.to_text(), written);
    // What decides is never cut; what is for people may be, once.
    assert_eq!((&again.owner, &again.added, &again.retired), (&read.owner, &read.added, &read.retired));
    assert_eq!((again.proof, &again.authorities), (read.proof, &read.authorities));
    assert_eq!(again.previous_issuers, read.previous_issuers);
    assert_eq!(again.unknown, read.unknown);
    for (after, before) in [(&again.kid, &read.kid), (&again.alg, &read.alg), (&again.cluster, &read.cluster)] {
        assert!(before.starts_with(after.as_str()) && (after == before || after.len() > 250), "{before:?} {after:?}");
    }
    // Nothing that stood in the text is left out: its values are those of the text, read another way.
    let lines: BTreeMap<&str, &str> = text.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    for (name, value) in &read.unknown {
        let stood = lines[name.as_str()].trim_end();
        assert!(value == stood || stood.contains('%'), "{name:?} {value:?} {stood:?}");
    }
    for value in lines.values() {
        let escapes = value.split('%').skip(1).map(|rest| rest.as_bytes().get(..2));
        let is_hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        assert!(escapes.into_iter().all(|digits| digits.is_some_and(is_hexadecimal)), "{value:?}");
    }
    let known = ["issuer", "kid", "alg", "cluster", "cluster-uid", "added", "retired", "proof", "previous-issuers"];
    let unknown = |name: &&&str| !known.contains(name) && !name.starts_with("authority-");
    assert_eq!(lines.keys().filter(unknown).count(), read.unknown.len());
}

fn element(text: &str) {
    let element = MountKey::read(text);
    // Others' bytes survive whatever we make of them.
    assert_eq!(&*element.text, text);
    match &element.management {
        Management::Unmanaged | Management::Unreadable(_) => {
            assert!(element.provenance().is_none());
            let touched = element.remarked(|mark| mark.cluster = "another".to_owned());
            assert_eq!(touched, element);
        }
        Management::Managed(mark) => {
            assert!(text.trim_start().starts_with(FAMILY));
            assert!(element.key.is_some() && element.is_of(&mark.owner));
            // Written anew and stored as Vault stores it (trimmed), it has the same owner and key.
            let marked = element.remarked(|mark| mark.retired = Some("2026-11-24T12:00:00Z".to_owned()));
            let stored = MountKey::read(marked.text.trim());
            assert_eq!(stored.text, marked.text);
            assert_eq!(stored.key, element.key);
            assert!(stored.is_of(&mark.owner), "{:?}", stored.management);
            assert_eq!(stored.provenance().and_then(|mark| mark.retired.as_deref()), Some("2026-11-24T12:00:00Z"));
        }
    }
}
