//! Decides when which context is polled next. Pure: the caller passes the time.

use crate::issuer::KeySource;
use std::time::Duration;
use tokio::time::Instant;

/// The longest pause after failures, for a cluster.
const CLUSTER_AT_MOST: Duration = Duration::from_secs(300);
/// The longest pause after failures, for Vault: while it is away no pod logs
/// in, and a key that came meanwhile should be there when it is back.
const VAULT_AT_MOST: Duration = Duration::from_secs(60);
/// Failures lengthen a pause to at most so many intervals.
const INTERVALS_AT_MOST: u32 = 10;
/// The longest `Retry-After` that is obeyed.
const RETRY_AFTER_AT_MOST: Duration = Duration::from_secs(3_600);

/// How often keys are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From an API server.
    pub api_server: Duration,
    /// From an issuer's own site: a web server for the whole world, which is
    /// changed long before its keys sign.
    pub issuer: Duration,
}

impl Pace {
    /// What holds where nothing is asked for.
    pub const DEFAULT: Self = Self { api_server: Duration::from_secs(60), issuer: Duration::from_secs(300) };

    fn of(self, source: KeySource) -> Duration {
        match source {
            KeySource::ApiServer | KeySource::File => self.api_server,
            KeySource::IssuerSite => self.issuer,
        }
    }

    /// Polls that are due this soon are made at once: one read of the mount
    /// serves them all.
    fn slack(self) -> Duration {
        self.api_server.min(self.issuer) / 5
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    Read(KeySource),
    /// It is not on the mount: it may be enrolled later.
    Stranger,
    /// It could not be read, and asks to be left alone so long.
    Failed(Option<Duration>),
}

#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    contexts: Vec<Entry>,
    /// Polls wait for Vault.
    not_before: Instant,
    vault_failures: u32,
}

#[derive(Debug)]
struct Entry {
    context: Option<String>,
    due: Instant,
    /// It asked to be left alone until then.
    alone_until: Instant,
    interval: Duration,
    failures: u32,
}

impl Schedule {
    /// All are due at once.
    pub fn new(contexts: Vec<Option<String>>, pace: Pace, now: Instant) -> Self {
        let entry = |context| Entry { context, due: now, alone_until: now, interval: pace.api_server, failures: 0 };
        let contexts = contexts.into_iter().map(entry).collect();
        Self { pace, contexts, not_before: now, vault_failures: 0 }
    }

    pub fn next(&self) -> Instant {
        let earliest = self.contexts.iter().map(|entry| entry.due).min();
        // Without a context there is never anything to do.
        earliest.unwrap_or_else(|| Instant::now() + self.pace.api_server).max(self.not_before)
    }

    /// The contexts to poll now, if any is due.
    pub fn due_now(&self, now: Instant) -> Vec<Option<String>> {
        if self.next() <= now { self.due(now) } else { Vec::new() }
    }

    /// Whom to poll in a round at this time.
    fn due(&self, now: Instant) -> Vec<Option<String>> {
        let soon = now + self.pace.slack();
        let due = |entry: &&Entry| entry.due <= soon && entry.alone_until <= now;
        self.contexts.iter().filter(due).map(|entry| entry.context.clone()).collect()
    }

    /// A poll that began at `began` has ended. `jitter` (about 1) is one for
    /// all polls of a round, so that they stay together.
    pub fn polled(&mut self, context: Option<&str>, began: Instant, jitter: f64, how: Polled) {
        let Some(entry) = self.contexts.iter_mut().find(|entry| entry.context.as_deref() == context) else { return };
        let pause = match how {
            Polled::Read(source) => {
                entry.failures = 0;
                entry.interval = self.pace.of(source);
                entry.interval
            }
            Polled::Stranger => {
                entry.failures = 0;
                self.pace.api_server.max(self.pace.issuer)
            }
            Polled::Failed(retry_after) => {
                entry.failures = entry.failures.saturating_add(1);
                entry.alone_until = began + obeyed(retry_after);
                after_failures(entry.interval, entry.failures, CLUSTER_AT_MOST)
            }
        };
        entry.due = (began + pause.mul_f64(jitter)).max(entry.alone_until);
    }

    /// Vault did not serve: what was due stays due, and waits.
    pub fn vault_failed(&mut self, now: Instant, jitter: f64, retry_after: Option<Duration>) {
        self.vault_failures = self.vault_failures.saturating_add(1);
        let pause = after_failures(self.pace.api_server, self.vault_failures, VAULT_AT_MOST).mul_f64(jitter);
        self.not_before = now + pause.max(obeyed(retry_after));
    }

    pub fn vault_served(&mut self) {
        self.vault_failures = 0;
    }
}

fn obeyed(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or_default().min(RETRY_AFTER_AT_MOST)
}

