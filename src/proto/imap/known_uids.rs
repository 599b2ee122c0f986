//! The UIDs of message numbers, as far as a session has seen them together.
//!
//! EXPUNGE says which number leaves, so counting is enough. VANISHED (RFC 7162 3.2.10) says UIDs,
//! and which numbers they had follows only from FETCH responses that gave both. [`KnownUids`] keeps
//! those pairs. Numbers and UIDs ascend together, so two pairs also bound what lies between them:
//!
//! | a UID that vanishes | then |
//! |---|---|
//! | is that of a pair | its number left |
//! | lies between pairs with adjacent numbers | there was no such message |
//! | lies between pairs with room between them | a number between them left, nobody knows which |
//! | and all UIDs between the two pairs vanish | all numbers between them left |
//!
//! Only a pair whose number is certain is kept. So pairs above a number that is not certain are
//! forgotten, until FETCH responses give them again.

use super::sequence::Members;

/// The most pairs that are kept, and the most that move when one is put before them. Fewer are
/// right as well, and a server must not make each response cost much.
const MOST: usize = 16_384;
const MOST_MOVED: usize = 4_096;

/// Pairs of a message number and a UID, ascending in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KnownUids {
    pairs: Vec<(u32, u32)>,
}

/// What a VANISHED response did to the message numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vanished {
    /// How many messages left. If a server names UIDs that do not exist, this is the most that is
    /// possible.
    pub count: u32,
    /// The lowest number that may have left; every message below it has kept its number.
    pub lowest: u32,
}

impl KnownUids {
    /// Takes a pair from a FETCH response. One that contradicts the others proves them wrong.
    pub fn learn(&mut self, number: u32, uid: u32) {
        let at = self.pairs.partition_point(|(known, _)| *known < number);
        let fits = |low: (u32, u32), high: (u32, u32)| {
            high.1.checked_sub(low.1).is_some_and(|uids| uids >= high.0 - low.0)
        };
        let before = at.checked_sub(1).map_or((0, 0), |before| self.pairs[before]);
        let next = self.pairs.get(at).copied();
        if next == Some((number, uid)) || at >= MOST {
            return;
        }
        let fits_next = next.is_none_or(|next| next.0 > number && fits((number, uid), next));
        if !fits(before, (number, uid)) || !fits_next {
            self.pairs.clear();
            self.pairs.push((number, uid));
            return;
        }
        if self.pairs.len() - at > MOST_MOVED {
            self.pairs.truncate(at);
        }
        self.pairs.insert(at, (number, uid));
    }

    /// Forgets the pairs from a number on: its message left, or may have.
    pub fn forget_from(&mut self, number: u32) {
        self.pairs.truncate(self.pairs.partition_point(|(known, _)| *known < number));
    }

    /// Finds out what it means for a mailbox of `exists` messages that these UIDs vanish. `None` if
    /// no message left.
    pub fn vanish(&mut self, gone: &Members, exists: u32) -> Option<Vanished> {
        self.forget_from(exists.saturating_add(1));
        let end = (u64::from(exists) + 1, u64::from(u32::MAX) + 1);
        let first = gone.ranges().iter().find(|range| self.has_message_in(**range, end.0))?.0;
        let later = self.pairs.split_off(self.pairs.partition_point(|(_, uid)| *uid < first));
        let wide = |&(number, uid): &(u32, u32)| (u64::from(number), u64::from(uid));
        let mut before = self.pairs.last().map_or((0, 0), wide);
        let (mut count, mut lowest, mut is_certain) = (0, None, true);
        // Above the first pair that is above all of them nothing leaves.
        let last = gone.ranges().last()?.1;
        let above = later.partition_point(|(_, uid)| *uid <= last);
        let (near, far) = later.split_at((above + 1).min(later.len()));
        for next in near.iter().map(wide).chain((above == later.len()).then_some(end)) {
            let (room, uids) = (next.0 - before.0 - 1, next.1 - before.1 - 1);
            let named = gone.count_between(before.1 + 1, next.1 - 1);
            let left = named.min(room);
            if left > 0 {
                lowest = lowest.or(Some(before.0 + 1));
                is_certain &= named == uids;
            }
            count += left;
            if next != end && gone.count_between(next.1, next.1) > 0 {
                lowest = lowest.or(Some(next.0));
                count += 1;
            } else if next != end && is_certain {
                // Both are 32 bits wide, and fewer messages than `next.0` are below it.
                self.pairs.push(((next.0 - count) as u32, next.1 as u32));
            }
            before = next;
        }
        let (count, lowest) = (u32::try_from(count).ok()?, u32::try_from(lowest?).ok()?);
        if is_certain {
            self.pairs.extend(far.iter().map(|(number, uid)| (number - count, *uid)));
        }
        Some(Vanished { count, lowest })
    }

