//! Why a command stopped, together with the report of what it had found and changed.

/// The command stopped with `error`. Converts from the error alone, so `?` works where nothing
/// was written.
#[derive(Debug)]
pub struct Failure<E, R> {
    pub error: E,
    /// What existed before, for an undo; `None` where nothing was written.
    pub report: Option<Box<R>>,
}

impl<E, R> From<E> for Failure<E, R> {
    fn from(error: E) -> Self {
        Self { error, report: None }
    }
}
