//! The natives of break levels; see `host::breaks`.

use super::{Code, context, fail, index_of, string_of};
use crate::host::breaks::{Input, Listener};
use crate::host::context::lock;
use crate::host::evaluation;
use crate::host::messages;
use crate::host::value::{
    Value, as_str, elements, integer, is_true, list, nil, string, symbol, to_datum, truth,
};
use crate::lisp::expander::global;
use crate::lisp::expander::names::LAST_VALUE;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%break-opened", |arguments| {
        let level = index_of("%break-opened", &arguments[0])?;
        let context = context()?;
        let restarts: Vec<String> =
            texts(&arguments[2]).iter().map(|text| context.redact(text)).collect();
        let condition = context.redacted(&messages::payload_condition(&arguments[1]));
        with_listener(|listener| listener.opened(level, &condition, &restarts))?;
        Ok(nil())
    }),
    ("%break-input", |arguments| {
        let level = index_of("%break-input", &arguments[0])?;
        let input = with_listener(|listener| listener.input(level))?;
        let (name, argument) = match input {
            Input::Forms(text) => ("forms", string(text)),
            Input::Continue(number) => ("continue", integer(number as i64)), // far below 2^63
            Input::Pop => ("pop", nil()),
            Input::Reset => ("reset", nil()),
            Input::Exit(status) => ("exit", integer(status.into())),
        };
        Ok(list(vec![symbol(name), argument]))
    }),
    ("%break-asked", |arguments| {
        let question = string_of("%break-asked", &arguments[0])?;
        let is_secret = is_true(&arguments[1]);
        let answer = with_listener(|listener| listener.ask(question, is_secret))?;
        if let Some(secret) = answer.as_deref().filter(|_| is_secret) {
            context()?.keep_secret(secret);
        }
        Ok(answer.map_or_else(nil, string))
    }),
    ("%break-value", |arguments| {
        let value = to_datum(&arguments[0]);
        with_listener(|listener| listener.value(&value))?;
        Ok(nil())
    }),
    // Whether `*`, used as a variable, is the last value. Returns what it was before.
    ("%last-value-counts", |arguments| {
        Ok(truth(evaluation::set_last_value(&*context()?, is_true(&arguments[0]))))
    }),
    // The text of a procedure that takes a new last value.
    ("%remembering", |_| {
        let (last, second, third) = (LAST_VALUE, global("**"), global("***"));
        Ok(string(format!(
            "(lambda (v1) (begin (set! {third} {second}) (set! {second} {last}) (set! {last} v1)))"
        )))
    }),
];

fn texts(value: &Value) -> Vec<String> {
    let elements = elements(value).unwrap_or_default();
    elements.iter().filter_map(as_str).map(str::to_owned).collect()
}

/// Runs `talk` with the listener, which only the prompt of a terminal has.
fn with_listener<T>(talk: impl FnOnce(&mut dyn Listener) -> T) -> Result<T, steel::SteelErr> {
    let context = context()?;
    if !context.at_line_start() {
        let _ = context.write("\n"); // the next output reports the error
    }
    let mut listener = lock(&context.listener);
    let listener = listener.as_deref_mut().ok_or_else(|| fail("there is nobody to ask"))?;
    Ok(talk(listener))
}
