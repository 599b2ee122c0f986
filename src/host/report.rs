//! The report on a program that stopped with an error: why, where, and in which functions.
//!
//! A place is found from a span in a source text. The line is cut around the form, and its secrets
//! are masked, before anything is shown.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::secrets;
use crate::condition::{Condition, Identifier};
use crate::lisp::{Kind, Span, reader};
use crate::shown::escape_controls;

/// The message of a report on a program that ran out of memory.
pub(super) const OUT_OF_MEMORY: &str = "out of memory";

/// Why and where a program stopped.
#[derive(Debug, Clone)]
pub struct Report {
    /// The condition.
    pub condition: Condition,
    /// The innermost form of the script that was running, if it is known.
    pub place: Option<Box<Place>>,
    /// Whether the program was stopped from outside: by Ctrl-C or a time limit.
    pub interrupted: bool,
    /// The status, if the script called `(exit status)`.
    pub exit: Option<i32>,
    /// The script's active functions, innermost first. A function that ended in a tail call is not
    /// among them.
    pub frames: Vec<Frame>,
}

/// An active function of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its name.
    pub function: String,
    /// The name of the source that defines it.
    pub source_name: String,
    /// The line of its definition, from 1.
    pub line: usize,
    /// How many calls of it were directly nested.
    pub count: usize,
}

impl fmt::Display for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}, defined at {}:{}",
            self.function,
            escape_controls(&self.source_name),
            self.line
        )?;
        if self.count > 1 { write!(formatter, " ({} times)", self.count) } else { Ok(()) }
    }
}

/// A place in a script. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name the source was evaluated under.
    pub source_name: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The text of the line around the place, with `#<secret>` for secrets and `…` where it was
    /// cut.
    pub source_line: String,
    /// The number of characters of `source_line` before the form.
    pub offset: usize,
    /// The number of characters of `source_line` that the form takes, at least 1.
    pub length: usize,
}

/// A source text and its name.
#[derive(Debug)]
pub(super) struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    /// Returns the name and the line of the top-level definition that contains `span`.
    pub fn definition(&self, span: Span) -> Option<(String, usize)> {
        let forms = reader::read(&self.text).ok()?;
        let form =
            forms.iter().find(|form| form.span.start < span.start && span.end <= form.span.end)?;
        let elements = form.as_list()?;
        let defines = ["define", "defun", "defmacro"]
            .iter()
            .any(|word| elements.first().is_some_and(|head| head.is_named(word)));
        let target = elements.get(1).filter(|_| defines)?;
        let parts = match &target.kind {
            Kind::Dotted(parts, _) => Some(parts.as_slice()),
            _ => target.as_list(),
        };
        let name = target.as_symbol().or_else(|| parts?.first()?.as_symbol())?;
        let line = self.text[..floor(&self.text, form.span.start)].matches('\n').count() + 1;
        Some((name.name.to_string(), line))
    }

    /// Returns the place of `span`, with secrets masked.
    pub fn place(self: &Arc<Self>, span: Span) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end.max(span.start));
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end =
            self.text[start..].find('\n').map_or(self.text.len(), |newline| start + newline);
        let line = self.text[..line_start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let end = end.clamp(start, line_end);
        let secrets = secrets::ranges(&self.text);
        let show = |from: usize, to: usize| secrets::masked(&self.text, from, to, &secrets);
        let (before, marked, after) =
            (show(line_start, start), show(start, end), show(end, line_end));
        let (source_line, offset, length) = window(&before, &marked, after.trim_end_matches('\r'));
        Place {
            source_name: self.name.clone(),
            line,
            column: self.text[line_start..start].chars().count() + 1,
            source_line,
            offset,
            length,
        }
    }
}

/// The maximum number of characters of a line that are shown.
const WINDOW: usize = 160;

/// Cuts a line to the part around its form. Returns that part, the number of characters before the
/// form in it, and the number that the form takes.
fn window(before: &str, marked: &str, after: &str) -> (String, usize, usize) {
    let count = |text: &str| text.chars().count();
    let whole = count(before) + count(marked) + count(after);
    let (mut line, mut offset, mut length) = (String::new(), count(before), count(marked));
    if whole <= WINDOW {
        line.extend([before, marked, after]);
        return (line, offset, length.max(1));
    }
    let room = WINDOW.saturating_sub(length);
    let left = offset.min((room / 2).max(room.saturating_sub(count(after))));
    if left < offset {
        line.push('…');
        line.extend(before.chars().skip(offset - left));
        offset = left + 1;
    } else {
        line.push_str(before);
    }
    length = length.min(WINDOW - left);
    line.extend(marked.chars().take(length));
    let right = WINDOW - left - length;
    line.extend(after.chars().take(if length < count(marked) { 0 } else { right }));
    if left + length + right.min(count(after))
        < count(before).min(left) + count(marked) + count(after)
    {
        line.push('…');
    }
    (line, offset, length.max(1))
}

fn floor(text: &str, mut offset: usize) -> usize {
    offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

impl Report {
    /// Returns whether the program ran out of memory. Usually that ends the process without a
    /// report.
    pub fn is_out_of_memory(&self) -> bool {
        self.condition.message == OUT_OF_MEMORY
    }

    /// Masks the secrets that the context knows.
    pub(super) fn redacted(mut self, context: &Context) -> Report {
        self.condition = context.redacted(&self.condition);
        if let Some(place) = &mut self.place {
            let shown = context.redact(&place.source_line);
            if shown != place.source_line {
                // The form has moved within the line.
                (place.source_line, place.offset, place.length) = (shown, 0, 1);
            }
        }
        self
    }

    pub(super) fn of(condition: Condition, place: Option<Place>) -> Report {
        Report {
            condition,
            place: place.map(Box::new),
            interrupted: false,
            exit: None,
            frames: Vec::new(),
        }
    }
}

impl From<Condition> for Report {
    fn from(condition: Condition) -> Report {
        Report::of(condition, None)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(
                formatter,
                "{}:{}:{}: ",
                escape_controls(&place.source_name),
                place.line,
                place.column
            )?;
        }
        write!(formatter, "error: {}", escape_message(&self.condition.message))?;
        if let Some(words) = &self.condition.server_string {
            write!(formatter, " (the server said: {})", escape_controls(words))?;
        }
        if self.condition.identifier != Identifier::ProgramError {
            write!(formatter, " [:{}]", self.condition.identifier.name())?;
        }
        match &self.place {
            Some(place) => write!(formatter, "\n{}", place.excerpt()),
            None => Ok(()),
        }
    }
}

impl Place {
    /// Returns the source line, and below it marks under the form, without a final newline.
    pub fn excerpt(&self) -> String {
        let number = self.line.to_string();
        let before: String = self.source_line.chars().take(self.offset).collect();
        let marked: String = self.source_line.chars().skip(self.offset).take(self.length).collect();
        let indent = show_line(&before).chars().count();
        let marks = show_line(&marked).chars().count().clamp(1, 100);
        let line = format!("  {number} | {}", show_line(&self.source_line));
        format!(
            "{line}\n  {} | {}{}",
            " ".repeat(number.len()),
            " ".repeat(indent),
            "^".repeat(marks)
        )
    }
}

impl std::error::Error for Report {}

/// Escapes control characters except newlines, which come from the script's own words.
fn escape_message(message: &str) -> String {
    message.split('\n').map(escape_controls).collect::<Vec<_>>().join("\n")
}

/// Makes a source line safe for a terminal: tabs become blanks, other control characters are
/// escaped.
fn show_line(line: &str) -> String {
    escape_controls(&line.replace('\t', "    "))
}
