//! Owns what is known of an owner's last polls, and from it when a key counts
//! as no longer published. Pure.
//!
//! One answer without a key is no proof: API servers behind one address are
//! upgraded one after the other and publish different sets meanwhile, and
//! which of them answers is chance.

use super::jwk::PublishedKey;
use super::key::KeyId;
use std::collections::BTreeMap;

/// Polls in a row without a key, after which it is gone.
pub const POLLS: u32 = 3;
/// The same where a key went and came back lately: then servers disagree. If
/// two of three of them lack a key, one in 200,000 runs of so many polls
/// would miss it by chance; of three polls, one in three.
pub const POLLS_AFTER_RETURN: u32 = 30;

/// An owner's last polls: only those that were answered in full count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    polls: u32,
    /// Number of the last poll that showed a key.
    seen: BTreeMap<KeyId, u32>,
    /// Number of the last poll that showed a key which an earlier one had not.
    returned: Option<u32>,
}

impl Recent {
    /// Takes one more answer.
    pub fn see(&mut self, published: &[PublishedKey]) {
        let before = self.polls;
        self.polls = self.polls.saturating_add(1);
        for key in published {
            if self.seen.insert(key.key.id(), self.polls).is_some_and(|last| last != before) {
                self.returned = Some(self.polls);
            }
        }
        // What is gone by any measure need not be known.
        let polls = self.polls;
        self.seen.retain(|_, last| polls - *last < POLLS_AFTER_RETURN);
    }

    /// Whether so many of the last polls were without this key that none of
    /// the owner's servers publishes it any more.
    pub fn lacks(&self, key: KeyId) -> bool {
        let disagree = self.returned.is_some_and(|at| self.polls - at < POLLS_AFTER_RETURN);
        let needed = if disagree { POLLS_AFTER_RETURN } else { POLLS };
        self.polls - self.seen.get(&key).copied().unwrap_or(0) >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{key, keys};
    use super::*;
    use proptest::prelude::*;

    fn lacks(recent: &Recent, number: u8) -> bool {
        recent.lacks(key(number).key.id())
    }

    #[test]
    fn three_polls_in_a_row_and_no_less() {
        let mut recent = Recent::default();
        assert!(!lacks(&recent, 1));
        recent.see(&keys([1]));
        for _ in 0..2 {
            recent.see(&keys([2]));
            assert!(!lacks(&recent, 1));
        }
        recent.see(&keys([2]));
        assert!(lacks(&recent, 1) && !lacks(&recent, 2));
    }

    #[test]
    fn a_key_never_seen_is_not_known_to_be_gone_before_three_polls() {
        let mut recent = Recent::default();
        for polls in 1..=3 {
            recent.see(&keys([2]));
            assert_eq!(lacks(&recent, 1), polls == 3);
        }
    }

    #[test]
    fn servers_that_disagree_are_given_thirty() {
        let mut recent = Recent::default();
        recent.see(&keys([1]));
        recent.see(&keys([2]));
        recent.see(&keys([1]));
        for polls in 1..=30 {
            recent.see(&keys([2]));
            assert_eq!(lacks(&recent, 1), polls == 30, "{polls}");
        }
        // They agree again, and the next rotation takes three.
        for polls in 1..=3 {
            recent.see(&keys([3]));
            assert_eq!(lacks(&recent, 2), polls == 3);
        }
    }

    #[test]
    fn a_rotation_is_no_disagreement() {
        let mut recent = Recent::default();
        for set in [&[1][..], &[1, 2], &[2], &[2], &[2]] {
            recent.see(&keys(set.iter().copied()));
        }
        assert!(lacks(&recent, 1) && !lacks(&recent, 2));
    }

    proptest! {
        /// Whatever the servers say: no key is gone that one of the last three
        /// polls showed, and every key is that thirty polls did not.
        #[test]
        fn between_three_and_thirty(polls in prop::collection::vec(prop::collection::btree_set(0u8..4, 1..4), 0..80)) {
            let mut recent = Recent::default();
            for (at, set) in polls.iter().enumerate() {
                recent.see(&keys(set.iter().copied()));
                let since = |number: u8| polls[..=at].iter().rev().take_while(|set| !set.contains(&number)).count();
                for number in 0..4 {
                    prop_assert!(since(number) >= 3 || !lacks(&recent, number));
                    prop_assert!(since(number) < 30 || lacks(&recent, number));
                }
            }
        }

        /// Two servers that publish one key each, the poll reaching either by
        /// chance: neither key is retired, as long as chance is not absurd.
        #[test]
        fn no_flapping_between_two_servers(polls in prop::collection::vec(prop::bool::ANY, 30..300)) {
            let mut recent = Recent::default();
            // Both have been seen, one after the other and back.
            for number in [0, 1, 0] {
                recent.see(&keys([number]));
            }
            for first in polls {
                recent.see(&keys([u8::from(!first)]));
                prop_assert!(!lacks(&recent, 0) && !lacks(&recent, 1));
            }
        }
    }
}
