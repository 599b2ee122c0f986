//! A transcript: prompts, what was typed, what came; prose and directives between.
//!
//! A line that begins with `user(N):` is a prompt. Input runs over lines until it is complete. The reply follows at once, or after blank lines if it
//! is one value or a report; it ends at the first blank line outside of its lists and strings, or at the next prompt. Lines that begin with `;;;` direct the sandbox. All else is prose.

use crate::lisp::datum::Datum;
use crate::lisp::reader::{self, Completeness};
use std::ops::Range;

/// A transcript that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// What it holds, in order.
    pub steps: Vec<Step>,
}

/// A part of a transcript that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A form and its reply.
    Exchange(Exchange),
    /// What stands behind `;;;`, and its line.
    Directive {
        /// The line's number, from 1.
        line: usize,
        /// The text without the semicolons.
        text: String,
    },
}

/// A form and its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The line of the prompt, from 1.
    pub line: usize,
    /// The number in the prompt.
    pub number: usize,
    /// What was typed.
    pub input: String,
    /// The reply, without line ends around it.
    pub reply: String,
    /// The reply's lines, as indices from 0; empty where there is none.
    pub reply_lines: Range<usize>,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    /// The line and what is wrong, for input that never becomes complete or that no reader takes.
    pub fn parse(text: &str) -> Result<Transcript, (usize, String)> {
        let lines: Vec<&str> = text.lines().collect();
        let mut steps = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            if let Some(directive) = lines[at].strip_prefix(";;;") {
                steps.push(Step::Directive { line: at + 1, text: directive.trim_start_matches(';').trim().to_owned() });
                at += 1;
            } else if let Some((number, first)) = prompt(lines[at]) {
                let (exchange, next) = read_exchange(&lines, at, number, first)?;
                steps.push(Step::Exchange(exchange));
                at = next;
            } else {
                at += 1;
            }
        }
        Ok(Transcript { steps })
    }
}

fn read_exchange(lines: &[&str], prompt_line: usize, number: usize, first: &str) -> Result<(Exchange, usize), (usize, String)> {
    let mut input = first.to_owned();
    let mut at = prompt_line + 1;
    loop {
        match reader::completeness(&input) {
            Completeness::Complete if !input.trim().is_empty() => break,
            Completeness::Malformed(error) => return Err((prompt_line + 1, error.message)),
            _ => {}
        }
        let Some(line) = lines.get(at).filter(|line| prompt(line).is_none()) else {
            return Err((prompt_line + 1, "the input never becomes complete".into()));
        };
        input.push('\n');
        input.push_str(line);
        at += 1;
    }
    let reply_lines = find_reply(lines, at);
    let reply = lines[reply_lines.clone()].join("\n");
    let next = if reply_lines.is_empty() { at } else { reply_lines.end };
    Ok((Exchange { line: prompt_line + 1, number, input: input.trim().to_owned(), reply, reply_lines }, next))
}

/// The lines of the reply; an empty range at `from` where the next thing is a prompt, a directive or the end.
fn find_reply(lines: &[&str], from: usize) -> Range<usize> {
    let ends = |line: &str| prompt(line).is_some() || line.starts_with(";;;");
    let Some(start) = (from..lines.len()).find(|at| !lines[*at].trim().is_empty()) else { return from..from };
    if ends(lines[start]) {
        return from..from;
    }
    let is_report = ["Error: ", "Warning: ", "Interrupted"].iter().any(|word| lines[start].starts_with(word));
    let mut state = Nesting::default();
    let mut end = start;
    while end < lines.len() && !ends(lines[end]) {
        if lines[end].trim().is_empty() && !state.is_open() {
            break;
        }
        if !is_report {
            state.read(lines[end]);
        }
        end += 1;
    }
    while end > start && lines[end - 1].trim().is_empty() {
        end -= 1;
    }
    let follows_at_once = start == from;
    if follows_at_once || is_report || is_one_value(&lines[start..end].join("\n")) { start..end } else { from..from }
}

/// Behind a blank line a reply must look like one, or it is prose: one value that is not a word, but for `t` and `nil`.
fn is_one_value(text: &str) -> bool {
    match reader::read_data(text).as_deref() {
        Ok([Datum::Symbol(word)]) => word == "…",
        Ok([_]) => true,
        _ => false,
    }
}

/// How deep in lists and strings a reply is; only to find where it ends.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
}

impl Nesting {
    fn is_open(&self) -> bool {
        self.in_string || self.depth > 0
    }

    fn read(&mut self, line: &str) {
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => drop(characters.next()),
                '"' => self.in_string = !self.in_string,
                '(' if !self.in_string => self.depth += 1,
                ')' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// The number of a prompt and what is typed at it.
fn prompt(line: &str) -> Option<(usize, &str)> {
    let rest = line.strip_prefix("user(")?;
    let (number, rest) = rest.split_once("):")?;
    Some((number.parse().ok()?, rest.strip_prefix(' ').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_prose_and_directives_are_told_apart() {
        let text = "Some prose.\n;;; deliver x.eml\nuser(2): (setq a\n\n  1)\n1\n\nMore (prose.\nuser(7): (f)\n\n((4 (\"X\" \"a\n\nb\")))\n\nuser(8): (g)\nuser(9): (h)\nError: it's \"bad\n\nend";
        let exchange = |line, number, input: &str, reply: &str, lines| {
            Step::Exchange(Exchange { line, number, input: input.into(), reply: reply.into(), reply_lines: lines })
        };
        assert_eq!(
            Transcript::parse(text).unwrap().steps,
            [
                Step::Directive { line: 2, text: "deliver x.eml".into() },
                exchange(3, 2, "(setq a\n\n  1)", "1", 5..6),
                exchange(9, 7, "(f)", "((4 (\"X\" \"a\n\nb\")))", 10..13),
                exchange(15, 8, "(g)", "", 15..15),
                exchange(16, 9, "(h)", "Error: it's \"bad", 16..17),
            ]
        );
    }

    #[test]
    fn input_that_cannot_be_read_is_an_error_with_its_line() {
        assert_eq!(Transcript::parse("\nuser(1): (a\n\nuser(2): b").unwrap_err().0, 2);
        assert_eq!(Transcript::parse("user(1): )\n").unwrap_err().0, 1);
    }
}
