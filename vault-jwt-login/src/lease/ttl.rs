//! The TTL of a token, as a server sends it.

use std::time::Duration;

/// The remaining TTL of a token, and whether it can be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The TTL from now on; `None` for a token that never expires. Zero is a token
    /// in its last second.
    pub lasts: Option<Duration>,
    pub renewable: bool,
}

/// No TTL is taken for longer than this (a hundred years), so that sums with the
/// clock stay in range whatever a server answers.
pub const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A TTL in seconds, as a server sent it.
pub fn from_seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_TTL)
}
