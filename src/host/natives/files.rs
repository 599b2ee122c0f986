//! Ports on files and strings, standard input, and the environment.
//!
//! Every path and variable is checked against the policy first. A refusal or a file error comes
//! back as an [`Outcome`], so that the prelude raises a `:not-allowed` or `:file` condition. Every
//! port takes text and bytes; text is UTF-8, and invalid bytes become replacement characters.

use std::fs::{File, OpenOptions};
use std::io::{
    self, BufRead, BufReader, BufWriter, Cursor, IsTerminal, Read, Seek, SeekFrom, Write,
};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use steel::{SteelErr, SteelVal};

use super::{Answer, Code, context, count, fail, index_of, keys, string_of, wrong};
use crate::condition::{Condition, Identifier};
use crate::host::context::{lock, not_allowed};
use crate::host::messages::file_error;
use crate::host::objects::Outcome;
use crate::host::occurrence::condition_object;
use crate::host::value::{
    self, Value, as_keyword, downcast, integer, is_nil, is_true, list, nil, shared_object, string,
    truth,
};
use crate::lisp::{ReadErrorKind, reader};
use crate::policy::Refusal;

pub(super) static TABLE: &[(&str, Code)] = &[
    ("%open", open),
    ("close", close),
    ("close-port", close),
    ("%read-line", |arguments| read("read-line", arguments, line)),
    ("%read-char", |arguments| read("read-char", arguments, character)),
    ("%peek-char", peek_char),
    ("%read-byte", |arguments| {
        read("read-byte", arguments, |file| {
            let byte = file.bytes().next().transpose()?;
            Ok(byte.map(|byte| integer(byte.into())))
        })
    }),
    ("write-byte", |arguments| {
        count("write-byte", arguments, 2, 2)?;
        let byte = value::as_integer(&arguments[0]).and_then(|byte| u8::try_from(byte).ok());
        let byte =
            byte.ok_or_else(|| wrong("write-byte", "a number from 0 to 255", &arguments[0]))?;
        file_of("write-byte", &arguments[1])?.write_bytes(&[byte])?;
        Ok(arguments[0].clone())
    }),
    ("%read-sequence", read_sequence),
    ("%write-sequence", |arguments| {
        let (bytes, range) = bytes_of("write-sequence", &arguments[0], &arguments[2..])?;
        file_of("write-sequence", &arguments[1])?.write_bytes(&bytes[range])?;
        Ok(arguments[0].clone())
    }),
    ("%string-input", string_input),
    ("%read", |arguments| read("read", arguments, datum)),
    ("%read-rest", |arguments| read("read-string", arguments, rest)),
    ("eof-object", |arguments| {
        count("eof-object", arguments, 0, 0)?;
        Ok(eof())
    }),
    ("eof-object?", |arguments| {
        count("eof-object?", arguments, 1, 1)?;
        Ok(truth(downcast::<Eof>(&arguments[0]).is_some()))
    }),
    // At top level the host itself loads; see `Host::load`.
    ("load", |_| Err(fail("load: stands at top level only, not within another form"))),
    ("%getenv", |arguments| {
        count("getenv", arguments, 1, 1)?;
        let name = string_of("getenv", &arguments[0])?;
        Ok(match context()?.policy().check_variable(name) {
            Ok(()) => {
                let value = std::env::var(name).ok();
                context()?.note_variable(name, value.is_some());
                value.map_or_else(nil, string)
            }
            Err(refusal) => refused("getenv", &refusal),
        })
    }),
    ("command-line", |arguments| {
        count("command-line", arguments, 0, 0)?;
        Ok(list(context()?.arguments().iter().map(|argument| string(argument.as_str())).collect()))
    }),
];

/// An open file, or a string that is read.
pub(super) struct Port(pub(super) Mutex<Stream>);

pub(super) enum Stream {
    /// What is read, and the file that it comes from, if it is one.
    Input(Pushback<Box<dyn BufRead + Send>>, Option<Arc<File>>),
    Output {
        file: BufWriter<File>,
        at_line_start: bool,
    },
    Closed,
}

