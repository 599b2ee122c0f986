//! Renders a report as text for a terminal of 80 columns. Text from letters is escaped.

use super::picture::{Chart, Picture, Row, date, letters, number, size};
use crate::shown::escape_controls;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width of a line and of a bar, in columns.
const WIDTH: usize = 80;
const BAR: usize = 10;
/// The least room for a name that is cut. With less, the name is left out.
const LEAST_NAME: usize = 4;

/// Returns the report as lines.
pub(super) fn text(picture: &Picture) -> String {
    let mut text = String::new();
    text += &cut(&escape_controls(&picture.mailbox), WIDTH);
    text += "\n";
    text += &totals(picture);
    let number_width = widest(picture, |row| number(row.count.letters)).max("letters".len());
    let size_width = widest(picture, |row| size(row.count.bytes)).max("bytes".len());
    let most = WIDTH.saturating_sub(number_width + size_width + 2 * BAR + 6);
    let label_width = widest(picture, |row| label(row, most))
        .max(picture.charts.iter().map(|chart| chart.title.len()).max().unwrap_or(0));
    for chart in &picture.charts {
        text.push('\n');
        text += &rows(chart, [label_width, number_width, size_width]);
    }
    text
}

fn totals(picture: &Picture) -> String {
    let mut totals = vec![
        letters(picture.all.letters),
        size(picture.all.bytes),
        format!("{} unseen", number(picture.unseen)),
    ];
    if picture.all.letters > 0 {
        let more = if picture.more_senders { "more than " } else { "" };
        totals.push(format!(
            "{more}{} sender{}",
            number(picture.senders),
            if picture.senders == 1 { "" } else { "s" }
        ));
    }
    let days = picture.days.map(|(first, last)| match (date(first), date(last)) {
        (first, last) if first == last => format!("{first}\n"),
        (first, last) => format!("{first} to {last}\n"),
    });
    format!("{}\n{}", totals.join(", "), days.unwrap_or_default())
}

fn widest(picture: &Picture, cell: impl Fn(&Row) -> String) -> usize {
    picture
        .charts
        .iter()
        .flat_map(|chart| &chart.rows)
        .map(|row| cell(row).width())
        .max()
        .unwrap_or(0)
}

