//! Owns who works: as many tests at once as the machine can take, while any number
//! of others waits.
//!
//! More tests run at the same time than a machine has cores, because many of them
//! wait for something. If all of them worked at once, each would be slow enough to
//! meet the limits that the programs under test have for a machine that is too busy.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::locked;

/// Tests that work at once, for each core.
const PER_CORE: usize = 2;

static WORKING: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

thread_local! {
    /// How many turns this thread has. Only the first one counts.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// A turn to work. Dropped, the next one works. A thread that has one has as many
/// as it wants.
#[derive(Debug)]
pub struct Turn {
    counts: bool,
}

impl Turn {
    /// Waits until there is one.
    pub fn take() -> Self {
        let counts = OWN.get() == 0;
        if counts {
            let most = PER_CORE * thread::available_parallelism().map_or(1, usize::from);
            let mut working = locked(&WORKING);
            while *working >= most {
                working = DONE.wait(working).unwrap_or_else(PoisonError::into_inner);
            }
            *working += 1;
        }
        OWN.set(OWN.get() + 1);
        Self { counts }
    }

    /// For a test that mostly waits: it works beside the others.
    pub fn beside() -> Self {
        OWN.set(OWN.get() + 1);
        Self { counts: false }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        OWN.set(OWN.get().saturating_sub(1));
        if self.counts {
            *locked(&WORKING) -= 1;
            DONE.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_work_at_once_than_there_are_turns() {
        let most = PER_CORE * thread::available_parallelism().unwrap().get();
        let (now, highest) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..most * 3 {
                let (now, highest) = (&now, &highest);
                scope.spawn(move || {
                    if number % 3 == 0 {
                        let _beside = Turn::beside();
                        let _again = Turn::take();
                        thread::sleep(Duration::from_millis(50));
                        return;
                    }
                    let _turn = Turn::take();
                    let _again = Turn::take();
                    highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(20));
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(highest.load(Ordering::SeqCst), most);
        assert_eq!(*locked(&WORKING), 0);
    }
}
