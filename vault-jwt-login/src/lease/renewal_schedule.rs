//! Decides when a token is renewed (at about two thirds of its TTL) and when it
//! is replaced. It has no clock and sends nothing.

use shared::Secret;
use shared::lease::{Lease, renew_after};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalAction {
    Renew,
    LogIn,
}

/// A token in use. Times are those of the run.
#[derive(Clone, Debug)]
pub struct RenewalSchedule {
    pub token: Secret,
    lease: Lease,
    /// The longest TTL that it ever had.
    full: Duration,
    since: Duration,
    next: RenewalAction,
}

impl RenewalSchedule {
    pub fn new(token: Secret, lease: Lease, now: Duration) -> Self {
        let next = if lease.renewable { RenewalAction::Renew } else { RenewalAction::LogIn };
        Self { token, lease, full: lease.ttl.unwrap_or_default(), since: now, next }
    }

    /// A renewal. Where the lease it gives is less than half of what there
    /// was, the maximum is near (Vault cuts the lease down to it), and the
    /// next thing is a new token.
    pub fn renewed(&mut self, lease: Lease, now: Duration) {
        let ttl = lease.ttl.unwrap_or(Duration::MAX);
        let near_its_end = ttl.is_zero() || ttl < self.full / 2;
        self.full = self.full.max(ttl);
        self.next = if lease.renewable && !near_its_end { RenewalAction::Renew } else { RenewalAction::LogIn };
        (self.lease, self.since) = (lease, now);
    }

    pub fn replace(&mut self) {
        self.next = RenewalAction::LogIn;
    }

    /// What comes next, and when; `None` for a token that never ends.
    /// `share` is anything from 0 to 1.
    pub fn next(&self, share: f64) -> Option<(RenewalAction, Duration)> {
        self.lease.ttl.map(|ttl| (self.next, self.since + renew_after(ttl, share)))
    }

    pub fn ends(&self) -> Option<Duration> {
        self.lease.ttl.map(|ttl| self.since + ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(seconds: u64) -> Lease {
        Lease { ttl: Some(Duration::from_secs(seconds)), renewable: true }
    }

    fn at(schedule: &RenewalSchedule) -> Option<(RenewalAction, u64)> {
        schedule.next(0.5).map(|(act, at)| (act, at.as_secs()))
    }

    #[test]
    fn renewed_at_two_thirds_until_the_maximum_is_near() {
        let mut schedule = RenewalSchedule::new(Secret::new("t"), lease(3_600), Duration::ZERO);
        assert_eq!(at(&schedule), Some((RenewalAction::Renew, 2_376)));
        // A maximum of 90 minutes: the rest of it is given.
        schedule.renewed(lease(3_024), Duration::from_secs(2_376));
        assert_eq!(at(&schedule), Some((RenewalAction::Renew, 4_371)));
        schedule.renewed(lease(1_029), Duration::from_secs(4_371));
        assert_eq!(at(&schedule), Some((RenewalAction::LogIn, 5_050)));
        assert_eq!(schedule.ends(), Some(Duration::from_secs(5_400)));
        assert_eq!(schedule.next(0.0).unwrap().1.as_secs(), 4_371 + 637);
        assert_eq!(schedule.next(7.0).unwrap().1.as_secs(), 4_371 + 720);
    }

    #[test]
    fn what_cannot_be_renewed_is_replaced_and_what_never_ends_is_left() {
        let batch = Lease { renewable: false, ..lease(600) };
        let mut schedule = RenewalSchedule::new(Secret::new("t"), batch, Duration::ZERO);
        assert_eq!(at(&schedule), Some((RenewalAction::LogIn, 396)));
        schedule.renewed(lease(600), Duration::ZERO);
        assert_eq!(at(&schedule), Some((RenewalAction::Renew, 396)));
        schedule.replace();
        assert_eq!(at(&schedule), Some((RenewalAction::LogIn, 396)));
        let forever = Lease { ttl: None, renewable: false };
        assert_eq!(at(&RenewalSchedule::new(Secret::new("t"), forever, Duration::ZERO)), None);
    }

    #[test]
    fn a_renewal_that_adds_no_time_is_followed_by_a_login_at_once() {
        let mut schedule = RenewalSchedule::new(Secret::new("t"), lease(20), Duration::ZERO);
        schedule.renewed(lease(0), Duration::from_secs(13));
        assert_eq!((at(&schedule), schedule.ends()), (Some((RenewalAction::LogIn, 13)), Some(Duration::from_secs(13))));
    }
}
