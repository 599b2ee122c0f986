//! The order of letters by several criteria (RFC 5256 3, BASE.6.4.SORT).

use super::summary::Summary;
use std::cmp::Ordering;

/// What letters are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// The internal date.
    Arrival,
    /// The local part of the first Cc address.
    Cc,
    /// The sent date.
    Date,
    /// The local part of the first From address.
    From,
    /// The size.
    Size,
    /// The base subject.
    Subject,
    /// The local part of the first To address.
    To,
    /// The name of the first From address (RFC 5957).
    DisplayFrom,
    /// The name of the first To address (RFC 5957).
    DisplayTo,
}

/// A criterion of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Criterion {
    /// What is compared.
    pub key: SortKey,
    /// Whether the greatest comes first.
    pub reverse: bool,
}

impl Criterion {
    fn compare(self, one: &Summary, other: &Summary) -> Ordering {
        let order = match self.key {
            SortKey::Arrival => one.arrival.cmp(&other.arrival),
            SortKey::Cc => one.cc.cmp(&other.cc),
            SortKey::Date => one.sent.cmp(&other.sent),
            SortKey::From => one.from.cmp(&other.from),
            SortKey::Size => one.size.cmp(&other.size),
            SortKey::Subject => one.subject.cmp(&other.subject),
            SortKey::To => one.to.cmp(&other.to),
            SortKey::DisplayFrom => one.display_from.cmp(&other.display_from),
            SortKey::DisplayTo => one.display_to.cmp(&other.display_to),
        };
        if self.reverse { order.reverse() } else { order }
    }
}

/// Returns the numbers of the letters in order. Letters that all criteria find equal are in the
/// order of their numbers, also if a criterion is reversed.
pub fn sort(mut letters: Vec<Summary>, criteria: &[Criterion]) -> Vec<u32> {
    letters.sort_by(|one, other| {
        let order = criteria.iter().map(|criterion| criterion.compare(one, other));
        let first = order.into_iter().find(|order| order.is_ne());
        first.unwrap_or_else(|| one.number.cmp(&other.number))
    });
    letters.into_iter().map(|letter| letter.number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_criterion_that_differs_decides() {
        let letter = |number, from: &str, sent| Summary {
            number,
            from: from.into(),
            sent,
            ..Summary::default()
        };
        let letters =
            vec![letter(1, "B", 5), letter(2, "A", 7), letter(3, "B", 5), letter(4, "A", 6)];
        let by = |criteria: &[(SortKey, bool)]| {
            let criteria: Vec<Criterion> =
                criteria.iter().map(|&(key, reverse)| Criterion { key, reverse }).collect();
            sort(letters.clone(), &criteria)
        };
        assert_eq!(by(&[(SortKey::From, false)]), [2, 4, 1, 3]);
        assert_eq!(by(&[(SortKey::From, true)]), [1, 3, 2, 4]);
        assert_eq!(by(&[(SortKey::From, false), (SortKey::Date, false)]), [4, 2, 1, 3]);
        assert_eq!(by(&[(SortKey::Date, true)]), [2, 4, 1, 3]);
        assert_eq!(by(&[]), [1, 2, 3, 4]);
    }
}
