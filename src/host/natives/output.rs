//! Printing: to the script's output, to strings and to files.

use std::io;
use std::sync::{Arc, Mutex};

use steel::{SteelErr, SteelVal};

use super::files::Port;
use super::{Answer, Code, context, count, fail, index_of, keys, string_of, wrong};
use crate::host::context::lock;
use crate::host::value::{
    Value, as_keyword, displayed, downcast, integer, is_nil, nil, shared_object, string, to_datum,
};
use crate::lisp::printer;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("princ", |arguments| printed("princ", arguments, displayed)),
    ("prin1", |arguments| printed("prin1", arguments, |value| printer::readably(&to_datum(value)))),
    ("print", |arguments| {
        printed("print", arguments, |value| format!("\n{} ", printer::readably(&to_datum(value))))
    }),
    ("display", |arguments| silent("display", arguments, displayed)),
    ("displayln", |arguments| silent("displayln", arguments, |value| displayed(value) + "\n")),
    ("write", write),
    ("write-line", |arguments| text("write-line", arguments, "\n")),
    ("write-string", |arguments| text("write-string", arguments, "")),
    ("write-char", |arguments| {
        count("write-char", arguments, 1, 2)?;
        match arguments[0] {
            SteelVal::CharV(_) => printed("write-char", arguments, displayed),
            _ => Err(wrong("write-char", "a character", &arguments[0])),
        }
    }),
    ("terpri", |arguments| line_end("terpri", arguments)),
    ("newline", |arguments| line_end("newline", arguments)),
    ("fresh-line", |arguments| {
        count("fresh-line", arguments, 0, 1)?;
        if !Target::of("fresh-line", arguments.first())?.at_line_start()? {
            Target::of("fresh-line", arguments.first())?.write("\n")?;
        }
        Ok(nil())
    }),
    ("princ-to-string", |arguments| {
        count("princ-to-string", arguments, 1, 1)?;
        Ok(string(displayed(&arguments[0])))
    }),
    ("prin1-to-string", |arguments| {
        count("prin1-to-string", arguments, 1, 1)?;
        Ok(string(printer::readably(&to_datum(&arguments[0]))))
    }),
    ("write-to-string", |arguments| {
        count("write-to-string", arguments, 1, usize::MAX)?;
        let [escape, readably, base, _] =
            keys("write-to-string", &arguments[1..], ["escape", "readably", "base", "pretty"])?;
        Ok(string(written("write-to-string", &arguments[0], escape, readably, base)?))
    }),
    ("%standard-output", |arguments| {
        let is_console = is_nil(&arguments[0]) || matches!(arguments[0], SteelVal::BoolV(true));
        Target::of("*standard-output*", arguments.first())?;
        context()?.set_output_port((!is_console).then(|| arguments[0].clone()));
        Ok(nil())
    }),
    ("force-output", |arguments| {
        count("force-output", arguments, 0, 1)?;
        Ok(nil())
    }),
    ("finish-output", |arguments| {
        count("finish-output", arguments, 0, 1)?;
        Ok(nil())
    }),
    ("%error-port", |_| Ok(shared_object(Arc::new(ErrorPort), "#<error-output>"))),
    ("%string-port", |_| Ok(shared_object(Arc::new(TextPort::default()), "#<string-port>"))),
    ("%string-port-text", |arguments| {
        count("get-output-stream-string", arguments, 1, 1)?;
        match downcast::<TextPort>(&arguments[0]) {
            Some(port) => Ok(string(lock(&port.0).clone())),
            None => Err(wrong("get-output-stream-string", "a string port", &arguments[0])),
        }
    }),
];

/// The port of `with-output-to-string`.
#[derive(Default)]
pub(super) struct TextPort(Mutex<String>);

/// The port of `*error-output*`.
pub(super) struct ErrorPort;

/// Where a function prints to.
pub(super) enum Target {
    Output,
    Errors,
    Text(Arc<TextPort>),
    File(Arc<Port>),
}

