//! One call of a native: its arguments, checked and typed.
//!
//! The arguments were matched with the lambda list before the native runs. The methods here read
//! them as Rust types; an argument of another type is a `:syntax-error` that names the function and
//! the parameter. Indices count from 0, required parameters first.

use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{Context, not_allowed};
use super::parameters::{self, Arguments, Parameters, name_of};
use super::registry::Code;
use super::value::{Value, as_integer, as_keyword, as_str, downcast, is_nil, is_true};
use crate::condition::{Condition, Identifier};

/// A call of a native, with its arguments sorted by the lambda list.
pub struct Call<'a> {
    pub(super) number: u64,
    pub(super) code: &'a Arc<Code>,
    pub(super) context: &'a Context,
    pub(super) name: &'a str,
    pub(super) parameters: &'a Arc<Parameters>,
    pub(super) arguments: Arguments,
}

/// The function and arguments of a call, so that it can be carried out again.
pub struct KeptCall {
    code: Arc<Code>,
    name: String,
    parameters: Arc<Parameters>,
    arguments: Arguments,
}

impl KeptCall {
    /// Returns the function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs the function with the same arguments.
    ///
    /// # Errors
    /// Those of the function.
    pub fn again(&self, context: &Context) -> Result<Value, Condition> {
        (self.code)(&Call {
            number: next_number(),
            code: &self.code,
            context,
            name: &self.name,
            parameters: &self.parameters,
            arguments: self.arguments.clone(),
        })
    }
}

/// Returns the number of a new call.
pub(super) fn next_number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Makes the `:syntax-error` about an argument of a function: the parameter, what was expected and
/// the value. A secret is masked.
pub fn wrong_argument(function: &str, parameter: &str, expected: &str, got: &Value) -> Condition {
    Condition::syntax(parameters::wrong(function, parameter, expected, got))
}

