//! The sums over a mailbox, updated letter by letter. Pure; keeps nothing of a single letter.
//!
//! Senders choose their names and addresses, so memory is bounded against them: only so many
//! senders are counted individually, and their texts are cut.

use std::collections::{BTreeMap, HashMap};

/// The most senders that are counted individually. Later ones are counted together, so that no
/// mailbox fills the memory.
pub(super) const MOST_SENDERS: usize = 50_000;

/// How many characters of an address and of a name are kept. Real addresses have at most 320 (RFC
/// 3696; 254 with its erratum).
const LONGEST_ADDRESS: usize = 320;
const LONGEST_NAME: usize = 100;

/// The lower bounds of the size classes, in bytes.
pub(super) const CLASSES: [u64; 6] = [0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// A calendar day, as the server wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

/// The facts of one letter that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Letter {
    pub sender: Option<Sender>,
    pub bytes: u64,
    pub seen: bool,
    pub day: Option<Day>,
}

/// The sender of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sender {
    pub name: Option<String>,
    pub address: String,
}

/// A number of letters and the sum of their bytes. Sums stop at the largest number instead of
/// wrapping, because a server may report any size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub letters: u64,
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        *self = self.plus(Count { letters: 1, bytes });
    }

    pub(super) fn plus(self, other: Count) -> Count {
        Count {
            letters: self.letters.saturating_add(other.letters),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// The letters of one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The name on most of the letters, if most have the same one.
    pub name: String,
    /// The lead of that name in the vote.
    lead: u64,
    pub count: Count,
}

impl Sent {
    /// Counts a vote for a name by the algorithm of Boyer and Moore, which needs no list of all
    /// names: mailing programs use many names with one address.
    fn vote(&mut self, name: String) {
        if self.name == name {
            self.lead = self.lead.saturating_add(1);
        } else if self.lead == 0 {
            (self.name, self.lead) = (name, 1);
        } else {
            self.lead -= 1;
        }
    }
}

/// The sums over a mailbox.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub all: Count,
    pub unseen: u64,
    pub first: Option<Day>,
    pub last: Option<Day>,
    /// By address, in lower case.
    pub senders: HashMap<String, Sent>,
    /// Letters from senders beyond [`MOST_SENDERS`].
    pub beyond: Count,
    /// Letters without a sender.
    pub anonymous: Count,
    /// By year and month.
    pub months: BTreeMap<(u16, u8), Count>,
    /// Letters without a date.
    pub undated: Count,
    /// One count for each of [`CLASSES`].
    pub sizes: [Count; CLASSES.len()],
}

impl Tally {
    pub(super) fn add(&mut self, letter: Letter) {
        self.all.add(letter.bytes);
        self.unseen = self.unseen.saturating_add(u64::from(!letter.seen));
        let class = CLASSES.partition_point(|start| *start <= letter.bytes).saturating_sub(1);
        self.sizes[class].add(letter.bytes);
        match letter.day {
            Some(day) => {
                self.first = Some(self.first.map_or(day, |first| first.min(day)));
                self.last = Some(self.last.map_or(day, |last| last.max(day)));
                self.months.entry((day.year, day.month)).or_default().add(letter.bytes);
            }
            None => self.undated.add(letter.bytes),
        }
        match letter.sender {
            Some(sender) => self.add_sender(sender, letter.bytes),
            None => self.anonymous.add(letter.bytes),
        }
    }

    fn add_sender(&mut self, sender: Sender, bytes: u64) {
        let address: String = sender.address.to_lowercase().chars().take(LONGEST_ADDRESS).collect();
        if self.senders.len() >= MOST_SENDERS && !self.senders.contains_key(&address) {
            return self.beyond.add(bytes);
        }
        let sent = self.senders.entry(address).or_default();
        sent.count.add(bytes);
        if let Some(name) = sender.name.filter(|name| !name.trim().is_empty()) {
            sent.vote(name.chars().take(LONGEST_NAME).collect());
        }
    }

