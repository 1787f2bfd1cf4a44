//! Decides when a token is renewed (at about two thirds of its TTL) and when it
//! is replaced. It has no clock and sends nothing.

use crate::token::Lease;
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
    /// The longest TTL that it ever had.
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
        Self { token, lease, full: lease.lasts.unwrap_or_default(), since: now, next }
    }

    /// A renewal. Where the lease it gives is less than half of what there
    /// was, the maximum is near (Vault cuts the lease down to it), and the
    /// next thing is a new token.
    pub fn renewed(&mut self, lease: Lease, now: Duration) {
        let lasts = lease.lasts.unwrap_or(Duration::MAX);
        let near_its_end = lasts.is_zero() || lasts < self.full / 2;
        self.full = self.full.max(lasts);
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
        self.lease.lasts.map(|lasts| (self.next, self.since + lasts.mul_f64(part)))
    }

    /// When it expires; `None` is never.
    pub fn ends(&self) -> Option<Duration> {
        self.lease.lasts.map(|lasts| self.since + lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(seconds: u64) -> Lease {
        Lease { lasts: Some(Duration::from_secs(seconds)), renewable: true }
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
        let forever = Lease { lasts: None, renewable: false };
        assert_eq!(at(&Held::new(Secret::new("t"), forever, Duration::ZERO)), None);
    }

    #[test]
    fn a_renewal_that_adds_no_time_is_followed_by_a_login_at_once() {
        let mut held = Held::new(Secret::new("t"), lease(20), Duration::ZERO);
        held.renewed(lease(0), Duration::from_secs(13));
        assert_eq!((at(&held), held.ends()), (Some((Act::LogIn, 13)), Some(Duration::from_secs(13))));
    }
}
