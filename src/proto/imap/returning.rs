//! What a SEARCH is asked to return (RFC 4731), instead of all numbers in a SEARCH response.
//!
//! A server with `ESEARCH` answers a search with [`Returns`] in one ESEARCH response, in which sets
//! stand for long results. `SAVE` needs `SEARCHRES` (RFC 5182) and `PARTIAL` needs `PARTIAL` (RFC
//! 9394). [`Returns::of`] computes the same from all numbers, for servers without them.

use super::encode::Encoder;
use crate::proto::error::EncodeError;

/// What a search returns; without any option all numbers (RFC 4731 3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Returns {
    /// `MIN`: the lowest number.
    pub min: bool,
    /// `MAX`: the highest number.
    pub max: bool,
    /// `COUNT`: how many match.
    pub count: bool,
    /// `ALL`: all numbers.
    pub all: bool,
    /// `PARTIAL`: the numbers in these places.
    pub partial: Option<Places>,
    /// `SAVE`: the server keeps the result, as `$` (RFC 5182 2.1).
    pub save: bool,
}

/// Places in a search result from the first on, `1:100`, or from the last back, `-1:-100` (RFC 9394
/// 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    first: i64,
    last: i64,
}

impl Places {
    /// Makes places; `None` unless both are from 1 to 4294967295, or both from -1 to -4294967295.
    pub fn new(first: i64, last: i64) -> Option<Self> {
        let is_place = |place: i64| (1..=i64::from(u32::MAX)).contains(&place.abs());
        let fits = is_place(first) && is_place(last) && (first > 0) == (last > 0);
        fits.then_some(Places { first, last })
    }

    /// The numbers of an ascending list in these places, ascending.
    pub fn of(self, numbers: &[u32]) -> &[u32] {
        let nearest = self.first.abs().min(self.last.abs()) as usize - 1; // at least 1, see new
        let farthest = self.first.abs().max(self.last.abs()) as usize;
        let (count, from_end) = (numbers.len(), self.first < 0);
        let (nearest, farthest) = (nearest.min(count), farthest.min(count));
        if from_end {
            &numbers[count - farthest..count - nearest]
        } else {
            &numbers[nearest..farthest]
        }
    }
}

/// What a search with [`Returns`] found. What was not asked for is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The lowest number; `None` if nothing matches.
    pub min: Option<u32>,
    /// The highest number; `None` if nothing matches.
    pub max: Option<u32>,
    /// How many match.
    pub count: Option<u64>,
    /// All numbers, ascending.
    pub all: Option<Vec<u32>>,
    /// The numbers in the places of `PARTIAL`, ascending.
    pub partial: Option<Vec<u32>>,
}

impl Returns {
    /// Only ALL.
    pub const ALL: Returns =
        Returns { min: false, max: false, count: false, all: true, partial: None, save: false };

    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Returns::default()
    }

    /// Takes what is asked for from all numbers, which are ascending.
    pub fn of(&self, numbers: &[u32]) -> Found {
        Found {
            min: numbers.first().copied().filter(|_| self.min),
            max: numbers.last().copied().filter(|_| self.max),
            count: self.count.then_some(numbers.len() as u64),
            all: self.all.then(|| numbers.to_vec()),
            partial: self.partial.map(|places| places.of(numbers).to_vec()),
        }
    }

    /// Returns whether `SAVE` saves all numbers. With MIN, MAX and PARTIAL alone it saves only what
    /// these return (RFC 5182 2.4, RFC 9394 3.1).
    pub fn saves_all(&self) -> bool {
        let returns_some = self.min || self.max || self.partial.is_some();
        self.all || self.count || !returns_some
    }

    /// The numbers that `SAVE` saves, of all numbers, which are ascending.
    pub fn saved_of(&self, numbers: &[u32]) -> Vec<u32> {
        if self.saves_all() {
            return numbers.to_vec();
        }
        let found = self.of(numbers);
        let mut saved = found.partial.unwrap_or_default();
        saved.extend(found.min.into_iter().chain(found.max));
        saved.sort_unstable();
        saved.dedup();
        saved
    }

    /// Adds `RETURN (…)` to a command.
    ///
    /// # Errors
    /// [`EncodeError`] for ALL with PARTIAL, which RFC 9394 3.1 forbids.
    pub fn encode(&self, to: &mut Encoder) -> Result<(), EncodeError> {
        if self.all && self.partial.is_some() {
            return Err(EncodeError::new("search options", "either ALL or PARTIAL", b"both"));
        }
        to.word("RETURN").list(|inside| {
            let words = [
                (self.min, "MIN"),
                (self.max, "MAX"),
                (self.count, "COUNT"),
                (self.all, "ALL"),
                (self.save, "SAVE"),
            ];
            for (_, word) in words.into_iter().filter(|(is_wanted, _)| *is_wanted) {
                inside.word(word);
            }
            if let Some(Places { first, last }) = self.partial {
                inside.word("PARTIAL").atom("places", &format!("{first}:{last}"))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_either_end() {
        let numbers = [2, 4, 6, 8, 10];
        let table: &[(i64, i64, &[u32])] = &[
            (1, 2, &[2, 4]),
            (2, 1, &[2, 4]),
            (4, 9, &[8, 10]),
            (6, 9, &[]),
            (-1, -2, &[8, 10]),
            (-2, -1, &[8, 10]),
            (-4, -9, &[2, 4]),
            (-6, -9, &[]),
            (1, 4_294_967_295, &numbers),
        ];
        for (first, last, expected) in table {
            let places = Places::new(*first, *last).unwrap();
            assert_eq!(places.of(&numbers), *expected, "{first}:{last}");
            assert_eq!(places.of(&[]), [0; 0]);
        }
        for (first, last) in
            [(0, 1), (1, 0), (1, -1), (-1, 1), (1, 4_294_967_296), (i64::MIN + 1, -1)]
        {
            assert_eq!(Places::new(first, last), None, "{first}:{last}");
        }
    }

    #[test]
    fn save_keeps_what_rfc_5182_says() {
        let returns = |min, max, count, all, partial| Returns {
            min,
            max,
            count,
            all,
            partial: if partial { Places::new(2, 3) } else { None },
            save: true,
        };
        let numbers = [3, 5, 7, 9];
        for (returns, expected) in [
            (returns(false, false, false, false, false), &[3, 5, 7, 9][..]),
            (returns(true, false, false, false, false), &[3]),
            (returns(false, true, false, false, false), &[9]),
            (returns(true, true, false, false, false), &[3, 9]),
            (returns(true, false, true, false, false), &[3, 5, 7, 9]),
            (returns(true, true, false, true, false), &[3, 5, 7, 9]),
            (returns(false, false, false, false, true), &[5, 7]),
            (returns(false, true, false, false, true), &[5, 7, 9]),
            (returns(false, false, true, false, true), &[3, 5, 7, 9]),
        ] {
            assert_eq!(returns.saved_of(&numbers), expected, "{returns:?}");
        }
    }
}