/// One interval after the first failure, doubled after each next one.
fn after_failures(interval: Duration, failures: u32, at_most: Duration) -> Duration {
    let doubled = interval.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(interval.saturating_mul(INTERVALS_AT_MOST).min(at_most).max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACE: Pace = Pace::DEFAULT;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn schedule(contexts: &[&str]) -> (Schedule, Instant) {
        let now = Instant::now();
        (Schedule::new(contexts.iter().map(|c| Some((*c).to_owned())).collect(), PACE, now), now)
    }

    #[test]
    fn api_servers_every_minute_and_issuers_every_five() {
        let (mut schedule, start) = schedule(&["api", "public", "stranger"]);
        assert_eq!((schedule.next(), schedule.due(start).len()), (start, 3));
        schedule.polled(Some("api"), start, 1.0, Polled::Read(KeySource::ApiServer));
        schedule.polled(Some("public"), start, 1.0, Polled::Read(KeySource::IssuerSite));
        schedule.polled(Some("stranger"), start, 1.0, Polled::Stranger);
        let minute = start + seconds(60);
        assert_eq!((schedule.next(), schedule.due(minute)), (minute, vec![Some("api".into())]));
        assert_eq!(schedule.due(start + seconds(300)).len(), 3);
    }

    #[test]
    fn polls_that_are_due_at_nearly_the_same_time_are_one_round() {
        let (mut schedule, start) = schedule(&["a", "b"]);
        schedule.polled(Some("a"), start, 0.9, Polled::Read(KeySource::ApiServer));
        schedule.polled(Some("b"), start, 1.1, Polled::Read(KeySource::ApiServer));
        assert_eq!(schedule.next(), start + seconds(54));
        assert_eq!(schedule.due(start + seconds(54)).len(), 2);
    }

    #[test]
    fn failures_double_the_pause_up_to_five_minutes_and_an_answer_ends_that() {
        let (mut schedule, start) = schedule(&["a"]);
        for pause in [60, 120, 240, 300, 300] {
            schedule.polled(Some("a"), start, 1.0, Polled::Failed(None));
            assert_eq!(schedule.next(), start + seconds(pause));
        }
        schedule.polled(Some("a"), start, 1.0, Polled::Read(KeySource::ApiServer));
        schedule.polled(Some("a"), start, 1.0, Polled::Failed(None));
        assert_eq!(schedule.next(), start + seconds(60));
    }

    #[test]
    fn without_a_context_there_is_nothing_to_do() {
        let (schedule, start) = schedule(&[]);
        assert!(schedule.next() > start + seconds(59));
        assert_eq!(schedule.due_now(start), []);
    }

    #[test]
    fn short_intervals_back_off_to_ten_of_them_and_long_ones_not_at_all() {
        for (interval, failures, pause) in [(1, 1, 1), (1, 4, 8), (1, 9, 10), (600, 1, 600), (600, 9, 600)] {
            assert_eq!(after_failures(seconds(interval), failures, CLUSTER_AT_MOST), seconds(pause));
        }
    }

    #[test]
    fn retry_after_is_obeyed_whatever_the_jitter() {
        let (mut schedule, start) = schedule(&["a"]);
        schedule.polled(Some("a"), start, 0.9, Polled::Failed(Some(seconds(400))));
        assert_eq!((schedule.next(), schedule.due(start + seconds(399)).len()), (start + seconds(400), 0));
        schedule.polled(Some("a"), start, 1.0, Polled::Failed(Some(seconds(1_000_000))));
        assert_eq!(schedule.next(), start + RETRY_AFTER_AT_MOST);
        schedule.vault_failed(start, 0.9, Some(seconds(5_000)));
        assert_eq!(schedule.next(), start + RETRY_AFTER_AT_MOST);
    }

    #[test]
    fn while_vault_is_away_everything_waits_and_stays_due() {
        let (mut schedule, start) = schedule(&["a"]);
        for _ in 0..9 {
            schedule.vault_failed(start, 1.0, None);
            assert_eq!(schedule.next(), start + seconds(60));
        }
        schedule.vault_served();
        assert_eq!(schedule.due(start + seconds(60)), [Some("a".into())]);
    }

    proptest! {
        /// Never faster than the interval allows, and never forgotten.
        #[test]
        fn always_later_and_never_lost(
            interval in 1u64..7_200, failures in 0u32..40, jitter in 0.9f64..1.1, retry in prop::option::of(0u64..10_000)
        ) {
            let now = Instant::now();
            let pace = Pace { api_server: seconds(interval), issuer: seconds(interval) };
            let mut schedule = Schedule::new(vec![None], pace, now);
            for _ in 0..=failures {
                schedule.polled(None, now, jitter, Polled::Failed(retry.map(seconds)));
            }
            let pause = schedule.next() - now;
            prop_assert!(pause >= seconds(interval).mul_f64(0.89));
            prop_assert!(pause <= seconds(interval.max(3_600)).mul_f64(1.11));
        }
    }
}
