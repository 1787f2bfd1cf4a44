//! Tracks open problems, so that each is reported when it begins and when it ends, and not
//! at every attempt in between.

use crate::command::watch::event::{About, Event};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// An open problem is reported again after this long.
const REMINDER: Duration = Duration::from_secs(3_600);
/// So many different hints for one problem are reported at once.
const HINTS: usize = 8;

#[derive(Debug)]
struct Open {
    since: Instant,
    told: Instant,
    /// What was said that can be done about it.
    hints: HashSet<Option<String>>,
    failures: u32,
}

#[derive(Debug, Default)]
pub struct OpenProblems(HashMap<About, Open>);

impl OpenProblems {
    /// Something failed (again); what is to be reported, if anything. A hint
    /// that was not reported yet is; another wording is not: a server that
    /// is going down words it differently each time.
    pub fn failed(&mut self, now: Instant, about: About, error: String, hint: Option<String>) -> Option<Event> {
        let open =
            self.0.entry(about.clone()).or_insert(Open { since: now, told: now, hints: HashSet::new(), failures: 0 });
        open.failures = open.failures.saturating_add(1);
        let new = open.hints.len() < HINTS && open.hints.insert(hint.clone());
        if !new && now.duration_since(open.told) < REMINDER {
            return None;
        }
        open.told = now;
        Some(Event::Trouble { about, error, hint })
    }

    /// Something works; what is to be reported, if it did not before.
    pub fn recovered(&mut self, now: Instant, about: &About) -> Option<Event> {
        let open = self.0.remove(about)?;
        let seconds = now.duration_since(open.since).as_secs();
        Some(Event::Recovered { about: about.clone(), seconds, failures: open.failures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_at_the_beginning_every_hour_and_at_the_end() {
        let (start, mut problems) = (Instant::now(), OpenProblems::default());
        let mut told = Vec::new();
        for minute in 0..130 {
            let now = start + Duration::from_secs(60 * minute);
            let error = format!("attempt {minute}");
            told.extend(problems.failed(now, About::Vault, error, None).map(|_| minute));
        }
        assert_eq!(told, [0, 60, 120]);
        let end = start + Duration::from_secs(60 * 130);
        let recovered = Event::Recovered { about: About::Vault, seconds: 7_800, failures: 130 };
        assert_eq!(problems.recovered(end, &About::Vault), Some(recovered));
        assert_eq!(problems.recovered(end, &About::Vault), None);
    }

    #[test]
    fn another_thing_to_do_is_told() {
        let (now, mut problems) = (Instant::now(), OpenProblems::default());
        let failed = |problems: &mut OpenProblems, hint: &str| {
            problems.failed(now, About::Token, "no".into(), Some(hint.into())).is_some()
        };
        assert!(failed(&mut problems, "a"));
        assert!(!failed(&mut problems, "a"));
        assert!(failed(&mut problems, "b"));
        // Not each time that they take turns.
        assert!(!failed(&mut problems, "a") && !failed(&mut problems, "b"));
        let told = (0..100).filter(|number| failed(&mut problems, &number.to_string())).count();
        assert_eq!(told, 6);
    }
}
