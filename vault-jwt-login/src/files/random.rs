//! Random numbers: names that others cannot prepare, and jitter. They come from the
//! generator that the TLS library brings, so no other is linked.

use std::io;
use std::time::Duration;

pub fn bits() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let generator = rustls::crypto::ring::default_provider().secure_random;
    generator.fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}

pub fn between(low: Duration, high: Duration) -> Duration {
    let span = high.saturating_sub(low);
    // Without random numbers every login fails anyway; waiting must not.
    let share = bits().map_or(1.0, |bits| bits as f64 / u64::MAX as f64);
    low + span.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_and_stay_in_their_bounds() {
        assert_ne!(bits().unwrap(), bits().unwrap());
        let (low, high) = (Duration::from_secs(2), Duration::from_secs(4));
        let drawn: Vec<Duration> = (0..64).map(|_| between(low, high)).collect();
        assert!(drawn.iter().all(|d| (low..=high).contains(d)));
        assert!(drawn.iter().any(|d| *d < Duration::from_secs(3)) && drawn.iter().any(|d| *d > Duration::from_secs(3)));
        assert_eq!(between(low, low), low);
    }
}
