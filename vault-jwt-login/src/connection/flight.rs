//! Whether a login is on its way: connected, and not answered yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the thread that logs in and the one that ends the program.
#[derive(Clone, Debug, Default)]
pub struct Flight(Arc<AtomicBool>);

impl Flight {
    /// The connection is made: from now on Vault may have the request.
    pub fn connected(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// There is no request, or its response was read.
    pub fn over(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether Vault may have a request that is not answered.
    pub fn is_sent(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
