//! Renders a report as one self-contained HTML page: no scripts, no images, nothing from elsewhere.
//!
//! The charts are tables, so that they can be read aloud and copied; the bars in them are
//! decoration. All text from letters is escaped, and the page's Content-Security-Policy forbids
//! everything but its own style.

use super::picture::{Chart, Picture, Row, date, number, size};
use super::tally::Day;
use crate::shown::escape_controls;

const STYLE: &str = include_str!("page.css");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Returns the page. `made` is the date on which it was made.
pub(super) fn page(picture: &Picture, made: &str) -> String {
    let mailbox = escape(&picture.mailbox);
    let charts: String = picture.charts.iter().map(chart).collect();
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"referrer\" content=\"no-referrer\">
<title>{mailbox}: mailbox report</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<h1><bdi>{mailbox}</bdi></h1>
{}{charts}<footer>Made by Postoffice on <time datetime=\"{made}\">{made}</time>. Dates are those on which letters arrived.</footer>
</main>
</body>
</html>
",
        totals(picture)
    )
}

fn totals(picture: &Picture) -> String {
    let total = |term: &str, value: String| format!("<div><dt>{term}</dt><dd>{value}</dd></div>\n");
    let day = |day: Day| format!("<time datetime=\"{0}\">{0}</time>", date(day));
    let mut text = "<dl>\n".to_owned();
    text += &total("Letters", data(picture.all.letters, &number(picture.all.letters)));
    text += &total("Size", data(picture.all.bytes, &size(picture.all.bytes)));
    text += &total("Unseen", data(picture.unseen, &number(picture.unseen)));
    text += &total(
        if picture.more_senders { "Senders, at least" } else { "Senders" },
        data(picture.senders, &number(picture.senders)),
    );
    if let Some((first, last)) = picture.days {
        text += &total("First letter", day(first));
        text += &total("Last letter", day(last));
    }
    text + "</dl>\n"
}

fn chart(chart: &Chart) -> String {
    let Chart { title, of, .. } = chart;
    let largest = chart.largest();
    let rows: String = chart
        .rows
        .iter()
        .map(|row| {
            let bar =
                |value, largest| if row.is_rest { String::new() } else { bar(value, largest) };
            format!(
                "<tr{}><th scope=\"row\">{}</th>{}{}</tr>\n",
                if row.is_rest { " class=\"rest\"" } else { "" },
                label(row),
                cell(
                    row.count.letters,
                    &number(row.count.letters),
                    &bar(row.count.letters, largest.letters)
                ),
                cell(row.count.bytes, &size(row.count.bytes), &bar(row.count.bytes, largest.bytes)),
            )
        })
        .collect();
    let head = |title: &str| {
        format!("<th scope=\"col\"><div class=\"cell\"><span>{title}</span></div></th>")
    };
    format!(
        "<section>\n<table>\n<caption><h2>{title}</h2></caption>\n<thead><tr><th scope=\"col\">{of}</th>{}{}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n",
        head("Letters"),
        head("Total size")
    )
}

/// Returns the label of a row. Each text is isolated, because it may be written from right to left.
fn label(row: &Row) -> String {
    // Long addresses may be broken before the @ and after a dot.
    let label = escape(&row.label).replace('@', "<wbr>@").replace('.', ".<wbr>");
    match &row.name {
        Some(name) => format!("<bdi>{}</bdi> <bdi class=\"address\">{label}</bdi>", escape(name)),
        None => format!("<bdi>{label}</bdi>"),
    }
}

fn cell(value: u64, shown: &str, bar: &str) -> String {
    format!("<td><div class=\"cell\">{}{bar}</div></td>", data(value, shown))
}

/// Returns a number as shown, together with its exact value.
fn data(value: u64, shown: &str) -> String {
    format!("<data value=\"{value}\">{shown}</data>")
}

/// Returns a bar in thousandths of the longest. Every value above 0 is visible.
fn bar(value: u64, largest: u64) -> String {
    if value == 0 || largest == 0 {
        return String::new();
    }
    let thousandths = (u128::from(value.min(largest)) * 1_000 / u128::from(largest)).max(5);
    format!(
        "<span class=\"bar\" aria-hidden=\"true\" style=\"width:{}.{}%\"></span>",
        thousandths / 10,
        thousandths % 10
    )
}

/// Escapes text from a letter or a server for the content and the attributes of a page. Control
/// characters are shown as on a terminal.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in escape_controls(text).chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Letter, Sender, Tally};
    use super::*;

    #[test]
    fn whatever_a_letter_says_is_text() {
        for (text, expected) in [
            ("<script>alert('1')</script>", "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"),
            ("a\" onclick=\"x & y", "a&quot; onclick=&quot;x &amp; y"),
            ("\u{202e}fdp.exe\u{61c}\0", "\\u{202e}fdp.exe\\u{61c}\\u{0}"),
            ("שלום", "שלום"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn a_page_holds_nothing_that_runs_or_loads() {
        let mut tally = Tally::default();
        let hostile = "</title></style><script>alert(1)</script><img src=//x onerror=x>";
        tally.add(Letter {
            sender: Some(Sender { name: Some(hostile.into()), address: hostile.into() }),
            ..Letter::default()
        });
        let page = page(&Picture::of(hostile, &tally, 10), "2001-02-03").to_lowercase();
        for word in
            ["<script", "<img", "<link", "<iframe", "url(", "@import", "http:", "https:", "<a "]
        {
            assert!(!page.contains(word), "{word}");
        }
        assert_eq!(page.matches("</style>").count() + page.matches("</title>").count(), 2);
        assert!(!STYLE.contains('<'));
    }

    #[test]
    fn bars_are_in_proportion() {
        let width = |value, largest| {
            bar(value, largest)
                .split("width:")
                .nth(1)
                .map(|rest| rest.split('%').next().unwrap().to_owned())
        };
        assert_eq!(
            [width(1, 3), width(1, u64::MAX), width(u64::MAX, u64::MAX), width(0, 1)],
            [Some("33.3".into()), Some("0.5".into()), Some("100.0".into()), None]
        );
    }
}
