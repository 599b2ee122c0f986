//! Compares a reply with the one in a transcript: as data if both are data, otherwise line by line.
//!
//! The wildcard `…` in the expected reply matches the rest of a line, any lines if it is alone on a
//! line, and any elements if it is alone in a list.

use crate::lisp::datum::Datum;
use crate::lisp::reader;

/// The wildcard; the head of this file lists its meanings.
const WILDCARD: &str = "…";

/// Returns whether `actual` agrees with `expected`.
///
/// They are compared as data if each of them is one whole list, string, vector or object. White
/// space between the elements of a list does not count then, but inside strings it does. Otherwise
/// they are compared line by line, without blanks at the ends of lines. Addresses in printed
/// objects always agree.
pub fn matches(expected: &str, actual: &str) -> bool {
    expected == actual || lines_match(expected, actual) || {
        let (expected, actual) = (whole_datum(expected), whole_datum(actual));
        expected.zip(actual).is_some_and(|(expected, actual)| datum_matches(&expected, &actual))
    }
}

/// Returns the one list, string, vector or object that this text consists of; `None` for anything
/// else. Printed data has no comments, so a text with one is not data.
pub(super) fn whole_datum(text: &str) -> Option<Datum> {
    let text = text.trim();
    if !["(", "\"", "#(", "#u8(", "#<"].iter().any(|start| text.starts_with(start))
        || has_comment(text)
    {
        return None;
    }
    let mut data = reader::read_data(text).ok()?;
    let datum = data.pop().filter(|_| data.is_empty())?;
    let is_whole = matches!(
        datum,
        Datum::List(_)
            | Datum::Dotted(..)
            | Datum::Vector(_)
            | Datum::Bytes(_)
            | Datum::String(_)
            | Datum::Opaque(_)
    );
    is_whole.then_some(datum)
}

/// Returns whether there is `;`, `#;` or `#|` outside of strings and of symbols in bars.
fn has_comment(text: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '"' | '|' if quote == Some(character) => quote = None,
            '|' if quote.is_none() && before == '#' => return true,
            '"' | '|' if quote.is_none() => quote = Some(character),
            ';' if quote.is_none() => return true,
            _ => {}
        }
        before = character;
    }
    false
}

fn datum_matches(expected: &Datum, actual: &Datum) -> bool {
    match (expected, actual) {
        (Datum::String(expected), Datum::String(actual)) => lines_match(expected, actual),
        (Datum::Opaque(expected), Datum::Opaque(actual)) => {
            without_addresses(expected) == without_addresses(actual)
                || lines_match(expected, actual)
        }
        (Datum::List(expected), Datum::List(actual))
        | (Datum::Vector(expected), Datum::Vector(actual)) => elements_match(expected, actual),
        (Datum::Dotted(expected, expected_end), Datum::Dotted(actual, actual_end)) => {
            elements_match(expected, actual) && datum_matches(expected_end, actual_end)
        }
        (Datum::Symbol(symbol), _) if symbol == WILDCARD => true,
        _ => expected == actual,
    }
}

fn elements_match(expected: &[Datum], actual: &[Datum]) -> bool {
    let is_wildcard = |datum: &Datum| matches!(datum, Datum::Symbol(symbol) if symbol == WILDCARD);
    sequence_matches(expected, actual, &is_wildcard, &datum_matches)
}

fn lines_match(expected: &str, actual: &str) -> bool {
    let (expected, actual): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), actual.split('\n').collect());
    sequence_matches(&expected, &actual, &|line| line.trim() == WILDCARD, &|expected, actual| {
        line_matches(expected, actual)
    })
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (expected.trim_end(), actual.trim_end());
    match expected.split_once(WILDCARD) {
        Some((start, rest)) => {
            expected == actual
                || actual.strip_prefix(start).is_some_and(|left| left.ends_with(rest))
        }
        None => expected == actual || without_addresses(expected) == without_addresses(actual),
    }
}

/// Removes the digits of addresses such as `#<mailbox::imap-mailbox @ #x2064ca4a>`.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split(" @ #x");
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |text, part| {
        format!("{text} @ #x{}", part.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
    })
}

/// Matches a sequence with wildcards for any number of elements. Only the last wildcard is retried,
/// so the time is at most the product of the lengths.
fn sequence_matches<T>(
    expected: &[T],
    actual: &[T],
    is_wildcard: &dyn Fn(&T) -> bool,
    same: &dyn Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while from < actual.len() {
        if at < expected.len() && is_wildcard(&expected[at]) {
            retry = Some((at + 1, from));
            at += 1;
        } else if at < expected.len() && same(&expected[at], &actual[from]) {
            at += 1;
            from += 1;
        } else if let Some((after, matched)) = retry {
            at = after;
            from = matched + 1;
            retry = Some((after, from));
        } else {
            return false;
        }
    }
    expected[at..].iter().all(is_wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_match_as_a_reader_would_say() {
        let table = [
            ("(1 2)", "(1\n   2)", true),
            ("(1 2)", "(1 3)", false),
            ("t", "t", true),
            ("t", "nil", false),
            ("((4\n\n(\"BODY[]\" \"a\n b\")))", "((4 (\"BODY[]\" \"a\n b\")))", true),
            ("(\"a b\")", "(\"a  b\")", false),
            ("#<mailbox::imap-mailbox @ #x2064ca4a>", "#<mailbox::imap-mailbox @ #x1>", true),
            ("#<mailbox::imap-mailbox @ #x2064ca4a>", "#<mailbox::pop-mailbox @ #x1>", false),
            ("\"Received: …\n…\nbody\n\"", "\"Received: from x\na\nb\nbody\n\"", true),
            ("\"Received: …\nbody\"", "\"Received: from x\na\nbody\"", false),
            ("(1 … 5)", "(1 2 3 4 5)", true),
            ("(1 …)", "(1)", true),
            ("(1 … 5)", "(1 2 3)", false),
            ("…", "(anything)", true),
            ("Error: no … [:timeout]", "Error: no answer within 30 seconds [:timeout]", true),
            ("Error: x", "Error: y", false),
            ("Hello\n…\nend", "Hello\n1\n2\nend", true),
            ("", "nil", false),
            ("Subject: lunch; at midnight", "Subject: lunch; at noon", false),
            ("(1 2) ; a", "(1 2) ; b", false),
            ("(1 ; a\n2)", "(1 ; b\n2)", false),
            ("(1 #|a|# 2)", "(1 2)", false),
            ("(1 #;a 2)", "(1 2)", false),
            ("(\"a;b\" |c;d| #\\; 5)", "(\"a;b\"  |c;d| #\\; 5)", true),
            ("one two", "one  two", false),
            ("one\ntwo", "one two", false),
            ("one \ntwo", "one\ntwo", true),
            ("(1) (2)", "(1)\n(2)", false),
            ("'(1 2)", "'(1  2)", false),
            ("#<a @ #x1 \"b\">", "#<a @ #x2 \"c\">", false),
            ("on #<a @ #x1> in 5", "on #<a @ #xff> in 5", true),
            ("a…b \nc", "a…b\nc", true),
        ];
        for (expected, actual, agree) in table {
            assert_eq!(matches(expected, actual), agree, "{expected:?} {actual:?}");
        }
    }
}
