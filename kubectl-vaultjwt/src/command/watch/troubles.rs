//! Owns which troubles are open, so that each is told when it begins and when
//! it ends, and not at every attempt in between.

use super::event::{About, Event};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// A trouble that goes on is told again after this long.
const REMINDER: Duration = Duration::from_secs(3_600);
/// So many different things to do about one trouble are told at once.
const HINTS: usize = 8;

#[derive(Debug)]
struct Open {
    since: Instant,
    told: Instant,
    /// What was said that can be done about it.
    hints: HashSet<Option<String>>,
    failures: u32,
}

/// What does not work now.
#[derive(Debug, Default)]
pub struct Troubles(HashMap<About, Open>);

impl Troubles {
    /// Something failed (again); what is to be told, if anything. A thing to do
    /// about it that was not told yet is; another wording is not: a server that
    /// is going down words it differently each time.
    pub fn failed(&mut self, now: Instant, about: About, error: String, hint: Option<String>) -> Option<Event> {
        let tell = match self.0.get_mut(&about) {
            Some(open) => {
                open.failures = open.failures.saturating_add(1);
                let new = open.hints.len() < HINTS && open.hints.insert(hint.clone());
                let tell = new || now.duration_since(open.told) >= REMINDER;
                if tell {
                    open.told = now;
                }
                tell
            }
            None => {
                let hints = HashSet::from([hint.clone()]);
                self.0.insert(about.clone(), Open { since: now, told: now, hints, failures: 1 });
                true
            }
        };
        tell.then_some(Event::Trouble { about, error, hint })
    }

    /// Something works; what is to be told, if it did not before.
    pub fn works(&mut self, now: Instant, about: &About) -> Option<Event> {
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
        let (start, mut troubles) = (Instant::now(), Troubles::default());
        let mut told = Vec::new();
        for minute in 0..130 {
            let now = start + Duration::from_secs(60 * minute);
            let error = format!("attempt {minute}");
            told.extend(troubles.failed(now, About::Vault, error, None).map(|_| minute));
        }
        assert_eq!(told, [0, 60, 120]);
        let end = start + Duration::from_secs(60 * 130);
        let recovered = Event::Recovered { about: About::Vault, seconds: 7_800, failures: 130 };
        assert_eq!(troubles.works(end, &About::Vault), Some(recovered));
        assert_eq!(troubles.works(end, &About::Vault), None);
    }

    #[test]
    fn another_thing_to_do_is_told() {
        let (now, mut troubles) = (Instant::now(), Troubles::default());
        let failed = |troubles: &mut Troubles, hint: &str| {
            troubles.failed(now, About::Token, "no".into(), Some(hint.into())).is_some()
        };
        assert!(failed(&mut troubles, "a"));
        assert!(!failed(&mut troubles, "a"));
        assert!(failed(&mut troubles, "b"));
        // Not each time that they take turns.
        assert!(!failed(&mut troubles, "a") && !failed(&mut troubles, "b"));
        let told = (0..100).filter(|number| failed(&mut troubles, &number.to_string())).count();
        assert_eq!(told, 6);
    }
}
