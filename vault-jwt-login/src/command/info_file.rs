//! The info file: everything that Vault said about a token but the token itself.

use crate::files::existing_token;
use crate::vault::login_response::Granted;
use crate::vault::revocation::Expected;
use crate::vault::target::Target;
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Serialize)]
struct InfoFile<'a> {
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
    let info = InfoFile {
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
    struct Recorded {
        lease_duration: u64,
        expires_at: Option<i64>,
    }
    let known: Recorded = serde_json::from_slice(content).ok()?;
    (known.lease_duration == 0 || known.expires_at.is_some()).then_some(known.expires_at)
}

/// What the info file says about the token, for a revocation. `now` is the local clock.
pub fn expected(path: &Path, now: i64) -> Expected {
    #[derive(Deserialize)]
    struct Recorded {
        accessor: String,
    }
    let content = existing_token::read_regular_file(path).unwrap_or_default();
    let accessor = serde_json::from_slice(&content).ok().map(|known: Recorded| known.accessor);
    let lives = expires_at(&content).is_some_and(|end| end.is_none_or(|end| now < end));
    Expected { accessor: accessor.filter(|accessor| !accessor.is_empty()), lives }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::address::Address;
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
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("info");
        std::fs::write(&path, text(&target, &granted(3_600), 1_000)).unwrap();
        let known = |lives| Expected { accessor: Some("acc".into()), lives };
        assert_eq!((expected(&path, 4_599), expected(&path, 4_600)), (known(true), known(false)));
        assert_eq!(expected(dir.path(), 0), Expected::default());
        assert_eq!((expires_at(b"{}"), expires_at(b"{\"lease_duration\":9}"), expires_at(b"")), (None, None, None));
    }
}
