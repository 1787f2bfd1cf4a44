//! Parses durations as Vault does: a bare number is seconds, otherwise Go's form
//! (`90s`, `1h30m`, `1.5h`), with `d` for days as in Vault's `parseutil`.

use std::time::Duration;

/// Why a duration was refused, as one clause without a final full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationError(String);

impl std::fmt::Display for DurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" is not a duration like 90s, 5m or 1h30m", crate::text::one_line(&self.0))
    }
}

impl std::error::Error for DurationError {}

/// Reads a duration; negative ones are refused.
pub fn parse(typed: &str) -> Result<Duration, DurationError> {
    let refuse = || DurationError(typed.to_owned());
    let text = typed.trim();
    if text.is_empty() {
        return Err(refuse());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map(Duration::from_secs).map_err(|_| refuse());
    }
    let mut seconds = 0f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
        let number: f64 = rest[..digits].parse().map_err(|_| refuse())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit] {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(refuse()),
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| refuse())
}

/// Whole seconds in the shortest form a person reads: `1h`, `1h30m`, `45s`.
/// Parts of a second are dropped.
pub fn short(duration: Duration) -> String {
    let all = duration.as_secs();
    if all == 0 {
        return "0s".to_owned();
    }
    let (hours, minutes, seconds) = (all / 3_600, all % 3_600 / 60, all % 60);
    let part = |n: u64, unit: &str| if n == 0 { String::new() } else { format!("{n}{unit}") };
    part(hours, "h") + &part(minutes, "m") + &part(seconds, "s")
}

/// The same, rounded to the nearest second.
pub fn about(time: Duration) -> String {
    short(time + Duration::from_millis(500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_vault_takes() {
        for (typed, seconds) in [
            ("60", 60.0),
            ("90s", 90.0),
            ("1h30m", 5_400.0),
            ("1.5h", 5_400.0),
            ("250ms", 0.25),
            ("1d", 86_400.0),
            ("0", 0.0),
        ] {
            assert_eq!(parse(typed).map(|d| d.as_secs_f64()), Ok(seconds), "{typed}");
        }
    }

    #[test]
    fn forms_that_it_does_not() {
        for typed in ["", "h", "-1s", "1x", "1h-", "1e3s", "99999999999999999999"] {
            assert!(parse(typed).is_err(), "{typed}");
        }
        assert_eq!(
            parse("soon").map_err(|e| e.to_string()),
            Err("\"soon\" is not a duration like 90s, 5m or 1h30m".into())
        );
    }

    #[test]
    fn short_form() {
        for (seconds, text) in
            [(0, "0s"), (45, "45s"), (3_600, "1h"), (5_400, "1h30m"), (86_400, "24h"), (3_601, "1h1s")]
        {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
        assert_eq!(about(Duration::from_millis(119_750)), "2m");
        assert_eq!(about(Duration::from_millis(1_499)), "1s");
    }
}
