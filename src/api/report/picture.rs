//! The content of a report, independent of text and HTML: charts made of rows, in display order.
//!
//! `text` and `html` render the same [`Picture`], so both show the same numbers. Time is divided
//! into months, or into years if there are many months.

use super::tally::{CLASSES, Count, Day, Tally};
use std::collections::BTreeMap;

/// The most months that are shown one by one; with more, years are shown. With more than the most
/// years, the earlier ones share one row.
const MOST_MONTHS: u32 = 24;
const MOST_YEARS: u32 = 40;

/// The content of a report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub mailbox: String,
    pub all: Count,
    pub unseen: u64,
    /// The first and the last day.
    pub days: Option<(Day, Day)>,
    /// The number of addresses; a lower bound if `more_senders`.
    pub senders: u64,
    pub more_senders: bool,
    pub charts: Vec<Chart>,
}

/// A table with bars.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chart {
    pub title: &'static str,
    /// The heading above the labels.
    pub of: &'static str,
    pub rows: Vec<Row>,
}

/// One row of a chart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// An address, a month, a year or a size class.
    pub label: String,
    /// A sender's name.
    pub name: Option<String>,
    pub count: Count,
    /// Whether the row is the remainder, which has no bar because it would dwarf the others.
    pub is_rest: bool,
}

impl Row {
    fn new(label: impl Into<String>, count: Count) -> Row {
        Row { label: label.into(), name: None, count, is_rest: false }
    }

    fn rest(label: impl Into<String>, count: Count) -> Option<Row> {
        (count.letters > 0).then(|| Row { is_rest: true, ..Row::new(label, count) })
    }
}

impl Chart {
    /// Returns the values of the longest bars: letters and bytes.
    pub(super) fn largest(&self) -> Count {
        let bars = || self.rows.iter().filter(|row| !row.is_rest).map(|row| row.count);
        Count {
            letters: bars().map(|count| count.letters).max().unwrap_or(0),
            bytes: bars().map(|count| count.bytes).max().unwrap_or(0),
        }
    }
}

impl Picture {
    /// Makes the report on a mailbox, with the `top` senders of the most letters.
    pub(super) fn of(mailbox: &str, tally: &Tally, top: usize) -> Picture {
        let charts = if tally.all.letters == 0 {
            Vec::new()
        } else {
            vec![by_sender(tally, top), by_time(tally), by_size(tally)]
        };
        Picture {
            mailbox: mailbox.to_owned(),
            all: tally.all,
            unseen: tally.unseen,
            days: tally.first.zip(tally.last),
            senders: tally.senders.len() as u64,
            more_senders: tally.beyond.letters > 0,
            charts,
        }
    }
}

fn by_sender(tally: &Tally, top: usize) -> Chart {
    let (senders, others) = tally.top(top);
    let left = tally.senders.len() - senders.len();
    let others_label = match left {
        _ if tally.beyond.letters > 0 => "all others".to_owned(),
        1 => "1 other".to_owned(),
        _ => format!("{} others", number(left as u64)),
    };
    let mut rows: Vec<Row> = senders
        .into_iter()
        .map(|(address, sent)| Row {
            name: Some(sent.name.clone()).filter(|name| !name.is_empty()),
            ..Row::new(address, sent.count)
        })
        .collect();
    rows.extend(Row::rest(others_label, others));
    rows.extend(Row::rest("no sender", tally.anonymous));
    Chart { title: "By sender", of: "Sender", rows }
}

fn by_time(tally: &Tally) -> Chart {
    let month = |(year, month): (u16, u8)| u32::from(year) * 12 + u32::from(month) - 1;
    let months: BTreeMap<u32, Count> =
        tally.months.iter().map(|(key, count)| (month(*key), *count)).collect();
    let mut chart = if span(&months) <= MOST_MONTHS {
        let rows = with_gaps(&months).map(|(month, count)| {
            Row::new(format!("{:04}-{:02}", month / 12, month % 12 + 1), count)
        });
        Chart { title: "By month", of: "Month", rows: rows.collect() }
    } else {
        Chart { title: "By year", of: "Year", rows: by_year(&months) }
    };
    chart.rows.extend(Row::rest("no date", tally.undated));
    chart
}

fn by_year(months: &BTreeMap<u32, Count>) -> Vec<Row> {
    let mut years: BTreeMap<u32, Count> = BTreeMap::new();
    for (month, count) in months {
        let year = years.entry(month / 12).or_default();
        *year = year.plus(*count);
    }
    let row = |(year, count)| Row::new(format!("{year:04}"), count);
    if span(&years) <= MOST_YEARS {
        return with_gaps(&years).map(row).collect();
    }
    // A letter from the year 1 must not make two thousand rows, so only years with letters are
    // shown.
    let earlier = years.len().saturating_sub(MOST_YEARS as usize);
    let before = years.values().take(earlier).fold(Count::default(), |sum, count| sum.plus(*count));
    let rows = years.into_iter().skip(earlier).map(row);
    Row::rest("earlier", before).into_iter().chain(rows).collect()
}

