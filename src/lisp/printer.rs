//! Prints data as the manual's prompt does. It uses a stack of steps instead of recursion, because
//! data may be nested as deep as memory allows.

use std::fmt::Write as _;

use super::datum::Datum;
use super::lexer::is_delimiter;

/// Prints data so that it can be read back: strings in quotes with `"` and `\` escaped and newlines
/// as they are, `#\a`, `:\\deleted`.
pub fn readably(datum: &Datum) -> String {
    print(datum, true)
}

/// Prints data for people: strings and characters as they are, keywords without the colon,
/// everything else as [`readably`].
pub fn display(datum: &Datum) -> String {
    print(datum, false)
}

enum Step<'a> {
    Datum(&'a Datum),
    Text(&'static str),
}

fn print(datum: &Datum, readable: bool) -> String {
    let mut shown = String::new();
    let mut steps = vec![Step::Datum(datum)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Text(text) => shown.push_str(text),
            Step::Datum(Datum::List(elements)) => {
                group("(", elements, None, &mut shown, &mut steps)
            }
            Step::Datum(Datum::Dotted(elements, tail)) => {
                group("(", elements, Some(tail), &mut shown, &mut steps)
            }
            Step::Datum(Datum::Vector(elements)) => {
                group("#(", elements, None, &mut shown, &mut steps)
            }
            Step::Datum(atom) => print_atom(atom, readable, &mut shown),
        }
    }
    shown
}

fn group<'a>(
    open: &str,
    elements: &'a [Datum],
    tail: Option<&'a Datum>,
    shown: &mut String,
    steps: &mut Vec<Step<'a>>,
) {
    shown.push_str(open);
    steps.push(Step::Text(")"));
    if let Some(tail) = tail {
        steps.push(Step::Datum(tail));
        steps.push(Step::Text(" . "));
    }
    for (index, element) in elements.iter().enumerate().rev() {
        steps.push(Step::Datum(element));
        if index > 0 {
            steps.push(Step::Text(" "));
        }
    }
}

fn print_atom(datum: &Datum, readable: bool, shown: &mut String) {
    match datum {
        Datum::Nil => shown.push_str("nil"),
        Datum::True => shown.push('t'),
        Datum::Integer(value) => write_to(shown, format_args!("{value}")),
        Datum::Float(value) => print_float(*value, shown),
        Datum::Number(text) | Datum::Opaque(text) => shown.push_str(text),
        Datum::String(text) if readable => print_string(text, shown),
        Datum::String(text) => shown.push_str(text),
        Datum::Symbol(name) if readable => print_symbol(name, shown),
        Datum::Symbol(name) => shown.push_str(name),
        Datum::Keyword(name) if !readable => shown.push_str(name),
        Datum::Keyword(name) => {
            shown.push(':');
            if is_plain_keyword(name) { shown.push_str(name) } else { print_in_bars(name, shown) }
        }
        Datum::Char(character) if readable => print_char(*character, shown),
        Datum::Char(character) => shown.push(*character),
        Datum::Bytes(bytes) => {
            shown.push_str("#u8(");
            for (index, byte) in bytes.iter().enumerate() {
                write_to(shown, format_args!("{}{byte}", if index > 0 { " " } else { "" }));
            }
            shown.push(')');
        }
        Datum::List(_) | Datum::Dotted(..) | Datum::Vector(_) => {
            unreachable!("groups are taken apart in print")
        }
    }
}

fn write_to(shown: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = shown.write_fmt(arguments);
}

fn print_float(value: f64, shown: &mut String) {
    if value.is_nan() {
        shown.push_str("+nan.0");
    } else if value.is_infinite() {
        shown.push_str(if value > 0.0 { "+inf.0" } else { "-inf.0" });
    } else {
        write_to(shown, format_args!("{value:?}"));
    }
}

fn print_string(text: &str, shown: &mut String) {
    shown.reserve(text.len() + 2);
    shown.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            shown.push('\\');
        }
        shown.push(character);
    }
    shown.push('"');
}

fn print_symbol(name: &str, shown: &mut String) {
    let alone = [Datum::Symbol(name.to_owned())];
    let plain = !name.is_empty()
        && !ends_in_escape(name)
        && !name
            .contains(|c: char| is_delimiter(c) || c.is_control() || matches!(c, '|' | '\u{feff}'))
        && super::reader::read_data(name).is_ok_and(|data| data == alone);
    if plain {
        shown.push_str(name);
        return;
    }
    print_in_bars(name, shown);
}

/// Returns whether a keyword prints without bars. Servers choose the names of flags freely, so
/// others are printed, and read back, as `:|x Y|`.
fn is_plain_keyword(name: &str) -> bool {
    let strange = |c: char| {
        is_delimiter(c) || c.is_control() || c.is_uppercase() || matches!(c, '|' | '\u{feff}')
    };
    !name.is_empty() && !name.starts_with(':') && !ends_in_escape(name) && !name.contains(strange)
}

/// Returns whether the name ends in an unpaired backslash, which would take the following character
/// into the name.
fn ends_in_escape(name: &str) -> bool {
    name.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn print_in_bars(name: &str, shown: &mut String) {
    shown.push('|');
    for character in name.chars() {
        if matches!(character, '|' | '\\') {
            shown.push('\\');
        }
        shown.push(character);
    }
    shown.push('|');
}

fn print_char(character: char, shown: &mut String) {
    let name = match character {
        '\n' => "newline",
        ' ' => "space",
        '\t' => "tab",
        '\r' => "return",
        '\0' => "null",
        '\u{1b}' => "escape",
        '\u{7f}' => "delete",
        '\u{8}' => "backspace",
        '\u{7}' => "alarm",
        other if other.is_control() || other.is_whitespace() => {
            write_to(shown, format_args!("#\\x{:x}", other as u32));
            return;
        }
        other => {
            shown.push_str("#\\");
            shown.push(other);
            return;
        }
    };
    shown.push_str("#\\");
    shown.push_str(name);
}
