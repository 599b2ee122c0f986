//! The system's own functions in Rust: those that the prelude builds on, and those that take no
//! function as an argument.
//!
//! A native gets its arguments as a slice and returns a value or an interpreter error. It cannot
//! call a procedure, so everything that takes a function is written in the prelude, which asks a
//! native first (see `sequence_keys`). Functions whose
//! names start with `%` are called by the prelude and by emitted text only, always with the right
//! number of arguments.

mod breaks;
mod characters;
mod comparison;
mod conditions;
mod control;
mod equality;
mod evaluation;
mod file_system;
mod files;
mod flights;
mod format;
mod guards;
mod lists;
mod long_text;
mod matching;
mod number_words;
mod numbers;
mod octets;
mod output;
mod pathnames;
mod regexps;
mod restarts;
mod sequence_keys;
mod sequences;
mod sets;
mod sorting;
mod streams;
mod strings;
mod structures;
mod tables;
mod time;
mod timeouts;
mod types;

pub(super) use control::{place, trail};
pub(super) use flights::{flight, without};
pub use regexps::{regexp, substitute, wildcard};
pub(super) use structures::{Structure, structure};
pub(super) use tables::{HashTable, table_like};
pub use tables::{hash_table, hash_table_entries};
pub(crate) use time::UNIX_EPOCH;

use std::cell::RefCell;
use std::sync::Arc;

use steel::rerrs::ErrorKind;
use steel::{SteelErr, SteelVal};

use super::context::Context;
use super::messages;
use super::value::{self, Value, shown};

pub(super) type Answer = Result<Value, SteelErr>;
/// The code of a native. Natives are told apart by its address, so each stands in a `static` table:
/// an optimised build may have copies of a function, and each use of a `const` another of them.
pub(super) type Code = fn(&[Value]) -> Answer;

