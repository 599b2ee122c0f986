//! The appearance of replies: errors and warnings as text, values laid out and cut to the screen.

use super::advice::advice;
use super::layout::{cut, laid_out};
use crate::condition::Condition;
use crate::host::{Host, Report, Value};
use crate::lisp::{Datum, printer};
use crate::shown::escape_controls;

/// The properties of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Rows of characters.
    pub rows: usize,
    /// Columns of characters.
    pub columns: usize,
    /// Whether it shows colours.
    pub colours: bool,
}

/// Returns `Error: message [:identifier]`, or `Interrupted`.
pub(super) fn error_text(report: &Report) -> String {
    if report.interrupted {
        return "Interrupted".into();
    }
    format!("Error: {} [:{}]", report.condition, report.condition.identifier.name())
}

/// Returns `Warning: message [:identifier]` and a line end.
pub fn warning_text(condition: &Condition) -> String {
    format!("Warning: {condition} [:{}]\n", condition.identifier.name())
}

/// Returns a printed value. On a terminal, a list longer than a line is laid out unless `plain` is
/// set.
pub(super) fn printed_value(
    host: &Host,
    value: &Value,
    terminal: Option<Terminal>,
    plain: bool,
) -> String {
    printed_datum(&host.datum(value), terminal, plain)
}

/// Returns printed data, as [`printed_value`] does.
pub(super) fn printed_datum(datum: &Datum, terminal: Option<Terminal>, plain: bool) -> String {
    let Some(terminal) = terminal else { return printer::readably(datum) };
    let text = if !plain && is_group(datum) {
        laid_out(datum, terminal.columns)
    } else {
        printer::readably(datum)
    };
    // Letters may contain control characters that would steer the terminal.
    text.split('\n').map(escape_controls).collect::<Vec<_>>().join("\n")
}

fn is_group(datum: &Datum) -> bool {
    matches!(datum, Datum::List(_) | Datum::Vector(_))
}

/// Cuts a value's text to the screen, unless it is printed plain.
pub(super) fn fitted(text: &str, terminal: Terminal, plain: bool) -> String {
    const KEPT_FREE: usize = 4; // the prompts before and after, and the line about the cut
    match cut(text, terminal.rows.saturating_sub(KEPT_FREE).max(5), terminal.columns)
        .filter(|_| !plain)
    {
        None => text.to_owned(),
        Some((shown, missing)) => {
            let lines = if missing == 1 { "line" } else { "lines" };
            format!("{shown}\n… {missing} more {lines}: :more shows all, :print plain never cuts")
        }
    }
}

/// Returns an error with its place and a suggestion. `input`, named `source_name`, is the text that
/// was typed; the place is left out if it is all of that text.
pub(super) fn explained(
    input: &str,
    source_name: &str,
    report: &Report,
    terminal: Terminal,
) -> String {
    let text = error_text(report);
    if report.interrupted {
        return text;
    }
    let mut text = match text.strip_prefix("Error:").filter(|_| terminal.colours) {
        Some(rest) => format!("\x1b[31mError:\x1b[0m{rest}"),
        None => text,
    };
    if let Some(place) = &report.place {
        let own = place.source_name == source_name;
        if !own {
            text.push_str(&format!(
                "\n  {}:{}:{}",
                escape_controls(&place.source_name),
                place.line,
                place.column
            ));
        }
        if !(own && place.line == 1 && place.length >= input.trim().chars().count()) {
            text.push_str(&format!("\n{}", place.excerpt()));
        }
    }
    if let Some(advice) = advice(&report.condition) {
        text.push_str(&format!("\n  Try: {advice}"));
    }
    text
}
