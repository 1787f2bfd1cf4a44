//! Decides when a failed attempt is retried: which failures are transient, how
//! long to wait, and that everything ends at the deadline. It has no clock of
//! its own.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryKind {
    /// None: the same attempt would fail the same way.
    Never,
    /// Vault cannot be reached or cannot serve.
    Outage {
        /// `Retry-After`, as the server sent it; see [`bounded`].
        after: Option<Duration>,
    },
    /// The connection was refused or reset. A retry costs next to nothing.
    ConnectionRefused,
    /// The connection was closed after the login was sent. Vault restarts, and the next
    /// login succeeds; or something on the way cuts each login, and Vault grants each.
    ConnectionCut,
    /// The login was sent and not answered in time. Vault completes it all the same, and
    /// every further one makes an overloaded Vault slower.
    Unanswered,
    /// A person must change something first (add keys to the mount, write the
    /// token), and each attempt may cost Vault a scan of all keys.
    NeedsChange,
}

/// A schedule of full jitter: anywhere from `shortest` up to a ceiling that
/// doubles with each wait and ends at `longest`.
struct Schedule {
    shortest: Duration,
    first_ceiling: Duration,
    longest: Duration,
    /// Whether the shortest wait is kept to the end, even if that is one attempt less.
    patient: bool,
}

const OUTAGE: Schedule = Schedule {
    shortest: Duration::from_millis(250),
    first_ceiling: Duration::from_millis(500),
    longest: Duration::from_secs(10),
    patient: false,
};

/// A pod must be ready 3 s after Vault is back; its probes take up to 1 s of that.
const REFUSED: Schedule = Schedule { longest: Duration::from_millis(1_250), ..OUTAGE };

const UNANSWERED: Schedule = Schedule {
    shortest: Duration::from_secs(10),
    first_ceiling: Duration::from_secs(20),
    longest: Duration::from_secs(60),
    patient: true,
};

/// The longest `Retry-After` that is obeyed. A rate limit quota may ask for its
/// whole interval, which can be longer than a token lives.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

pub fn bounded(after: Duration) -> Duration {
    after.min(LONGEST_RETRY_AFTER)
}

/// The first wait is 2 s: keys are not refreshed faster.
const CHANGE: Schedule = Schedule {
    shortest: Duration::from_secs(2),
    first_ceiling: Duration::from_secs(2),
    longest: Duration::from_secs(30),
    patient: false,
};

impl Schedule {
    fn ceiling(&self, waits_before: u32) -> Duration {
        self.first_ceiling.saturating_mul(1 << waits_before.min(16)).min(self.longest)
    }
}

/// What is kept for the last attempt, or a quarter of a timeout of few seconds.
const LAST_ATTEMPT: Duration = Duration::from_secs(1);

pub trait Clock {
    /// Time since the run began.
    fn elapsed(&self) -> Duration;
    fn sleep(&mut self, time: Duration);
    fn between(&mut self, low: Duration, high: Duration) -> Duration;
}

