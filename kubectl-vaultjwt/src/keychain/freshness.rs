//! Whether an owner's keys are being refreshed, as far as their provenance shows. Pure.
//!
//! The keys of one run all have one time. A second time, or a retired key, shows a later
//! run.

use crate::keychain::Owner;
use crate::keychain::element::{MountKey, provenance_of};
use jiff::Timestamp;
use serde::Serialize;

/// What keeps an owner's keys fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum Freshness {
    /// Vault fetches them itself.
    Vault,
    /// A later run changed them.
    Sync {
        /// RFC 3339.
        last: String,
    },
    /// Nothing has, since they were put there.
    Nothing {
        /// RFC 3339.
        since: String,
    },
}

impl Freshness {
    /// Of `owner`'s managed keys among `elements`; `None` where it has none.
    pub fn of(elements: &[MountKey], owner: &Owner) -> Option<Self> {
        let marks: Vec<_> = provenance_of(elements, owner).collect();
        // RFC 3339 in UTC, as we write them: their order is that of time.
        let latest = marks.iter().flat_map(|mark| [Some(&mark.added), mark.retired.as_ref()]).flatten().max()?.clone();
        let again = marks.iter().any(|mark| mark.retired.is_some() || mark.added != marks[0].added);
        Some(if again { Self::Sync { last: latest } } else { Self::Nothing { since: latest } })
    }

    /// When something was last done, where that is not always now.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Vault => None,
            Self::Sync { last: time } | Self::Nothing { since: time } => time.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::plan::tests::key;
    use crate::keychain::provenance::Provenance;
    use std::collections::BTreeMap;

    fn owner(issuer: &str) -> Owner {
        Owner { issuer: issuer.into(), cluster_uid: None }
    }

    fn element(number: u8, issuer: &str, added: &str, retired: Option<&str>) -> MountKey {
        let published = key(number);
        let mark = Provenance {
            previous_issuers: vec![],
            owner: owner(issuer),
            kid: String::new(),
            alg: String::new(),
            cluster: String::new(),
            added: added.into(),
            retired: retired.map(str::to_owned),
            proof: None,
            authorities: vec![],
            unknown: BTreeMap::new(),
        };
        MountKey::write(&published, &mark)
    }

    #[test]
    fn a_second_time_is_a_second_run() {
        let (first, second) = ("2026-11-20T12:00:00Z", "2026-11-24T12:00:00Z");
        let together = [element(1, "https://a", first, None), element(2, "https://a", first, None)];
        assert_eq!(Freshness::of(&together, &owner("https://a")), Some(Freshness::Nothing { since: first.into() }));
        for again in [element(3, "https://a", second, None), element(3, "https://a", first, Some(second))] {
            let all = [&together[..], &[again, element(4, "https://b", second, None)]].concat();
            assert_eq!(Freshness::of(&all, &owner("https://a")), Some(Freshness::Sync { last: second.into() }));
            assert_eq!(Freshness::of(&all, &owner("https://b")), Some(Freshness::Nothing { since: second.into() }));
        }
        assert_eq!(Freshness::of(&together, &owner("https://c")), None);
    }
}
