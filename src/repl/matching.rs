//! Whether a reply is what a transcript says: as data where both are data, else line by line.

use crate::lisp::datum::Datum;
use crate::lisp::reader;

/// Stands for the rest of a line, for any lines when alone in one, and for any elements when alone in a list.
const WILDCARD: &str = "…";

/// Whether `actual` is what `expected` says. White space between the elements of a list does not count, inside strings it does; addresses match any.
pub fn matches(expected: &str, actual: &str) -> bool {
    if expected == actual {
        return true;
    }
    match (data(expected), data(actual)) {
        (Some(expected), Some(actual)) if expected.len() == actual.len() => {
            expected.iter().zip(&actual).all(|(expected, actual)| datum_matches(expected, actual))
        }
        _ => lines_match(expected, actual),
    }
}

fn data(text: &str) -> Option<Vec<Datum>> {
    reader::read_data(text).ok().filter(|data| !data.is_empty())
}

fn datum_matches(expected: &Datum, actual: &Datum) -> bool {
    match (expected, actual) {
        (Datum::String(expected), Datum::String(actual)) => lines_match(expected, actual),
        (Datum::Opaque(expected), Datum::Opaque(actual)) => {
            without_address(expected) == without_address(actual) || lines_match(expected, actual)
        }
        (Datum::List(expected), Datum::List(actual)) | (Datum::Vector(expected), Datum::Vector(actual)) => elements_match(expected, actual),
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

/// `#<mailbox::imap-mailbox @ #x2064ca4a>` up to its address.
fn without_address(object: &str) -> &str {
    object.split(" @ #x").next().unwrap_or(object)
}

fn lines_match(expected: &str, actual: &str) -> bool {
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.split('\n').collect(), actual.split('\n').collect());
    sequence_matches(&expected, &actual, &|line| line.trim() == WILDCARD, &|expected, actual| line_matches(expected, actual))
}

fn line_matches(expected: &str, actual: &str) -> bool {
    match expected.split_once(WILDCARD) {
        Some((start, rest)) => actual.strip_prefix(start).is_some_and(|left| left.ends_with(rest)),
        None => expected.trim_end() == actual.trim_end() || without_address(expected) != expected && same_but_addresses(expected, actual),
    }
}

/// Lines with objects in them, whose addresses match any.
fn same_but_addresses(expected: &str, actual: &str) -> bool {
    let blank = |line: &str| {
        let mut parts = line.split("#x");
        let first = parts.next().unwrap_or("").to_owned();
        parts.fold(first, |text, part| format!("{text}#x{}", part.trim_start_matches(|c: char| c.is_ascii_hexdigit())))
    };
    blank(expected) == blank(actual)
}

/// Matches a sequence in which wildcards stand for any number of elements; linear but for the last wildcard's retries.
fn sequence_matches<T>(expected: &[T], actual: &[T], is_wildcard: &dyn Fn(&T) -> bool, same: &dyn Fn(&T, &T) -> bool) -> bool {
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
        ];
        for (expected, actual, agree) in table {
            assert_eq!(matches(expected, actual), agree, "{expected:?} {actual:?}");
        }
    }
}
