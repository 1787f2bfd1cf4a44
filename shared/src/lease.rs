//! The TTL of a Vault token, and when in it the token is renewed.

use std::ops::Range;
use std::time::Duration;

/// No TTL is taken for longer than this (a hundred years), so that sums with the
/// clock stay in range whatever a server answers.
pub const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The fractions of the TTL after which a token is renewed or replaced, at random between
/// the two: not for all clients at once, and with 30 % of the TTL left for an outage.
/// (Vault Agent renews after 0.70 to 0.73 of the TTL.)
const RENEWAL: Range<f64> = 0.62..0.70;

/// The remaining TTL of a token, and whether it can be extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The TTL from now on; `None` for a token that never expires. Zero is a token
    /// in its last second.
    pub ttl: Option<Duration>,
    /// Whether Vault renews it.
    pub renewable: bool,
}

/// A TTL in seconds, as a server sent it.
pub fn from_seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_TTL)
}

/// How long after its lease of `ttl` began a token is renewed or replaced. `share`, from 0 to 1,
/// chooses the moment; anything else counts as the nearer of the two.
pub fn renew_after(ttl: Duration, share: f64) -> Duration {
    ttl.mul_f64(RENEWAL.start + (RENEWAL.end - RENEWAL.start) * share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_ttl_is_left_for_an_outage() {
        let ttl = Duration::from_secs(1_000);
        for (share, seconds) in [(-1.0, 620), (0.0, 620), (0.5, 660), (1.0, 700), (2.0, 700)] {
            assert_eq!(renew_after(ttl, share).as_secs_f64().round() as u64, seconds, "{share}");
        }
        assert!(renew_after(LONGEST_TTL, 1.0) < LONGEST_TTL);
    }

    #[test]
    fn no_ttl_is_longer_than_a_hundred_years() {
        assert_eq!(from_seconds(3_600), Duration::from_secs(3_600));
        assert_eq!(from_seconds(u64::MAX), LONGEST_TTL);
    }
}
