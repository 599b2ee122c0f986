//! `append-letter`: stores a letter from memory or from a file. `replace-letter`: from memory, in the
//! place of another.
//!
//! IMAP announces the size of a literal before its bytes, so a file is read twice: `open` converts
//! it once to count the bytes, and `LetterFile` converts it again while it is sent. Both work in
//! chunks, so memory stays flat. Line ends in a string or a file become CR LF; a bytevector is sent
//! unchanged. If the file has become shorter or longer in between, nothing is stored and the client
//! closes the connection.

use super::dates;
use super::flags::flags;
use super::mailbox::{mailbox, on_mailbox, progress};
use super::sets::{message, message_id, required};
use super::shifting;
use crate::client::{Error, Stored};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::imap::DateTime;
use std::fs::File;
use std::io::{self, Read, Seek};

pub(super) fn append_letter(call: &Call<'_>) -> Result<Value, Condition> {
    mailbox(call)?; // checked before the file is looked at
    let (name, text) = (call.string(1)?, required(call, 2));
    let letter = Source::of(text)
        .ok_or_else(|| call.wrong("text", "a string, a bytevector or (:file \"path\")", text))?;
    let flags = call.key("flags").map_or(Ok(Vec::new()), |value| flags(call, "flags", value))?;
    let date = date(call)?;
    let stored = match letter {
        Source::Bytes(letter) => on_mailbox(call, |client| {
            progress(call).expect_bytes(letter.len() as u64);
            client.append(name, &flags, date, &letter)
        })?,
        Source::File(path) => {
            let (mut letter, length) = open(call, &path)?;
            on_mailbox(call, |client| {
                progress(call).expect_bytes(length);
                let stored = client.append_from(name, &flags, date, length, &mut letter);
                stored.map_err(|error| match error {
                    Error::Letter(cause) => Error::Letter(io::Error::new(
                        cause.kind(),
                        format!("cannot read {path}: {cause}"),
                    )),
                    other => other,
                })
            })?
        }
    };
    Ok(place(stored))
}

/// Returns `(uidvalidity uid)`, or `t` if the server does not report them.
fn place(stored: Option<Stored>) -> Value {
    stored.map_or_else(
        || host::truth(true),
        |(validity, uid)| {
            host::list(vec![host::integer(i64::from(validity)), host::integer(i64::from(uid))])
        },
    )
}

pub(super) fn replace_letter(call: &Call<'_>) -> Result<Value, Condition> {
    let (message, id) = (message(call, 1)?, message_id(call, 1)?);
    shifting::check(call, &*mailbox(call)?, &id.into())?;
    let text = required(call, 2);
    let Some(Source::Bytes(letter)) = Source::of(text) else {
        return Err(call.wrong("text", "a string or a bytevector", text));
    };
    let name = call.key_string("mailbox")?;
    let flags = call.key("flags").map(|value| flags(call, "flags", value)).transpose()?;
    let date = date(call)?;
    let replaced = on_mailbox(call, |client| {
        progress(call).expect_bytes(letter.len() as u64);
        client.replace(id, name, flags.as_deref(), date, &letter)
    })?;
    match replaced {
        Some((stored, _)) => Ok(place(stored)),
        None => Err(Condition::new(
            Identifier::ErrorResponse,
            format!("{}: there is no message {message}; nothing was stored", call.name()),
        )),
    }
}

fn date(call: &Call<'_>) -> Result<Option<DateTime>, Condition> {
    call.typed_key("date", dates::EXPECTED, |value| {
        dates::read(value).and_then(|date| dates::date_time(&date))
    })
}

/// The source of a letter.
enum Source {
    Bytes(Vec<u8>),
    File(String),
}

impl Source {
    /// Reads the argument. Line ends in a string become CR LF; a bytevector stays as it is.
    fn of(value: &Value) -> Option<Source> {
        if let Some(bytes) = host::as_bytes(value) {
            return Some(Source::Bytes(bytes));
        }
        if let Some(text) = host::as_str(value) {
            let mut bytes = Vec::with_capacity(text.len() + text.len() / 32);
            Lines::default().convert(text.as_bytes(), &mut bytes);
            return Some(Source::Bytes(bytes));
        }
        let form: Vec<Value> = host::as_list(value)?.collect();
        let [kind, path] = &form[..] else { return None };
        (host::as_keyword(kind) == Some("file"))
            .then(|| host::as_str(path).map(|path| Source::File(path.to_owned())))?
    }
}

/// Adds the missing CR to bare LFs, also when a line end is split between two chunks.
#[derive(Default)]
struct Lines {
    /// The last byte of the previous chunk.
    before: u8,
}

impl Lines {
    fn convert(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut rest = text;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let before = if end == 0 { self.before } else { rest[end - 1] };
            out.extend_from_slice(&rest[..end]);
            out.extend_from_slice(if before == b'\r' { b"\n" } else { b"\r\n" });
            (rest, self.before) = (&rest[end + 1..], b'\n');
        }
        out.extend_from_slice(rest);
        self.before = rest.last().copied().unwrap_or(self.before);
    }
}

/// How many bytes of a file are read at a time.
const CHUNK: usize = 64 << 10;

/// A file that is converted while it is read for sending.
struct LetterFile {
    file: File,
    lines: Lines,
    read: Vec<u8>,
    converted: Vec<u8>,
    /// How many bytes of `converted` have been handed out.
    given: usize,
}

impl LetterFile {
    fn new(file: File) -> Self {
        LetterFile {
            file,
            lines: Lines::default(),
            read: vec![0; CHUNK],
            converted: Vec::new(),
            given: 0,
        }
    }

    /// Returns the next bytes; empty at the end of the file.
    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.given == self.converted.len() {
            let count = self.file.read(&mut self.read)?;
            self.converted.clear();
            self.given = 0;
            self.lines.convert(&self.read[..count], &mut self.converted);
            if memchr::memchr(0, &self.converted).is_some() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, NUL));
            }
        }
        Ok(&self.converted[self.given..])
    }
}

const NUL: &str = "it has a NUL, which no letter may have";

impl Read for LetterFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.given += count;
        Ok(count)
    }
}

/// Opens a file and counts the bytes that will be sent.
fn open(call: &Call<'_>, path: &str) -> Result<(LetterFile, u64), Condition> {
    let real = call.readable(path)?;
    let cannot = |cause: io::Error| match cause.kind() {
        io::ErrorKind::InvalidData => {
            Condition::syntax(format!("{}: text: {path}: {cause}", call.name()))
        }
        _ => Condition::new(
            Identifier::File,
            format!("{}: cannot read {path}: {cause}", call.name()),
        ),
    };
    // Checked before opening: reading a pipe would block the script, and works only once.
    if !std::fs::metadata(&real).map_err(cannot)?.is_file() {
        return Err(cannot(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let mut letter = LetterFile::new(File::open(real).map_err(cannot)?);
    let mut length = 0;
    loop {
        let count = letter.fill().map_err(cannot)?.len();
        if count == 0 {
            break;
        }
        if call.context().interrupted() {
            return Err(cannot(io::Error::other("interrupted")));
        }
        length += count as u64;
        letter.given = count;
    }
    letter.file.rewind().map_err(cannot)?;
    Ok((LetterFile::new(letter.file), length))
}
