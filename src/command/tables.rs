//! Tables on standard output.

use crate::shown::escape_controls;

/// The longest cell of a table, in characters.
const WIDEST: usize = 100;

/// A table of texts from outside, which are escaped.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let cell = |text: String| {
        let shown = escape_controls(&text);
        match shown.char_indices().nth(WIDEST) {
            Some((end, _)) => format!("{}…", &shown[..end]),
            None => shown,
        }
    };
    let rows: Vec<[String; N]> =
        [head.map(str::to_owned)].into_iter().chain(rows).map(|row| row.map(cell)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, text)| {
            let pad = width(column).unwrap_or(0) - text.chars().count();
            format!("{text}{}", " ".repeat(pad))
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

pub(super) fn time(milliseconds: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(milliseconds) else { return "?".to_owned() };
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
