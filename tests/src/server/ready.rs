//! Waits for a server: it is polled until it is ready, has exited, or has taken too long.

use std::thread;
use std::time::{Duration, Instant};

use super::ServerError;
use crate::process::{Supervised, tail};

/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(30);

/// Longest time for a start on a machine that compiles beside it.
pub(super) const AT_MOST: Duration = Duration::from_secs(120);

/// Lines of a log that are shown.
const SHOWN: usize = 25;

/// Waits until `ask` gives something; its error is the last answer so far.
pub(super) fn wait<T>(server: &Supervised, mut ask: impl FnMut() -> Result<T, String>) -> Result<T, ServerError> {
    let start = Instant::now();
    loop {
        let last = match ask() {
            Ok(ready) => return Ok(ready),
            Err(last) => last,
        };
        let name = server.name().to_owned();
        if let Some(status) = server.ended() {
            return Err(ServerError::Ended { name, status: status.to_string(), tail: tail(server.log(), SHOWN) });
        }
        if start.elapsed() > AT_MOST {
            let tail = tail(server.log(), SHOWN);
            return Err(ServerError::NotReady { name, seconds: AT_MOST.as_secs(), last, tail });
        }
        thread::sleep(PAUSE);
    }
}
