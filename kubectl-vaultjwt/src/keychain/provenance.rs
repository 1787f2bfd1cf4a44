//! Owns the text that travels with each key we put on a mount: RFC 7468
//! explanatory text in front of its PEM block, which Vault and OpenBao store
//! and return as sent. It is bookkeeping and never proof: whoever may write
//! the mount's config can write any text.
//!
//! ```text
//! vaultjwt/v1
//! issuer: https://oidc.example.com/id/1
//! kid: 4f2a
//! alg: RS256
//! cluster: production
//! cluster-uid: 6c1f…
//! added: 2026-11-24T12:00:00Z
//! -----BEGIN PUBLIC KEY-----
//! ```
//!
//! Rules: printable ASCII; no comma, since the vault CLI's single-string form
//! splits there; nowhere `-----`, since that would start a PEM block; the last
//! line ends directly before the block. Values are percent-encoded (RFC 3986
//! section 2.1) where they would break a rule, so that nothing an issuer or a
//! kubeconfig says can do so.

use super::Owner;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// First line of every mark.
pub const HEADING: &str = "vaultjwt/v1";
/// First line of marks of any version; other versions are not touched.
pub const FAMILY: &str = "vaultjwt/";
/// Longest value; longer ones are cut before they are written, but never the
/// issuer or the UID, which decide ownership.
const VALUE_AT_MOST: usize = 256;

/// What is known about a key on a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Who answers for the key.
    pub owner: Owner,
    /// `kid` as published; empty when the issuer names none.
    pub kid: String,
    /// `alg` as published; empty when the issuer names none.
    pub alg: String,
    /// The context's name when the key was added: for people only.
    pub cluster: String,
    /// When the key was added, RFC 3339.
    pub added: String,
    /// When the issuer was first seen without the key, RFC 3339.
    pub retired: Option<String>,
    /// Lines of names we do not know, kept as they stand.
    pub unknown: BTreeMap<String, String>,
}

/// Why a text that begins like a mark is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// The first line is not [`HEADING`].
    #[error("its version is not {HEADING}")]
    Version,
    /// A line is not `name: value`.
    #[error("line {0} is not \"name: value\"")]
    Line(usize),
    /// A name stands twice.
    #[error("\"{0}\" stands twice")]
    Twice(String),
    /// A required name is missing.
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
    /// A time is not RFC 3339.
    #[error("the value of \"{0}\" is not a time")]
    Time(&'static str),
    /// A value is not percent-encoded UTF-8.
    #[error("the value of \"{0}\" is badly encoded")]
    Encoding(String),
}

impl Provenance {
    /// The text, ending with a line feed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADING}\n");
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(&format!("{name}: {}\n", encode(value)));
            }
        };
        line("issuer", &self.owner.issuer);
        line("kid", cut(&self.kid));
        line("alg", cut(&self.alg));
        line("cluster", cut(&self.cluster));
        line("cluster-uid", self.owner.cluster_uid.as_deref().unwrap_or_default());
        line("added", &self.added);
        line("retired", self.retired.as_deref().unwrap_or_default());
        for (name, value) in &self.unknown {
            text.push_str(&format!("{name}: {}\n", encode(value)));
        }
        text
    }

    /// Reads a text that begins with [`FAMILY`].
    pub fn parse(text: &str) -> Result<Self, ProvenanceError> {
        let mut lines = text.lines();
        if lines.next().map(str::trim_end) != Some(HEADING) {
            return Err(ProvenanceError::Version);
        }
        let mut values = BTreeMap::new();
        for (number, line) in lines.enumerate() {
            let (name, value) = line.split_once(": ").ok_or(ProvenanceError::Line(number + 2))?;
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            // A name is written as it stands, and `-----` must not come about.
            if name.is_empty() || name.contains("--") || !name.bytes().all(plain) {
                return Err(ProvenanceError::Line(number + 2));
            }
            let value = decode(value.trim_end()).ok_or_else(|| ProvenanceError::Encoding(name.to_owned()))?;
            if values.insert(name.to_owned(), value).is_some() {
                return Err(ProvenanceError::Twice(name.to_owned()));
            }
        }
        let mut take = |name: &str| values.remove(name).filter(|v| !v.is_empty());
        let issuer = take("issuer").ok_or(ProvenanceError::Missing("issuer"))?;
        let added = take("added").ok_or(ProvenanceError::Missing("added"))?;
        let retired = take("retired");
        // A grace that cannot be reckoned would end never, or at once.
        for (name, time) in [("added", Some(&added)), ("retired", retired.as_ref())] {
            if time.is_some_and(|time| time.parse::<Timestamp>().is_err()) {
                return Err(ProvenanceError::Time(name));
            }
        }
        Ok(Self {
            owner: Owner { issuer, cluster_uid: take("cluster-uid") },
            kid: take("kid").unwrap_or_default(),
            alg: take("alg").unwrap_or_default(),
            cluster: take("cluster").unwrap_or_default(),
            added,
            retired,
            unknown: values,
        })
    }

    /// kid, where the issuer names one.
    pub fn kid(&self) -> Option<String> {
        (!self.kid.is_empty()).then(|| self.kid.clone())
    }
}

