//! Keeps a token valid: renews it in time, replaces it where that ends, and retries through
//! an outage while the token is valid. It sends nothing by itself, so that hours of it can be
//! tested in simulated time.

use crate::command::error::Error;
use crate::lease::renewal_schedule::{RenewalAction, RenewalSchedule};
use crate::lease::retry::{self, Clock, RetryKind};
use crate::log::{Level, Message};
use crate::vault::login_response::Granted;
use shared::Secret;
use shared::duration::about;
use shared::lease::Lease;
use std::time::Duration;

pub trait TokenLifecycle {
    fn renew(&mut self, token: &Secret, time_left: Duration) -> Result<Lease, Error>;
    fn log_in(&mut self) -> Result<Granted, Error>;
    fn put(&mut self, granted: &Granted) -> Result<(), Error>;
    /// A token that a login granted is not needed after all, or could not be put in place.
    fn discard(&mut self, granted: &Granted);
    fn extended(&mut self, lease: Lease);
    fn say(&mut self, message: &Message<'_>);
    /// Whether it goes on. Outside tests a signal ends the whole program.
    fn goes_on(&self) -> bool {
        true
    }
}

/// No two requests are closer to each other, whatever fails.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait while Vault is away and the token is valid.
const OUTAGE: Duration = Duration::from_secs(30);
/// The same once the token has expired: the application waits for a new one.
const EXPIRED: Duration = Duration::from_secs(4);
/// The longest wait while Vault refuses: something has to be changed first,
/// and a refused signature makes Vault try every key.
const REFUSED: Duration = Duration::from_secs(60);
/// The wait after a login that was not answered: Vault may still complete it.
const UNANSWERED: Duration = Duration::from_secs(10);
/// Bounds on a renewal. It costs Vault little, and is of no use once the token has expired.
const RENEWAL: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));
/// For a token that never expires: one wakeup a day.
const FOREVER: Duration = Duration::from_secs(86_400);

/// Keeps `schedule` in use for as long as `lifecycle` goes on.
pub fn run(clock: &mut dyn Clock, lifecycle: &mut dyn TokenLifecycle, mut schedule: RenewalSchedule) {
    while lifecycle.goes_on() {
        let share = clock.between(Duration::ZERO, Duration::from_secs(1)).as_secs_f64();
        let Some((_, at)) = schedule.next(share) else {
            clock.sleep(FOREVER);
            continue;
        };
        clock.sleep(at.saturating_sub(clock.elapsed()).max(SHORTEST));
        renew_or_replace(clock, lifecycle, &mut schedule);
    }
}

fn renew_or_replace(clock: &mut dyn Clock, lifecycle: &mut dyn TokenLifecycle, schedule: &mut RenewalSchedule) {
    let (began, mut failures, mut told) = (clock.elapsed(), 0u32, String::new());
    // A token that could not be put in place yet, and since when it lives.
    let mut waiting: Option<(Granted, Duration)> = None;
    while lifecycle.goes_on() {
        let now = clock.elapsed();
        if schedule.ends().is_some_and(|end| end <= now) {
            schedule.replace();
        }
        let act = schedule.next(0.0).map(|(act, _)| act);
        let done = match act {
            Some(RenewalAction::Renew) => {
                let left = schedule.ends().map_or(RENEWAL.1, |end| end.saturating_sub(now));
                lifecycle.renew(&schedule.token, left.clamp(RENEWAL.0, RENEWAL.1)).map(|lease| {
                    schedule.renewed(lease, now);
                    lifecycle.extended(lease);
                })
            }
            _ => replace(clock, lifecycle, schedule, &mut waiting, now),
        };
        let Err(error) = done else {
            if failures > 0 {
                let after = about(clock.elapsed().saturating_sub(began));
                let times = if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures") };
                lifecycle.say(&Message::info(format!("works again after {after} ({times})")));
            }
            return;
        };
        failures += 1;
        let left = schedule.ends().map(|end| end.saturating_sub(clock.elapsed()));
        let refused = matches!(error.retry_kind(), RetryKind::Never | RetryKind::NeedsChange);
        let pause = pause(clock, &error, act, failures, left);
        let then = if act == Some(RenewalAction::Renew) && refused {
            schedule.replace();
            "; logging in again".to_owned()
        } else {
            retrying(&error, pause, left)
        };
        // Each failure once: an outage of an hour is one line, not a hundred.
        let text = format!("{error}{:?}", error.retry_kind());
        if text != told {
            lifecycle.say(&error.message(Level::Warn, &then));
            told = text;
        }
        clock.sleep(pause);
    }
}

/// What is said about the retry. A wait that the server asked for is named: it can be long.
fn retrying(error: &Error, pause: Duration, left: Option<Duration>) -> String {
    let when = match error.retry_kind() {
        RetryKind::Outage { after: Some(after) } => {
            format!("; retrying in {} (Retry-After: {})", about(pause), about(after))
        }
        _ => "; retrying".to_owned(),
    };
    match left {
        Some(Duration::ZERO) => when + ", the token has expired",
        Some(left) => format!("{when}, the token expires in {}", about(left)),
        None => when,
    }
}

fn replace(
    clock: &dyn Clock,
    lifecycle: &mut dyn TokenLifecycle,
    schedule: &mut RenewalSchedule,
    waiting: &mut Option<(Granted, Duration)>,
    now: Duration,
) -> Result<(), Error> {
    let over = |(granted, since): &(Granted, Duration)| granted.lease.is_some_and(|ttl| now >= *since + ttl / 2);
    if let Some((granted, _)) = waiting.take_if(|waiting| over(waiting)) {
        lifecycle.discard(&granted);
    }
    let (granted, since) = match waiting.take() {
        Some(waiting) => waiting,
        None => (lifecycle.log_in()?, clock.elapsed()),
    };
    if let Err(error) = lifecycle.put(&granted) {
        *waiting = Some((granted, since));
        return Err(error);
    }
    *schedule = RenewalSchedule::new(granted.token.clone(), granted.lease(), since);
    Ok(())
}

/// The wait after so many failures, at random. `left` is how long the token still
/// lives: the wait ends before the token does, except after a login without a response.
fn pause(
    clock: &mut dyn Clock,
    error: &Error,
    act: Option<RenewalAction>,
    failures: u32,
    left: Option<Duration>,
) -> Duration {
    let outage = if left.is_some_and(|left| left.is_zero()) { EXPIRED } else { OUTAGE };
    let (shortest, longest, asked) = match error.retry_kind() {
        RetryKind::Unanswered if act != Some(RenewalAction::Renew) => (UNANSWERED, OUTAGE, None),
        // The first one may be a Vault that restarts.
        RetryKind::ConnectionCut if act != Some(RenewalAction::Renew) && failures > 1 => (UNANSWERED, OUTAGE, None),
        RetryKind::ConnectionCut | RetryKind::Unanswered | RetryKind::ConnectionRefused => (SHORTEST, outage, None),
        RetryKind::Outage { after } => (SHORTEST, outage, after),
        RetryKind::NeedsChange | RetryKind::Never => (SHORTEST, REFUSED, None),
    };
    let ceiling = shortest.saturating_mul(1 << failures.min(16)).min(longest);
    let pause = clock.between(shortest, ceiling);
    let least = retry::bounded(asked.unwrap_or_default());
    match left {
        Some(left) if !left.is_zero() => {
            // A Retry-After is obeyed for half of the remaining TTL at most.
            pause.min((left / 4).max(shortest)).max(least.min(left / 2))
        }
        _ => pause.max(least),
    }
}

#[cfg(test)]
mod tests;
