//! The metrics of a watcher in the OpenMetrics text format, rendered for each scrape. Names
//! are part of the interface.

use crate::command::watch::{Requests, Stats};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use tokio::time::Instant;

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter>;

/// All figures.
///
/// # Errors
/// The text cannot be written, which memory alone could cause.
pub fn text(stats: &Stats, requests: &Requests, now: Instant) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("vaultjwt");
    let mut gauges = |name: &str, help: &str| {
        let family = Gauges::default();
        registry.register(name, help, family.clone());
        family
    };
    let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1_000.0;
    let mount = ("mount", stats.mount.clone());

    gauges("build_info", "Which version runs")
        .get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())])
        .set(1.0);
    let ready = gauges("ready", "Whether the keys on the mount are being kept right");
    ready.get_or_create(&vec![mount.clone()]).set(if stats.not_ready.is_none() { 1.0 } else { 0.0 });
    let keys = gauges("keys", "Keys on the mount by owner and state");
    for ((issuer, uid), count) in &stats.keys {
        for (state, count) in [("active", count.active), ("retired", count.retired)] {
            let labels = vec![
                mount.clone(),
                ("issuer", issuer.clone()),
                ("cluster_uid", uid.clone()),
                ("state", state.to_owned()),
            ];
            keys.get_or_create(&labels).set(count as f64);
        }
    }
    let unmanaged = gauges("unmarked_keys", "Keys on the mount that this program does not look after");
    unmanaged.get_or_create(&vec![mount.clone()]).set(stats.unmanaged as f64);
    let success = gauges("last_success_timestamp_seconds", "When all keys were last known to be right");
    let change = gauges("last_change_timestamp_seconds", "When the mount was last written");
    for (family, time) in [(success, stats.last_success), (change, stats.last_change)] {
        if let Some(time) = time {
            family.get_or_create(&vec![mount.clone()]).set(seconds(time));
        }
    }
    let of_context =
        gauges("context_last_success_timestamp_seconds", "When a context's keys were last read and known to be right");
    for (context, figures) in &stats.contexts {
        if let Some(time) = figures.last_success {
            of_context.get_or_create(&vec![("context", context.clone())]).set(seconds(time));
        }
    }
    let ttl = gauges("token_ttl_seconds", "How long the run's own Vault token lives; absent where it does not end");
    if let Some(expires) = stats.token_expires {
        ttl.get_or_create(&Labels::new()).set(expires.saturating_duration_since(now).as_secs_f64());
    }
    let locked_out = gauges(
        "locked_out",
        "1 while Vault accepts no token or login of the run, with the command that a person has to run",
    );
    match &stats.locked_out {
        Some(command) => locked_out.get_or_create(&vec![("command", command.clone())]).set(1.0),
        None => locked_out.get_or_create(&vec![("command", String::new())]).set(0.0),
    };

    let mut counters = |name: &str, help: &str| {
        let family = Counters::default();
        registry.register(name, help, family.clone());
        family
    };
    counters("changes", "How often the mount was written").get_or_create(&vec![mount.clone()]).inc_by(stats.changes);
    let failures = counters("read_failures", "Reads of a context's keys that were refused or failed");
    for (context, figures) in &stats.contexts {
        failures.get_or_create(&vec![("context", context.clone())]).inc_by(figures.failures);
    }
    counters("vault_failures", "Rounds in which Vault did not serve")
        .get_or_create(&vec![mount])
        .inc_by(stats.vault_failures);
    let sent = counters("requests", "Requests sent, by the kind of server");
    for (to, count) in requests.counts() {
        sent.get_or_create(&vec![("to", to.to_owned())]).inc_by(count);
    }

    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::watch::StatsCell;
    use crate::command::watch::stats::{ContextStats, OwnerKeys};
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    #[test]
    fn the_text_word_for_word() {
        let now = Instant::now();
        let mut stats = StatsCell::new("jwt").get();
        stats.keys.insert(("https://i\"\n".into(), "u".into()), OwnerKeys { active: 2, retired: 1 });
        let last_success = Some("2026-11-25T08:00:00.5Z".parse().unwrap());
        stats.contexts.insert("prod".into(), ContextStats { last_success, failures: 3 });
        stats.contexts.insert("never".into(), ContextStats { last_success: None, failures: 1 });
        (stats.last_success, stats.last_change) = (last_success, last_success);
        (stats.changes, stats.unmanaged) = (4, 5);
        (stats.not_ready, stats.token_expires) = (None, Some(now + Duration::from_secs(90)));
        stats.locked_out = Some("kubectl vaultjwt sync --mount jwt".into());
        let requests = Requests::default();
        requests.vault.fetch_add(7, Ordering::Relaxed);
        let said = text(&stats, &requests, now).unwrap();
        assert!(said.ends_with("# EOF\n"));
        // Series of one name come in any order.
        let mut said: Vec<&str> = said.lines().collect();
        said.sort_unstable();
        let wanted: Vec<&str> = include_str!("metrics_tests.txt").lines().collect();
        assert_eq!(said, wanted);
    }
}