impl Target {
    /// Returns the destination that an optional argument names. If it is missing, `t` or `nil`,
    /// that is `*standard-output*`.
    pub fn of(function: &str, value: Option<&Value>) -> Result<Target, SteelErr> {
        let is_default =
            value.is_none_or(|value| is_nil(value) || matches!(value, SteelVal::BoolV(true)));
        let bound = if is_default { context()?.output_port() } else { None };
        match bound.as_ref().or(value.filter(|_| !is_default)) {
            None => Ok(Target::Output),
            Some(value) if downcast::<ErrorPort>(value).is_some() => Ok(Target::Errors),
            Some(value) => match (downcast::<TextPort>(value), downcast::<Port>(value)) {
                (Some(port), _) => Ok(Target::Text(port)),
                (_, Some(port)) => Ok(Target::File(port)),
                _ => Err(wrong(function, "an output port", value)),
            },
        }
    }

    pub fn write(&self, text: &str) -> Result<(), SteelErr> {
        match self {
            Target::Output => {
                context()?.write(text).map_err(|error: io::Error| fail(format!("output: {error}")))
            }
            Target::Errors => context()?
                .write_error(text)
                .map_err(|error: io::Error| fail(format!("error output: {error}"))),
            Target::Text(port) => {
                lock(&port.0).push_str(text);
                Ok(())
            }
            Target::File(port) => port.write(text),
        }
    }

    pub fn at_line_start(&self) -> Result<bool, SteelErr> {
        Ok(match self {
            Target::Output => context()?.at_line_start(),
            Target::Errors => context()?.error_at_line_start(),
            Target::Text(port) => lock(&port.0).is_empty() || lock(&port.0).ends_with('\n'),
            Target::File(port) => port.at_line_start(),
        })
    }
}

fn printed(function: &str, arguments: &[Value], show: impl Fn(&Value) -> String) -> Answer {
    count(function, arguments, 1, 2)?;
    Target::of(function, arguments.get(1))?.write(&show(&arguments[0]))?;
    Ok(arguments[0].clone())
}

fn silent(function: &str, arguments: &[Value], show: impl Fn(&Value) -> String) -> Answer {
    printed(function, arguments, show)?;
    Ok(nil())
}

/// `write`: prints to the port `:stream`, which may also be the second argument.
fn write(arguments: &[Value]) -> Answer {
    count("write", arguments, 1, usize::MAX)?;
    let (port, options) = match &arguments[1..] {
        [port, options @ ..] if as_keyword(port).is_none() => (Some(port.clone()), options),
        options => (None, options),
    };
    let known = ["stream", "escape", "readably", "base", "pretty"];
    let [stream, escape, readably, base, _] = keys("write", options, known)?;
    let text = written("write", &arguments[0], escape, readably, base)?;
    Target::of("write", port.or(stream).as_ref())?.write(&text)?;
    Ok(arguments[0].clone())
}

/// Shows a value so that it can be read back, unless `:escape` is nil and `:readably` is not given.
/// Only a whole number can have another `:base` than 10.
fn written(
    function: &str,
    value: &Value,
    escape: Option<Value>,
    readably: Option<Value>,
    base: Option<Value>,
) -> Result<String, SteelErr> {
    if let Some(base) = base {
        let radix = index_of(function, &base)?;
        let Some(radix) = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)) else {
            return Err(wrong(function, "2 to 36 as :base", &base));
        };
        match super::format::in_base(value, radix) {
            Some(text) => return Ok(text),
            None if radix != 10 => return Err(wrong(function, "a whole number with :base", value)),
            None => {}
        }
    }
    let escapes = escape.is_none_or(|escape| !is_nil(&escape))
        || readably.is_some_and(|readably| !is_nil(&readably));
    Ok(if escapes { printer::readably(&to_datum(value)) } else { displayed(value) })
}

fn text(function: &str, arguments: &[Value], end: &str) -> Answer {
    count(function, arguments, 1, usize::MAX)?;
    let whole = string_of(function, &arguments[0])?;
    let target = Target::of(function, arguments.get(1))?;
    match arguments.get(2..).unwrap_or_default() {
        [] => target.write(whole)?,
        options => {
            let [start, end] = keys(function, options, ["start", "end"])?;
            let bounds = [start.unwrap_or_else(|| integer(0)), end.unwrap_or_else(nil)];
            let range = super::files::range_of(function, &bounds, whole.chars().count())?;
            let part: String = whole.chars().skip(range.start).take(range.len()).collect();
            target.write(&part)?;
        }
    }
    target.write(end)?;
    Ok(arguments[0].clone())
}

fn line_end(function: &str, arguments: &[Value]) -> Answer {
    count(function, arguments, 0, 1)?;
    Target::of(function, arguments.first())?.write("\n")?;
    Ok(nil())
}
