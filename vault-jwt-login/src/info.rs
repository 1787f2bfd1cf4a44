//! The info file: everything that Vault said about a token but the token itself.

use crate::vault::{Granted, Target};
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Serialize)]
struct Info<'a> {
    accessor: &'a str,
    policies: &'a [String],
    /// Seconds; 0 where it does not expire.
    lease_duration: u64,
    renewable: bool,
    /// Seconds since the epoch, by the local clock.
    issued_at: i64,
    /// The same; `null` where it does not expire.
    expires_at: Option<i64>,
    role: Option<&'a str>,
    mount: &'a str,
    namespace: Option<&'a str>,
    address: String,
}

/// JSON with a line feed at its end. `now` is the local clock.
pub fn text(target: &Target, granted: &Granted, now: i64) -> String {
    let info = Info {
        accessor: &granted.accessor,
        policies: &granted.policies,
        lease_duration: granted.lease.map_or(0, |lease| lease.as_secs()),
        renewable: granted.renewable,
        issued_at: now,
        expires_at: granted.lease.map(|lease| now.saturating_add_unsigned(lease.as_secs())),
        role: target.role.as_deref().or(granted.role.as_deref()),
        mount: target.mount.as_str(),
        namespace: target.namespace.as_deref(),
        address: target.address.to_string(),
    };
    // Maps with text keys and numbers: nothing in it can fail.
    serde_json::to_string(&info).unwrap_or_default() + "\n"
}

/// When the token of an info file ends, in seconds since the epoch;
/// `Some(None)` is never, `None` where it is no info file.
pub fn expires_at(content: &[u8]) -> Option<Option<i64>> {
    #[derive(Deserialize)]
    struct Known {
        lease_duration: u64,
        expires_at: Option<i64>,
    }
    let known: Known = serde_json::from_slice(content).ok()?;
    (known.lease_duration == 0 || known.expires_at.is_some()).then_some(known.expires_at)
}

/// The accessor in the info file, if there is one that can be read.
pub fn accessor(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Known {
        accessor: String,
    }
    let known: Known = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(known.accessor).filter(|accessor| !accessor.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use shared::Secret;
    use shared::mount::MountPath;
    use std::time::Duration;

    #[test]
    fn everything_but_the_token() {
        let target = Target {
            address: Address::parse("https://vault:8200").unwrap(),
            namespace: None,
            mount: MountPath::parse("k8s").unwrap(),
            role: None,
        };
        let granted = |lease| Granted {
            token: Secret::new("hvs.secret"),
            lease: (lease > 0).then(|| Duration::from_secs(lease)),
            role: Some("app".into()),
            accessor: "acc".into(),
            policies: vec!["app-read".into(), "default".into()],
            renewable: true,
            uses: 0,
        };
        assert_eq!(
            text(&target, &granted(3_600), 1_000),
            "{\"accessor\":\"acc\",\"policies\":[\"app-read\",\"default\"],\"lease_duration\":3600,\"renewable\":true,\
             \"issued_at\":1000,\"expires_at\":4600,\"role\":\"app\",\"mount\":\"k8s\",\"namespace\":null,\
             \"address\":\"https://vault:8200\"}\n"
        );
        assert!(text(&target, &granted(0), 1_000).contains("\"expires_at\":null"));
        let read = |lease| expires_at(text(&target, &granted(lease), 1_000).as_bytes());
        assert_eq!((read(3_600), read(0)), (Some(Some(4_600)), Some(None)));
        assert_eq!((expires_at(b"{}"), expires_at(b"{\"lease_duration\":9}"), expires_at(b"")), (None, None, None));
    }
}
