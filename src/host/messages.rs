//! Puts the interpreter's errors into our words, and suggests names for undefined ones.
//!
//! An error that unwinds the stack for a condition, a jump or an exit is a [`token_error`]: its
//! message holds only a number, under which the prelude keeps the rest (see `natives::flights`).
//! All others come from the interpreter itself. Their messages are shortened and rewritten to say
//! what was expected and what came.

use steel::SteelErr;
use steel::rerrs::ErrorKind;

use super::distance::distance;
use super::objects::Unbound;
use super::occurrence::as_condition;
use super::value::{Value, downcast, shown};
use crate::condition::{Condition, Identifier};

/// Starts the message of an error that only carries the number of a flight.
const TOKEN: &str = "\u{1}flight:";

/// Says that a jump leads to a block that is not active. The prelude has the same message.
pub(super) const LEFT_ALREADY: &str = "a jump to a place that has been left already";

/// Makes an error that unwinds the stack. The prelude keeps its cause under this number.
pub(super) fn token_error(number: i64) -> SteelErr {
    SteelErr::new(ErrorKind::Generic, format!("{TOKEN}{number}"))
}

/// Returns the number of a [`token_error`].
pub(super) fn token(error: &SteelErr) -> Option<i64> {
    text(error).strip_prefix(TOKEN)?.parse().ok()
}

/// Returns the message without the interpreter's prefix.
fn text(error: &SteelErr) -> String {
    let whole = error.to_string();
    let prefix = format!("Error: {:?}: ", error.kind());
    whole.strip_prefix(&prefix).unwrap_or(&whole).to_owned()
}

/// Cuts a text to `longest` characters and marks the cut with `…`.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns the raised value as a condition. `(raise 5)` raises a value that is not one.
pub(super) fn payload_condition(payload: &Value) -> Condition {
    match as_condition(payload) {
        Some(condition) => (*condition).clone(),
        None => Condition::new(Identifier::ProgramError, format!("raised: {}", shown(payload))),
    }
}

/// Starts the message of an error of a native that could not read or write a file.
const FILE: &str = "\u{1}file:";

/// Makes the error of a file that a native could not read or write.
pub(super) fn file_error(message: &str) -> SteelErr {
    SteelErr::new(ErrorKind::Generic, format!("{FILE}{message}"))
}

/// Converts an error of the interpreter itself, or of a native.
pub(super) fn condition_of(error: &SteelErr) -> Condition {
    match text(error).strip_prefix(FILE) {
        Some(message) => Condition::new(Identifier::File, message),
        None => Condition::new(Identifier::ProgramError, cleaned(error)),
    }
}

fn cleaned(error: &SteelErr) -> String {
    let text = text(error);
    // The interpreter breaks lines and indents them. Only the start of a long value matters.
    let text = cut(&text, 1_000)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" resulted in an error", " failed");
    // "Function application not a procedure or function type not supported: x", "application not a
    // procedure: x", and others.
    if let Some((_, callee)) =
        text.split_once("not a procedure").and_then(|(_, rest)| rest.split_once(": "))
    {
        return not_a_function(callee);
    }
    if error.kind() == ErrorKind::ArityMismatch {
        return arity(&text).unwrap_or(text);
    }
    cut(&readable_values(plain(text)), 300)
}

/// Rewrites "Cannot convert steel value: 5 to steel string", which a name may precede.
fn conversion(text: &str) -> Option<String> {
    let (name, rest) = match text.split_once("Cannot convert steel value: ") {
        Some((name, rest)) => (name, rest.rsplit_once(" to ")?),
        None => {
            let (name, value) = text.split_once("Unable to convert steelval to u8: ")?;
            (name, (value, "byte"))
        }
    };
    let (value, wanted) = (cut(rest.0, 200), rest.1);
    Some(format!(
        "{name}expected a {}, got {value}",
        wanted.trim_start_matches("steel ").trim_start_matches("Steel")
    ))
}

/// Rewrites "car expected a list or pair, found: 5" as "car: expected a list or pair, got 5".
fn plain(text: String) -> String {
    if let Some(said) = conversion(&text) {
        return said;
    }
    let Some((front, found)) = text.split_once(", found: ").or_else(|| text.split_once(", found "))
    else {
        return text;
    };
    let named = match front.split_once(' ') {
        Some((name, rest))
            if ["expected ", "expects "].iter().any(|verb| rest.starts_with(verb)) =>
        {
            let rest = rest.trim_start_matches("expected ").trim_start_matches("expects ");
            format!("{}: expected {rest}", name.trim_start_matches("#%prim."))
        }
        _ => front.to_owned(),
    };
    format!("{named}, got {}", cut(found, 200))
}

