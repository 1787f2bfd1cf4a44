//! Whether Vault may have a request that is not answered yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the thread that asks Vault and the one that ends the program.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<State>);

#[derive(Debug, Default)]
struct State {
    sent: AtomicBool,
    login: AtomicBool,
}

impl InFlight {
    /// A request begins: a login, or one about a token that is there already.
    pub fn begins(&self, login: bool) {
        self.over();
        self.0.login.store(login, Ordering::SeqCst);
    }

    /// The connection is made: from now on Vault may have the request.
    pub fn connected(&self) {
        self.0.sent.store(true, Ordering::SeqCst);
    }

    pub fn over(&self) {
        self.0.sent.store(false, Ordering::SeqCst);
    }

    /// Whether Vault may have a request that is not answered.
    pub fn is_sent(&self) -> bool {
        self.0.sent.load(Ordering::SeqCst)
    }

    /// The same of a login, which may bring a token.
    pub fn is_login(&self) -> bool {
        self.is_sent() && self.0.login.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_login_that_was_sent_may_bring_a_token() {
        let in_flight = InFlight::default();
        for login in [true, false] {
            in_flight.begins(login);
            assert_eq!((in_flight.is_sent(), in_flight.is_login()), (false, false));
            in_flight.clone().connected();
            assert_eq!((in_flight.is_sent(), in_flight.is_login()), (true, login));
            in_flight.over();
            assert_eq!((in_flight.is_sent(), in_flight.is_login()), (false, false));
        }
    }
}