struct Eof;

fn eof() -> Value {
    shared_object(Arc::new(Eof), "#<eof>")
}

/// Wraps the value, or a `:file` condition, which the prelude raises.
pub(super) fn done(result: io::Result<Value>, function: &str, path: &str) -> Value {
    let result = result.map_err(|error| {
        condition_object(Condition::new(Identifier::File, format!("{function}: {path}: {error}")))
    });
    shared_object(
        Arc::new(Outcome { warnings: Vec::new(), result, several: None, asked: None }),
        "#<outcome>",
    )
}

/// An input from which bytes that were read can be put back.
pub(super) trait Input: BufRead {
    /// Puts bytes in front of those that come next.
    fn push_back(&mut self, bytes: &[u8]);
}

pub(super) struct Pushback<R> {
    front: Vec<u8>,
    inner: R,
    /// How many bytes were read before those that come next.
    pub(super) position: u64,
}

/// What was put back to standard input.
static STDIN_FRONT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl<R> Pushback<R> {
    pub(super) fn new(inner: R) -> Self {
        Pushback { front: Vec::new(), inner, position: 0 }
    }
}

impl<R: BufRead> Input for Pushback<R> {
    fn push_back(&mut self, bytes: &[u8]) {
        self.front.splice(..0, bytes.iter().copied());
        self.position = self.position.saturating_sub(bytes.len() as u64);
    }
}

impl<R: BufRead> BufRead for Pushback<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.front.is_empty() { self.inner.fill_buf() } else { Ok(&self.front) }
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        if self.front.is_empty() {
            self.inner.consume(count);
        } else {
            self.front.drain(..count.min(self.front.len()));
        }
    }
}

impl<R: BufRead> Read for Pushback<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(bytes)?;
        self.consume(count);
        Ok(count)
    }
}

/// Wraps a `:not-allowed` condition, which the prelude raises.
pub(super) fn refused(function: &str, refusal: &Refusal) -> Value {
    shared_object(
        Arc::new(Outcome {
            warnings: Vec::new(),
            result: Err(condition_object(not_allowed(function, refusal))),
            several: None,
            asked: None,
        }),
        "#<outcome>",
    )
}

