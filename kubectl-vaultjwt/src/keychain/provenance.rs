//! The provenance of a managed key: RFC 7468 explanatory text in front of its
//! PEM block, which Vault and OpenBao store and return as sent. It is a record and
//! never evidence: write access to the mount's configuration is enough to write any
//! text.
//!
//! ```text
//! vaultjwt/v2
//! issuer: https://oidc.example.com/id/1
//! kid: 4f2a
//! alg: RS256
//! cluster: production
//! cluster-uid: 6c1f…
//! added: 2026-11-24T12:00:00Z
//! proof: token
//! authority-1: sha256:Zm9v… api.production.example.com
//! -----BEGIN PUBLIC KEY-----
//! ```
//!
//! `vaultjwt/v1` had neither `proof` nor `authority`: such keys are read, and
//! rewritten by the next `setup`. A program that knows only v1 leaves v2 alone.
//!
//! Rules: printable ASCII; no comma, since the vault CLI's single-string form
//! splits there; nowhere `-----`, since that would start a PEM block; the last
//! line ends directly before the block. Values are percent-encoded (RFC 3986
//! section 2.1) where they would break a rule, so that nothing an issuer or a
//! kubeconfig says can do so.

use crate::keychain::Owner;
use crate::keychain::authority::{AUTHORITIES_AT_MOST, Authority};
use crate::keychain::key_proof::KeyProof;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// First line of every provenance that is written.
pub const HEADING: &str = "vaultjwt/v2";
/// First line of what earlier programs wrote.
const HEADING_V1: &str = "vaultjwt/v1";
/// First line of provenance of any version; other versions are not touched.
pub const FAMILY: &str = "vaultjwt/";
/// Names of the lines for authorities begin so; a number follows.
const AUTHORITY: &str = "authority-";
/// Name of the line for issuers that the cluster had.
const PREVIOUS_ISSUERS: &str = "previous-issuers";
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
    /// How the key came to be believed; `None` in what earlier programs wrote.
    pub proof: Option<KeyProof>,
    /// Ways to the owner's API servers. They are recorded on its newest key.
    pub authorities: Vec<Authority>,
    /// Issuers that the cluster had when the key was moved from them, the oldest first.
    pub previous_issuers: Vec<String>,
    /// Lines of unknown names, kept unchanged.
    pub unknown: BTreeMap<String, String>,
}

/// Why a text that begins like provenance cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    #[error("its version is neither {HEADING} nor {HEADING_V1}")]
    Version,
    #[error("line {0} is not \"name: value\"")]
    Line(usize),
    #[error("\"{0}\" stands twice")]
    Twice(String),
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
    #[error("the value of \"{0}\" is not a time")]
    Time(&'static str),
    #[error("the value of \"proof\" is unknown")]
    Proof,
    /// Not an [`Authority`], or further ones than allowed.
    #[error("the value of \"{0}\" is not an authority")]
    Authority(String),
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
        line("proof", self.proof.map(KeyProof::word).unwrap_or_default());
        for (number, authority) in (1..).zip(&self.authorities) {
            line(&format!("{AUTHORITY}{number}"), &authority.to_string());
        }
        line(PREVIOUS_ISSUERS, &self.previous_issuers.join(" "));
        for (name, value) in &self.unknown {
            text.push_str(&format!("{name}: {}\n", encode(value)));
        }
        text
    }

    /// Whether the owner is known to have the key; see [`KeyProof::is_own`].
    pub fn is_own(&self) -> bool {
        self.proof.is_some_and(KeyProof::is_own)
    }

    /// Reads a text that begins with [`FAMILY`].
    pub fn parse(text: &str) -> Result<Self, ProvenanceError> {
        let mut lines = text.lines();
        let v1 = match lines.next().map(str::trim_end) {
            Some(HEADING) => false,
            Some(HEADING_V1) => true,
            _ => return Err(ProvenanceError::Version),
        };
        let mut values = BTreeMap::new();
        for (number, line) in lines.enumerate() {
            let (name, value) = line.split_once(": ").ok_or(ProvenanceError::Line(number + 2))?;
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            // A name is written unescaped, and must not produce `-----`.
            if name.is_empty() || name.contains("--") || !name.bytes().all(plain) {
                return Err(ProvenanceError::Line(number + 2));
            }
            let value = decode(value.trim_end()).ok_or_else(|| ProvenanceError::Encoding(name.to_owned()))?;
            if values.insert(name.to_owned(), value).is_some() {
                return Err(ProvenanceError::Twice(name.to_owned()));
            }
        }
        if v1 {
            // To an earlier program these names meant nothing, so they prove nothing
            // there, and must not when the text is rewritten as v2.
            values.retain(|name, _| name != "proof" && name != PREVIOUS_ISSUERS && !name.starts_with(AUTHORITY));
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
        let proof = take("proof").map(|word| KeyProof::parse(&word).ok_or(ProvenanceError::Proof)).transpose()?;
        let mut authorities = Vec::new();
        for number in 1..=AUTHORITIES_AT_MOST {
            let name = format!("{AUTHORITY}{number}");
            if let Some(text) = take(&name) {
                authorities.push(text.parse().map_err(|_| ProvenanceError::Authority(name))?);
            }
        }
        let owner = Owner { issuer, cluster_uid: take("cluster-uid") };
        let mut text = |name| take(name).unwrap_or_default();
        let (kid, alg, cluster, previous) = (text("kid"), text("alg"), text("cluster"), text(PREVIOUS_ISSUERS));
        let previous_issuers = previous.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        if let Some(name) = values.keys().find(|name| name.starts_with(AUTHORITY)) {
            return Err(ProvenanceError::Authority(name.clone()));
        }
        Ok(Self { owner, kid, alg, cluster, added, retired, proof, authorities, previous_issuers, unknown: values })
    }

    /// kid, where the issuer names one.
    pub fn kid(&self) -> Option<String> {
        (!self.kid.is_empty()).then(|| self.kid.clone())
    }
}

