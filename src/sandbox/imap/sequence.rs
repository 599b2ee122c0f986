//! Resolves sequence sets (RFC 3501 9, `sequence-set`) to sorted ranges that do not overlap, and
//! writes numbers as sets.

use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet};

/// The first and last number of a range, inclusive.
pub(crate) type Span = (u32, u32);

/// Resolves a set of message numbers in a mailbox of `count` letters. A number above `count` is an
/// error, and so is any set in an empty mailbox.
pub(crate) fn numbers(set: &SequenceSet, count: u32) -> Result<Vec<Span>, String> {
    if count == 0 {
        return Err("The mailbox is empty.".to_owned());
    }
    let beyond = bounds(set).find_map(|bound| match bound {
        SeqOrUid::Value(number) if number.get() > count => Some(number),
        _ => None,
    });
    if let Some(number) = beyond {
        return Err(format!("Message number {number} is beyond the last, {count}."));
    }
    Ok(spans(set, count))
}

/// Resolves a set, with `last` for `*`. The numbers need not exist.
pub(crate) fn spans(set: &SequenceSet, last: u32) -> Vec<Span> {
    let value = |bound: &SeqOrUid| match bound {
        SeqOrUid::Value(number) => number.get(),
        SeqOrUid::Asterisk => last,
    };
    let mut spans: Vec<Span> = set
        .0
        .as_ref()
        .iter()
        .map(|sequence| match sequence {
            Sequence::Single(one) => (value(one), value(one)),
            Sequence::Range(from, to) => (value(from).min(value(to)), value(from).max(value(to))),
        })
        .collect();
    spans.sort_unstable();
    spans.dedup_by(|next, previous| {
        let joins = next.0 <= previous.1.saturating_add(1);
        if joins {
            previous.1 = previous.1.max(next.1);
        }
        joins
    });
    spans
}

/// Whether sorted ranges contain a number.
pub(crate) fn contains(spans: &[Span], number: u32) -> bool {
    let after = spans.partition_point(|span| span.0 <= number);
    after > 0 && spans[after - 1].1 >= number
}

/// Writes numbers as a set: `1:3,5`. Their order is kept, since COPYUID pairs two such sets.
pub(crate) fn compact(numbers: &[u32]) -> String {
    let mut result = String::new();
    let mut index = 0;
    while index < numbers.len() {
        let start = index;
        while index + 1 < numbers.len() && numbers[index].checked_add(1) == Some(numbers[index + 1])
        {
            index += 1;
        }
        if !result.is_empty() {
            result.push(',');
        }
        result.push_str(&numbers[start].to_string());
        if index > start {
            result.push(':');
            result.push_str(&numbers[index].to_string());
        }
        index += 1;
    }
    result
}

/// Both ends of every range in a set.
fn bounds(set: &SequenceSet) -> impl Iterator<Item = SeqOrUid> {
    set.0.as_ref().iter().flat_map(|sequence| match sequence {
        Sequence::Single(one) => [*one, *one],
        Sequence::Range(from, to) => [*from, *to],
    })
}

#[cfg(test)]
mod tests {
    use imap_codec::imap_types::sequence::SequenceSet;

    use super::{compact, contains, numbers, spans};

    #[test]
    fn sets_become_sorted_ranges() {
        for (set, last, expected) in [
            ("1", 9, vec![(1, 1)]),
            ("3,1:2,2:5", 9, vec![(1, 5)]),
            ("7:5,*", 9, vec![(5, 7), (9, 9)]),
            ("12:*", 9, vec![(9, 12)]),
            ("1:4294967295", 9, vec![(1, u32::MAX)]),
        ] {
            let parsed = SequenceSet::try_from(set).unwrap();
            assert_eq!(spans(&parsed, last), expected, "{set}");
        }
        assert!(contains(&[(1, 2), (5, 7)], 6) && !contains(&[(1, 2), (5, 7)], 3));
        assert!(numbers(&SequenceSet::try_from("1:10").unwrap(), 9).is_err());
        assert!(numbers(&SequenceSet::try_from("*").unwrap(), 0).is_err());
    }

    #[test]
    fn runs_are_joined() {
        assert_eq!(compact(&[1, 2, 3, 5, 9, 10]), "1:3,5,9:10");
        assert_eq!(compact(&[3, 2, 4]), "3,2,4");
    }
}