/// `(%open path :direction d :if-exists e :if-does-not-exist n)`.
fn open(arguments: &[Value]) -> Answer {
    count("open", arguments, 1, usize::MAX)?;
    let path = string_of("open", &arguments[0])?;
    let known = ["direction", "if-exists", "if-does-not-exist", "external-format", "element-type"];
    let [direction, exists, missing, format, _] = keys("open", &arguments[1..], known)?;
    let word = |value: &Option<Value>| value.as_ref().and_then(as_keyword).map(str::to_owned);
    if let Some(format) = format.filter(is_true)
        && !matches!(as_keyword(&format), Some("default" | "utf-8" | "utf8"))
    {
        return Err(wrong("open", ":utf-8 as :external-format", &format));
    }
    let missing_is_nil = missing.as_ref().is_some_and(is_nil);
    let creates = match word(&missing).as_deref() {
        None if missing.as_ref().is_none_or(is_nil) => None,
        Some("create") => Some(true),
        Some("error") => Some(false),
        _ => {
            let got = missing.unwrap_or_else(nil);
            return Err(wrong("open", ":create, :error or nil as :if-does-not-exist", &got));
        }
    };
    let mut options = OpenOptions::new();
    let output = match word(&direction).as_deref() {
        None | Some("input") => {
            options.read(true);
            false
        }
        Some("output" | "io") => {
            options.write(true);
            match word(&exists).as_deref() {
                Some("append") => options.append(true),
                Some("overwrite") => &mut options,
                None | Some("error") => options.create_new(true), // CLHS, open
                Some("supersede" | "new-version" | "rename-and-delete") => options.truncate(true),
                Some(other) => {
                    return Err(fail(format!(
                        "open: :if-exists: expected :error, :supersede, :append, :overwrite or nil, got :{other}"
                    )));
                }
            };
            options.create(!missing_is_nil && creates.unwrap_or(true));
            true
        }
        Some(other) => {
            return Err(fail(format!(
                "open: :direction: expected :input or :output, got :{other}"
            )));
        }
    };
    let policy = context()?.policy().clone();
    let real = if output {
        policy.check_writing(Path::new(path))
    } else {
        policy.check_reading(Path::new(path))
    };
    let real = match real {
        Ok(real) => real,
        Err(refusal) => return Ok(refused("open", &refusal)),
    };
    if creates == Some(true) && !output {
        // Made by a write of its own, so that the policy on writing counts.
        let made = match policy.check_writing(Path::new(path)) {
            Ok(real) => OpenOptions::new().append(true).create(true).open(real),
            Err(refusal) => return Ok(refused("open", &refusal)),
        };
        if let Err(error) = made {
            return Ok(done(Err(error), "open", path));
        }
    }
    let opened = match options.open(real) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && missing_is_nil => {
            return Ok(done(Ok(nil()), "open", path));
        }
        Err(error) if output && error.kind() == io::ErrorKind::AlreadyExists => {
            if exists.as_ref().is_some_and(is_nil) {
                return Ok(done(Ok(nil()), "open", path));
            }
            let why = "it exists already; :if-exists :supersede or :append says what to do";
            Err(io::Error::new(error.kind(), why))
        }
        opened => opened,
    };
    let port = opened.map(|file| {
        let stream = if output {
            if word(&exists).as_deref() == Some("append") {
                // For `file-position`; a pipe has no end, and needs none.
                let _ = (&file).seek(SeekFrom::End(0));
            }
            Stream::Output { file: BufWriter::new(file), at_line_start: true }
        } else {
            let file = Arc::new(file);
            Stream::Input(Pushback::new(Box::new(BufReader::new(file.clone()))), Some(file))
        };
        shared_object(Arc::new(Port(Mutex::new(stream))), &format!("#<port {path}>"))
    });
    Ok(done(port, "open", path))
}

fn close(arguments: &[Value]) -> Answer {
    count("close", arguments, 1, 3)?;
    let Some(port) = downcast::<Port>(&arguments[0]) else {
        return if is_nil(&arguments[0]) {
            Ok(nil())
        } else if super::streams::is_port(&arguments[0]) {
            Ok(truth(true)) // the console, and a port on a string
        } else {
            Err(wrong("close", "a port", &arguments[0]))
        };
    };
    let closed = std::mem::replace(&mut *lock(&port.0), Stream::Closed);
    match closed {
        Stream::Output { mut file, .. } => file
            .flush()
            .map(|()| truth(true))
            .map_err(|error| file_error(&format!("close: {error}"))),
        _ => Ok(truth(true)),
    }
}

impl Port {
    pub fn write(&self, text: &str) -> Result<(), SteelErr> {
        self.write_bytes(text.as_bytes())
    }

    fn write_bytes(&self, bytes: &[u8]) -> Result<(), SteelErr> {
        match &mut *lock(&self.0) {
            Stream::Output { file, at_line_start } => {
                *at_line_start = bytes.last().map_or(*at_line_start, |last| *last == b'\n');
                file.write_all(bytes).map_err(|error| file_error(&format!("output: {error}")))
            }
            Stream::Input(..) => Err(fail("output: the port was opened for input")),
            Stream::Closed => Err(fail("output: the port is closed")),
        }
    }

    pub fn at_line_start(&self) -> bool {
        matches!(&*lock(&self.0), Stream::Output { at_line_start: true, .. })
    }
}

fn file_of(function: &str, value: &Value) -> Result<Arc<Port>, SteelErr> {
    downcast::<Port>(value).ok_or_else(|| wrong(function, "a port on a file", value))
}

/// Returns the bytes of a bytevector, and the range of `:start` and `:end`.
pub(super) fn bytes_of(
    function: &str,
    value: &Value,
    bounds: &[Value],
) -> Result<(Vec<u8>, Range<usize>), SteelErr> {
    let bytes = value::as_bytes(value).ok_or_else(|| wrong(function, "a bytevector", value))?;
    let range = range_of(function, bounds, bytes.len())?;
    Ok((bytes, range))
}

