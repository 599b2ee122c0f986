//! Sequence sets, `1:3,7,9:*` (RFC 3501 9, sequence-set).
//!
//! A [`SequenceSet`] keeps its ranges in the order in which they were added and never expands them,
//! so `1:*` stays one range. It does not know what its numbers are: [`super::Messages`] tells
//! message numbers from UIDs. For looking up numbers, [`SequenceSet::members`] resolves `*` and
//! merges the ranges. A set can be marked as the server's saved search result (RFC 5182): it is then
//! sent as `$`, and its ranges are what the client knows about it.

use crate::proto::error::EncodeError;
use std::fmt::{self, Write as _};
use std::num::NonZeroU32;
use std::str::FromStr;

/// One end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A message number or UID.
    Number(NonZeroU32),
    /// `*`: the last message.
    Last,
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Number(number) => number.fmt(formatter),
            Bound::Last => formatter.write_char('*'),
        }
    }
}

/// A set of message numbers or UIDs, as ranges in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceSet {
    ranges: Vec<(Bound, Bound)>,
    is_saved: bool,
}

impl SequenceSet {
    /// The empty set. It cannot be sent, so callers must handle it themselves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every message, `1:*`.
    pub fn all() -> Self {
        SequenceSet { ranges: vec![(Bound::Number(NonZeroU32::MIN), Bound::Last)], is_saved: false }
    }

    /// The same set, sent as `$`: the caller knows that the server has saved just these messages
    /// (RFC 5182 2.1). A message that is added later takes the mark away.
    #[must_use]
    pub fn saved(self) -> Self {
        SequenceSet { is_saved: true, ..self }
    }

    /// Returns whether the set is sent as `$`.
    pub fn is_saved(&self) -> bool {
        self.is_saved
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges in the order in which they are sent.
    pub fn ranges(&self) -> &[(Bound, Bound)] {
        &self.ranges
    }

    /// Returns the number if the set is a single message given by number.
    pub fn only_number(&self) -> Option<u32> {
        match self.ranges[..] {
            [(Bound::Number(first), Bound::Number(last))] if first == last => Some(first.get()),
            _ => None,
        }
    }

    /// Returns the set in a form for looking up numbers, with `*` standing for `last`. A range may
    /// have its larger end first (RFC 3501 9, seq-range).
    pub fn members(&self, last: u32) -> Members {
        let value = |bound: Bound| match bound {
            Bound::Number(number) => number.get(),
            Bound::Last => last,
        };
        let ends = |&(first, second): &(Bound, Bound)| {
            (value(first).min(value(second)), value(first).max(value(second)))
        };
        let mut ranges: Vec<(u32, u32)> = self.ranges.iter().map(ends).collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, range| {
            let touches = next.0 <= range.1.saturating_add(1);
            range.1 = if touches { range.1.max(next.1) } else { range.1 };
            touches
        });
        Members { ranges }
    }

    /// Adds one message; consecutive numbers become a range.
    pub fn push(&mut self, number: NonZeroU32) {
        self.is_saved = false;
        if let Some((_, Bound::Number(last))) = self.ranges.last_mut()
            && last.checked_add(1) == Some(number)
        {
            *last = number;
            return;
        }
        self.ranges.push((Bound::Number(number), Bound::Number(number)));
    }

    /// Adds a range.
    pub fn push_range(&mut self, first: Bound, last: Bound) {
        match (first, last) {
            (Bound::Number(first), Bound::Number(last)) if first == last => self.push(first),
            _ => {
                self.is_saved = false;
                self.ranges.push((first, last));
            }
        }
    }

    /// Splits the set into sets whose text is at most `bytes` long each, but with at least one
    /// range each. Servers limit the length of a command line. A saved set is not split.
    pub fn split(&self, bytes: usize) -> Vec<SequenceSet> {
        if self.is_saved && !self.is_empty() {
            return vec![self.clone()];
        }
        let mut sets = Vec::new();
        let mut current = SequenceSet::new();
        let mut length = 0;
        for &(first, last) in &self.ranges {
            let range = range_text(first, last).len() + 1;
            if length + range > bytes && !current.is_empty() {
                sets.push(std::mem::take(&mut current));
                length = 0;
            }
            current.ranges.push((first, last));
            length += range;
        }
        if !current.is_empty() {
            sets.push(current);
        }
        sets
    }
}

/// The ranges of a set, sorted and merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    ranges: Vec<(u32, u32)>,
}

