//! Owns the port to whoever runs the program: a question before something is
//! taken away.

use async_trait::async_trait;

/// What somebody says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Go on.
    Yes,
    /// Do not.
    No,
    /// There is nobody to ask.
    Nobody,
}

/// Asks.
#[async_trait]
pub trait Confirm: Send + Sync {
    /// A question that can be answered by yes or no.
    async fn confirm(&self, question: &str) -> Reply;
}
