//! The keys of sequence functions, such as `:test`, `:key` and `:start`, for calls in which all
//! functions are natives.
//!
//! A native cannot call a procedure of a script, but it can call another native. The prelude asks
//! a native first, with the keys of the call as one list. The native answers [`declined`] if a
//! function is not a native, or if the keys or the bounds are wrong; the prelude then does the work
//! itself, and reports the error.

use steel::{SteelErr, SteelVal};

use super::comparison::Comparison;
use super::{Answer, Code, fail};
use crate::host::context::Context;
use crate::host::value::{Value, as_keyword, is_nil, nil};

/// The keys of functions that look for an item.
pub(super) const SEARCHING: &[&str] = &["test", "test-not", "key", "start", "end", "from-end"];
/// The keys of functions that look for elements that pass a test.
pub(super) const BOUNDED: &[&str] = &["key", "start", "end", "from-end"];
/// The keys of `remove`.
pub(super) const REMOVING: &[&str] =
    &["test", "test-not", "key", "start", "end", "from-end", "count"];
/// The keys of `remove-if`.
pub(super) const REMOVING_IF: &[&str] = &["key", "start", "end", "from-end", "count"];
/// The keys of set operations.
pub(super) const COMPARING: &[&str] = &["test", "test-not", "key"];
/// The keys of `search`.
pub(super) const IN_ANOTHER: &[&str] =
    &["test", "test-not", "key", "start1", "end1", "start2", "end2", "from-end"];
/// The keys of `member` and `assoc`. Scheme's have a comparison instead.
pub(super) const LOOKING_UP: &[&str] = &["test", "test-not", "key"];

/// The answer of a native that leaves the work to the prelude.
pub(super) fn declined() -> Answer {
    Ok(SteelVal::Void)
}

/// Makes an element or a function's value the answer of a native, which must not be void.
pub(super) fn answered(value: Value) -> Value {
    if matches!(value, SteelVal::Void) { nil() } else { value }
}

/// The keys of a call.
#[derive(Default)]
pub(super) struct Options {
    pub comparison: Comparison,
    /// Whether the test must fail.
    pub negated: bool,
    pub key: Option<Code>,
    pub start: usize,
    pub end: Option<usize>,
    pub start2: usize,
    pub end2: Option<usize>,
    pub from_end: bool,
    pub count: Option<usize>,
}

impl Options {
    /// Reads the keys of a call; `None` if the prelude has to.
    pub(super) fn of(keys: &Value, known: &[&str]) -> Option<Options> {
        let mut options = Options::default();
        let SteelVal::ListV(keys) = keys else { return is_nil(keys).then_some(options) };
        if let (Some(SteelVal::FuncV(code)), 1, true) =
            (keys.first(), keys.len(), known == LOOKING_UP)
        {
            // Scheme's (member item list compare).
            options.comparison = Comparison::by(*code);
            return Some(options);
        }
        let mut given: Vec<&str> = Vec::new();
        let mut keys = keys.iter();
        while let Some(name) = keys.next() {
            let (name, value) = (as_keyword(name)?, keys.next()?);
            if !known.contains(&name) || given.contains(&name) {
                return None;
            }
            given.push(name);
            if !is_nil(value) {
                options.set(name, value)?;
            }
        }
        Some(options)
    }

    fn set(&mut self, name: &str, value: &Value) -> Option<()> {
        let number = || match value {
            SteelVal::IntV(number) => usize::try_from(*number).ok(),
            _ => None,
        };
        match (name, value) {
            // Both together are an error, which the prelude raises.
            ("test" | "test-not", SteelVal::FuncV(code)) if !self.comparison.is_given() => {
                self.comparison = Comparison::by(*code);
                self.negated = name == "test-not";
            }
            ("key", SteelVal::FuncV(code)) => self.key = Some(*code),
            ("start" | "start1", _) => self.start = number()?,
            ("end" | "end1", _) => self.end = Some(number()?),
            ("start2", _) => self.start2 = number()?,
            ("end2", _) => self.end2 = Some(number()?),
            ("count", _) => self.count = Some(number()?),
            ("from-end", _) => self.from_end = true,
            _ => return None,
        }
        Some(())
    }

    /// Returns the key of an element.
    pub(super) fn key(&self, element: &Value) -> Answer {
        match self.key {
            Some(key) => key(std::slice::from_ref(element)),
            None => Ok(element.clone()),
        }
    }

    /// Returns the keys of all elements.
    pub(super) fn keys(&self, elements: &[Value]) -> Result<Vec<Value>, SteelErr> {
        elements.iter().map(|element| self.key(element)).collect()
    }

    /// Returns whether two keys pass the test.
    pub(super) fn holds(&self, left: &Value, right: &Value) -> Result<bool, SteelErr> {
        Ok(self.comparison.holds(left, right)? != self.negated)
    }

    /// Returns whether the test of a string's characters is that they are this one.
    pub(super) fn is_exact_for(&self, letter: &Value) -> bool {
        self.key.is_none() && !self.negated && self.comparison.is_exact_for(letter)
    }
}

/// Stops a long loop of calls of natives if the script is interrupted.
pub(super) fn look(context: &Context) -> Result<(), SteelErr> {
    if context.interrupted() { Err(fail("interrupted")) } else { Ok(()) }
}