    /// Whether a message may have one of these UIDs, `end` being one more than the last number.
    fn has_message_in(&self, (first, last): (u32, u32), end: u64) -> bool {
        let at = self.pairs.partition_point(|(_, uid)| *uid < first);
        let number = |at: usize| self.pairs.get(at).map(|(number, _)| u64::from(*number));
        let below = at.checked_sub(1).and_then(number).unwrap_or(0);
        let is_known = self.pairs.get(at).is_some_and(|(_, uid)| *uid <= last);
        is_known || number(at).unwrap_or(end) - below > 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::sequence::SequenceSet;
    use super::*;
    use proptest::prelude::*;

    fn known(pairs: &[(u32, u32)]) -> KnownUids {
        let mut known = KnownUids::default();
        pairs.iter().for_each(|&(number, uid)| known.learn(number, uid));
        known
    }

    fn set(text: &str) -> Members {
        text.parse::<SequenceSet>().unwrap().members(u32::MAX)
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        type Pairs = &'static [(u32, u32)];
        /// Known pairs, messages, what vanishes: how many left, the lowest number, pairs afterwards.
        type Row = (Pairs, u32, &'static str, Option<(u32, u32)>, Pairs);
        let table: &[Row] = &[
            (&[], 5, "10", Some((1, 1)), &[]),
            (&[], 5, "1:4294967295", Some((5, 1)), &[]),
            (&[], 0, "1:9", None, &[]),
            (&[(1, 10), (2, 20), (3, 30)], 3, "20", Some((1, 2)), &[(1, 10), (2, 30)]),
            (&[(1, 10), (2, 20), (3, 30)], 3, "15,25,35", None, &[(1, 10), (2, 20), (3, 30)]),
            (&[(1, 10), (2, 20), (3, 30)], 3, "10:30", Some((3, 1)), &[]),
            (&[(2, 20), (3, 30)], 3, "5", Some((1, 1)), &[]),
            (&[(2, 20), (3, 30)], 3, "1:19", Some((1, 1)), &[(1, 20), (2, 30)]),
            (&[(2, 20), (4, 40)], 9, "25", Some((1, 3)), &[(2, 20)]),
            (&[(2, 20), (4, 40)], 9, "21:39", Some((1, 3)), &[(2, 20), (3, 40)]),
            (&[(2, 20), (4, 40)], 9, "41:50", Some((5, 5)), &[(2, 20), (4, 40)]),
            (&[(1, 10), (9, 90)], 5, "7", None, &[(1, 10)]),
        ];
        for (pairs, exists, gone, expected, after) in table {
            let mut uids = known(pairs);
            let vanished = uids.vanish(&set(gone), *exists).map(|what| (what.count, what.lowest));
            assert_eq!(vanished, *expected, "{pairs:?} {gone}");
            assert_eq!(uids.pairs, *after, "{pairs:?} {gone}");
        }
    }

    #[test]
    fn pairs_that_contradict_each_other_are_not_kept() {
        assert_eq!(known(&[(1, 10), (2, 20), (2, 21)]).pairs, [(2, 21)]);
        assert_eq!(known(&[(1, 10), (3, 11)]).pairs, [(3, 11)]);
        assert_eq!(known(&[(3, 30), (1, 29)]).pairs, [(1, 29)]);
        assert_eq!(known(&[(3, 2)]).pairs, [(3, 2)], "no message can have it, but nobody is sure");
        assert_eq!(known(&[(3, 30), (1, 10), (2, 20)]).pairs, [(1, 10), (2, 20), (3, 30)]);
    }

    proptest! {
        /// A server that says what is true: every pair that is kept is true, and no number below
        /// the lowest one has shifted.
        #[test]
        fn what_is_kept_is_true(
            gaps in proptest::collection::vec(1u32..4, 1..20),
            fetched in proptest::collection::vec(any::<bool>(), 20),
            leaves in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 20), 1..4),
        ) {
            let mut mailbox: Vec<u32> =
                gaps.iter().scan(0, |uid, gap| { *uid += gap; Some(*uid) }).collect();
            let mut uids = KnownUids::default();
            for (at, uid) in mailbox.iter().enumerate().filter(|(at, _)| fetched[*at]) {
                uids.learn(at as u32 + 1, *uid);
            }
            for leaves in leaves {
                let gone: Vec<u32> = mailbox.iter().zip(&leaves).filter(|(_, left)| **left).map(|(uid, _)| *uid).collect();
                let Some(lowest) = mailbox.iter().position(|uid| gone.contains(uid)) else { continue };
                let text: Vec<String> = gone.iter().map(u32::to_string).collect();
                let vanished = uids.vanish(&set(&text.join(",")), mailbox.len() as u32).unwrap();
                prop_assert_eq!(vanished.count as usize, gone.len());
                prop_assert!(vanished.lowest as usize <= lowest + 1);
                mailbox.retain(|uid| !gone.contains(uid));
                for (number, uid) in &uids.pairs {
                    prop_assert_eq!(mailbox.get(*number as usize - 1), Some(uid));
                }
            }
        }
    }
}
