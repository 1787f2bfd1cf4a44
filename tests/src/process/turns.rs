//! Limits how many tests of a process work at once, while any number of others waits. On a
//! machine with four cores or more, no more tests run at once (`RUST_TEST_THREADS`) than may
//! work.
//!
//! More tests run at the same time than a machine has cores, because many of them
//! wait for something. If all of them worked at once, each would be slow enough to
//! meet the limits that the programs under test have for a machine that is too busy.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::locked::locked;

/// Tests that work at once, for each core.
const PER_CORE: usize = 3;

/// Turns that are taken, and threads that wait to work alone.
#[derive(Debug)]
struct Working {
    turns: usize,
    to_be_alone: usize,
}

static WORKING: Mutex<Working> = Mutex::new(Working { turns: 0, to_be_alone: 0 });
static DONE: Condvar = Condvar::new();

thread_local! {
    /// How many turns this thread has. Only the first one counts.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// A turn to work. Dropped, the next one works. A thread that has one has as many
/// as it wants.
#[derive(Debug)]
pub struct Turn {
    /// How many it takes from others.
    counts: usize,
}

/// All turns of this process.
fn most() -> usize {
    PER_CORE * thread::available_parallelism().map_or(1, usize::from)
}

impl Turn {
    /// Waits until there is one.
    pub fn take() -> Self {
        let counts = usize::from(OWN.get() == 0);
        if counts > 0 {
            let mut working = locked(&WORKING);
            while working.turns >= most() || working.to_be_alone > 0 {
                working = DONE.wait(working).unwrap_or_else(PoisonError::into_inner);
            }
            working.turns += counts;
        }
        OWN.set(OWN.get() + 1);
        Self { counts }
    }

    /// Waits until nobody else has a turn, and keeps it so: for what takes the whole
    /// machine. What runs beside goes on, and so do other processes. The thread must
    /// have no turn yet.
    pub fn alone() -> Self {
        assert_eq!(OWN.get(), 0, "it would wait for itself");
        let mut working = locked(&WORKING);
        working.to_be_alone += 1;
        while working.turns > 0 {
            working = DONE.wait(working).unwrap_or_else(PoisonError::into_inner);
        }
        working.to_be_alone -= 1;
        working.turns = most();
        OWN.set(OWN.get() + 1);
        Self { counts: working.turns }
    }

    /// For a test that mostly waits: it works beside the others.
    pub fn beside() -> Self {
        OWN.set(OWN.get() + 1);
        Self { counts: 0 }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        OWN.set(OWN.get().saturating_sub(1));
        if self.counts > 0 {
            locked(&WORKING).turns -= self.counts;
            DONE.notify_all();
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
        let (now, highest) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for number in 0..most() * 3 {
                let (now, highest) = (&now, &highest);
                scope.spawn(move || {
                    if number % 3 == 0 {
                        let _beside = Turn::beside();
                        let _again = Turn::take();
                        thread::sleep(Duration::from_millis(50));
                        return;
                    }
                    let turn = if number == 1 { Turn::alone() } else { Turn::take() };
                    let _again = Turn::take();
                    if number == 1 {
                        assert_eq!(now.load(Ordering::SeqCst), 0);
                        thread::sleep(Duration::from_millis(20));
                        assert_eq!(now.load(Ordering::SeqCst), 0);
                        drop(turn);
                        return;
                    }
                    highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(20));
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(highest.load(Ordering::SeqCst), most());
        let left = locked(&WORKING);
        assert_eq!((left.turns, left.to_be_alone), (0, 0));
    }
}
