//! The metrics of a watcher in the OpenMetrics text format, rendered for each scrape. Names
//! are part of the interface.

use crate::command::watch::stats::OwnerKeys;
use crate::command::watch::{Requests, Stats};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use tokio::time::Instant;

pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// All figures.
///
/// # Errors
/// The text cannot be written, which memory alone could cause.
pub fn text(stats: &Stats, requests: &Requests, now: Instant) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("vaultjwt");
    let mut gauge = |name: &str, help: &str, series: Vec<(Labels, f64)>| {
        let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in series {
            family.get_or_create(&labels).set(value);
        }
        registry.register(name, help, family);
    };
    let of_mount = || vec![("mount", stats.mount.clone())];
    let of_context = |context: &String| vec![("context", context.clone())];
    let seconds = |time: Timestamp| time.as_millisecond() as f64 / 1_000.0;
    let at = |time: Option<Timestamp>| time.map(|time| (of_mount(), seconds(time))).into_iter().collect();

    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    gauge("build_info", "Which version runs", vec![(version, 1.0)]);
    let ready = if stats.not_ready.is_none() { 1.0 } else { 0.0 };
    gauge("ready", "Whether the keys on the mount are being kept right", vec![(of_mount(), ready)]);
    let of_owner = |((issuer, uid), count): (&(String, String), &OwnerKeys)| {
        [("active", count.active), ("retired", count.retired)].map(|(state, count)| {
            let owner = [("issuer", issuer.clone()), ("cluster_uid", uid.clone()), ("state", state.to_owned())];
            (of_mount().into_iter().chain(owner).collect(), count as f64)
        })
    };
    gauge("keys", "Keys on the mount by owner and state", stats.keys.iter().flat_map(of_owner).collect());
    let unmanaged = vec![(of_mount(), stats.unmanaged as f64)];
    gauge("unmarked_keys", "Keys on the mount that this program does not look after", unmanaged);
    gauge("last_success_timestamp_seconds", "When all keys were last known to be right", at(stats.last_success));
    gauge("last_change_timestamp_seconds", "When the mount was last written", at(stats.last_change));
    let successes = stats
        .contexts
        .iter()
        .filter_map(|(context, figures)| Some((of_context(context), seconds(figures.last_success?))));
    gauge(
        "context_last_success_timestamp_seconds",
        "When a context's keys were last read and known to be right",
        successes.collect(),
    );
    let left = stats.token_expires.map(|expires| expires.saturating_duration_since(now).as_secs_f64());
    gauge(
        "token_ttl_seconds",
        "How long the run's own Vault token lives; absent where it does not end",
        left.map(|left| (Labels::new(), left)).into_iter().collect(),
    );
    let locked_out = if stats.locked_out.is_some() { 1.0 } else { 0.0 };
    gauge(
        "locked_out",
        "1 while Vault accepts no token or login of the run, with the command that a person has to run",
        vec![(vec![("command", stats.locked_out.clone().unwrap_or_default())], locked_out)],
    );

    let mut counter = |name: &str, help: &str, series: Vec<(Labels, u64)>| {
        let family = Family::<Labels, Counter>::default();
        for (labels, count) in series {
            family.get_or_create(&labels).inc_by(count);
        }
        registry.register(name, help, family);
    };
    counter("changes", "How often the mount was written", vec![(of_mount(), stats.changes)]);
    let failures = stats.contexts.iter().map(|(context, figures)| (of_context(context), figures.failures));
    counter("read_failures", "Reads of a context's keys that were refused or failed", failures.collect());
    counter("vault_failures", "Rounds in which Vault did not serve", vec![(of_mount(), stats.vault_failures)]);
    let sent = requests.counts().map(|(to, count)| (vec![("to", to.to_owned())], count));
    counter("requests", "Requests sent, by the kind of server", sent.to_vec());

    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::watch::stats::ContextStats;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    #[test]
    fn the_text_word_for_word() {
        let now = Instant::now();
        let mut stats = Stats::new("jwt");
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