    /// Returns the senders of the most letters, and the sum over all others. The order does not
    /// depend on the order in which letters arrived.
    pub(super) fn top(&self, most: usize) -> (Vec<(&str, &Sent)>, Count) {
        let mut senders: Vec<(&str, &Sent)> =
            self.senders.iter().map(|(address, sent)| (address.as_str(), sent)).collect();
        senders.sort_unstable_by(|(left_address, left), (right_address, right)| {
            let weight = |sent: &Sent| (sent.count.letters, sent.count.bytes);
            weight(right).cmp(&weight(left)).then_with(|| left_address.cmp(right_address))
        });
        let others =
            senders.iter().skip(most).fold(self.beyond, |sum, (_, sent)| sum.plus(sent.count));
        senders.truncate(most);
        (senders, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str, address: &str, bytes: u64) -> Letter {
        let sender = Some(Sender {
            name: (!name.is_empty()).then(|| name.to_owned()),
            address: address.to_owned(),
        });
        Letter { sender, bytes, ..Letter::default() }
    }

    #[test]
    fn letters_are_counted_by_sender_month_and_size() {
        let mut tally = Tally::default();
        let day = |year, month, day| Some(Day { year, month, day });
        tally.add(Letter {
            day: day(1999, 9, 13),
            seen: true,
            ..letter("Joe", "JOE@example.org", 999)
        });
        tally.add(Letter { day: day(1999, 8, 2), ..letter("", "joe@Example.ORG", 1_000) });
        tally.add(Letter { day: day(1999, 9, 30), ..letter("Ann", "ann@example.org", 10_000_000) });
        tally.add(Letter::default());
        assert_eq!((tally.all, tally.unseen), (Count { letters: 4, bytes: 10_001_999 }, 3));
        assert_eq!((tally.first, tally.last), (day(1999, 8, 2), day(1999, 9, 30)));
        assert_eq!(tally.months[&(1999, 9)], Count { letters: 2, bytes: 10_000_999 });
        assert_eq!((tally.undated.letters, tally.anonymous.letters), (1, 1));
        assert_eq!(tally.sizes.map(|count| count.letters), [2, 1, 0, 0, 0, 1]);
        let (top, others) = tally.top(1);
        assert_eq!(
            (top[0].0, top[0].1.name.as_str(), top[0].1.count),
            ("joe@example.org", "Joe", Count { letters: 2, bytes: 1_999 })
        );
        assert_eq!(others, Count { letters: 1, bytes: 10_000_000 });
    }

    #[test]
    fn sums_do_not_wrap() {
        let mut tally = Tally::default();
        tally.add(letter("", "a@x", u64::MAX));
        tally.add(letter("", "a@x", u64::MAX));
        assert_eq!((tally.all.letters, tally.all.bytes), (2, u64::MAX));
        assert_eq!(tally.sizes[5].bytes, u64::MAX);
    }

    #[test]
    fn senders_beyond_the_most_are_counted_together() {
        let mut tally = Tally::default();
        for number in 0..MOST_SENDERS + 5 {
            tally.add(letter("", &format!("{number}@x"), 2));
        }
        tally.add(letter("", "0@x", 2));
        assert_eq!(
            (tally.senders.len(), tally.beyond),
            (MOST_SENDERS, Count { letters: 5, bytes: 10 })
        );
        assert_eq!(tally.top(1).1.letters, MOST_SENDERS as u64 + 4);
        tally.add(letter(&"n".repeat(5_000), &"0@x".repeat(5_000), 1));
        assert!(
            tally.senders.iter().all(|(address, sent)| address.len() <= LONGEST_ADDRESS
                && sent.name.len() <= LONGEST_NAME)
        );
    }

    #[test]
    fn the_name_of_most_letters_is_shown() {
        let mut tally = Tally::default();
        for name in ["Joe", "Ann", "Joe", "", "Joe", "Max"] {
            tally.add(letter(name, "robot@x", 1));
        }
        assert_eq!(tally.senders["robot@x"].name, "Joe");
    }

    #[test]
    fn equal_senders_are_in_the_order_of_their_addresses() {
        let mut tally = Tally::default();
        for address in ["c@x", "a@x", "b@x"] {
            tally.add(letter("", address, 1));
        }
        assert_eq!(
            tally.top(5).0.iter().map(|(address, _)| *address).collect::<Vec<_>>(),
            ["a@x", "b@x", "c@x"]
        );
    }
}
