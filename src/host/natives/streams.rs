//! What ports are: their direction, length and position. The console, `t`, is a port of both
//! directions.

use std::io::{BufRead, BufReader, Seek, SeekFrom};

use steel::{SteelErr, SteelVal};

use super::files::{Input, Port, Pushback, Stream};
use super::output::{ErrorPort, TextPort};
use super::{Answer, Code, count, fail, index_of, wrong};
use crate::host::context::lock;
use crate::host::messages::file_error;
use crate::host::value::{Value, as_keyword, downcast, integer, keyword, nil, symbol, truth};

pub(super) static TABLE: &[(&str, Code)] = &[
    ("streamp", |arguments| {
        count("streamp", arguments, 1, 1)?;
        Ok(truth(facts(&arguments[0]).is_some()))
    }),
    ("input-stream-p", |arguments| is("input-stream-p", arguments, |facts| facts.reads)),
    ("output-stream-p", |arguments| is("output-stream-p", arguments, |facts| facts.writes)),
    ("open-stream-p", |arguments| is("open-stream-p", arguments, |facts| facts.open)),
    ("interactive-stream-p", |arguments| {
        is("interactive-stream-p", arguments, |facts| facts.console && is_terminal())
    }),
    ("stream-element-type", |arguments| {
        is("stream-element-type", arguments, |_| true).map(|_| symbol("character"))
    }),
    ("stream-external-format", |arguments| {
        is("stream-external-format", arguments, |_| true).map(|_| keyword("utf-8"))
    }),
    ("%terminal?", |_| Ok(SteelVal::BoolV(is_terminal()))),
    ("file-length", |arguments| {
        count("file-length", arguments, 1, 1)?;
        let port = port_of("file-length", &arguments[0])?;
        let length = match &mut *lock(&port.0) {
            Stream::Input(_, Some(file)) => file.metadata(),
            Stream::Input(_, None) => {
                return Err(wrong("file-length", "a port on a file", &arguments[0]));
            }
            Stream::Output { file, .. } => {
                std::io::Write::flush(file).and_then(|()| file.get_ref().metadata())
            }
            Stream::Closed => return Err(closed("file-length")),
        };
        length
            .map(|facts| integer(facts.len() as i64))
            .map_err(|error| failed("file-length", &error))
    }),
    ("file-position", position),
    ("listen", |arguments| {
        count("listen", arguments, 1, 1)?;
        let port = port_of("listen", &arguments[0])?;
        match &mut *lock(&port.0) {
            Stream::Input(input, _) => {
                let ready = input.fill_buf().map(|bytes| truth(!bytes.is_empty()));
                ready.map_err(|error| failed("listen", &error))
            }
            Stream::Output { .. } => Err(fail("listen: the port was opened for output")),
            Stream::Closed => Err(closed("listen")),
        }
    }),
    ("unread-char", |arguments| {
        count("unread-char", arguments, 2, 2)?;
        let SteelVal::CharV(character) = arguments[0] else {
            return Err(wrong("unread-char", "a character", &arguments[0]));
        };
        let port = port_of("unread-char", &arguments[1])?;
        match &mut *lock(&port.0) {
            Stream::Input(input, _) => {
                input.push_back(character.encode_utf8(&mut [0; 4]).as_bytes());
                Ok(nil())
            }
            Stream::Output { .. } => Err(fail("unread-char: the port was opened for output")),
            Stream::Closed => Err(closed("unread-char")),
        }
    }),
];

struct Facts {
    reads: bool,
    writes: bool,
    open: bool,
    console: bool,
}

fn facts(value: &Value) -> Option<Facts> {
    let facts = Facts { reads: false, writes: false, open: true, console: false };
    if matches!(value, SteelVal::BoolV(true)) {
        return Some(Facts { reads: true, writes: true, console: true, ..facts });
    }
    if downcast::<TextPort>(value).is_some() || downcast::<ErrorPort>(value).is_some() {
        return Some(Facts { writes: true, ..facts });
    }
    Some(match &*lock(&downcast::<Port>(value)?.0) {
        Stream::Input(..) => Facts { reads: true, ..facts },
        Stream::Output { .. } => Facts { writes: true, ..facts },
        Stream::Closed => Facts { open: false, ..facts },
    })
}

/// Whether a value is a port of any kind.
pub(super) fn is_port(value: &Value) -> bool {
    facts(value).is_some()
}

fn is(function: &str, arguments: &[Value], test: fn(Facts) -> bool) -> Answer {
    count(function, arguments, 1, 1)?;
    let facts = facts(&arguments[0]).ok_or_else(|| wrong(function, "a port", &arguments[0]))?;
    Ok(truth(test(facts)))
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdin())
}

fn port_of(function: &str, value: &Value) -> Result<std::sync::Arc<Port>, SteelErr> {
    downcast::<Port>(value).ok_or_else(|| wrong(function, "a port on a file or a string", value))
}

fn closed(function: &str) -> SteelErr {
    fail(format!("{function}: the port is closed"))
}

fn failed(function: &str, error: &std::io::Error) -> SteelErr {
    file_error(&format!("{function}: {error}"))
}

/// `(file-position port)`: how many bytes are before what is read or written next. With a second
/// argument, goes there and returns t.
fn position(arguments: &[Value]) -> Answer {
    count("file-position", arguments, 1, 2)?;
    let port = port_of("file-position", &arguments[0])?;
    let target = arguments.get(1).map(|target| match target {
        target if as_keyword(target) == Some("start") => Ok(SeekFrom::Start(0)),
        target if as_keyword(target) == Some("end") => Ok(SeekFrom::End(0)),
        target => index_of("file-position", target).map(|index| SeekFrom::Start(index as u64)),
    });
    let target = target.transpose()?;
    let moved = match (&mut *lock(&port.0), target) {
        (Stream::Input(input, _), None) => Ok(input.position),
        (Stream::Input(input, Some(file)), Some(target)) => {
            (&**file).seek(target).inspect(|position| {
                *input = Pushback::new(Box::new(BufReader::new(file.clone())));
                input.position = *position;
            })
        }
        (Stream::Input(_, None), Some(_)) => {
            return Err(wrong("file-position", "a port on a file", &arguments[0]));
        }
        (Stream::Output { file, .. }, target) => file.seek(target.unwrap_or(SeekFrom::Current(0))),
        (Stream::Closed, _) => return Err(closed("file-position")),
    };
    let moved = moved.map_err(|error| failed("file-position", &error))?;
    Ok(if target.is_some() { truth(true) } else { integer(moved as i64) })
}