/// A time as marks have it: RFC 3339 in UTC, with seconds.
pub fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// At most [`VALUE_AT_MOST`] bytes, on a character boundary.
fn cut(value: &str) -> &str {
    let mut end = value.len().min(VALUE_AT_MOST);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// Percent-encodes what a rule forbids: everything but printable ASCII, the
/// comma, the percent sign itself, spaces at the ends, and a hyphen that
/// follows a hyphen (so that `-----` cannot come about).
fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    let mut previous = 0u8;
    for (at, byte) in value.bytes().enumerate() {
        let end = at == 0 || at == last;
        let forbidden = !(b' '..=b'~').contains(&byte)
            || matches!(byte, b',' | b'%')
            || (byte == b' ' && end)
            || (byte == b'-' && previous == b'-');
        if forbidden {
            text.push_str(&format!("%{byte:02X}"));
        } else {
            text.push(char::from(byte));
        }
        previous = byte;
    }
    text
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                bytes.push((high * 16 + low) as u8);
            }
            b' '..=b'~' => bytes.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Provenance {
        Provenance {
            owner: Owner { issuer: "https://kubernetes.default.svc".into(), cluster_uid: Some("6c1f".into()) },
            kid: "k,1".into(),
            alg: "RS256".into(),
            cluster: "kind".into(),
            added: "2026-11-24T12:00:00Z".into(),
            retired: None,
            unknown: BTreeMap::new(),
        }
    }

    #[test]
    fn text_word_for_word() {
        assert_eq!(
            sample().to_text(),
            "vaultjwt/v1\nissuer: https://kubernetes.default.svc\nkid: k%2C1\nalg: RS256\ncluster: kind\n\
             cluster-uid: 6c1f\nadded: 2026-11-24T12:00:00Z\n"
        );
    }

    #[test]
    fn unknown_names_are_kept() {
        let text = sample().to_text() + "held: \nseen-by: someone\n";
        let parsed = Provenance::parse(&text).unwrap();
        assert_eq!(parsed.unknown.get("seen-by").map(String::as_str), Some("someone"));
        assert_eq!(parsed.unknown.get("held").map(String::as_str), Some(""));
        assert_eq!(parsed.to_text(), text);
    }

    #[test]
    fn texts_that_break_the_rules() {
        for (text, error) in [
            ("vaultjwt/v2\nissuer: a\nadded: 2026-11-24T12:00:00Z\n", ProvenanceError::Version),
            ("vaultjwt/v1\nissuer a\n", ProvenanceError::Line(2)),
            ("vaultjwt/v1\nissuer: a\nISSUER: b\n", ProvenanceError::Line(3)),
            ("vaultjwt/v1\nissuer: a\nseen--by: b\n", ProvenanceError::Line(3)),
            ("vaultjwt/v1\nissuer: a\nissuer: b\n", ProvenanceError::Twice("issuer".into())),
            ("vaultjwt/v1\nadded: b\n", ProvenanceError::Missing("issuer")),
            ("vaultjwt/v1\nissuer: a\n", ProvenanceError::Missing("added")),
            ("vaultjwt/v1\nissuer: a\nadded: b\n", ProvenanceError::Time("added")),
            ("vaultjwt/v1\nissuer: a\nadded: 2026-11-24T12:00:00Z\nretired: soon\n", ProvenanceError::Time("retired")),
            ("vaultjwt/v1\nissuer: %ZZ\nadded: b\n", ProvenanceError::Encoding("issuer".into())),
            ("vaultjwt/v1\nissuer: %+1\nadded: b\n", ProvenanceError::Encoding("issuer".into())),
            ("vaultjwt/v1\nissuer: %2\nadded: b\n", ProvenanceError::Encoding("issuer".into())),
        ] {
            assert_eq!(Provenance::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_value_survives_and_breaks_no_rule(
            issuer in "\\PC{1,40}|[ -~]{1,40}|-{1,12}",
            uid in proptest::option::of("[ -~\\n\\r\\t,-]{1,30}"),
            kid in any::<String>(),
            cluster in "[\\x00-\\x7f]{0,40}",
        ) {
            let written = Provenance {
                owner: Owner { issuer, cluster_uid: uid },
                kid: cut(&kid).to_owned(),
                cluster,
                ..sample()
            };
            let text = written.to_text();
            prop_assert!(!text.contains("-----") && !text.contains(',') && text.is_ascii());
            prop_assert!(text.ends_with('\n') && !text.ends_with("\n\n") && !text.starts_with(' '));
            prop_assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)));
            prop_assert_eq!(Provenance::parse(&text), Ok(written));
        }
    }
}