impl Call<'_> {
    /// Copies the call into a value that outlives it.
    pub fn keep(&self) -> KeptCall {
        KeptCall {
            code: self.code.clone(),
            name: self.name.to_owned(),
            parameters: self.parameters.clone(),
            arguments: self.arguments.clone(),
        }
    }

    /// Returns the state that all natives of the host share.
    pub fn context(&self) -> &Context {
        self.context
    }

    /// Calls a thunk. Natives cannot re-enter the interpreter, so the first call returns `Err`:
    /// propagate it. The host then runs the thunk and restarts this native. Call before any side
    /// effect, and always in the same order.
    ///
    /// # Errors
    /// The thunk has not been called yet. The script never sees this error.
    pub fn result_of(&self, procedure: &Value) -> Result<Value, Condition> {
        self.context.result_of(procedure).ok_or_else(|| self.not_yet())
    }

    /// Calls a procedure with each of `items`. The native must return the error; it is then
    /// restarted, and finds the results with [`Call::answered`]. `state` is what it has done so far,
    /// an object: the procedures of the script may call the same native in between.
    pub fn ask_each(&self, state: Value, procedure: &Value, items: Vec<Value>) -> Condition {
        self.context.ask_each(state, procedure, items);
        self.not_yet()
    }

    /// Returns the state and the results of the last [`Call::ask_each`]; `None` if this call has not
    /// been restarted by one.
    pub fn answered<T: Send + Sync + 'static>(&self) -> Option<(Arc<T>, Vec<Value>)> {
        let mut answer = super::value::as_list(&self.context.answered()?)?;
        Some((downcast::<T>(&answer.next()?)?, answer.collect()))
    }

    fn not_yet(&self) -> Condition {
        Condition::new(
            Identifier::ProgramError,
            format!("{}: a procedure has not been called yet", self.name),
        )
    }

    /// Returns the path to read for `path`, if the script may read it.
    ///
    /// # Errors
    /// `:not-allowed`.
    pub fn readable(&self, path: &str) -> Result<PathBuf, Condition> {
        self.context
            .policy()
            .check_reading(Path::new(path))
            .map_err(|refusal| not_allowed(self.name, &refusal))
    }

    /// Returns the path to write for `path`, if the script may write it.
    ///
    /// # Errors
    /// `:not-allowed`.
    pub fn writable(&self, path: &str) -> Result<PathBuf, Condition> {
        self.context
            .policy()
            .check_writing(Path::new(path))
            .map_err(|refusal| not_allowed(self.name, &refusal))
    }

    /// Returns the function's name for messages.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Returns the number of this call. No other call of any host has it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Identifies this call in the script: a number that is the same for the same place, `None` if
    /// no place is known.
    pub fn place(&self) -> Option<usize> {
        super::natives::place()
    }

    /// Returns the argument at `index`, counting the required ones first; `None` for an optional
    /// one that was not given.
    pub fn arg(&self, index: usize) -> Option<&Value> {
        self.arguments.positional.get(index)
    }

    /// Returns the arguments that `&rest` collects.
    pub fn rest(&self) -> &[Value] {
        &self.arguments.rest
    }

    /// Returns the value of a key; `None` if it was not given.
    pub fn key(&self, name: &str) -> Option<&Value> {
        let position = self.parameters.keys.iter().position(|key| key == name)?;
        self.arguments.keys.get(position)?.as_ref()
    }

    /// Makes a `:syntax-error` that names this function, the parameter, what was expected and the
    /// value.
    pub fn wrong(&self, parameter: &str, expected: &str, got: &Value) -> Condition {
        wrong_argument(self.name, parameter, expected, got)
    }

    fn parameter(&self, index: usize) -> &str {
        let (required, optional) = (&self.parameters.required, &self.parameters.optional);
        required.iter().chain(optional).nth(index).map_or("argument", String::as_str)
    }

    /// Reads the argument at `index` with `read`.
    ///
    /// # Errors
    /// `:syntax-error` if it is missing or `read` returns `None`; the message says that `expected`
    /// was expected.
    pub fn typed<'v, T>(
        &'v self,
        index: usize,
        expected: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<T, Condition> {
        let Some(value) = self.arg(index) else {
            return Err(Condition::syntax(format!(
                "{}: {}: expected {expected}, got nothing",
                self.name,
                self.parameter(index)
            )));
        };
        read(value).ok_or_else(|| self.wrong(self.parameter(index), expected, value))
    }

    /// Reads the value of a key with `read`; `None` if the key was not given or is `nil`.
    ///
    /// # Errors
    /// `:syntax-error` if `read` returns `None`; the message says that `expected` was expected.
    pub fn typed_key<'v, T>(
        &'v self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Condition> {
        match self.key(name) {
            None => Ok(None),
            Some(value) if is_nil(value) => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| self.wrong(&format!(":{name}"), expected, value)),
        }
    }

    /// Returns the string at `index`.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn string(&self, index: usize) -> Result<&str, Condition> {
        self.typed(index, "a string", as_str)
    }

    /// Returns the string of a key; `None` if it was not given or is `nil`.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn key_string(&self, name: &str) -> Result<Option<&str>, Condition> {
        self.typed_key(name, "a string", as_str)
    }

    /// Returns the whole number at `index`, which must be within `range`.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn integer(&self, index: usize, range: impl RangeBounds<i64>) -> Result<i64, Condition> {
        self.typed(index, &expected_number(&range), |value| {
            as_integer(value).filter(|value| range.contains(value))
        })
    }

    /// Returns the whole number of a key, which must be within `range`; `None` if it was not given
    /// or is `nil`.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn key_integer(
        &self,
        name: &str,
        range: impl RangeBounds<i64>,
    ) -> Result<Option<i64>, Condition> {
        self.typed_key(name, &expected_number(&range), |value| {
            as_integer(value).filter(|value| range.contains(value))
        })
    }

    /// Returns whether a key has a true value; `nil` and `#f` are false.
    pub fn boolean_key(&self, name: &str) -> bool {
        self.key(name).is_some_and(is_true)
    }

    /// Returns the object of Rust type `T` at `index`. `expected` names it for the message, with
    /// its article.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn native<T: Send + Sync + 'static>(
        &self,
        index: usize,
        expected: &str,
    ) -> Result<Arc<T>, Condition> {
        self.typed(index, expected, downcast::<T>)
    }

    /// Returns the keyword at `index`, without its colon.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn keyword(&self, index: usize) -> Result<&str, Condition> {
        self.typed(index, "a keyword", as_keyword)
    }

    /// Returns the keyword of a key, without its colon; a symbol is accepted as well. `None` if it
    /// was not given or is `nil`.
    ///
    /// # Errors
    /// `:syntax-error` for anything else.
    pub fn key_keyword(&self, name: &str) -> Result<Option<&str>, Condition> {
        self.typed_key(name, "a keyword", name_of)
    }

    /// Returns several values: the first is the value of the call, and `multiple-value-bind` sees
    /// them all. The native must return the result of this.
    pub fn values(&self, values: Vec<Value>) -> Value {
        let first = values.first().cloned().unwrap_or_else(super::value::nil);
        self.context.set_several(values);
        first
    }
}

fn expected_number(range: &impl RangeBounds<i64>) -> String {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let low = match range.start_bound() {
        Included(low) => Some(*low),
        Excluded(low) => Some(low + 1),
        Unbounded => None,
    };
    let high = match range.end_bound() {
        Included(high) => Some(*high),
        Excluded(high) => Some(high - 1),
        Unbounded => None,
    };
    match (low, high) {
        (None, None) => "a whole number".to_owned(),
        (Some(low), None) => format!("a whole number, at least {low}"),
        (None, Some(high)) => format!("a whole number, at most {high}"),
        (Some(low), Some(high)) => format!("a whole number from {low} to {high}"),
    }
}