/// Returns the number of keys from the first to the last, including those in between.
fn span(counts: &BTreeMap<u32, Count>) -> u32 {
    let ends = counts.first_key_value().zip(counts.last_key_value());
    ends.map_or(0, |((first, _), (last, _))| last - first + 1)
}

fn with_gaps(counts: &BTreeMap<u32, Count>) -> impl Iterator<Item = (u32, Count)> {
    let first = counts.first_key_value().map_or(0, |(first, _)| *first);
    (first..first + span(counts)).map(|key| (key, counts.get(&key).copied().unwrap_or_default()))
}

fn by_size(tally: &Tally) -> Chart {
    let label = |class: usize| match (CLASSES[class], CLASSES.get(class + 1)) {
        (_, None) => format!("{} and more", short(CLASSES[class])),
        (0, Some(end)) => format!("under {}", short(*end)),
        (start, Some(end)) => format!("{} to {}", short(start), short(*end)),
    };
    let rows = tally
        .sizes
        .iter()
        .enumerate()
        .map(|(class, count)| Row::new(label(class), *count))
        .collect();
    Chart { title: "By size", of: "Size of a letter", rows }
}

/// Formats a round number of bytes: `10 kB`.
fn short(bytes: u64) -> String {
    size(bytes).replace(".0", "")
}

/// Formats a number: `12,345`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a size in units of thousands: `617 B`, `3.3 kB`, `84.2 MB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut unit, mut names) = (1_000_u128, ["kB", "MB", "GB", "TB", "PB"].into_iter());
    let tenths = |unit: u128| (u128::from(bytes) * 10 + unit / 2) / unit;
    let mut name = names.next().unwrap_or_default();
    for larger in names.chain(["EB"]) {
        if tenths(unit) < 10_000 {
            break;
        }
        (unit, name) = (unit * 1_000, larger);
    }
    format!("{}.{} {name}", tenths(unit) / 10, tenths(unit) % 10)
}

/// Formats a count: `1 letter`, `12,345 letters`.
pub(super) fn letters(count: u64) -> String {
    format!("{} letter{}", number(count), if count == 1 { "" } else { "s" })
}

/// Formats a day: `1999-09-13`.
pub(super) fn date(day: Day) -> String {
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

#[cfg(test)]
mod tests {
    use super::super::tally::Letter;
    use super::*;

    #[test]
    fn numbers_and_sizes_are_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (3_320, "3.3 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (84_200_000, "84.2 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }

    fn chart_of(days: &[(u16, u8)]) -> (&'static str, Vec<(String, u64)>) {
        let mut tally = Tally::default();
        for (year, month) in days {
            tally.add(Letter {
                day: Some(Day { year: *year, month: *month, day: 1 }),
                ..Letter::default()
            });
        }
        let chart = by_time(&tally);
        (chart.title, chart.rows.into_iter().map(|row| (row.label, row.count.letters)).collect())
    }

    #[test]
    fn time_has_no_gaps_and_not_too_many_rows() {
        let row = |label: &str, letters| (label.to_owned(), letters);
        assert_eq!(
            chart_of(&[(1999, 11), (2000, 1), (2000, 1)]),
            ("By month", vec![row("1999-11", 1), row("1999-12", 0), row("2000-01", 2)])
        );
        assert_eq!(
            chart_of(&[(1999, 1), (2001, 1)]),
            ("By year", vec![row("1999", 1), row("2000", 0), row("2001", 1)])
        );
        assert_eq!(
            chart_of(&[(1, 1), (9999, 12)]),
            ("By year", vec![row("0001", 1), row("9999", 1)])
        );
        let every_year: Vec<(u16, u8)> = (1..=9999).map(|year| (year, 1)).collect();
        let (_, rows) = chart_of(&every_year);
        assert_eq!(
            (rows.len(), &rows[0], &rows[40]),
            (41, &row("earlier", 9_959), &row("9999", 1))
        );
        assert_eq!(chart_of(&[]), ("By month", vec![]));
    }

    #[test]
    fn size_classes_meet() {
        let mut tally = Tally::default();
        tally.add(Letter::default());
        let labels: Vec<String> = by_size(&tally).rows.into_iter().map(|row| row.label).collect();
        assert_eq!(
            labels,
            [
                "under 1 kB",
                "1 kB to 10 kB",
                "10 kB to 100 kB",
                "100 kB to 1 MB",
                "1 MB to 10 MB",
                "10 MB and more"
            ]
        );
    }
}
