//! Parses transcripts: prompts with inputs and replies, and prose and directives between them.
//!
//! A line that begins with `user(N):` is a prompt. Its input continues over lines until it is
//! complete. A line that begins with `;;;` is a directive for the sandbox. A reply may follow an
//! input; everything else is prose. A reply is written in one of two ways:
//!
//! - *Plain*, as in the manual. It starts on the line after the input; one value or a report may
//!   also start after blank lines. It ends before the first of these: a prompt; a directive; a
//!   blank line or a Markdown fence outside of the reply's lists and strings; and, if it is one
//!   whole list, string, vector or object, any further text. A list or string that is never closed
//!   counts as text.
//! - *Marked*, from the line after the input, with `| ` before every line (an empty line may be
//!   `|`). It ends at the first line without the mark. So any reply can be written, and any prose
//!   may follow it.
//!
//! [`bless`] writes a reply plain if that reads back as exactly this reply, and marked otherwise.

use super::matching::whole_datum;
use crate::lisp::datum::Datum;
use crate::lisp::reader::{self, Completeness};
use std::ops::Range;

/// A parsed transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// A part of a transcript other than prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An input and its reply.
    Exchange(Exchange),
    /// A directive: the text after `;;;`.
    Directive {
        /// The line number, from 1.
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
    /// The input.
    pub input: String,
    /// The lines of the prompt and the input, as indices from 0.
    pub input_lines: Range<usize>,
    /// The reply, without its marks and the last line end.
    pub reply: String,
    /// The reply's lines, as indices from 0; empty if there is no reply.
    pub reply_lines: Range<usize>,
}

