//! Locks mutexes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks also after a panic of another test: the data is still whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
