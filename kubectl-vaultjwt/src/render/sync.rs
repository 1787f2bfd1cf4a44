//! The text form of `sync`'s report: a table on stdout, and a hint for each context that
//! failed.

use crate::command::sync::{Outcome, Row, SyncReport};
use crate::keychain::action::KeyAction;
use crate::render::console::Problem;
use crate::render::table::{middle_cut, titled};
use crate::shell::word;
use anstyle::{AnsiColor, Effects, Style};
use shared::text::one_line;

/// Columns for the context and the result, so that the table fits 80; the report
/// has the whole name.
const CONTEXT_AND_RESULT: usize = 42;

/// A row for each context.
pub fn table(report: &SyncReport) -> String {
    let mut rows: Vec<Vec<String>> = report.clusters.iter().map(|row| cells(row, report.dry_run)).collect();
    let widest = rows.iter().filter_map(|cells| Some(cells.last()?.len())).max().unwrap_or_default();
    for (cells, row) in rows.iter_mut().zip(&report.clusters) {
        // The result comes last, so a color does not push anything aside.
        if let [context, .., result] = &mut cells[..] {
            *context = middle_cut(context, CONTEXT_AND_RESULT - widest);
            let style = style(row.outcome);
            *result = format!("{style}{result}{style:#}");
        }
    }
    titled(&["CONTEXT", "KEPT", "ADDED", "RETIRED", "REMOVED", "RESULT"], &rows)
}

fn cells(row: &Row, dry_run: bool) -> Vec<String> {
    let count = |actions: &[KeyAction]| {
        let n: usize = actions.iter().map(|action| row.count(*action)).sum();
        if row.keys.is_empty() { "-".to_owned() } else { n.to_string() }
    };
    let done = matches!(row.outcome, Outcome::Changed | Outcome::Enrolled);
    let result = match row.outcome {
        Outcome::Unchanged => "unchanged",
        Outcome::Changed => "refreshed",
        Outcome::Enrolled => "enrolled",
        Outcome::NotEnrolled => "not enrolled",
        Outcome::Failed => "failed",
    };
    vec![
        one_line(&row.context),
        count(&[KeyAction::Keep, KeyAction::KeepUnmanaged, KeyAction::KeepRetired]),
        count(&[KeyAction::Add, KeyAction::Adopt, KeyAction::Return]),
        count(&[KeyAction::Retire]),
        count(&[KeyAction::Remove]),
        if dry_run && done { format!("{result} (dry run)") } else { result.to_owned() },
    ]
}

fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Unchanged => Style::new(),
        Outcome::Changed | Outcome::Enrolled => AnsiColor::Green.on_default(),
        Outcome::NotEnrolled => Style::new().effects(Effects::DIMMED),
        Outcome::Failed => AnsiColor::Red.on_default(),
    }
}

pub fn failures(report: &SyncReport) -> Vec<Problem> {
    let failed = report.clusters.iter().filter(|row| row.outcome == Outcome::Failed);
    let problem = |row: &Row| Problem::Error {
        text: format!(
            "context \"{}\": {}",
            one_line(&row.context),
            row.error.as_deref().unwrap_or("nothing is known of it")
        ),
        hint: row.hint.clone(),
    };
    failed.map(problem).collect()
}

/// What is wrong with which context, and what to do about it.
pub fn troubles(report: &SyncReport) -> Vec<Problem> {
    let mut troubles = failures(report);
    if report.nobody() {
        troubles.push(Problem::Error {
            text: format!("none of these contexts is on auth mount \"{}/\"", report.vault.mount),
            hint: Some(format!("look at who is: kubectl vaultjwt status --mount {}", report.vault.mount)),
        });
    }
    for row in report.clusters.iter().filter(|row| row.outcome == Outcome::NotEnrolled) {
        troubles.push(Problem::Note(format!(
            "context \"{}\" is not on auth mount \"{}/\"; to put it there: kubectl vaultjwt setup --context {} --mount {}",
            one_line(&row.context),
            report.vault.mount,
            word(&row.context),
            report.vault.mount
        )));
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::report::{ChangeReport, KeyChangeReport, VaultLocation};

    fn row(context: &str, outcome: Outcome, keys: &[KeyAction], trouble: Option<(&str, &str)>) -> Row {
        let key = |action: &KeyAction| KeyChangeReport { id: "id".into(), kid: None, action: *action };
        Row {
            context: context.into(),
            server: None,
            owner: None,
            outcome,
            keys: keys.iter().map(key).collect(),
            error: trouble.map(|(why, _)| why.to_owned()),
            hint: trouble.map(|(_, hint)| hint.to_owned()),
            source: None,
            retry_after: None,
        }
    }

    fn report(dry_run: bool) -> SyncReport {
        use KeyAction::{Add, Keep, KeepRetired, Remove, Retire};
        let vault = VaultLocation { address: "https://v".into(), namespace: None, mount: "jwt".into() };
        SyncReport {
            dry_run,
            vault,
            clusters: vec![
                row("production", Outcome::Changed, &[Keep, Add, Retire, Remove, KeepRetired], None),
                row("staging", Outcome::Unchanged, &[Keep], None),
                row("my laptop", Outcome::NotEnrolled, &[], Some(("it holds no key of it", "enrol it"))),
                row(&format!("arn:aws:eks:{}", "x".repeat(40)), Outcome::Failed, &[], Some(("no answer", "look"))),
            ],
            config: ChangeReport { written: true, before: None, after: Default::default() },
            failure: None,
        }
    }

    #[test]
    fn the_table_word_for_word() {
        let plain = |dry_run| anstream::adapter::strip_str(&table(&report(dry_run))).to_string();
        assert_eq!(
            plain(false),
            "CONTEXT                          KEPT   ADDED   RETIRED   REMOVED   RESULT\n\
             production                       2      1       1         1         refreshed\n\
             staging                          1      0       0         0         unchanged\n\
             my laptop                        -      -       -         -         not enrolled\n\
             arn:aws:eks:xx…xxxxxxxxxxxxxxx   -      -       -         -         failed\n"
        );
        assert!(plain(true).contains(" refreshed (dry run)\n"));
        assert!([plain(false), plain(true)].iter().all(|t| t.lines().all(|line| line.chars().count() <= 80)));
        assert!(table(&report(false)).contains("\u{1b}[31mfailed\u{1b}[0m\n"));
    }

    #[test]
    fn what_to_do_about_each() {
        let long = format!("context \"arn:aws:eks:{}\": no answer", "x".repeat(40));
        assert_eq!(
            troubles(&report(false)),
            [
                Problem::Error { text: long, hint: Some("look".into()) },
                Problem::Note(
                    "context \"my laptop\" is not on auth mount \"jwt/\"; to put it there: \
                     kubectl vaultjwt setup --context 'my laptop' --mount jwt"
                        .into()
                ),
            ]
        );
    }
}
