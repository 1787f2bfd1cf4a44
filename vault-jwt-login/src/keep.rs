//! Owns the life of a token that is kept in use: renewed in time, replaced
//! where that does not go on, and held through an outage for as long as it
//! lives. It asks nobody and tells nobody by itself, so that hours of it can
//! be tested in simulated time.

use crate::answer::Granted;
use crate::error::{Error, about};
use crate::held::{Act, Held};
use crate::log::{Level, Message};
use crate::retry::{Wait, World};
use crate::token::Lease;
use shared::Secret;
use std::time::Duration;

/// What keeping a token needs of the world.
pub trait Keeper {
    /// A new lease.
    fn renew(&mut self, token: &Secret) -> Result<Lease, Error>;
    /// A new token.
    fn log_in(&mut self) -> Result<Granted, Error>;
    /// Puts a new token where it is looked for.
    fn put(&mut self, granted: &Granted) -> Result<(), Error>;
    /// The token in place has a new lease.
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
/// The longest wait while Vault is away.
const OUTAGE: Duration = Duration::from_secs(30);
/// The longest wait while Vault refuses: somebody has to change something,
/// and a refused signature costs it a look at every key.
const REFUSED: Duration = Duration::from_secs(60);
/// For a token that never ends: a look at the clock now and then.
const FOREVER: Duration = Duration::from_secs(86_400);

/// Keeps `held` in use for as long as `keeper` goes on.
pub fn keep(world: &mut impl World, keeper: &mut impl Keeper, mut held: Held) {
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
fn prolong(world: &mut impl World, keeper: &mut impl Keeper, held: &mut Held) {
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
            Some(Act::Renew) => keeper.renew(&held.token).map(|lease| {
                held.renewed(lease, now);
                keeper.extended(lease);
            }),
            _ => replace(keeper, held, &mut waiting, now),
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
        let refused = !matches!(error.wait(), Wait::Outage { .. });
        let then = if act == Some(Act::Renew) && refused {
            held.replace();
            "; logging in again".to_owned()
        } else {
            match left {
                Some(Duration::ZERO) => "; trying again, the token is over".to_owned(),
                Some(left) => format!("; trying again, the token lasts {}", about(left)),
                None => "; trying again".to_owned(),
            }
        };
        // Each failure once: an outage of an hour is one line, not a hundred.
        let text = error.to_string();
        if text != told {
            keeper.say(&error.message(Level::Warn, &then));
            told = text;
        }
        let pause = pause(world, &error, failures, left);
        world.sleep(pause);
    }
}

fn replace(
    keeper: &mut impl Keeper,
    held: &mut Held,
    waiting: &mut Option<(Granted, Duration)>,
    now: Duration,
) -> Result<(), Error> {
    let over = |(granted, since): &(Granted, Duration)| !granted.lease.is_zero() && now >= *since + granted.lease / 2;
    let (granted, since) = match waiting.take().filter(|waiting| !over(waiting)) {
        Some(waiting) => waiting,
        None => (keeper.log_in()?, now),
    };
    if let Err(error) = keeper.put(&granted) {
        *waiting = Some((granted, since));
        return Err(error);
    }
    *held = Held::new(granted.token.clone(), granted.lease(), since);
    Ok(())
}

/// How long to wait after so many failures, at random. `left` is how long the
/// token still lives: its end is not slept through.
fn pause(world: &mut impl World, error: &Error, failures: u32, left: Option<Duration>) -> Duration {
    let (longest, least) = match error.wait() {
        Wait::Outage { after } => (OUTAGE, after.unwrap_or_default()),
        Wait::Change | Wait::Never => (REFUSED, Duration::ZERO),
    };
    let ceiling = SHORTEST.saturating_mul(1 << failures.min(16)).min(longest);
    let pause = world.between(SHORTEST, ceiling);
    let pause = match left {
        Some(left) if !left.is_zero() => pause.min((left / 4).max(SHORTEST)),
        _ => pause,
    };
    pause.max(least)
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
