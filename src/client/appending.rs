//! Letters into mailboxes: from memory, or from a reader with memory flat whatever their size.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Pending, Reader};
use super::running::Input;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::{Command, Completion, Data};
use std::io::{self, Read};

/// What APPEND tells with UIDPLUS (RFC 4315): the mailbox's UID validity and the letter's UID.
pub type Stored = (u32, u32);

/// Bytes of a letter that are in memory at once.
const CHUNK: usize = 64 << 10;

impl ImapClient {
    /// APPEND (RFC 3501 6.3.11): the exact bytes. With UIDPLUS it tells where the letter went.
    ///
    /// # Errors
    /// [`Error::Argument`] for a letter with NUL, [`Error::Refused`] when the mailbox does not
    /// exist.
    pub fn append(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<&str>,
        letter: &[u8],
    ) -> Result<Option<Stored>, Error> {
        let pending = self.begin_append(name, flags, date, letter)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::append`].
    ///
    /// # Errors
    /// What keeps the command from being sent.
    pub fn begin_append(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<&str>,
        letter: &[u8],
    ) -> Result<Pending<Appended>, Error> {
        self.begin([Command::append(name, flags, date, letter)?], Appended(None))
    }

    /// APPEND of the bytes that `letter` gives, which are exactly `length`, and none of them NUL.
    /// They are read while they are sent: when the server has asked for them, or at once where it
    /// offers LITERAL+ or, up to 4,096 bytes, LITERAL- (RFC 7888).
    ///
    /// # Errors
    /// [`Error::Refused`] when the mailbox does not exist or the server does not want the letter;
    /// the connection is usable then, unless `letter` fails while the rest of what was announced is
    /// sent. [`Error::Letter`] when `letter` fails, or gives fewer or more bytes than `length`:
    /// nothing is stored, and the connection is closed, since the server waits for the rest.
    pub fn append_from(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<&str>,
        length: u64,
        letter: &mut dyn Read,
    ) -> Result<Option<Stored>, Error> {
        let command = Command::append_from(name, flags, date, length)?;
        let letter = Literal { from: letter, chunk: Vec::new(), has_heard: false };
        Ok(stored(&self.run_with(command, Input::Literal(letter))?))
    }
}

/// Reads APPENDUID, which says where a letter went (RFC 4315 3).
pub struct Appended(Option<Stored>);

impl Reader for Appended {
    type Output = Option<Stored>;

    fn data(&mut self, _: Data<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn completed(&mut self, completion: &Completion) {
        self.0 = stored(completion);
    }

    fn finish(self) -> Result<Option<Stored>, Error> {
        Ok(self.0)
    }
}

fn stored(completion: &Completion) -> Option<Stored> {
    let (_, arguments) = completion.code.as_ref().filter(|(code, _)| code == "APPENDUID")?;
    let (validity, uid) = arguments.split_once(' ')?;
    Some((validity.parse().ok()?, uid.trim().parse().ok()?))
}

/// The bytes of a literal that is being sent.
pub(super) struct Literal<'r> {
    from: &'r mut dyn Read,
    chunk: Vec<u8>,
    /// Whether the server was listened to since the last chunk.
    pub(super) has_heard: bool,
}

impl Literal<'_> {
    /// The next of `left` bytes.
    pub(super) fn next(&mut self, left: u64) -> io::Result<&[u8]> {
        let count = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        self.chunk.resize(count, 0);
        self.from.read_exact(&mut self.chunk).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it has become shorter"),
            _ => error,
        })?;
        // Found out before the last byte is sent, so that no part of a letter is stored for the whole.
        if count as u64 == left && self.from.read(&mut [0])? > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it has become longer"));
        }
        self.has_heard = false;
        Ok(&self.chunk)
    }
}