/// A time as provenance has it: RFC 3339 in UTC, with seconds.
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
    use crate::keychain::authority::AuthorityId;
    use proptest::prelude::*;

    fn sample() -> Provenance {
        Provenance {
            owner: Owner { issuer: "https://kubernetes.default.svc".into(), cluster_uid: Some("6c1f".into()) },
            kid: "k,1".into(),
            alg: "RS256".into(),
            cluster: "kind".into(),
            added: "2026-11-24T12:00:00Z".into(),
            retired: None,
            proof: Some(KeyProof::Listed),
            authorities: vec![],
            previous_issuers: vec![],
            unknown: BTreeMap::new(),
        }
    }

    #[test]
    fn text_word_for_word() {
        assert_eq!(
            sample().to_text(),
            "vaultjwt/v2\nissuer: https://kubernetes.default.svc\nkid: k%2C1\nalg: RS256\ncluster: kind\n\
             cluster-uid: 6c1f\nadded: 2026-11-24T12:00:00Z\nproof: listed\n"
        );
    }

    #[test]
    fn previous_issuers_come_back() {
        let written = Provenance { previous_issuers: vec!["https://a".into(), "https://b,c".into()], ..sample() };
        let text = written.to_text();
        assert!(text.ends_with("\nprevious-issuers: https://a https://b%2Cc\n"), "{text}");
        assert_eq!(Provenance::parse(&text), Ok(written));
        // It meant nothing to an earlier program.
        let v1 = Provenance::parse(&text.replace("vaultjwt/v2", "vaultjwt/v1")).unwrap();
        assert_eq!(v1.previous_issuers, Vec::<String>::new());
    }

    #[test]
    fn authorities_are_numbered_and_come_back() {
        let id = AuthorityId::of_spki(b"spki");
        let written = Provenance {
            proof: Some(KeyProof::Token),
            authorities: vec![Authority::Direct { id, name: "api.example.com".into() }, Authority::Pod { id }],
            ..sample()
        };
        let text = written.to_text();
        assert!(
            text.ends_with(&format!("proof: token\nauthority-1: {id} api.example.com\nauthority-2: pod {id}\n")),
            "{text}"
        );
        assert_eq!(Provenance::parse(&text), Ok(written));
    }

    #[test]
    fn what_earlier_programs_wrote_is_read_and_proves_nothing() {
        let text = "vaultjwt/v1\nissuer: a\nadded: 2026-11-24T12:00:00Z\n";
        let read = Provenance::parse(text).unwrap();
        assert_eq!((read.proof, read.authorities.len()), (None, 0));
        assert_eq!(read.to_text(), text.replace("v1", "v2"));
        let forged = format!("{text}proof: token\nauthority-1: pod {}\n", AuthorityId::of_spki(b"x"));
        assert_eq!(Provenance::parse(&forged).unwrap(), read);
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
            ("vaultjwt/v3\nissuer: a\nadded: 2026-11-24T12:00:00Z\n", ProvenanceError::Version),
            ("vaultjwt/v2\nissuer: a\nadded: 2026-11-24T12:00:00Z\nproof: mine\n", ProvenanceError::Proof),
            (
                "vaultjwt/v2\nissuer: a\nadded: 2026-11-24T12:00:00Z\nauthority-2: x\n",
                ProvenanceError::Authority("authority-2".into()),
            ),
            (
                "vaultjwt/v2\nissuer: a\nadded: 2026-11-24T12:00:00Z\nauthority-9: x\n",
                ProvenanceError::Authority("authority-9".into()),
            ),
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
