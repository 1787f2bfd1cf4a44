//! The text forms of `status`: columns as `kubectl get` has them, names, and notes beside
//! them.

use crate::command::status::StatusReport;
use crate::command::status::report::{MountKeyReport, OwnerReport, State};
use crate::command::sync::{Outcome, Row, SyncReport};
use crate::keychain::freshness::Freshness;
use crate::keychain::key_proof::KeyProof;
use crate::render::{age, table};
use crate::shell::word;
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use shared::text::one_line;

/// Widest cell of each column that is cut, so that a usual row has no more than 80
/// columns. Issuers differ at both ends: theirs gets what the others leave.
const CLUSTER: usize = 12;
const ISSUER: usize = 22;
const KID: usize = 9;
const ROW: usize = 80;

const TITLES: [&str; 13] = [
    "CLUSTER",
    "ISSUER",
    "KID",
    "ALG",
    "AGE",
    "STATE",
    "PROOF",
    "CLUSTER-UID",
    "TYPE",
    "ADDED",
    "RETIRED",
    "AUTHORITIES",
    "FINGERPRINT",
];
/// How many columns are shown where `wide` is not asked for.
const NARROW: usize = 6;

/// Columns for people. Nothing where there are no keys.
pub fn table(report: &StatusReport) -> String {
    let titles = &TITLES[..NARROW];
    let mut rows = rows(report);
    for row in &mut rows {
        row.truncate(NARROW);
        if let [cluster, issuer, kid, ..] = &mut row[..] {
            *cluster = table::middle_cut(name(cluster), CLUSTER);
            *issuer = issuer.strip_prefix("https://").unwrap_or(issuer).to_owned();
            *kid = table::end_cut(kid, KID);
        }
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str).chain([titles[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let others: usize = [0, 2, 3, 4, 5].into_iter().map(|column| width(column) + table::GAP as usize).sum();
    let issuer = ROW.saturating_sub(others).max(ISSUER);
    for cell in rows.iter_mut().filter_map(|row| row.get_mut(1)) {
        *cell = table::middle_cut(cell, issuer);
    }
    painted(report, titles, &rows)
}

/// All columns, nothing cut.
pub fn wide(report: &StatusReport) -> String {
    painted(report, &TITLES, &rows(report))
}

fn rows(report: &StatusReport) -> Vec<Vec<String>> {
    let row = |key: &MountKeyReport| {
        vec![
            cell(&key.cluster),
            cell(&key.issuer),
            cell(&key.kid),
            cell(&key.alg),
            since(report, &key.added),
            state(report, key),
            key.proof.map_or("<none>", KeyProof::word).to_owned(),
            cell(&key.cluster_uid),
            cell(&key.kind),
            cell(&key.added),
            cell(&key.retired),
            authorities(report, key),
            cell(&key.fingerprint),
        ]
    };
    report.keys.iter().map(row).collect()
}

/// The recorded ways to the cluster whose key it is.
fn authorities(report: &StatusReport, key: &MountKeyReport) -> String {
    let its = |owner: &&OwnerReport| {
        Some(&owner.owner.issuer) == key.issuer.as_ref() && owner.owner.cluster_uid == key.cluster_uid
    };
    let ways = report.owners.iter().find(its).map(|owner| owner.authorities.join(", ")).unwrap_or_default();
    if ways.is_empty() { "<none>".to_owned() } else { one_line(&ways) }
}

/// `key/<fingerprint>` for each key that can be read.
pub fn names(report: &StatusReport) -> String {
    report.keys.iter().filter_map(|key| key.fingerprint.as_ref()).map(|id| format!("key/{id}\n")).collect()
}

/// What to say on stderr where no key is shown.
pub fn nothing(report: &StatusReport) -> Option<String> {
    let mount = &report.vault.mount;
    match (&report.key_source, report.keys.is_empty()) {
        (Some(source), _) => Some(format!(
            "auth mount \"{mount}/\" holds no keys of its own: Vault takes them from {} ({})",
            source.field,
            one_line(&source.value)
        )),
        (None, true) => Some(format!("no keys on auth mount \"{mount}/\"")),
        (None, false) => None,
    }
}

/// What should be known about the keys that are shown.
pub fn notes(report: &StatusReport) -> Vec<String> {
    let mount = &report.vault.mount;
    let mut notes = Vec::new();
    let strange = report.count(State::Foreign) + report.count(State::Unreadable);
    if report.owners.len() > 1 || (strange > 0 && report.keys.len() > 1) {
        notes.push(format!(
            "trust is per mount: whoever holds one of these {} keys can sign for every issuer on \"{mount}/\"",
            report.keys.len()
        ));
    }
    for key in &report.keys {
        if let Some(why) = &key.why {
            let id = key.fingerprint.as_deref().unwrap_or("<unknown>");
            notes.push(format!("the mark of key \"{id}\" cannot be read: {}", one_line(why)));
        }
    }
    if let Ok(now) = report.read_at.parse::<Timestamp>() {
        notes.extend(
            report.owners.iter().filter(|owner| owner.rots(now)).filter_map(|owner| rotting(owner, now, mount)),
        );
    }
    for owner in report.owners.iter().filter(|owner| owner.lacks_a_way()) {
        notes.push(format!(
            "no way to {} is recorded, because an earlier version enrolled it: its keys stay and do not change before you run: kubectl vaultjwt setup --mount {}",
            owner.owner,
            word(mount)
        ));
    }
    for copy in &report.copies {
        let (owner, other) = (&copy.owner, &copy.other);
        notes.push(match &copy.key {
            Some(key) => format!(
                "key \"{}\" belongs to both {owner} and {other}: one cluster is a copy of the other, and each can act as the other",
                one_line(key)
            ),
            None => format!(
                "{owner} and {other} have the same UID: one is a restored copy of the other, or the cluster was enrolled again after its issuer changed"
            ),
        });
    }
    if let Some(bound) = &report.bound_issuer {
        notes.push(format!("only tokens of issuer \"{}\" are let in (bound_issuer)", one_line(bound)));
    }
    if let (Some(why), None) = (&report.not_writable, &report.key_source) {
        notes.push(format!("no command here changes \"{mount}/\": {}", one_line(why)));
    }
    notes
}

/// What the clusters say of their keys, one line for each context.
pub fn checked(report: &SyncReport) -> String {
    let verdict = |row: &Row| match row.outcome {
        Outcome::Unchanged => ("up to date", Style::new()),
        Outcome::Changed | Outcome::Enrolled => ("out of date", AnsiColor::Yellow.on_default()),
        Outcome::NotEnrolled => ("not enrolled", Style::new().dimmed()),
        Outcome::Failed => ("failed", AnsiColor::Red.on_default()),
    };
    let rows: Vec<Vec<String>> = report
        .clusters
        .iter()
        .map(|row| vec![table::middle_cut(&one_line(&row.context), ROW - 20), verdict(row).0.to_owned()])
        .collect();
    table::styled(&["CONTEXT", "KEYS"], &rows, report.clusters.iter().map(|row| verdict(row).1))
}

/// Owners on the mount that no context leads to.
pub fn unreached(report: &StatusReport, checked: &SyncReport) -> Vec<String> {
    let reached = |owner: &&OwnerReport| checked.clusters.iter().any(|row| row.owner.as_ref() == Some(&owner.owner));
    let note = |owner: &OwnerReport| {
        format!("the keys of {} were not compared: no context that was read leads to it", owner.owner)
    };
    report.owners.iter().filter(|owner| !reached(owner)).map(note).collect()
}

/// Contexts whose keys `sync` would change.
pub fn out_of_date(report: &SyncReport) -> Vec<String> {
    let changed = report.clusters.iter().filter(|row| row.outcome == Outcome::Changed);
    let note = |row: &Row| {
        format!(
            "the keys of context \"{}\" on \"{}/\" are out of date: kubectl vaultjwt sync --context {} --mount {}",
            one_line(&row.context),
            report.vault.mount,
            word(&row.context),
            word(&report.vault.mount)
        )
    };
    changed.map(note).collect()
}

/// An owner whose keys nothing keeps fresh, and what does.
fn rotting(owner: &OwnerReport, now: Timestamp, mount: &str) -> Option<String> {
    let rotation = owner.rotation?;
    let freshness = owner.freshness.as_ref()?;
    let age = age::short(now.duration_since(freshness.time()?));
    let when = match freshness {
        Freshness::Nothing { .. } => format!("since they came {age} ago"),
        _ => format!("for {age}"),
    };
    let every = rotation.every_days.map_or_else(|| "without notice".to_owned(), |days| format!("every {days} days"));
    Some(format!(
        "no refresh of the keys of \"{}\" is recorded {when}, and {} replaces them {every}: kubectl vaultjwt sync --watch --mount {}",
        one_line(&owner.owner.issuer),
        rotation.by,
        word(mount)
    ))
}

/// What distinguishes clusters: an ARN names account and region first, as the others do.
fn name(cluster: &str) -> &str {
    match cluster.rsplit_once('/') {
        Some((before, name)) if before.starts_with("arn:") && !name.is_empty() => name,
        _ => cluster,
    }
}

/// Untrusted text as a cell.
fn cell(text: &Option<String>) -> String {
    text.as_deref().map_or_else(|| "<none>".to_owned(), one_line)
}

fn since(report: &StatusReport, time: &Option<String>) -> String {
    let Some(time) = time else { return "<none>".to_owned() };
    match (report.read_at.parse::<Timestamp>(), time.parse::<Timestamp>()) {
        (Ok(now), Ok(then)) => age::short(now.duration_since(then)),
        _ => "<unknown>".to_owned(),
    }
}

fn state(report: &StatusReport, key: &MountKeyReport) -> String {
    match key.state {
        State::Active => "active".to_owned(),
        State::Retired => format!("retired {}", since(report, &key.retired)),
        State::Foreign => "foreign".to_owned(),
        State::Unreadable => "unreadable".to_owned(),
    }
}

/// Each row in the color of its key's state; the stream decides whether
/// colors reach it.
fn painted(report: &StatusReport, titles: &[&str], rows: &[Vec<String>]) -> String {
    if report.keys.is_empty() {
        return String::new();
    }
    let style = |key: &MountKeyReport| match key.state {
        State::Active => Style::new(),
        State::Retired => Style::new().dimmed(),
        State::Foreign => AnsiColor::Yellow.on_default(),
        State::Unreadable => AnsiColor::Red.on_default(),
    };
    table::styled(titles, rows, report.keys.iter().map(style))
}

#[cfg(test)]
mod tests;
