//! Requests that [`super::InterceptingProxy`] holds until a test lets them continue.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::raw_http::Request;
use crate::process::locked;

/// A moment in the life of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The proxy has the whole request, the target nothing of it.
    BeforeForwarding,
    /// The target has answered in full, the client has nothing of it.
    BeforeAnswer,
}

/// What the test wants with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Hold,
    GoOn,
    Discard,
}

#[derive(Debug)]
struct State {
    /// Requests that match and are still to come, the held one included.
    left: u32,
    held: bool,
    wish: Wish,
}

/// One hold, as the proxy sees it.
#[derive(Debug)]
pub(super) struct Hold {
    point: Point,
    method: String,
    path_suffix: String,
    state: Mutex<State>,
    changed: Condvar,
}

impl Hold {
    /// Waits for the test if it holds the request at this point; false when
    /// the request is to be discarded.
    pub(super) fn pass(&self, point: Point) -> bool {
        if point != self.point {
            return true;
        }
        let mut state = locked(&self.state);
        state.held = true;
        self.changed.notify_all();
        let waited = self.changed.wait_while(state, |state| state.wish == Wish::Hold);
        waited.unwrap_or_else(PoisonError::into_inner).wish != Wish::Discard
    }

    fn wish(&self, wish: Wish) {
        let mut state = locked(&self.state);
        // The first wish stands.
        if state.wish == Wish::Hold {
            state.wish = wish;
        }
        self.changed.notify_all();
    }
}

/// Holds one request. Dropped, it lets the request go on.
#[derive(Debug)]
#[must_use = "dropped, it holds nothing"]
pub struct HeldRequest {
    hold: Arc<Hold>,
}

impl HeldRequest {
    /// Waits until the request is held; false when it has not come in time.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        let state = locked(&self.hold.state);
        let waited = self.hold.changed.wait_timeout_while(state, at_most, |state| !state.held);
        waited.unwrap_or_else(PoisonError::into_inner).0.held
    }

    /// Lets the request go on, whether or not its client is still there: its
    /// bytes were on their way.
    pub fn release(self) {
        self.hold.wish(Wish::GoOn);
    }

    /// Ends the request's connection instead. At [`Point::BeforeForwarding`]
    /// the target never hears of the request.
    pub fn discard(self) {
        self.hold.wish(Wish::Discard);
    }
}

impl Drop for HeldRequest {
    fn drop(&mut self) {
        self.hold.wish(Wish::GoOn);
    }
}

/// All holds of one proxy.
#[derive(Debug, Default)]
pub(super) struct HeldRequests {
    holds: Mutex<Vec<Arc<Hold>>>,
}

impl HeldRequests {
    /// Holds the `nth` request that matches and is still to come.
    pub(super) fn hold(&self, point: Point, method: &str, path_suffix: &str, nth: u32) -> HeldRequest {
        let hold = Arc::new(Hold {
            point,
            method: method.to_owned(),
            path_suffix: path_suffix.to_owned(),
            state: Mutex::new(State { left: nth, held: false, wish: Wish::Hold }),
            changed: Condvar::new(),
        });
        locked(&self.holds).push(Arc::clone(&hold));
        HeldRequest { hold }
    }

    /// The holds of a request that has just come.
    pub(super) fn of(&self, request: &Request) -> Vec<Arc<Hold>> {
        let mut found = Vec::new();
        for hold in locked(&self.holds).iter() {
            let matches = hold.method == request.method && request.path().ends_with(&hold.path_suffix);
            let mut state = locked(&hold.state);
            if matches && state.left > 0 {
                state.left -= 1;
                if state.left == 0 {
                    found.push(Arc::clone(hold));
                }
            }
        }
        found
    }

    /// Ends every request that is held.
    pub(super) fn discard_all(&self) {
        locked(&self.holds).iter().for_each(|hold| hold.wish(Wish::Discard));
    }
}