fn rows(chart: &Chart, [label_width, number_width, size_width]: [usize; 3]) -> String {
    let blank = " ".repeat(BAR);
    let head = format!(
        "{}  {:>number_width$} {blank}  {:>size_width$}",
        left(chart.title, label_width),
        "letters",
        "bytes"
    );
    let rule = "─".repeat(label_width + number_width + size_width + 2 * BAR + 6);
    let largest = chart.largest();
    let mut text = format!("{head}\n{rule}\n");
    for row in &chart.rows {
        let bar = |value, largest| if row.is_rest { String::new() } else { bar(value, largest) };
        let line = format!(
            "{}  {:>number_width$} {}  {:>size_width$} {}",
            left(&label(row, label_width), label_width),
            number(row.count.letters),
            left(&bar(row.count.letters, largest.letters), BAR),
            size(row.count.bytes),
            bar(row.count.bytes, largest.bytes),
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Returns `Joe <joe@example.org>` in at most `width` columns. The name is cut first, because the
/// address identifies the sender.
fn label(row: &Row, width: usize) -> String {
    let address = escape_controls(&row.label);
    let name = row
        .name
        .as_deref()
        .map(escape_controls)
        .filter(|name| !name.eq_ignore_ascii_case(&address));
    let room = width.saturating_sub(address.width() + " <>".len());
    match name {
        Some(name) if name.width() <= room || room >= LEAST_NAME => {
            format!("{} <{address}>", cut(&name, room))
        }
        _ => cut(&address, width),
    }
}

/// Pads a text with spaces on the right.
fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Cuts a text to at most `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 1; // the ellipsis
    for character in text.chars() {
        columns += character.width().unwrap_or(0);
        if columns > width {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}

/// Returns a bar in eighths of a column. Every value above 0 is visible.
fn bar(value: u64, largest: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if value == 0 || largest == 0 {
        return String::new();
    }
    let (value, largest) = (u128::from(value.min(largest)), u128::from(largest));
    let eighths =
        usize::try_from((value * 8 * BAR as u128 + largest / 2) / largest).unwrap_or(0).max(1); // at most 8 * BAR
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Count, Day, Letter, Sender, Tally};
    use super::*;

    fn letter(name: &str, address: &str, bytes: u64) -> Letter {
        let name = (!name.is_empty()).then(|| name.to_owned());
        let day = Some(Day { year: 1999, month: 9, day: 13 });
        Letter {
            sender: Some(Sender { name, address: address.to_owned() }),
            bytes,
            seen: false,
            day,
        }
    }

    #[test]
    fn a_report_is_a_picture() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.add(letter("日本\u{1b}[2J", "a@x", 2_000));
        }
        tally.add(letter("", "b@x", 500));
        tally.add(Letter { day: None, ..letter("", "c@x", 5_000_000) });
        let expected = "\
in\\nbox
5 letters, 5.0 MB, 5 unseen, 3 senders
1999-09-13

By sender            letters              bytes
──────────────────────────────────────────────────────────
日本\\u{1b}[2J <a@x>        3 ██████████  6.0 kB ▏
c@x                        1 ███▍        5.0 MB ██████████
1 other                    1              500 B

By month             letters              bytes
──────────────────────────────────────────────────────────
1999-09                    4 ██████████  6.5 kB ██████████
no date                    1             5.0 MB

By size              letters              bytes
──────────────────────────────────────────────────────────
under 1 kB                 1 ███▍         500 B ▏
1 kB to 10 kB              3 ██████████  6.0 kB ▏
10 kB to 100 kB            0                0 B
100 kB to 1 MB             0                0 B
1 MB to 10 MB              1 ███▍        5.0 MB ██████████
10 MB and more             0                0 B
";
        let text = text(&Picture::of("in\nbox", &tally, 2));
        assert!(text == expected, "{text}");
    }

    #[test]
    fn an_empty_mailbox_has_a_report() {
        assert_eq!(
            text(&Picture::of("inbox", &Tally::default(), 10)),
            "inbox\n0 letters, 0 B, 0 unseen\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let mut tally =
            Tally { undated: Count { letters: u64::MAX, bytes: u64::MAX }, ..Tally::default() };
        for length in [1, 20, 40, 400] {
            tally.add(letter(
                &"名".repeat(length),
                &format!("{}@example.org", "a".repeat(length)),
                u64::MAX / 2,
            ));
        }
        let text = text(&Picture::of(&"n".repeat(400), &tally, 10));
        assert!(text.lines().all(|line| line.width() <= WIDTH), "{text}");
    }

    #[test]
    fn a_name_is_cut_before_its_address() {
        let row = |name: &str, label: &str| Row {
            label: label.into(),
            name: Some(name.into()),
            count: Count::default(),
            is_rest: false,
        };
        for (name, address, expected) in [
            ("Joe", "joe@example.org", "Joe <joe@example.org>"),
            ("Maximilian", "max@example.org", "Maxi… <max@example.org>"),
            ("Joe", "joe@much-longer.example.org", "joe@much-longer.exampl…"),
            ("a@x", "a@x", "a@x"),
        ] {
            assert_eq!(label(&row(name, address), 23), expected);
        }
    }

    #[test]
    fn bars_are_in_proportion() {
        for (value, largest, expected) in [
            (0, 5, ""),
            (0, 0, ""),
            (1, 1_000_000, "▏"),
            (1, 2, "█████"),
            (u64::MAX, u64::MAX, "██████████"),
        ] {
            assert_eq!(bar(value, largest), expected);
        }
    }
}
