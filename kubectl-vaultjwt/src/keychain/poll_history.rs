//! Keeps the results of an owner's last polls, and decides from them when a key is no
//! longer published. Pure.
//!
//! One answer without a key is no proof: API servers behind one address are upgraded one
//! after the other and publish different sets meanwhile, and which of them answers is
//! chance.

use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_id::KeyId;
use std::collections::BTreeMap;

/// Polls in a row without a key, after which it is gone.
pub const POLLS: u32 = 3;
/// The same while the set changes: in the last polls, so many, a key came, for
/// the first time or again. Then servers may disagree. If two of three of them
/// lack a key, one in 200,000 runs of thirty polls would miss it by chance; of
/// three polls, one in three.
pub const POLLS_IN_CHANGE: u32 = 30;

/// An owner's last polls: only those that were answered in full count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollHistory {
    polls: u32,
    /// Number of the last poll that showed a key.
    seen: BTreeMap<KeyId, u32>,
    /// Number of the last poll that showed a key which the one before had not.
    came: Option<u32>,
}

impl PollHistory {
    /// Takes one more answer.
    pub fn record(&mut self, published: &[PublishedKey]) {
        let before = self.polls;
        self.polls = self.polls.saturating_add(1);
        for key in published {
            let last = self.seen.insert(key.key.id(), self.polls);
            // Of the first poll nothing is known that it could differ from.
            if before > 0 && last.is_none_or(|last| last < before) {
                self.came = Some(self.polls);
            }
        }
        // What is gone by any measure need not be known.
        let polls = self.polls;
        self.seen.retain(|_, last| polls - *last < POLLS_IN_CHANGE);
    }

    /// Whether so many of the last polls were without this key that none of
    /// the owner's servers publishes it any more.
    pub fn is_gone(&self, key: KeyId) -> bool {
        let in_change = self.came.is_some_and(|at| self.polls - at < POLLS_IN_CHANGE);
        let needed = if in_change { POLLS_IN_CHANGE } else { POLLS };
        self.polls - self.seen.get(&key).copied().unwrap_or(0) >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::plan::tests::{key, keys};
    use proptest::prelude::*;

    fn is_gone(recent: &PollHistory, number: u8) -> bool {
        recent.is_gone(key(number).key.id())
    }

    /// The polls, counted from 1, after which key `number` counts as gone.
    fn gone(number: u8, polls: &[(usize, &[u8])]) -> Vec<usize> {
        let mut recent = PollHistory::default();
        let polls = polls.iter().flat_map(|(times, set)| std::iter::repeat_n(*set, *times));
        let gone = (1..).zip(polls).filter(|(_, set)| {
            recent.record(&keys(set.iter().copied()));
            is_gone(&recent, number)
        });
        gone.map(|(at, _)| at).collect()
    }

    #[test]
    fn nothing_is_gone_before_anything_was_seen() {
        assert!(!is_gone(&PollHistory::default(), 1));
    }

    #[test]
    fn three_polls_in_a_row_and_no_less() {
        assert_eq!(gone(1, &[(5, &[1, 2]), (4, &[2])]), [8, 9]);
        // It is not known when it was last published.
        assert_eq!(gone(1, &[(4, &[2])]), [3, 4]);
    }

    #[test]
    fn thirty_polls_after_a_key_came_for_the_first_time() {
        // Both keys at once, and one after the other.
        assert_eq!(gone(1, &[(5, &[1]), (40, &[2])])[0], 35);
        assert_eq!(gone(1, &[(5, &[1]), (10, &[1, 2]), (40, &[2])])[0], 36);
        // Long after that, it takes three.
        assert_eq!(gone(1, &[(5, &[1]), (60, &[1, 2]), (40, &[2])])[0], 68);
    }

    #[test]
    fn thirty_polls_after_a_key_came_back() {
        assert_eq!(gone(1, &[(5, &[1, 2]), (1, &[2]), (1, &[1, 2]), (40, &[2])])[0], 37);
    }

    proptest! {
        /// Whatever the servers say: no key is gone that one of the last three
        /// polls showed, and every key is that thirty polls did not.
        #[test]
        fn between_three_and_thirty(polls in prop::collection::vec(prop::collection::btree_set(0u8..4, 1..4), 0..80)) {
            let mut recent = PollHistory::default();
            for (at, set) in polls.iter().enumerate() {
                recent.record(&keys(set.iter().copied()));
                let since = |number: u8| polls[..=at].iter().rev().take_while(|set| !set.contains(&number)).count();
                for number in 0..4 {
                    prop_assert!(since(number) >= 3 || !is_gone(&recent, number));
                    prop_assert!(since(number) < 30 || is_gone(&recent, number));
                }
            }
        }

        /// Two servers that have one key in common and one each, the poll
        /// reaching either by chance: as long as chance is not absurd, no key
        /// is gone once both were heard.
        #[test]
        fn no_flapping_between_two_servers(polls in prop::collection::vec(prop::bool::ANY, 1..300)) {
            let mut recent = PollHistory::default();
            for (at, first) in polls.iter().enumerate() {
                recent.record(&keys([9, u8::from(*first)]));
                if polls[..=at].contains(&!polls[0]) {
                    prop_assert!(!is_gone(&recent, 0) && !is_gone(&recent, 1));
                }
            }
        }
    }
}
