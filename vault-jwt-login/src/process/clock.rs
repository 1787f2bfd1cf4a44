//! The clocks of this machine.

use crate::files::random;
use crate::lease::retry::Clock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The local clock, in seconds since the epoch.
pub fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

#[derive(Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn between(&mut self, low: Duration, high: Duration) -> Duration {
        random::between(low, high)
    }
}
