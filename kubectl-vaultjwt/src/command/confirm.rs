//! The port that asks for confirmation before something is removed.

use async_trait::async_trait;

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Yes,
    No,
    /// stdin is not a terminal.
    Nobody,
}

#[async_trait]
pub trait Confirm: Send + Sync {
    /// A question that can be answered by yes or no.
    async fn confirm(&self, question: &str) -> Reply;
}
