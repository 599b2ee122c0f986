//! APPEND: stores a letter in a mailbox, from memory or streamed from a reader.
//!
//! A streamed letter needs the same memory whatever its size. IMAP announces the length of a
//! literal before its bytes, so the length must be known and the reader must deliver exactly that
//! many bytes. `running` asks for the next chunk when the server and the stream are ready for it.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Pending, Reader};
use super::running::Input;
use crate::proto::imap::{Command, Completion, Data, DateTime, Event, Flag, Status};
use std::io::{self, Read};

/// The result of APPEND with UIDPLUS (RFC 4315): the mailbox's UIDVALIDITY and the letter's UID.
pub type Stored = (u32, u32);

/// The size of the buffer for a streamed letter, in bytes.
const CHUNK: usize = 64 << 10;

impl ImapClient {
    /// APPEND (RFC 3501 6.3.11): stores the exact bytes. With UIDPLUS it returns where the letter
    /// was stored.
    ///
    /// # Errors
    /// [`Error::Argument`] for a letter with NUL, [`Error::Refused`] if the mailbox does not exist.
    pub fn append(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        letter: &[u8],
    ) -> Result<Option<Stored>, Error> {
        let pending = self.begin_append(name, flags, date, letter)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::append`].
    ///
    /// # Errors
    /// An error if the command cannot be sent.
    pub fn begin_append(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        letter: &[u8],
    ) -> Result<Pending<Appended>, Error> {
        self.begin([Command::append(name, flags, date, letter)?], Appended(None))
    }

    /// APPEND of a letter that is read while it is sent. `letter` must deliver exactly `length`
    /// bytes, none of them NUL. Sending starts when the server asks for the literal. If the server
    /// offers LITERAL+ or, up to 4,096 bytes, LITERAL- (RFC 7888), it starts immediately.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox does not exist or the server refuses the letter. The
    /// connection is usable then, unless `letter` fails while the rest of the announced bytes is
    /// sent. [`Error::Letter`] if `letter` fails, or delivers fewer or more bytes than `length`:
    /// nothing is stored, and the connection is closed, since the server waits for the rest.
    pub fn append_from(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        length: u64,
        letter: &mut dyn Read,
    ) -> Result<Option<Stored>, Error> {
        let command = Command::append_from(name, flags, date, length)?;
        let letter = Literal { from: letter, chunk: Vec::new(), has_heard: false };
        let mut reader = Appended(None);
        let completion =
            self.run_with(command, Input::Literal(letter), &mut |event| match event {
                Event::Data(data) => reader.data(data),
                Event::Status(status) => {
                    reader.status(&status);
                    Ok(())
                }
                _ => Ok(()),
            })?;
        reader.completed(&completion);
        reader.finish()
    }
}

/// Reads APPENDUID, which reports where a letter was stored (RFC 4315 3). It belongs into the
/// completion; some servers send it in an untagged OK before, or as a response of its own.
pub struct Appended(Option<Stored>);

impl Reader for Appended {
    type Output = Option<Stored>;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("APPENDUID") {
            self.0 = read_stored(&String::from_utf8_lossy(data.tokens.rest())).or(self.0);
        }
        Ok(())
    }

    fn status(&mut self, status: &Status<'_>) {
        self.completed(&Completion::from(status));
    }

    fn completed(&mut self, completion: &Completion) {
        self.0 = stored(completion).or(self.0);
    }

    fn finish(self) -> Result<Option<Stored>, Error> {
        Ok(self.0)
    }
}

/// Reads the response code APPENDUID; `None` for others or malformed ones.
fn stored(completion: &Completion) -> Option<Stored> {
    let (_, arguments) = completion.code.as_ref().filter(|(code, _)| code == "APPENDUID")?;
    read_stored(arguments)
}

/// Reads `38505 3955`; `None` if it is malformed.
fn read_stored(arguments: &str) -> Option<Stored> {
    let mut numbers = arguments.split_ascii_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The source of a literal that is being sent.
pub(super) struct Literal<'r> {
    from: &'r mut dyn Read,
    chunk: Vec<u8>,
    /// Whether the server's responses were read since the last chunk.
    pub(super) has_heard: bool,
}

impl Literal<'_> {
    /// Reads the next chunk of the `left` bytes that remain.
    pub(super) fn next(&mut self, left: u64) -> io::Result<&[u8]> {
        let count = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        self.chunk.resize(count, 0);
        self.from.read_exact(&mut self.chunk).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it has become shorter"),
            _ => error,
        })?;
        // Check this before the last bytes are sent, so that the server never stores a part as the
        // whole.
        if count as u64 == left && self.from.read(&mut [0])? > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it has become longer"));
        }
        self.has_heard = false;
        Ok(&self.chunk)
    }
}