impl Transcript {
    /// Parses a transcript.
    ///
    /// The line and a message, for input that never becomes complete or that is malformed.
    pub fn parse(text: &str) -> Result<Transcript, (usize, String)> {
        let (mut lines, _) = split(text);
        if let Some(first) = lines.first_mut() {
            *first = first.trim_start_matches('\u{feff}');
        }
        let mut steps = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            if let Some(directive) = lines[at].strip_prefix(";;;") {
                steps.push(Step::Directive {
                    line: at + 1,
                    text: directive.trim_start_matches(';').trim().to_owned(),
                });
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

/// Splits a text into lines without their ends. Also returns the line end, that of the first line.
fn split(text: &str) -> (Vec<&str>, &'static str) {
    let ending = if text
        .split('\n')
        .next()
        .is_some_and(|first| first.len() < text.len() && first.ends_with('\r'))
    {
        "\r\n"
    } else {
        "\n"
    };
    let without_end =
        |line| if ending == "\n" { line } else { str::strip_suffix(line, '\r').unwrap_or(line) };
    (text.split('\n').map(without_end).collect(), ending)
}

fn read_exchange<L: AsRef<str>>(
    lines: &[L],
    prompt_line: usize,
    number: usize,
    first: &str,
) -> Result<(Exchange, usize), (usize, String)> {
    let mut input = first.to_owned();
    let mut at = prompt_line + 1;
    loop {
        match reader::completeness(&input) {
            Completeness::Complete if !input.trim().is_empty() => break,
            Completeness::Malformed(error) => return Err((prompt_line + 1, error.message)),
            _ => {}
        }
        let Some(line) = lines.get(at).map(AsRef::as_ref).filter(|line| prompt(line).is_none())
        else {
            return Err((prompt_line + 1, "the input never becomes complete".into()));
        };
        input.push('\n');
        input.push_str(line);
        at += 1;
    }
    let (reply, reply_lines) = read_reply(lines, at);
    let next = if reply_lines.is_empty() { at } else { reply_lines.end };
    let input_lines = prompt_line..at;
    Ok((
        Exchange {
            line: prompt_line + 1,
            number,
            input: input.trim().to_owned(),
            input_lines,
            reply,
            reply_lines,
        },
        next,
    ))
}

/// Returns the reply below the input and its lines; an empty range at `from` if there is none.
fn read_reply<L: AsRef<str>>(lines: &[L], from: usize) -> (String, Range<usize>) {
    let marked: Vec<&str> =
        lines[from..].iter().map_while(|line| unmarked(line.as_ref())).collect();
    if !marked.is_empty() {
        return (marked.join("\n"), from..from + marked.len());
    }
    let range = find_plain_reply(lines, from);
    (join(&lines[range.clone()]), range)
}

/// Returns the text after the mark, if the line has one.
fn unmarked(line: &str) -> Option<&str> {
    match line.strip_prefix('|')? {
        "" => Some(""),
        rest => rest.strip_prefix(' '),
    }
}

fn mark(line: &str) -> String {
    if line.is_empty() { "|".to_owned() } else { format!("| {line}") }
}

fn join<L: AsRef<str>>(lines: &[L]) -> String {
    lines.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\n")
}

/// Returns the lines of a plain reply; an empty range at `from` if prose, a prompt, a directive or
/// the end of the text comes next.
fn find_plain_reply<L: AsRef<str>>(lines: &[L], from: usize) -> Range<usize> {
    let line = |at: usize| lines[at].as_ref();
    let ends = |line: &str| prompt(line).is_some() || line.starts_with(";;;");
    let parts = |line: &str| {
        line.trim().is_empty()
            || ["```", "~~~"].iter().any(|fence| line.trim_start().starts_with(fence))
    };
    let Some(start) = (from..lines.len()).find(|at| !line(*at).trim().is_empty()) else {
        return from..from;
    };
    if ends(line(start)) || parts(line(start)) {
        return from..from;
    }
    let is_report =
        ["Error: ", "Warning: ", "Interrupted"].iter().any(|word| line(start).starts_with(word));
    let mut state = Nesting::default();
    let mut may_be_datum = !is_report;
    let mut first_part = None;
    let mut end = start;
    while end < lines.len() && !ends(line(end)) {
        if parts(line(end)) {
            first_part = first_part.or(Some(end));
            if !state.is_open() {
                break;
            }
        }
        if !is_report {
            state.read(line(end));
        }
        end += 1;
        if may_be_datum && !state.is_open() {
            if whole_datum(&join(&lines[start..end])).is_some() {
                return start..end;
            }
            may_be_datum = false; // it does not become one with more lines
        }
    }
    if state.is_open() {
        end = first_part.unwrap_or(end);
    }
    while end > start && line(end - 1).trim().is_empty() {
        end -= 1;
    }
    let follows_at_once = start == from;
    if follows_at_once || is_report || is_one_value(&join(&lines[start..end])) {
        start..end
    } else {
        from..from
    }
}

/// Returns whether a text after a blank line is a reply and not prose: one value that is not a
/// symbol, or the wildcard. `t` and `nil` are values.
fn is_one_value(text: &str) -> bool {
    match reader::read_data(text).as_deref() {
        Ok([Datum::Symbol(word)]) => word == "…",
        Ok([_]) => true,
        _ => false,
    }
}

/// The nesting of lists and strings in a reply, only to find its end.
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

/// Returns the transcript's text with `replies` in place of its own. Everything else stays as it
/// is.
pub fn bless(text: &str, replies: &[(Exchange, String)]) -> String {
    if replies.is_empty() {
        return text.to_owned();
    }
    let (lines, ending) = split(text);
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    for (exchange, reply) in replies.iter().rev() {
        write_reply(&mut lines, exchange, reply);
    }
    lines.join(ending)
}

/// Writes a reply in the first way that reads back as this reply: plain in the old place, plain
/// directly below the input, or marked there; each with an empty line after it if it would
/// otherwise run into the prose. The last way always reads back.
fn write_reply(lines: &mut Vec<String>, exchange: &Exchange, reply: &str) {
    let plain: Vec<String> = reply.split('\n').map(str::to_owned).collect();
    let marked: Vec<String> = reply.split('\n').map(mark).collect();
    let prompt_line = exchange.input_lines.start;
    let (in_place, at_once) = (exchange.reply_lines.start, exchange.input_lines.end);
    let ways = [(in_place, &plain), (at_once, &plain), (at_once, &marked)];
    let mut old = exchange.reply_lines.clone();
    for (from, way) in ways {
        for apart in [false, true] {
            if from < old.start {
                old.start = from; // the blank lines before the reply go too
            }
            let mut new = way.clone();
            new.extend(apart.then(String::new));
            let end = old.start + new.len();
            lines.splice(old.clone(), new);
            old.end = end;
            let first_line = lines[prompt_line].trim_start_matches('\u{feff}').to_owned();
            let read = prompt(&first_line)
                .and_then(|(number, first)| read_exchange(lines, prompt_line, number, first).ok());
            if read
                .is_some_and(|(read, _)| read.reply == reply && read.reply_lines.len() == way.len())
            {
                return;
            }
        }
    }
}

/// Parses a prompt: its number and the input on its line.
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
        let exchange = |line: usize, number, input: &str, reply: &str, reply_lines| {
            let input_lines = line - 1..line - 1 + input.lines().count();
            Step::Exchange(Exchange {
                line,
                number,
                input: input.into(),
                input_lines,
                reply: reply.into(),
                reply_lines,
            })
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

    /// The only exchange of a text.
    fn only(text: &str) -> Exchange {
        let exchanges: Vec<Exchange> = Transcript::parse(text)
            .unwrap()
            .steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Exchange(exchange) => Some(exchange),
                Step::Directive { .. } => None,
            })
            .collect();
        let [exchange] = &exchanges[..] else { panic!("{text:?}: {exchanges:?}") };
        exchange.clone()
    }

    #[test]
    fn a_reply_ends_where_it_ends() {
        let table = [
            ("user(1): x\n(1 2)\nProse.\n", "(1 2)"),
            ("user(1): x\n\n(1\n 2)\nProse.\n", "(1\n 2)"),
            ("user(1): x\n\"a\n\nb\"\nProse.\n", "\"a\n\nb\""),
            ("user(1): x\n#<a b>\nProse.\n", "#<a b>"),
            ("user(1): x\n```\nProse.\n", ""),
            ("user(1): x\n5\n```\n", "5"),
            ("user(1): x\nhe said (so\n\nProse.\n", "he said (so"),
            ("user(1): x\n\n(never closed\n\nProse.\n", ""),
            ("user(1): x\n| a\n|\n| | user(2): b\nProse.\n", "a\n\n| user(2): b"),
            ("user(1): x\n|a b|\n", "|a b|"),
            ("user(1): x\n\n| a | table |\n", ""),
            ("\u{feff}user(1): x\r\n1\r\n\r\nProse.\r\n", "1"),
        ];
        for (text, reply) in table {
            assert_eq!(only(text).reply, reply, "{text:?}");
        }
    }

    #[test]
    fn blessing_changes_the_reply_and_nothing_else() {
        let table = [
            ("user(1): x\n1\n", "2", "user(1): x\n2\n"),
            ("user(1): x\n1", "2", "user(1): x\n2"),
            ("user(1): x\n\n(1)\nProse.\n", "2", "user(1): x\n\n2\n\nProse.\n"),
            ("user(1): x\n\n(1)\nProse.\n", "(2)", "user(1): x\n\n(2)\nProse.\n"),
            ("```\nuser(1): x\n1\n```\nProse.\n", "2", "```\nuser(1): x\n2\n```\nProse.\n"),
            ("user(1): x\r\n1\r\n\r\nProse.\r\n", "2\n3", "user(1): x\r\n2\r\n3\r\n\r\nProse.\r\n"),
            ("user(1): x\n\n1\n\nProse.\n", "a b", "user(1): x\na b\n\nProse.\n"),
            ("user(1): x\na\n", "a\n\nb\nnil", "user(1): x\n| a\n|\n| b\n| nil\n"),
            ("user(1): x\n", "\"a\n;;; b\"", "user(1): x\n| \"a\n| ;;; b\"\n"),
            ("user(1): x\nProse.\n", "1", "user(1): x\n1\n"),
            (
                "user(1): x\n\n| a | table |\n",
                "a\n\nb",
                "user(1): x\n| a\n|\n| b\n\n| a | table |\n",
            ),
        ];
        for (text, reply, expected) in table {
            let blessed = bless(text, &[(only(text), reply.to_owned())]);
            assert_eq!(blessed, expected, "{text:?}");
            assert_eq!(only(&blessed).reply, reply, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_reply_can_be_written_and_read(
            reply in "([a(\")|;\\\\\r\n `~…#<>\u{2028}]|user\\(2\\): |;;; |```|\n\n|\n\\| ){0,12}",
            old in "(\n\n|\n)?(|1|\\(1\n\n2\\)|\\(1|Error: a|\\| b|\"it)",
            rest in "(\n|\n\n|\r\n)(|Prose.|\\| a \\||```|\"|\\(\\)|;;; fresh|\n)",
            windows: bool,
        ) {
            let text = format!("Prose.\nuser(1): (x)\n{old}{rest}\nuser(2): y");
            let text = if windows { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text };
            let steps = Transcript::parse(&text).unwrap().steps;
            let Step::Exchange(first) = &steps[0] else { panic!("{steps:?}") };
            let blessed = bless(&text, &[(first.clone(), reply.clone())]);
            let again = Transcript::parse(&blessed).unwrap().steps;
            let Step::Exchange(read) = &again[0] else { panic!("{again:?}") };
            proptest::prop_assert_eq!(&read.reply, &reply);
            proptest::prop_assert!(crate::repl::matching::matches(&read.reply, &reply));
            proptest::prop_assert_eq!(steps.len(), again.len());
            let (before, after) = (split(&text).0, split(&blessed).0);
            let rest_of = |lines: &[&str], exchange: &Exchange| lines[exchange.reply_lines.end..].iter().filter(|line| !line.is_empty()).map(ToString::to_string).collect::<Vec<_>>();
            proptest::prop_assert_eq!(rest_of(&before, first), rest_of(&after, read));
        }
    }
}
