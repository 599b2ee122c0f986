//! Characters of Common Lisp (ANSI 13.2). Classes and cases are Unicode's; comparisons without regard to case compare lower case.

use std::cmp::Ordering;

use steel::{SteelErr, SteelVal};

use super::{Answer, Code, count, index_of, wrong};
use crate::host::value::{Value, as_symbol, integer, nil, string, truth};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("char-code", |arguments| code("char-code", arguments)),
    ("char-int", |arguments| code("char-int", arguments)),
    ("code-char", |arguments| {
        count("code-char", arguments, 1, 1)?;
        let code = index_of("code-char", &arguments[0])?;
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        Ok(character.map_or_else(nil, SteelVal::CharV))
    }),
    ("character", |arguments| {
        count("character", arguments, 1, 1)?;
        let text = match &arguments[0] {
            SteelVal::CharV(_) => return Ok(arguments[0].clone()),
            SteelVal::StringV(text) => text.as_str(),
            other => as_symbol(other).unwrap_or(""),
        };
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Ok(SteelVal::CharV(letter)),
            _ => Err(wrong("character", "a character, or a string of one", &arguments[0])),
        }
    }),
    ("alpha-char-p", |arguments| is("alpha-char-p", arguments, char::is_alphabetic)),
    ("alphanumericp", |arguments| is("alphanumericp", arguments, char::is_alphanumeric)),
    ("upper-case-p", |arguments| is("upper-case-p", arguments, char::is_uppercase)),
    ("lower-case-p", |arguments| is("lower-case-p", arguments, char::is_lowercase)),
    ("both-case-p", |arguments| {
        is("both-case-p", arguments, |letter| letter.is_uppercase() || letter.is_lowercase())
    }),
    ("graphic-char-p", |arguments| is("graphic-char-p", arguments, |letter| !letter.is_control())),
    ("standard-char-p", |arguments| {
        is("standard-char-p", arguments, |letter| matches!(letter, ' '..='~' | '\n'))
    }),
    ("digit-char-p", |arguments| {
        count("digit-char-p", arguments, 1, 2)?;
        let letter = character_of("digit-char-p", &arguments[0])?;
        let digit = letter.to_digit(radix("digit-char-p", arguments)?);
        Ok(digit.map_or_else(nil, |digit| integer(digit.into())))
    }),
    ("digit-char", |arguments| {
        count("digit-char", arguments, 1, 2)?;
        let weight = u32::try_from(index_of("digit-char", &arguments[0])?).unwrap_or(u32::MAX);
        let radix = radix("digit-char", arguments)?;
        let digit = (weight < radix).then(|| char::from_digit(weight, radix)).flatten();
        Ok(digit.map_or_else(nil, |digit| SteelVal::CharV(digit.to_ascii_uppercase())))
    }),
    ("char-name", |arguments| {
        count("char-name", arguments, 1, 1)?;
        let letter = character_of("char-name", &arguments[0])?;
        let name = NAMES.iter().find(|(_, named)| *named == letter);
        Ok(name.map_or_else(nil, |(name, _)| string(*name)))
    }),
    ("name-char", |arguments| {
        count("name-char", arguments, 1, 1)?;
        let name = super::strings::designated("name-char", &arguments[0])?;
        let letter = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        Ok(letter.map_or_else(nil, |(_, letter)| SteelVal::CharV(*letter)))
    }),
    ("char=", |arguments| ordered("char=", arguments, same, Ordering::is_eq)),
    ("char<", |arguments| ordered("char<", arguments, same, Ordering::is_lt)),
    ("char>", |arguments| ordered("char>", arguments, same, Ordering::is_gt)),
    ("char<=", |arguments| ordered("char<=", arguments, same, Ordering::is_le)),
    ("char>=", |arguments| ordered("char>=", arguments, same, Ordering::is_ge)),
    ("char-equal", |arguments| ordered("char-equal", arguments, lower, Ordering::is_eq)),
    ("char-lessp", |arguments| ordered("char-lessp", arguments, lower, Ordering::is_lt)),
    ("char-greaterp", |arguments| ordered("char-greaterp", arguments, lower, Ordering::is_gt)),
    ("char-not-greaterp", |arguments| {
        ordered("char-not-greaterp", arguments, lower, Ordering::is_le)
    }),
    ("char-not-lessp", |arguments| ordered("char-not-lessp", arguments, lower, Ordering::is_ge)),
    ("char/=", |arguments| all_differ("char/=", arguments, same)),
    ("char-not-equal", |arguments| all_differ("char-not-equal", arguments, lower)),
];

/// The names of characters that print as nothing (ANSI 13.1.7).
const NAMES: &[(&str, char)] = &[
    ("Space", ' '),
    ("Newline", '\n'),
    ("Tab", '\t'),
    ("Return", '\r'),
    ("Page", '\u{c}'),
    ("Backspace", '\u{8}'),
    ("Rubout", '\u{7f}'),
    ("Linefeed", '\n'),
    ("Nul", '\0'),
];

fn character_of(function: &str, value: &Value) -> Result<char, SteelErr> {
    match value {
        SteelVal::CharV(character) => Ok(*character),
        other => Err(wrong(function, "a character", other)),
    }
}

fn code(function: &str, arguments: &[Value]) -> Answer {
    count(function, arguments, 1, 1)?;
    character_of(function, &arguments[0]).map(|letter| integer(i64::from(u32::from(letter))))
}

fn is(function: &str, arguments: &[Value], test: impl FnOnce(char) -> bool) -> Answer {
    count(function, arguments, 1, 1)?;
    character_of(function, &arguments[0]).map(|letter| truth(test(letter)))
}

fn radix(function: &str, arguments: &[Value]) -> Result<u32, SteelErr> {
    let Some(radix) = arguments.get(1) else { return Ok(10) };
    u32::try_from(index_of(function, radix)?)
        .ok()
        .filter(|radix| (2..=36).contains(radix))
        .ok_or_else(|| wrong(function, "a radix from 2 to 36", radix))
}

fn same(letter: char) -> String {
    letter.into()
}

fn lower(letter: char) -> String {
    letter.to_lowercase().collect()
}

fn characters(
    function: &str,
    arguments: &[Value],
    folded: fn(char) -> String,
) -> Result<Vec<String>, SteelErr> {
    count(function, arguments, 1, usize::MAX)?;
    arguments.iter().map(|value| character_of(function, value).map(folded)).collect()
}

fn ordered(
    function: &str,
    arguments: &[Value],
    folded: fn(char) -> String,
    fits: fn(Ordering) -> bool,
) -> Answer {
    let letters = characters(function, arguments, folded)?;
    Ok(truth(letters.windows(2).all(|pair| fits(pair[0].cmp(&pair[1])))))
}

/// Whether no two are the same.
fn all_differ(function: &str, arguments: &[Value], folded: fn(char) -> String) -> Answer {
    let mut letters = characters(function, arguments, folded)?;
    letters.sort_unstable();
    Ok(truth(letters.windows(2).all(|pair| pair[0] != pair[1])))
}
