//! The natives under the prelude's conditions and jumps.
//!
//! - Places: calls out of a script that may fail deep within are emitted between `%in` and `%out`,
//!   which keep a stack of the active ones; `%at` resets it at a top-level form. The prelude
//!   restores its depth when it catches an error. The innermost call is the place of an error that
//!   arises outside the script.
//! - Several values: `values` returns the first value and keeps all. Code that wants them asks
//!   right afterwards; entering a function drops them.
//! - Depth: `%enter`, at the start of each function of a script, asks for `%check-depth` now and
//!   then, which turns endless recursion into an error before the interpreter's own stack is full.
//! - Application: `%invoke` calls a native. Its [`Outcome`] is read by the `%outcome-…` functions.
//! - Keys: checking the keyword arguments of a script's functions.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steel::parser::span::Span;
use steel::rvals::AsRefSteelVal;
use steel::{SteelErr, SteelVal};

use super::{Answer, Code, context, count, fail, integer_of, list_of};
use crate::host::messages;
use crate::host::objects::{Outcome, Tag, Trail, Unbound};
use crate::host::registry::Native;
use crate::host::value::{
    self, Value, as_keyword, downcast, elements, is_nil, is_true, nil, shared_object,
};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%true?", |arguments| Ok(SteelVal::BoolV(is_true(&arguments[0])))),
    ("%nil?", |arguments| Ok(SteelVal::BoolV(is_nil(&arguments[0])))),
    ("%not", not),
    ("%in", |arguments| {
        let number = integer_of("call", &arguments[0])? as usize;
        CALLS.with_borrow_mut(|calls| calls.push(number));
        Ok(arguments[1].clone())
    }),
    ("%out", |arguments| {
        CALLS.with_borrow_mut(Vec::pop);
        Ok(arguments[0].clone())
    }),
    ("%at", |arguments| {
        let place = integer_of("call", &arguments[0])? as usize;
        CALLS.set(vec![place]);
        Ok(nil())
    }),
    ("%enter", enter),
    ("%depth", |_| Ok(value::integer(CALLS.with_borrow(Vec::len) as i64))),
    ("%set-depth", |arguments| {
        CALLS.with_borrow_mut(|calls| {
            calls.truncate(integer_of("call", &arguments[0]).unwrap_or(0) as usize)
        });
        Ok(nil())
    }),
    ("%bound", bound),
    ("%defined", defined),
    // The name has the length of `%bound`, so the places in the emitted text stay right.
    ("%funct", |arguments| {
        defined(arguments)?;
        Ok(arguments[0].clone())
    }),
    // (%not-called constant has-arguments)
    ("%not-called", |arguments| {
        let head = value::shown(&arguments[0]);
        Err(fail(messages::not_called(&head, is_true(&arguments[1]))))
    }),
    ("%function?", |arguments| Ok(SteelVal::BoolV(super::types::is_function(&arguments[0])))),
    ("%bound?", |arguments| Ok(SteelVal::BoolV(downcast::<Unbound>(&arguments[0]).is_none()))),
    ("values", |arguments| Ok(several(arguments.to_vec()))),
    ("%single", |arguments| {
        SEVERAL.take();
        Ok(arguments[0].clone())
    }),
    ("%forget-values", |_| {
        SEVERAL.take();
        Ok(nil())
    }),
    ("%values-list", |arguments| Ok(value::list(values_list(&arguments[0])))),
    ("%tag", |_| Ok(shared_object(Arc::new(Tag::default()), "#<block>"))),
    ("%left!", left),
    ("%left?", is_left),
    ("%token", |arguments| {
        Ok(with_error(&arguments[0], messages::token).flatten().map_or_else(nil, value::integer))
    }),
    ("%trail", |arguments| {
        Ok(with_error(&arguments[0], trail)
            .map_or_else(nil, |trail| shared_object(Arc::new(trail), "#<trail>")))
    }),
    ("%convert", |arguments| {
        Ok(with_error(&arguments[0], super::conditions::of_error)
            .unwrap_or_else(|| arguments[0].clone()))
    }),
    ("%reraise", reraise),
    ("%interrupted?", |_| Ok(SteelVal::BoolV(context()?.interrupted()))),
    ("%invoke", invoke),
    ("%native-name", |arguments| {
        Ok(downcast::<Native>(&arguments[0])
            .map_or_else(nil, |native| value::string(&*native.shown)))
    }),
    ("%invoke-knowing", |arguments| {
        let context = context()?;
        context.set_results(elements(&arguments[0]).unwrap_or_default());
        let value = invoke(&arguments[1..]);
        context.set_results(Vec::new());
        value
    }),
    ("%outcome-asked", |arguments| {
        outcome(&arguments[0], |outcome| outcome.asked.clone().unwrap_or_else(nil))
    }),
    ("%outcome?", |arguments| Ok(SteelVal::BoolV(downcast::<Outcome>(&arguments[0]).is_some()))),
    ("%outcome-warnings", |arguments| {
        outcome(&arguments[0], |outcome| value::list(outcome.warnings.clone()))
    }),
    ("%outcome-error", |arguments| {
        outcome(&arguments[0], |outcome| outcome.result.as_ref().err().cloned().unwrap_or_else(nil))
    }),
    ("%outcome-values", |arguments| {
        outcome(&arguments[0], |outcome| match (&outcome.several, &outcome.result) {
            (Some(several), _) => value::list(several.clone()),
            (None, Ok(value)) => value::list(vec![value.clone()]),
            _ => nil(),
        })
    }),
    ("%check-keys", check_keys),
    ("%check-rest", check_rest),
    ("%find-key", find_key),
];