thread_local! {
    static CURRENT: RefCell<Vec<Arc<Context>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with `context` as the one that natives of this thread find. The calls noted so far
/// are set aside until it ends.
pub(super) fn with_context<T>(context: &Arc<Context>, work: impl FnOnce() -> T) -> T {
    struct Leave(Vec<usize>);
    impl Drop for Leave {
        fn drop(&mut self) {
            control::exchange_calls(std::mem::take(&mut self.0));
            CURRENT.with_borrow_mut(|current| current.pop());
        }
    }
    CURRENT.with_borrow_mut(|current| current.push(context.clone()));
    let _leave = Leave(control::exchange_calls(Vec::new()));
    work()
}

/// Returns the context of the host whose program is running.
pub(super) fn context() -> Result<Arc<Context>, SteelErr> {
    CURRENT
        .with_borrow(|current| current.last().cloned())
        .ok_or_else(|| fail("no program is running"))
}

/// Returns all functions by name. Those that start with `%` are not for scripts.
pub(super) fn table() -> Vec<(&'static str, Value)> {
    let tables = [
        characters::TABLE,
        conditions::TABLE,
        control::TABLE,
        breaks::TABLE,
        evaluation::TABLE,
        file_system::TABLE,
        files::TABLE,
        flights::TABLE,
        format::TABLE,
        guards::TABLE,
        lists::TABLE,
        matching::TABLE,
        numbers::TABLE,
        octets::TABLE,
        output::TABLE,
        pathnames::TABLE,
        regexps::TABLE,
        restarts::TABLE,
        sequences::TABLE,
        sets::TABLE,
        sorting::TABLE,
        streams::TABLE,
        strings::TABLE,
        structures::TABLE,
        tables::TABLE,
        time::TABLE,
        timeouts::TABLE,
        types::TABLE,
    ];
    let functions =
        tables.into_iter().flatten().map(|(name, code)| (*name, SteelVal::FuncV(*code)));
    functions
        .chain([
            ("%check-depth", control::check_depth()),
            ("%here", control::here()),
            ("%run-text", evaluation::run_text()),
        ])
        .collect()
}

/// Makes an error with this message.
fn fail(message: impl Into<String>) -> SteelErr {
    SteelErr::new(ErrorKind::Generic, message.into())
}

/// Makes an error such as "first: expected a list, got 5".
fn wrong(function: &str, expected: &str, got: &Value) -> SteelErr {
    let message = format!("{function}: expected {expected}, got {}", shown(got));
    refused(message, got, type_expected(expected))
}

/// Makes an error that refuses a value, and names the type that it expects.
fn refused(message: String, got: &Value, expected: Value) -> SteelErr {
    WRONG.set(Some((message.clone(), got.clone(), expected)));
    fail(message)
}

thread_local! {
    /// The last value that a native refused: the message, the value, and the type expected. An
    /// error of the interpreter can carry the message only.
    static WRONG: RefCell<Option<(String, Value, Value)>> = const { RefCell::new(None) };
}

/// Returns the value that an error with this message refuses, and the type that it expects.
fn take_wrong(message: &str) -> Option<(Value, Value)> {
    let (noted, got, expected) = WRONG.take()?;
    (noted == message).then_some((got, expected))
}

/// Returns the type that "a string" and the like name, or else the words.
fn type_expected(expected: &str) -> Value {
    let words = expected.split_once(" as argument").map_or(expected, |(words, _)| words);
    let name = match words.trim_start_matches("a ").trim_start_matches("an ") {
        "list or pair" => "list",
        "whole number" => "integer",
        "whole number, at least 0" => "unsigned-byte",
        name if !name.contains([' ', ',']) => name,
        _ => return value::string(expected),
    };
    value::symbol(name)
}

/// Checks the number of arguments; both bounds are inclusive.
fn count(function: &str, arguments: &[Value], least: usize, most: usize) -> Result<(), SteelErr> {
    let given = arguments.len();
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
    let expected = match (least, most) {
        (least, usize::MAX) => format!("at least {least} {}", plural(least)),
        (least, most) if least == most => format!("{least} {}", plural(least)),
        (least, most) => format!("{least} to {most} arguments"),
    };
    Err(fail(format!("{function}: expected {expected}, got {given}")))
}

fn list_of(function: &str, value: &Value) -> Result<Vec<Value>, SteelErr> {
    value::elements(value).ok_or_else(|| wrong(function, "a list", value))
}

fn string_of<'v>(function: &str, value: &'v Value) -> Result<&'v str, SteelErr> {
    value::as_str(value).ok_or_else(|| wrong(function, "a string", value))
}

fn integer_of(function: &str, value: &Value) -> Result<i64, SteelErr> {
    value::as_integer(value).ok_or_else(|| wrong(function, "a whole number", value))
}

/// Returns a whole number that is not negative.
fn index_of(function: &str, value: &Value) -> Result<usize, SteelErr> {
    value::as_integer(value)
        .and_then(|value| usize::try_from(value).ok())
        .ok_or_else(|| wrong(function, "a whole number, at least 0", value))
}

/// Returns the values of the keys in `known`; any other key is an error.
fn keys<const N: usize>(
    function: &str,
    arguments: &[Value],
    known: [&str; N],
) -> Result<[Option<Value>; N], SteelErr> {
    let mut found = [const { None }; N];
    for pair in arguments.chunks(2) {
        let position = value::as_keyword(&pair[0])
            .and_then(|name| known.iter().position(|known| *known == name));
        let Some(position) = position else {
            let known = known.iter().copied();
            let wrong = match value::as_keyword(&pair[0]) {
                Some(name) => messages::unknown_key(name, known),
                None => {
                    format!("expected a key, {}, got {}", messages::one_of(known), shown(&pair[0]))
                }
            };
            return Err(fail(format!("{function}: {wrong}")));
        };
        let Some(value) = pair.get(1) else {
            return Err(fail(format!("{function}: the key {} has no value", shown(&pair[0]))));
        };
        found[position] = Some(value.clone());
    }
    Ok(found)
}