pub(super) fn range_of(
    function: &str,
    bounds: &[Value],
    length: usize,
) -> Result<Range<usize>, SteelErr> {
    let start = index_of(function, &bounds[0])?;
    let end = if is_nil(&bounds[1]) { length } else { index_of(function, &bounds[1])? };
    if start > end || end > length {
        let message = format!(
            "{function}: expected :start and :end within a length of {length}, got {start} and {end}"
        );
        return Err(fail(message));
    }
    Ok(start..end)
}

/// `(%string-input function string start end)`: a port that reads the string.
fn string_input(arguments: &[Value]) -> Answer {
    let function = string_of("%string-input", &arguments[0])?;
    let text = string_of(function, &arguments[1])?;
    let range = range_of(function, &arguments[2..], text.chars().count())?;
    let text: String = text.chars().skip(range.start).take(range.len()).collect();
    let input: Box<dyn BufRead + Send> = Box::new(Cursor::new(text.into_bytes()));
    let stream = Stream::Input(Pushback::new(input), None);
    Ok(shared_object(Arc::new(Port(Mutex::new(stream))), "#<string-port>"))
}

/// `(%read-sequence bytes port start end)`: fills the bytes from the port. Returns the index of the
/// first byte that was not filled.
fn read_sequence(arguments: &[Value]) -> Answer {
    let (_, range) = bytes_of("read-sequence", &arguments[0], &arguments[2..])?;
    read("read-sequence", &arguments[1..2], |file| {
        let mut piece = Vec::new();
        file.take(range.len() as u64).read_to_end(&mut piece)?;
        if !value::copy_into_bytes(&arguments[0], range.start, &piece) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the bytevector cannot be changed",
            ));
        }
        Ok(Some(integer((range.start + piece.len()) as i64)))
    })
}

fn read(
    function: &str,
    arguments: &[Value],
    take: impl FnOnce(&mut dyn Input) -> io::Result<Option<Value>>,
) -> Answer {
    count(function, arguments, 1, 1)?;
    if is_nil(&arguments[0]) || matches!(arguments[0], SteelVal::BoolV(true)) {
        await_typing(function)?;
        let mut front = lock(&STDIN_FRONT);
        let mut input = Pushback::new(io::stdin().lock());
        input.front = std::mem::take(&mut *front);
        let read = take(&mut input);
        *front = input.front;
        if io::stdin().is_terminal() {
            super::context()?.set_at_line_start(true); // the line end was echoed as it was typed
        }
        return read
            .map(|value| value.unwrap_or_else(eof))
            .map_err(|error| fail(format!("{function}: {error}")));
    }
    let Some(port) = downcast::<Port>(&arguments[0]) else {
        return Err(wrong(function, "an input port", &arguments[0]));
    };
    match &mut *lock(&port.0) {
        Stream::Input(file, _) => match take(file) {
            Ok(value) => Ok(value.unwrap_or_else(eof)),
            // The reader's complaint about the text; a file would not say this.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(fail(format!("{function}: {error}")))
            }
            Err(error) => Err(file_error(&format!("{function}: {error}"))),
        },
        Stream::Output { .. } => Err(fail(format!("{function}: the port was opened for output"))),
        Stream::Closed => Err(fail(format!("{function}: the port is closed"))),
    }
}

