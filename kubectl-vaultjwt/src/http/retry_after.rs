//! Parses `Retry-After` (RFC 9110 section 10.2.3).

use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// What the headers of an answer say.
pub fn of(headers: &HeaderMap) -> Option<Duration> {
    parse(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

/// How long from now, said in seconds or as a date; `None` for what is neither,
/// or is over.
pub fn parse(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(jiff::Timestamp::now().duration_until(date)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_seconds_or_as_a_date() {
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        let date = |seconds: i64| {
            let time = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
            time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        let soon = parse(&date(90)).unwrap();
        assert!((88..=90).contains(&soon.as_secs()), "{soon:?}");
        for none in ["soon", "-1", "", &date(-90)] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
