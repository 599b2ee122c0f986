//! Commands that send a letter: APPEND and REPLACE.

use super::super::date::DateTime;
use super::super::encode::Encoder;
use super::super::flag::Flag;
use super::super::messages::MessageId;
use super::super::verb::Verb;
use super::{Built, Command};
use crate::proto::deed::{Act, Change};
use crate::proto::error::EncodeError;

/// A letter that is to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewLetter<'l> {
    /// Its flags.
    pub flags: &'l [Flag],
    /// Its internal date; without it the server uses the current time.
    pub date: Option<DateTime>,
    /// Its bytes.
    pub text: &'l [u8],
}

impl Command {
    /// APPEND (6.3.11). `date` is the internal date; without it the server uses the current time. A
    /// letter that contains NUL is sent as a literal8, which needs BINARY (RFC 3516 4.4).
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent.
    pub fn append(name: &str, flags: &[Flag], date: Option<DateTime>, letter: &[u8]) -> Built {
        let command =
            Command::with(Verb::Append, |to| whole_letter(to.mailbox(name)?, flags, date, letter))?;
        let (bytes, message_id) = (letter.len() as u64, message_id(letter));
        let act = Act::Append { bytes, flags: flags.to_vec(), message_id };
        Ok(command.changing(Change::of(name, act)))
    }

    /// APPEND of several letters, each with its flags and internal date (MULTIAPPEND, RFC 3502). The
    /// server stores all or none.
    ///
    /// # Errors
    /// As [`Command::append`], and for no letters.
    pub fn append_many(name: &str, letters: &[NewLetter<'_>]) -> Built {
        if letters.is_empty() {
            return Err(EncodeError::new("letters", "at least one letter", b""));
        }
        let command = Command::with(Verb::Append, |to| {
            to.mailbox(name)?;
            letters.iter().try_for_each(|one| whole_letter(to, one.flags, one.date, one.text))
        })?;
        let sizes = letters.iter().map(|one| one.text.len() as u64).collect();
        Ok(command.changing(Change::of(name, Act::AppendMany { sizes })))
    }

    /// REPLACE (RFC 8508 3): stores a letter in the mailbox `name`, and removes a message of the
    /// selected one.
    ///
    /// # Errors
    /// As [`Command::append`].
    pub fn replace(message: MessageId, name: &str, letter: &NewLetter<'_>) -> Built {
        let command = Command::on(Verb::Replace, &message.into(), |to| {
            whole_letter(to.mailbox(name)?, letter.flags, letter.date, letter.text)
        })?;
        let bytes = letter.text.len() as u64;
        Ok(command.changing_its_messages(Act::Replace { to: name.to_owned(), bytes }))
    }

    /// APPEND of a letter of `length` bytes, which [`super::super::Session::feed`] supplies during
    /// sending. `start` holds its first bytes, with the header. The caller makes sure that none of
    /// its bytes is NUL.
    ///
    /// # Errors
    /// [`EncodeError`] for a name that cannot be sent.
    pub fn append_from(
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        start: &[u8],
        length: u64,
    ) -> Built {
        let command = Command::with(Verb::Append, |to| {
            letter_with(to.mailbox(name)?, flags, date, start, |to| {
                to.literal_from_outside(length);
                Ok(())
            })
        })?;
        let (flags, message_id) = (flags.to_vec(), message_id(start));
        let act = Act::Append { bytes: length, flags, message_id };
        Ok(command.changing(Change::of(name, act)))
    }
}

/// Adds a letter with its flags and date.
fn whole_letter(
    to: &mut Encoder,
    flags: &[Flag],
    date: Option<DateTime>,
    letter: &[u8],
) -> Result<(), EncodeError> {
    if letter.contains(&0) {
        return letter_with(to, flags, date, b"", |to| {
            to.literal8(letter);
            Ok(())
        });
    }
    letter_with(to, flags, date, letter, |to| to.literal("letter", letter).map(drop))
}

/// Adds flags, date, and the letter that `letter` adds. `start` holds its first bytes.
fn letter_with(
    to: &mut Encoder,
    flags: &[Flag],
    date: Option<DateTime>,
    start: &[u8],
    letter: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    if !flags.is_empty() {
        to.flags(flags)?;
    }
    if let Some(date) = date {
        to.date_time(date);
    }
    if has_utf8_header(start) { to.utf8_letter(letter) } else { letter(to) }
}

/// The Message-ID of a letter, as its header has it.
fn message_id(letter: &[u8]) -> Option<String> {
    let mut lines =
        letter.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let name = b"message-id:";
    let is_field =
        |line: &&[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let field = lines.find(is_field)?[name.len()..].trim_ascii();
    // A long one may stand on a line of its own (RFC 5322 2.2.3).
    let mut folded =
        || lines.next().filter(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
    let id = if field.is_empty() { folded()?.trim_ascii() } else { field };
    (!id.is_empty()).then(|| String::from_utf8_lossy(id).into_owned())
}

/// Whether the header of a letter, of which these are the first bytes, is in UTF-8 and not only in
/// ASCII (RFC 6532).
fn has_utf8_header(start: &[u8]) -> bool {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends.iter().filter_map(|end| memchr::memmem::find(start, end)).min();
    let header = &start[..end.unwrap_or(start.len())];
    // A character may be cut at the end of the first bytes.
    let is_utf8 = |text: &[u8]| match std::str::from_utf8(text) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    !header.is_ascii() && is_utf8(header)
}
