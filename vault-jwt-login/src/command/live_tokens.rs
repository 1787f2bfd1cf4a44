//! The tokens that this process holds, and whether they are stored.

use crate::connection::in_flight::InFlight;
use crate::lease::retry::Clock as _;
use crate::process::clock::SystemClock;
use crate::vault::login_response::Granted;
use crate::vault::revocation::Expected;
use shared::Secret;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A token that a login granted and that is not revoked.
#[derive(Clone, Debug)]
pub struct LiveToken {
    pub token: Secret,
    pub accessor: String,
    /// When it expires; `None` is never.
    until: Option<Instant>,
    /// Whether it is where it is looked for: in its file, or with the command.
    pub stored: bool,
    /// Whether this process logged in for it. Other containers may use one that was reused.
    pub own: bool,
}

impl LiveToken {
    fn new(granted: &Granted, stored: bool, own: bool) -> Self {
        let (token, accessor) = (granted.token.clone(), granted.accessor.clone());
        Self { token, accessor, until: granted.lease.map(|ttl| Instant::now() + ttl), stored, own }
    }

    pub fn expected(&self) -> Expected {
        let lives = self.until.is_none_or(|until| Instant::now() < until);
        Expected { accessor: Some(self.accessor.clone()), lives }
    }
}

/// The tokens that this process holds, for the code that ends it: what is granted
/// and not stored is revoked in any case.
#[derive(Debug, Default)]
pub struct LiveTokens {
    tokens: Mutex<Vec<LiveToken>>,
    pub in_flight: InFlight,
}

impl LiveTokens {
    /// Waits for the response to a login that was sent, so that its token can be revoked too.
    pub fn wait_for_a_login(&self, bound: Duration) {
        let mut clock = SystemClock::start();
        while self.in_flight.is_login() && clock.elapsed() < bound {
            clock.sleep(Duration::from_millis(20));
        }
    }

    pub fn extended(&self, ttl: Option<Duration>) {
        for live in self.all().iter_mut().filter(|live| live.stored) {
            live.until = ttl.map(|ttl| Instant::now() + ttl);
        }
    }

    /// A login has granted it, and it is not in place yet.
    pub fn granted(&self, granted: &Granted) {
        self.all().push(LiveToken::new(granted, false, true));
    }

    pub fn reused(&self, granted: &Granted) {
        self.all().push(LiveToken::new(granted, true, false));
    }

    /// It is in place. The one that was there before is left to expire: an application may
    /// still use it.
    pub fn stored(&self, granted: &Granted) {
        let mut all = self.all();
        all.retain(|live| !live.stored && live.token.expose() != granted.token.expose());
        all.push(LiveToken::new(granted, true, true));
    }

    pub fn select(&self, which: impl Fn(&LiveToken) -> bool) -> Vec<LiveToken> {
        self.all().iter().filter(|live| which(live)).cloned().collect()
    }

    pub fn any(&self, which: impl Fn(&LiveToken) -> bool) -> bool {
        self.all().iter().any(which)
    }

    pub fn forget(&self, token: &Secret) {
        self.all().retain(|live| live.token.expose() != token.expose());
    }

    fn all(&self) -> MutexGuard<'_, Vec<LiveToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_revoked_at_the_end() {
        let granted = |token: &str| Granted {
            token: Secret::new(token),
            lease: None,
            role: None,
            accessor: String::new(),
            policies: Vec::new(),
            renewable: false,
            uses: 0,
        };
        let live = LiveTokens::default();
        let of = |the_stored: bool| -> Vec<String> {
            let all = live.all();
            all.iter().filter(|one| the_stored || !one.stored).map(|one| one.token.expose().to_owned()).collect()
        };
        live.reused(&granted("old"));
        assert_eq!((of(true), of(false)), (vec!["old".into()], Vec::new()));
        live.granted(&granted("new"));
        // The one that waits for its place is revoked in any case.
        assert_eq!((of(true), of(false)), (vec!["old".into(), "new".into()], vec!["new".into()]));
        live.stored(&granted("new"));
        assert_eq!((of(true), of(false)), (vec!["new".into()], Vec::new()));
        live.granted(&granted("third"));
        live.forget(&Secret::new("third"));
        assert_eq!(of(false), Vec::<String>::new());
        assert!(live.any(|live| live.stored));
    }
}