#[derive(Debug, PartialEq, Eq)]
pub struct GaveUp<E> {
    pub last: E,
    pub attempts: u32,
    pub after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryDelay {
    pub wait: Duration,
    pub left: Duration,
    /// The `Retry-After` that the server sent.
    pub asked: Option<Duration>,
}

#[derive(Default)]
struct Failures {
    outages: u32,
    refused: u32,
    cuts: u32,
    unanswered: u32,
    changes: u32,
}

impl Failures {
    /// What happens after one more; `None` where there is no further attempt.
    fn next(&mut self, failure: RetryKind, timeout: Duration, clock: &mut dyn Clock) -> Option<RetryDelay> {
        let (schedule, waits, asked) = match failure {
            RetryKind::Never => return None,
            RetryKind::Outage { after } => (OUTAGE, &mut self.outages, after),
            RetryKind::ConnectionRefused => (REFUSED, &mut self.refused, None),
            RetryKind::ConnectionCut if self.cuts == 0 => (OUTAGE, &mut self.cuts, None),
            RetryKind::ConnectionCut | RetryKind::Unanswered => (UNANSWERED, &mut self.unanswered, None),
            RetryKind::NeedsChange => (CHANGE, &mut self.changes, None),
        };
        let left = timeout.saturating_sub(clock.elapsed());
        // When the last attempt begins; after that there is nothing to wait for. It comes too
        // where the schedule would not have one more, since we say we try until the timeout.
        // A Vault that has just taken too long needs more than a second for the last one.
        let (reserve, soonest) = match schedule.patient {
            true => (UNANSWERED.shortest, schedule.shortest),
            false => (LAST_ATTEMPT.min(timeout / 4), Duration::ZERO),
        };
        let latest = left.saturating_sub(reserve);
        if latest.is_zero() || latest < soonest {
            return None;
        }
        // A longer Retry-After does not end the attempts: the last one is made all the same.
        let least = bounded(asked.unwrap_or_default());
        let drawn = clock.between(schedule.shortest, schedule.ceiling(*waits)).max(least);
        // Not two attempts at the end with hardly a wait between them.
        let wait = if drawn + schedule.shortest > latest { latest } else { drawn };
        *waits += 1;
        Some(RetryDelay { wait, left, asked })
    }
}

/// Attempts until one succeeds, one fails for good, or `timeout` is over,
/// with a last one shortly before that.
/// `attempt` gets the time left; `tell` gets each failure that is waited for.
pub fn until_done<T, E>(
    timeout: Duration,
    clock: &mut dyn Clock,
    mut attempt: impl FnMut(Duration) -> Result<T, E>,
    wait_for: impl Fn(&E) -> RetryKind,
    mut tell: impl FnMut(&E, RetryDelay),
) -> Result<T, GaveUp<E>> {
    let (mut failures, mut attempts) = (Failures::default(), 0);
    loop {
        attempts += 1;
        let last = match attempt(timeout.saturating_sub(clock.elapsed())) {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let Some(pause) = failures.next(wait_for(&last), timeout, clock) else {
            return Err(GaveUp { last, attempts, after: clock.elapsed() });
        };
        tell(&last, pause);
        clock.sleep(pause.wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time passes only by sleeping and by attempts that say so.
    #[derive(Default)]
    struct Fake {
        now: Duration,
        slept: Vec<Duration>,
        /// Whether the dice show their highest number, or their lowest.
        high: bool,
    }

    impl Clock for Fake {
        fn elapsed(&self) -> Duration {
            self.now
        }

        fn sleep(&mut self, time: Duration) {
            self.now += time;
            self.slept.push(time);
        }

        fn between(&mut self, low: Duration, high: Duration) -> Duration {
            assert!(low <= high);
            if self.high { high } else { low }
        }
    }

    /// Runs attempts that always fail with `wait`; the sleeps in seconds.
    fn sleeps(wait: RetryKind, timeout: u64, high: bool) -> (Vec<f64>, u32) {
        let mut clock = Fake { high, ..Fake::default() };
        let end = until_done(Duration::from_secs(timeout), &mut clock, |_| Err::<(), _>(wait), |w| *w, |_, _| {});
        let end = end.unwrap_err();
        assert!(clock.now <= Duration::from_secs(timeout), "never past the deadline");
        assert_eq!(end.after, clock.now);
        (clock.slept.iter().map(Duration::as_secs_f64).collect(), end.attempts)
    }

    #[test]
    fn an_outage_waits_from_a_quarter_second_to_ten_seconds() {
        let (slept, attempts) = sleeps(RetryKind::Outage { after: None }, 60, true);
        assert_eq!(slept, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0, 3.5]);
        assert_eq!(attempts, 11);
        let (slept, _) = sleeps(RetryKind::Outage { after: None }, 2, false);
        assert_eq!(slept, [0.25; 6]);
    }

    #[test]
    fn a_refused_connection_is_retried_within_a_second_and_a_quarter() {
        assert_eq!(sleeps(RetryKind::ConnectionRefused, 6, true).0, [0.5, 1.0, 1.25, 1.25, 1.0]);
        assert_eq!(sleeps(RetryKind::ConnectionRefused, 2, false).0, [0.25; 6]);
    }

    #[test]
    fn a_signature_refusal_waits_two_seconds_first_and_thirty_at_most() {
        let (slept, attempts) = sleeps(RetryKind::NeedsChange, 120, true);
        assert_eq!(slept, [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 29.0]);
        assert_eq!(attempts, 8);
        assert_eq!(sleeps(RetryKind::NeedsChange, 10, false).0, [2.0, 2.0, 2.0, 3.0]);
    }

    #[test]
    fn each_kind_of_failure_has_its_own_row() {
        let mut clock = Fake { high: true, ..Fake::default() };
        let mut row = [
            RetryKind::Outage { after: None },
            RetryKind::Outage { after: None },
            RetryKind::NeedsChange,
            RetryKind::Never,
        ]
        .into_iter();
        let end =
            until_done(Duration::from_secs(60), &mut clock, |_| Err::<(), _>(row.next().unwrap()), |w| *w, |_, _| {});
        assert_eq!(end.unwrap_err().last, RetryKind::Never);
        assert_eq!(clock.slept, [0.5, 1.0, 2.0].map(Duration::from_secs_f64));
    }

    #[test]
    fn retry_after_is_obeyed_up_to_a_minute_and_never_ends_the_attempts() {
        let after = |seconds| RetryKind::Outage { after: Some(Duration::from_secs(seconds)) };
        assert_eq!(sleeps(after(3), 10, true), (vec![3.0, 3.0, 3.0], 4));
        assert_eq!(sleeps(after(60), 10, true), (vec![9.0], 2));
        assert_eq!(sleeps(after(600), 130, true), (vec![60.0, 60.0, 9.0], 4));
        assert_eq!(sleeps(after(u64::MAX), 10, true), (vec![9.0], 2));
    }

    #[test]
    fn an_unanswered_login_is_sent_again_after_ten_seconds_or_more() {
        // The last one, too, has 10 s for its response; with less time there is none.
        assert_eq!(sleeps(RetryKind::Unanswered, 120, false), (vec![10.0; 11], 12));
        assert_eq!(sleeps(RetryKind::Unanswered, 300, true).0, [20.0, 40.0, 60.0, 60.0, 60.0, 50.0]);
        assert_eq!(sleeps(RetryKind::Unanswered, 20, true).0, [10.0]);
        assert_eq!(sleeps(RetryKind::Unanswered, 19, true), (vec![], 1));
    }

    #[test]
    fn a_login_that_is_cut_is_sent_again_at_once_and_then_after_ten_seconds() {
        assert_eq!(sleeps(RetryKind::ConnectionCut, 60, false).0, [0.25, 10.0, 10.0, 10.0, 19.75]);
        assert_eq!(sleeps(RetryKind::ConnectionCut, 60, true).0, [0.5, 20.0, 29.5]);
    }

    #[test]
    fn what_no_waiting_mends_fails_at_once() {
        assert_eq!(sleeps(RetryKind::Never, 60, true), (vec![], 1));
    }

    #[test]
    fn the_last_attempt_is_a_second_or_a_quarter_before_the_end() {
        for (timeout, slept) in [(1, vec![0.75]), (2, vec![1.5]), (3, vec![2.25]), (4, vec![3.0]), (5, vec![2.0, 2.0])]
        {
            let attempts = slept.len() as u32 + 1;
            assert_eq!(sleeps(RetryKind::NeedsChange, timeout, true), (slept, attempts), "{timeout}");
        }
        for high in [true, false] {
            for wait in [RetryKind::NeedsChange, RetryKind::ConnectionRefused, RetryKind::Outage { after: None }] {
                for timeout in 4..200 {
                    assert_eq!(sleeps(wait, timeout, high).0.iter().sum::<f64>(), timeout as f64 - 1.0, "{wait:?}");
                }
            }
        }
    }

    #[test]
    fn an_attempt_that_takes_all_the_time_is_the_last() {
        let clock = std::cell::RefCell::new(Fake::default());
        struct Shared<'a>(&'a std::cell::RefCell<Fake>);
        impl Clock for Shared<'_> {
            fn elapsed(&self) -> Duration {
                self.0.borrow().elapsed()
            }

            fn sleep(&mut self, time: Duration) {
                self.0.borrow_mut().sleep(time);
            }

            fn between(&mut self, low: Duration, high: Duration) -> Duration {
                self.0.borrow_mut().between(low, high)
            }
        }
        // A server that takes the connection and says nothing; one request has 15 seconds.
        let hang = |left: Duration| {
            clock.borrow_mut().now += left.min(Duration::from_secs(15));
            Err::<(), _>(())
        };
        let outage = |()| RetryKind::Outage { after: None };
        let end = until_done(Duration::from_secs(40), &mut Shared(&clock), hang, |&()| outage(()), |(), _| {});
        assert_eq!(end, Err(GaveUp { last: (), attempts: 3, after: Duration::from_secs(40) }));
        assert_eq!(clock.borrow().slept, [0.25; 2].map(Duration::from_secs_f64));
    }

    #[test]
    fn an_attempt_gets_the_time_that_is_left_and_may_succeed() {
        let mut clock = Fake { high: true, ..Fake::default() };
        let (mut given, mut told) = (Vec::new(), Vec::new());
        let end = until_done(
            Duration::from_secs(10),
            &mut clock,
            |left| {
                given.push(left.as_secs());
                if given.len() == 3 { Ok("token") } else { Err(()) }
            },
            |()| RetryKind::NeedsChange,
            |(), pause| told.push((pause.wait.as_secs(), pause.left.as_secs())),
        );
        assert_eq!(end, Ok("token"));
        assert_eq!(given, [10, 8, 4]);
        assert_eq!(told, [(2, 10), (4, 8)]);
    }
}