/// Waits until a line was typed at a terminal, or the form should stop. Does not wait for a pipe,
/// because its input may be in memory already.
#[cfg(unix)]
fn await_typing(function: &str) -> Result<(), steel::SteelErr> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let (stdin, context) = (io::stdin(), super::context()?);
    while stdin.is_terminal() {
        if context.interrupted() {
            return Err(fail(format!("{function}: interrupted")));
        }
        let mut typed = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if poll(&mut typed, PollTimeout::from(100u8)).is_ok_and(|ready| ready > 0) {
            break;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn await_typing(_: &str) -> Result<(), steel::SteelErr> {
    Ok(())
}

/// Reads a line and drops its end. Returns a list of it and whether it had none.
fn line(file: &mut dyn Input) -> io::Result<Option<Value>> {
    let mut bytes = Vec::new();
    if file.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let is_cut = !bytes.ends_with(b"\n");
    if !is_cut {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(Some(list(vec![string(String::from_utf8_lossy(&bytes)), truth(is_cut)])))
}

fn character(file: &mut dyn Input) -> io::Result<Option<Value>> {
    let mut bytes = Vec::with_capacity(4);
    while let Some(&next) = file.fill_buf()?.first() {
        bytes.push(next);
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                file.consume(1);
                return Ok(text.chars().next().map(SteelVal::CharV));
            }
            Err(error) if error.error_len().is_none() => file.consume(1),
            // The byte that cannot go on belongs to what follows.
            Err(_) if bytes.len() > 1 => break,
            Err(_) => {
                file.consume(1);
                break;
            }
        }
    }
    Ok(if bytes.is_empty() { None } else { Some(SteelVal::CharV('\u{fffd}')) })
}

/// `(%peek-char port kind)`: returns the next character without consuming it. If `kind` is `t`,
/// white space is skipped first; if it is a character, all others are.
fn peek_char(arguments: &[Value]) -> Answer {
    let kind = &arguments[1];
    let passes = |next: char| match kind {
        SteelVal::BoolV(true) => next.is_whitespace(),
        SteelVal::CharV(wanted) => next != *wanted,
        _ => false,
    };
    loop {
        let peeked = read("peek-char", &arguments[..1], next_character)?;
        match peeked {
            SteelVal::CharV(next) if passes(next) => {
                read("peek-char", &arguments[..1], character)?;
            }
            peeked => return Ok(peeked),
        }
    }
}

/// Returns the next character without consuming it.
fn next_character(file: &mut dyn Input) -> io::Result<Option<Value>> {
    // A character takes four bytes at most, and they may lie on both sides of the buffer's end.
    let mut bytes = Vec::new();
    while bytes.len() < 4 {
        let Some(&next) = file.fill_buf()?.first() else { break };
        bytes.push(next);
        file.consume(1);
        if std::str::from_utf8(&bytes).map_or_else(|error| error.error_len().is_some(), |_| true) {
            break;
        }
    }
    let next = character(&mut Pushback::new(&bytes[..]));
    file.push_back(&bytes);
    next
}

/// Reads one datum, as the reader reads programs. The line in which it ends is read as a whole;
/// what follows the datum is put back.
fn datum(file: &mut dyn Input) -> io::Result<Option<Value>> {
    let mut bytes = Vec::new();
    // A long datum is not tried at every line, which would take quadratic time.
    let mut next_try = 0;
    loop {
        let has_ended = file.read_until(b'\n', &mut bytes)? == 0;
        if bytes.len() < next_try && !has_ended {
            continue;
        }
        next_try = bytes.len() + bytes.len() / 8;
        let text = String::from_utf8_lossy(&bytes);
        match reader::read_first(&text) {
            Ok(Some((form, end))) => {
                let end = super::evaluation::after_blank(&text, end);
                let end = source_offset(&bytes, end);
                file.push_back(&bytes[end..]);
                return Ok(Some(value::from_datum(&form.datum())));
            }
            Ok(None) if has_ended => return Ok(None),
            Err(error) if error.kind == ReadErrorKind::Malformed || has_ended => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error.message));
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// Returns the offset in the bytes for an offset in their text, in which each sequence that is not
/// UTF-8 is one replacement character.
fn source_offset(bytes: &[u8], text_offset: usize) -> usize {
    let (mut source, mut left) = (0, text_offset);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if left <= valid {
            return source + left;
        }
        left = (left - valid).saturating_sub(char::REPLACEMENT_CHARACTER.len_utf8());
        source += valid + chunk.invalid().len();
    }
    bytes.len().min(source)
}

fn rest(file: &mut dyn Input) -> io::Result<Option<Value>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(value::string(String::from_utf8_lossy(&bytes))))
}
