//! The natives under `eval`, `read` and `read-from-string`; see `host::evaluation`.

use std::sync::Arc;

use steel::SteelVal;

use super::{Answer, Code, context, fail, index_of, integer_of, long_text, string_of, wrong};
use crate::host::context::lock;
use crate::host::engine::{self, Engine};
use crate::host::evaluation::{Evaluation, Next};
use crate::host::objects::Unbound;
use crate::host::panics::caught;
use crate::host::value::{
    self, Value, downcast, from_datum, integer, is_nil, is_true, list, nil, shared_object, string,
};
use crate::lisp::reader;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%evaluation", |arguments| {
        let made = Evaluation::of(&arguments[0]).map_err(fail)?;
        Ok(shared_object(Arc::new(made), "#<evaluation>"))
    }),
    ("%evaluation-step", |arguments| {
        let step = |name, first, rest| list(vec![value::symbol(name), first, list(rest)]);
        Ok(match evaluation(&arguments[0])?.step(&*context()?).map_err(fail)? {
            Next::Define(text) => step("define", string(text), Vec::new()),
            Next::Fetch(text) => step("fetch", string(text), Vec::new()),
            Next::Expand(fetch, arguments) => step("expand", fetch, arguments),
            Next::Compile(text, constants) => step("compile", string(text), constants),
            Next::Call(procedure, constants) => step("call", procedure, constants),
            Next::Finished => nil(),
        })
    }),
    ("%evaluation-expanded", |arguments| {
        evaluation(&arguments[0])?.expanded(&arguments[1]);
        Ok(nil())
    }),
    ("%evaluation-compiled", |arguments| {
        evaluation(&arguments[0])?.compiled(&arguments[1], &*context()?);
        Ok(arguments[1].clone())
    }),
    ("%constant", |arguments| {
        let number = integer_of("%constant", &arguments[0])? as usize;
        Ok(lock(&context()?.kept).constant(number))
    }),
    ("%unbound", |arguments| {
        let name = string_of("%unbound", &arguments[0])?;
        Ok(shared_object(Arc::new(Unbound(name.into())), &format!("#<unbound {name}>")))
    }),
    ("%read-from-string", read_from_string),
];

fn evaluation(value: &Value) -> Result<Arc<Evaluation>, steel::SteelErr> {
    downcast::<Evaluation>(value).ok_or_else(|| wrong("eval", "an evaluation", value))
}

/// `(%run-text text)`: compiles the text and goes on in it.
pub(super) fn run_text() -> Value {
    SteelVal::BuiltIn(|machine, arguments| {
        let SteelVal::BuiltIn(run) = Engine::evaluator() else {
            return Some(Err(fail("eval: the interpreter cannot compile here")));
        };
        let compiled = caught(|| engine::compiling_alone(|| run(machine, arguments)));
        compiled.unwrap_or_else(|reason| Some(Err(fail(format!("eval: {reason}")))))
    })
}

/// `(%read-from-string string start end keeps-blank)`: a list of the datum and of the index after
/// it, or `nil` if there is none.
fn read_from_string(arguments: &[Value]) -> Answer {
    const NAME: &str = "read-from-string";
    let SteelVal::StringV(text) = &arguments[0] else {
        return Err(wrong(NAME, "a string", &arguments[0]));
    };
    let length = long_text::length_of(text);
    let start = index_of(NAME, &arguments[1])?;
    let end = if is_nil(&arguments[2]) { length } else { index_of(NAME, &arguments[2])? };
    let part = long_text::slice(text, start, Some(end)).ok_or_else(|| {
        fail(format!(
            "{NAME}: expected :start and :end within a length of {length}, got {start} and {end}"
        ))
    })?;
    let found =
        reader::read_first(part).map_err(|error| fail(format!("{NAME}: {}", error.message)))?;
    let Some((form, after)) = found else { return Ok(nil()) };
    let after = if is_true(&arguments[3]) { after } else { after_blank(part, after) };
    let index = start + part[..after].chars().count();
    Ok(value::list(vec![from_datum(&form.datum()), integer(index as i64)]))
}

/// Returns the offset after the white space that ends a symbol or a number. What ends in a
/// delimiter of its own is followed by nothing that belongs to it.
pub(super) fn after_blank(text: &str, end: usize) -> usize {
    let closed = text[..end].ends_with([')', ']', '"', '|']);
    match text[end..].chars().next() {
        Some(next) if !closed && next.is_whitespace() => end + next.len_utf8(),
        _ => end,
    }
}
