//! Keeps a token valid: renews it in time, replaces it where that ends, and
//! rides out an outage for as long as it lives. It sends nothing by itself, so
//! that hours of it can be tested in simulated time.

use crate::answer::Granted;
use crate::error::{Error, about};
use crate::held::{Act, Held};
use crate::log::{Level, Message};
use crate::retry::{self, Wait, World};
use crate::token::Lease;
use shared::Secret;
use std::time::Duration;

/// What keeping a token needs of the world.
pub trait Keeper {
    /// A new TTL, within this time.
    fn renew(&mut self, token: &Secret, time_left: Duration) -> Result<Lease, Error>;
    /// A new token.
    fn log_in(&mut self) -> Result<Granted, Error>;
    /// Puts a new token where it is looked for.
    fn put(&mut self, granted: &Granted) -> Result<(), Error>;
    /// A token that a login granted is not needed after all, or could not be put in place.
    fn discard(&mut self, granted: &Granted);
    /// The token in place has a new TTL.
    fn extended(&mut self, lease: Lease);
    /// Something to tell.
    fn say(&mut self, message: &Message<'_>);
    /// Whether it goes on. Outside tests a signal ends the whole program.
    fn goes_on(&self) -> bool {
        true
    }
}

/// No two requests are closer to each other, whatever fails.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait while Vault is away and the token lives.
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

/// Keeps `held` in use for as long as `keeper` goes on.
pub fn keep(world: &mut dyn World, keeper: &mut dyn Keeper, mut held: Held) {
    while keeper.goes_on() {
        let share = world.between(Duration::ZERO, Duration::from_secs(1)).as_secs_f64();
        let Some((_, at)) = held.next(share) else {
            world.sleep(FOREVER);
            continue;
        };
        world.sleep(at.saturating_sub(world.elapsed()).max(SHORTEST));
        prolong(world, keeper, &mut held);
    }
}

/// Renews or replaces, as often as it takes.
fn prolong(world: &mut dyn World, keeper: &mut dyn Keeper, held: &mut Held) {
    let (began, mut failures, mut told) = (world.elapsed(), 0u32, String::new());
    // A token that could not be put in place yet, and since when it lives.
    let mut waiting: Option<(Granted, Duration)> = None;
    while keeper.goes_on() {
        let now = world.elapsed();
        if held.ends().is_some_and(|end| end <= now) {
            held.replace();
        }
        let act = held.next(0.0).map(|(act, _)| act);
        let done = match act {
            Some(Act::Renew) => {
                let left = held.ends().map_or(RENEWAL.1, |end| end.saturating_sub(now));
                keeper.renew(&held.token, left.clamp(RENEWAL.0, RENEWAL.1)).map(|lease| {
                    held.renewed(lease, now);
                    keeper.extended(lease);
                })
            }
            _ => replace(world, keeper, held, &mut waiting, now),
        };
        let Err(error) = done else {
            if failures > 0 {
                let after = about(world.elapsed().saturating_sub(began));
                let times = if failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures") };
                keeper.say(&Message::new(Level::Info, format!("works again after {after} ({times})")));
            }
            return;
        };
        failures += 1;
        let left = held.ends().map(|end| end.saturating_sub(world.elapsed()));
        let refused = matches!(error.wait(), Wait::Never | Wait::Change);
        let pause = pause(world, &error, act, failures, left);
        let then = if act == Some(Act::Renew) && refused {
            held.replace();
            "; logging in again".to_owned()
        } else {
            retrying(&error, pause, left)
        };
        // Each failure once: an outage of an hour is one line, not a hundred.
        let text = format!("{error}{:?}", error.wait());
        if text != told {
            keeper.say(&error.message(Level::Warn, &then));
            told = text;
        }
        world.sleep(pause);
    }
}

/// What is said about the retry. A wait that the server asked for is named: it can be long.
fn retrying(error: &Error, pause: Duration, left: Option<Duration>) -> String {
    let when = match error.wait() {
        Wait::Outage { after: Some(after) } => {
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
    world: &dyn World,
    keeper: &mut dyn Keeper,
    held: &mut Held,
    waiting: &mut Option<(Granted, Duration)>,
    now: Duration,
) -> Result<(), Error> {
    let over = |(granted, since): &(Granted, Duration)| granted.lease.is_some_and(|ttl| now >= *since + ttl / 2);
    if let Some((granted, _)) = waiting.take_if(|waiting| over(waiting)) {
        keeper.discard(&granted);
    }
    let (granted, since) = match waiting.take() {
        Some(waiting) => waiting,
        None => (keeper.log_in()?, world.elapsed()),
    };
    if let Err(error) = keeper.put(&granted) {
        *waiting = Some((granted, since));
        return Err(error);
    }
    *held = Held::new(granted.token.clone(), granted.lease(), since);
    Ok(())
}

/// The wait after so many failures, at random. `left` is how long the token still
/// lives: the wait ends before the token does, except after a login without a response.
fn pause(world: &mut dyn World, error: &Error, act: Option<Act>, failures: u32, left: Option<Duration>) -> Duration {
    let outage = if left.is_some_and(|left| left.is_zero()) { EXPIRED } else { OUTAGE };
    let (shortest, longest, asked) = match error.wait() {
        Wait::Unanswered if act != Some(Act::Renew) => (UNANSWERED, OUTAGE, None),
        // The first one may be a Vault that restarts.
        Wait::Cut if act != Some(Act::Renew) && failures > 1 => (UNANSWERED, OUTAGE, None),
        Wait::Cut | Wait::Unanswered | Wait::Refused => (SHORTEST, outage, None),
        Wait::Outage { after } => (SHORTEST, outage, after),
        Wait::Change | Wait::Never => (SHORTEST, REFUSED, None),
    };
    let ceiling = shortest.saturating_mul(1 << failures.min(16)).min(longest);
    let pause = world.between(shortest, ceiling);
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
#[path = "keep_tests.rs"]
mod tests;