thread_local! {
    /// The places of the active calls out of scripts, outermost first.
    static CALLS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

thread_local! {
    /// The arguments of the last `values` call, until they are read, dropped or replaced.
    static SEVERAL: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
    /// How many functions may be entered before the depth is checked.
    static FUEL: Cell<u32> = const { Cell::new(FUEL_FULL) };
}

/// The depth is checked once per this many function entries, because a check takes time in
/// proportion to the depth.
const FUEL_FULL: u32 = 1 << 16;
/// The maximum number of nested calls. The interpreter's own limit is ten times that, but the
/// interpreter prints a message when it is reached, and is off by one frame afterwards.
const DEPTH_LIMIT: usize = 1_000_000;

/// Returns the first value and keeps all of them for a caller that wants them.
pub(super) fn several(values: Vec<Value>) -> Value {
    let first = values.first().cloned().unwrap_or_else(nil);
    SEVERAL.set(Some(values));
    first
}

/// Returns all values if `first` is the result of the last `values`, otherwise `first` alone.
fn values_list(first: &Value) -> Vec<Value> {
    match SEVERAL.take() {
        Some(values)
            if values
                .first()
                .map_or(is_nil(first), |value| super::equality::identical(value, first)) =>
        {
            values
        }
        _ => vec![first.clone()],
    }
}

/// `(%enter)`: notes that a function of a script was entered. Returns `#t` when the depth is to be
/// checked.
fn enter(_: &[Value]) -> Answer {
    SEVERAL.take();
    let left = FUEL.get();
    FUEL.set(left.checked_sub(1).unwrap_or(FUEL_FULL));
    Ok(SteelVal::BoolV(left == 0))
}

/// `(%check-depth place)`: stops endless recursion of the function at the place.
pub(super) fn check_depth() -> Value {
    SteelVal::BuiltIn(|machine, arguments| {
        if machine.snapshot_stack_trace().trace().len() > DEPTH_LIMIT {
            if let Some(place) = arguments.first().and_then(value::as_integer) {
                CALLS.with_borrow_mut(|calls| calls.push(place as usize));
            }
            return Some(Err(fail(format!(
                "more than {DEPTH_LIMIT} calls within one another: a recursion without an end?"
            ))));
        }
        Some(Ok(SteelVal::Void))
    })
}

/// `(%here)`: returns the trail of the current call.
pub(super) fn here() -> Value {
    SteelVal::BuiltIn(|machine, _| {
        let frames =
            innermost(machine.snapshot_stack_trace().trace().iter().map(|frame| *frame.span()));
        Some(Ok(shared_object(
            Arc::new(Trail { span: None, call: innermost_call(), frames }),
            "#<trail>",
        )))
    })
}

/// Returns the spans of the innermost frames. The interpreter pairs each function with the wrong
/// instruction of it, but the function is the right one.
fn innermost(frames: impl DoubleEndedIterator<Item = Option<Span>>) -> Vec<Span> {
    const KEPT: usize = 200;
    frames.rev().take(KEPT).flatten().collect()
}

/// Returns the number of the innermost active call out of the script.
pub(crate) fn place() -> Option<usize> {
    innermost_call()
}

fn innermost_call() -> Option<usize> {
    CALLS.with_borrow(|calls| calls.last().copied())
}

/// Replaces the noted calls and returns the old ones, for a program that runs within another.
pub(crate) fn exchange_calls(calls: Vec<usize>) -> Vec<usize> {
    CALLS.with_borrow_mut(|current| std::mem::replace(current, calls))
}

/// Returns where this error arose. Call it before anything else runs.
pub(crate) fn trail(error: &SteelErr) -> Trail {
    let frames = error
        .stack_trace()
        .as_ref()
        .map(|trace| innermost(trace.trace().iter().map(|frame| *frame.span())));
    Trail { span: error.span(), call: innermost_call(), frames: frames.unwrap_or_default() }
}

fn not(arguments: &[Value]) -> Answer {
    count("not", arguments, 1, 1)?;
    Ok(SteelVal::BoolV(is_nil(&arguments[0])))
}

fn bound(arguments: &[Value]) -> Answer {
    match messages::unbound(&arguments[0]) {
        Some(message) => Err(fail(message)),
        None => Ok(arguments[0].clone()),
    }
}

fn defined(arguments: &[Value]) -> Answer {
    match messages::undefined(&arguments[0]) {
        Some(message) => Err(fail(message)),
        None => Ok(nil()),
    }
}

fn left(arguments: &[Value]) -> Answer {
    if let Some(tag) = downcast::<Tag>(&arguments[0]) {
        tag.left.store(true, Ordering::Relaxed);
    }
    Ok(nil())
}

fn is_left(arguments: &[Value]) -> Answer {
    Ok(SteelVal::BoolV(
        downcast::<Tag>(&arguments[0]).is_none_or(|tag| tag.left.load(Ordering::Relaxed)),
    ))
}

fn with_error<T>(value: &Value, read: impl FnOnce(&SteelErr) -> T) -> Option<T> {
    SteelErr::as_ref(value).ok().map(|error| read(&error))
}

fn reraise(arguments: &[Value]) -> Answer {
    Err(with_error(&arguments[0], SteelErr::clone)
        .unwrap_or_else(|| fail("an error without a cause")))
}

fn invoke(arguments: &[Value]) -> Answer {
    let Some(native) = downcast::<Native>(&arguments[0]) else {
        return Err(fail("not a native function"));
    };
    let given = elements(&arguments[1]).unwrap_or_default();
    Ok(native.invoke(&*context()?, &given))
}

fn outcome(value: &Value, read: impl FnOnce(&Outcome) -> Value) -> Answer {
    Ok(downcast::<Outcome>(value).map_or_else(nil, |outcome| read(&outcome)))
}

/// `(%check-keys function known given allow-others)`: checks the keyword arguments of a script's
/// function.
fn check_keys(arguments: &[Value]) -> Answer {
    let [function, known, given, allow] = arguments else { return Err(fail("%check-keys")) };
    let function = value::as_str(function).unwrap_or("lambda");
    let (known, given) = (list_of(function, known)?, list_of(function, given)?);
    let any = given.chunks_exact(2).find(|pair| as_keyword(&pair[0]) == Some("allow-other-keys"));
    let allow = is_true(allow) || any.is_some_and(|pair| is_true(&pair[1]));
    for pair in given.chunks(2) {
        if as_keyword(&pair[0]).is_none() {
            let may_be_secret = matches!(pair[0], SteelVal::StringV(_))
                && known.iter().filter_map(as_keyword).any(crate::host::secrets::is_secret_name);
            let got = if may_be_secret { "a string".to_owned() } else { value::shown(&pair[0]) };
            return Err(fail(format!("{function}: expected a key, got {got}")));
        }
        if pair.len() == 1 {
            return Err(fail(format!(
                "{function}: the key {} has no value",
                value::shown(&pair[0])
            )));
        }
        // A key that is given twice has its first value, CLHS 3.4.1.4; :allow-other-keys may
        // always be given.
        let is_known = known.contains(&pair[0]) || as_keyword(&pair[0]) == Some("allow-other-keys");
        if !is_known && !allow {
            let key = as_keyword(&pair[0]).unwrap_or_default();
            let unknown = messages::unknown_key(key, known.iter().filter_map(as_keyword));
            return Err(fail(format!("{function}: {unknown}")));
        }
    }
    Ok(nil())
}

/// `(%check-rest function surplus)`: fails if there are surplus arguments.
fn check_rest(arguments: &[Value]) -> Answer {
    let surplus = elements(&arguments[1]).unwrap_or_default().len();
    if surplus == 0 {
        return Ok(nil());
    }
    let plural = if surplus == 1 { "argument" } else { "arguments" };
    Err(fail(format!(
        "{}: got {surplus} {plural} too many",
        value::as_str(&arguments[0]).unwrap_or("lambda")
    )))
}

/// `(%find-key key given)`: returns a list that holds the key's value; `nil` if the key is not
/// given.
fn find_key(arguments: &[Value]) -> Answer {
    let given = elements(&arguments[1]).unwrap_or_default();
    let found = given.chunks_exact(2).find(|pair| pair[0] == arguments[0]);
    Ok(found.map_or_else(nil, |pair| value::list(vec![pair[1].clone()])))
}