impl Members {
    /// Returns how many numbers the set contains.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The first and last number of each range, ascending.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Returns how many numbers from `first` to `last` the set contains.
    pub fn count_between(&self, first: u64, last: u64) -> u64 {
        let at = self.ranges.partition_point(|(_, end)| u64::from(*end) < first);
        let wide = |&(start, end): &(u32, u32)| (u64::from(start), u64::from(end));
        let ranges = self.ranges[at..].iter().map(wide).take_while(|(start, _)| *start <= last);
        ranges.map(|(start, end)| end.min(last) + 1 - start.max(first)).sum()
    }

    /// Returns whether a number is in the set.
    pub fn contains(&self, number: u32) -> bool {
        let at = self.ranges.partition_point(|(first, _)| *first <= number);
        at > 0 && self.ranges[at - 1].1 >= number
    }
}

impl From<NonZeroU32> for SequenceSet {
    fn from(number: NonZeroU32) -> Self {
        let mut set = SequenceSet::new();
        set.push(number);
        set
    }
}

impl FromIterator<NonZeroU32> for SequenceSet {
    fn from_iter<I: IntoIterator<Item = NonZeroU32>>(numbers: I) -> Self {
        let mut set = SequenceSet::new();
        numbers.into_iter().for_each(|number| set.push(number));
        set
    }
}

/// Collects message numbers or UIDs as SEARCH returns them; 0 denotes no message and is skipped.
impl FromIterator<u32> for SequenceSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        numbers.into_iter().filter_map(NonZeroU32::new).collect()
    }
}

impl FromStr for SequenceSet {
    type Err = EncodeError;

    /// Reads the form that is sent, `1:3,7,9:*`.
    fn from_str(text: &str) -> Result<Self, EncodeError> {
        read(text).ok_or_else(|| {
            let expected = "message numbers and ranges as 1:3,7,9:*";
            EncodeError::new("messages", expected, text.as_bytes())
        })
    }
}

fn read(text: &str) -> Option<SequenceSet> {
    let mut set = SequenceSet::new();
    for range in text.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        set.push_range(bound(first)?, bound(last)?);
    }
    Some(set)
}

fn bound(text: &str) -> Option<Bound> {
    if text == "*" {
        return Some(Bound::Last);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok().map(Bound::Number))?
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, &(first, last)) in self.ranges.iter().enumerate() {
            if index > 0 {
                formatter.write_char(',')?;
            }
            formatter.write_str(&range_text(first, last))?;
        }
        Ok(())
    }
}

fn range_text(first: Bound, last: Bound) -> String {
    if first == last { first.to_string() } else { format!("{first}:{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn sets_are_read_as_they_are_written() {
        for text in ["1", "1:3,7,9:*", "*", "4294967295", "5:2", "*:4"] {
            assert_eq!(text.parse::<SequenceSet>().unwrap().to_string(), text);
        }
        assert_eq!("1:*".parse::<SequenceSet>().unwrap(), SequenceSet::all());
        assert_eq!([0, 1, 2, 7].into_iter().collect::<SequenceSet>().to_string(), "1:2,7");
        for text in ["", "0", "1,", ",1", "1:2:3", "+1", " 1", "1: 2", "x", "4294967296", "-1"] {
            assert!(text.parse::<SequenceSet>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn neighbours_become_ranges_and_order_is_kept() {
        let set: SequenceSet = [1, 2, 3, 7, 9, 10, 4].into_iter().map(number).collect();
        assert_eq!(set.to_string(), "1:3,7,9:10,4");
        let mut set = SequenceSet::from(number(5));
        set.push_range(Bound::Number(number(7)), Bound::Last);
        set.push_range(Bound::Last, Bound::Last);
        assert_eq!(set.to_string(), "5,7:*,*");
        let mut highest = SequenceSet::from(number(u32::MAX));
        highest.push(number(1));
        assert_eq!(highest.to_string(), "4294967295,1");
    }

    #[test]
    fn members_are_found_whatever_the_order() {
        let mut set: SequenceSet = [9, 3, 4].map(number).into_iter().collect();
        set.push_range(Bound::Last, Bound::Number(number(20)));
        set.push_range(Bound::Number(number(5)), Bound::Number(number(4)));
        let members = set.members(22);
        let found: Vec<u32> = (0..30).filter(|number| members.contains(*number)).collect();
        assert_eq!(found, [3, 4, 5, 9, 20, 21, 22]);
        assert_eq!(members.count(), 7);
        assert!(!SequenceSet::new().members(5).contains(1));
    }

    #[test]
    fn a_long_set_is_split_without_loss() {
        let set: SequenceSet = (1..10_000).map(|index| number(index * 2)).collect();
        assert_eq!(set.clone().saved().split(8000), [set.clone().saved()]);
        let parts = set.split(8000);
        assert!(parts.len() > 1 && parts.iter().all(|part| part.to_string().len() <= 8000));
        assert_eq!(
            parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            set.to_string()
        );
        assert!(SequenceSet::new().split(10).is_empty());
    }
}