fn not_a_function(callee: &str) -> String {
    match callee.strip_prefix("#<unbound ").and_then(|rest| rest.strip_suffix('>')) {
        Some(name) => undefined_function(name),
        None => format!("not a function: {}", readable_values(cut(callee, 200))),
    }
}

/// Returns the message if it does not name the function that failed, without the words that stand
/// for the name.
pub(super) fn without_name(message: &str) -> Option<&str> {
    let unnamed = ["a loop over a list: ", "a loop that counts: ", "a sequence: "];
    let bare = unnamed.iter().find_map(|words| message.strip_prefix(words));
    bare.or_else(|| message.starts_with("expected ").then_some(message))
}

/// Rewrites "… expected 1 arguments, found 2".
fn arity(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("expected ")?;
    let (expected, found) = rest.split_once(" arguments, found ")?;
    let plural =
        if expected.trim_start_matches("at least ") == "1" { "argument" } else { "arguments" };
    Some(format!("expected {expected} {plural}, got {found}"))
}

fn readable_values(text: String) -> String {
    text.replace("#<void>", "nil")
        .replace("#true", "t")
        .replace("#false", "nil")
        .replace("'()", "nil")
}

/// Returns the message for a call with a constant in the place of the function.
pub(super) fn not_called(head: &str, has_arguments: bool) -> String {
    let rest = if has_arguments { " …" } else { "" };
    format!("not a function: {head}; a list of data is quoted: '({head}{rest})")
}

/// Returns the message for a variable without a value; `None` if it has one.
pub(super) fn unbound(value: &Value) -> Option<String> {
    Some(unbound_variable(&downcast::<Unbound>(value)?.0))
}

pub(super) fn unbound_variable(name: &str) -> String {
    format!("unbound variable: {name}")
}

/// Returns the message for an undefined function; `None` if it is defined.
pub(super) fn undefined(value: &Value) -> Option<String> {
    Some(undefined_function(&downcast::<Unbound>(value)?.0))
}

pub(super) fn undefined_function(name: &str) -> String {
    format!("the function {name} is not defined")
}

/// Returns the name that the message says is not defined.
pub(super) fn undefined_name(message: &str) -> Option<&str> {
    let function =
        message.strip_prefix("the function ").and_then(|rest| rest.strip_suffix(" is not defined"));
    function.or_else(|| message.strip_prefix("unbound variable: "))
}

/// Returns what to use for a function of Common Lisp, or of another language, that is not there.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "defclass" | "make-instance" | "defgeneric" | "defmethod" => {
            "structures, which defstruct defines, and functions on them"
        }
        "compile" => "a function, or a macro by defmacro",
        "rplaca" | "rplacd" | "nreconc" => "a new list: lists do not change",
        "concat" | "strcat" => "(string-append text …)",
        "for" | "foreach" => "dolist for a list, dotimes for a number, or loop",
        "println" | "printf" | "puts" => "(format t text value …)",
        "def" | "defn" => "defun for a function, setq for a variable",
        "include" | "use" => "(load \"FILE\")",
        "elif" | "elsif" => "cond",
        "try" | "catch-error" => "handler-case",
        "var" | "const" => "let for a local variable, defvar for a global one",
        "len" | "size" => "length",
        _ => return None,
    })
}

/// Returns the message for a key that is not among `keys`, which have no colon.
pub(super) fn unknown_key<'k>(key: &str, keys: impl Iterator<Item = &'k str> + Clone) -> String {
    let near = nearest(key, keys.clone())
        .map_or_else(String::new, |near| format!("; did you mean `:{near}`?"));
    format!("unknown key :{key}; expected {}{near}", one_of(keys))
}

/// Returns `:a, :b or :c`.
pub(super) fn one_of<'k>(keys: impl Iterator<Item = &'k str>) -> String {
    let keys: Vec<String> = keys.map(|key| format!(":{key}")).collect();
    match keys.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [front @ .., last] => format!("{} or {last}", front.join(", ")),
    }
}

/// Returns the name among `names` that is most like `name`, if it is close enough to be a typing
/// error: one edit for names of three to five characters, two for longer ones.
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let limit = match name.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    let scored = names
        .filter(|candidate| *candidate != name)
        .map(|candidate| (distance(name, candidate, limit), candidate));
    let near = scored.filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, candidate)| candidate.to_owned())
}
