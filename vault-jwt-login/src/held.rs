//! Owns when something is done about a token that is kept: it is renewed at
//! about two thirds of its lease, and replaced where that is no more use. It
//! knows no clock and asks nobody.

use crate::token::{Known, Lease};
use crate::vault::Target;
use shared::Secret;
use std::time::Duration;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ask for a new lease.
    Renew,
    /// Ask for a new token.
    LogIn,
}

/// Parts of a lease after which something is done, at random between the two:
/// not all pods of a deployment at once, and with a third left for an outage.
/// (Vault's own clients take 70 to 73 parts of a hundred.)
const EARLIEST: f64 = 0.62;
const LATEST: f64 = 0.70;

/// A token in use. Times are those of the run.
#[derive(Clone, Debug)]
pub struct Held {
    /// The token.
    pub token: Secret,
    lease: Lease,
    /// The longest lease that it ever had.
    full: Duration,
    /// When the lease began.
    since: Duration,
    /// What is done at the end of this lease.
    next: Act,
}

impl Held {
    /// A token whose lease begins now.
    pub fn new(token: Secret, lease: Lease, now: Duration) -> Self {
        let next = if lease.renewable { Act::Renew } else { Act::LogIn };
        Self { token, lease, full: lease.lasts, since: now, next }
    }

    /// A renewal. Where the lease it gives is less than half of what there
    /// was, the maximum is near (Vault cuts the lease down to it), and the
    /// next thing is a new token.
    pub fn renewed(&mut self, lease: Lease, now: Duration) {
        let near_its_end = lease.lasts * 2 < self.full;
        self.full = self.full.max(lease.lasts);
        self.next = if lease.renewable && !near_its_end { Act::Renew } else { Act::LogIn };
        (self.lease, self.since) = (lease, now);
    }

    /// It cannot be renewed.
    pub fn replace(&mut self) {
        self.next = Act::LogIn;
    }

    /// What comes next, and when; `None` for a token that never ends.
    /// `share` is anything from 0 to 1.
    pub fn next(&self, share: f64) -> Option<(Act, Duration)> {
        let part = EARLIEST + (LATEST - EARLIEST) * share.clamp(0.0, 1.0);
        self.ends().map(|_| (self.next, self.since + self.lease.lasts.mul_f64(part)))
    }

    /// When its lease ends; `None` is never.
    pub fn ends(&self) -> Option<Duration> {
        (!self.lease.lasts.is_zero()).then(|| self.since + self.lease.lasts)
    }
}

/// Why a token that was found is not the one that a login would give: `None`
/// if it is. A token in a shared folder may have been put there by anybody.
pub fn foreign(known: &Known, target: &Target) -> Option<String> {
    let login = format!("auth/{}/login", target.mount);
    if known.path != login {
        return Some("it is of another mount".to_owned());
    }
    match &target.role {
        // Which role a login without one gets is known only by logging in.
        None => Some("no role is asked for that it could be compared with".to_owned()),
        Some(role) if known.role.as_ref() != Some(role) => Some("it is of another role".to_owned()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use shared::mount::MountPath;

    fn lease(seconds: u64) -> Lease {
        Lease { lasts: Duration::from_secs(seconds), renewable: true }
    }

    fn at(held: &Held) -> Option<(Act, u64)> {
        held.next(0.5).map(|(act, at)| (act, at.as_secs()))
    }

    #[test]
    fn renewed_at_two_thirds_until_the_maximum_is_near() {
        let mut held = Held::new(Secret::new("t"), lease(3_600), Duration::ZERO);
        assert_eq!(at(&held), Some((Act::Renew, 2_376)));
        // A maximum of 90 minutes: the rest of it is given.
        held.renewed(lease(3_024), Duration::from_secs(2_376));
        assert_eq!(at(&held), Some((Act::Renew, 4_371)));
        held.renewed(lease(1_029), Duration::from_secs(4_371));
        assert_eq!(at(&held), Some((Act::LogIn, 5_050)));
        assert_eq!(held.ends(), Some(Duration::from_secs(5_400)));
        assert_eq!(held.next(0.0).unwrap().1.as_secs(), 4_371 + 637);
        assert_eq!(held.next(7.0).unwrap().1.as_secs(), 4_371 + 720);
    }

    #[test]
    fn what_cannot_be_renewed_is_replaced_and_what_never_ends_is_left() {
        let batch = Lease { renewable: false, ..lease(600) };
        let mut held = Held::new(Secret::new("t"), batch, Duration::ZERO);
        assert_eq!(at(&held), Some((Act::LogIn, 396)));
        held.renewed(lease(600), Duration::ZERO);
        assert_eq!(at(&held), Some((Act::Renew, 396)));
        held.replace();
        assert_eq!(at(&held), Some((Act::LogIn, 396)));
        assert_eq!(at(&Held::new(Secret::new("t"), lease(0), Duration::ZERO)), None);
    }

    #[test]
    fn only_a_token_of_this_mount_and_role_is_taken_over() {
        let target = |role: Option<&str>| Target {
            address: Address::parse("https://v").unwrap(),
            namespace: None,
            mount: MountPath::parse("k8s/prod").unwrap(),
            role: role.map(str::to_owned),
        };
        let known = |path: &str, role: Option<&str>| Known {
            lease: lease(60),
            path: path.to_owned(),
            role: role.map(str::to_owned),
            accessor: String::new(),
            policies: Vec::new(),
        };
        let (mount, role) = (Some("it is of another mount"), Some("it is of another role"));
        for (path, made_with, asked, why) in [
            ("auth/k8s/prod/login", Some("app"), Some("app"), None),
            ("auth/k8s/prod/login", Some("admin"), Some("app"), role),
            ("auth/k8s/prod/login", None, Some("app"), role),
            ("auth/k8s/login", Some("app"), Some("app"), mount),
            ("auth/token/create", Some("app"), Some("app"), mount),
            ("auth/token/root", None, Some("app"), mount),
            ("auth/k8s/prod/login", Some("app"), None, Some("no role is asked for that it could be compared with")),
        ] {
            assert_eq!(foreign(&known(path, made_with), &target(asked)).as_deref(), why, "{path} {made_with:?}");
        }
    }
}
