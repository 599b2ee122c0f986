//! APPEND: stores a letter in a mailbox, from memory or streamed from a reader; REPLACE.
//!
//! A streamed letter needs the same memory whatever its size. IMAP announces the length of a
//! literal before its bytes, so the length must be known and the reader must deliver exactly that
//! many bytes. `running` asks for the next chunk when the server and the stream are ready for it.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Nothing, Pending, Reader};
use super::running::Input;
use crate::proto::EncodeError;
use crate::proto::deed::Purpose;
use crate::proto::imap::command::{NewLetter, StoreMode};
use crate::proto::imap::{
    Command, Completion, Data, DateTime, Event, FetchItems, Flag, MessageId, SequenceSet, Status,
};
use std::io::{self, Read};
use std::num::NonZeroU32;

/// The result of APPEND with UIDPLUS (RFC 4315): the mailbox's UIDVALIDITY and the letter's UID.
pub type Stored = (u32, u32);

/// The size of the buffer for a streamed letter, in bytes.
const CHUNK: usize = 64 << 10;

impl ImapClient {
    /// APPEND (RFC 3501 6.3.11): stores the exact bytes. With UIDPLUS it returns where the letter
    /// was stored.
    ///
    /// # Errors
    /// [`Error::Argument`] for a letter with NUL if the server does not offer BINARY,
    /// [`Error::Refused`] if the mailbox does not exist.
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
    /// [`Error::Argument`] as there; an error if the command cannot be sent.
    pub fn begin_append(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        letter: &[u8],
    ) -> Result<Pending<Appended>, Error> {
        self.check_nul(letter)?;
        self.begin([Command::append(name, flags, date, letter)?], Appended(None))
    }

    /// Refuses a letter with NUL unless the server takes one (RFC 3516 4.4).
    pub(super) fn check_nul(&self, letter: &[u8]) -> Result<(), Error> {
        if self.capabilities().has("BINARY") || !letter.contains(&0) {
            return Ok(());
        }
        Err(EncodeError::new("letter", "bytes without NUL", b"a NUL").into())
    }

    /// Begins an APPEND of several letters (RFC 3502), which are stored all or not at all. The server
    /// must offer MULTIAPPEND.
    ///
    /// # Errors
    /// [`Error::Argument`] as for [`ImapClient::append`]; an error if the command cannot be sent.
    pub fn begin_append_many(
        &mut self,
        name: &str,
        letters: &[NewLetter<'_>],
    ) -> Result<Pending<Nothing>, Error> {
        letters.iter().try_for_each(|letter| self.check_nul(letter.text))?;
        self.begin([Command::append_many(name, letters)?], Nothing)
    }

    /// Puts a letter in the place of a message of the selected mailbox: stores it in the mailbox
    /// `name`, by default the selected one, then removes the message. In one step with REPLACE (RFC
    /// 8508); on other servers by APPEND, then `\Deleted`, then an expunge of exactly this message, as
    /// far as [`ImapClient::remove`] can. Without flags the letter gets those of the message. Returns
    /// where the letter was stored, if the server tells, and whether the message is gone; `None` if
    /// there is no such message, with nothing stored.
    ///
    /// # Errors
    /// [`Error::NothingSelected`]; [`Error::Unsupported`] if the mailbox is open read-only;
    /// [`Error::Refused`] with nothing removed.
    pub fn replace(
        &mut self,
        message: MessageId,
        name: Option<&str>,
        flags: Option<&[Flag]>,
        date: Option<DateTime>,
        letter: &[u8],
    ) -> Result<Option<(Option<Stored>, bool)>, Error> {
        self.check_nul(letter)?;
        let selected = self.selected().ok_or(Error::NothingSelected)?;
        if selected.read_only {
            let why = "the mailbox is open read-only, so that nothing in it can be replaced";
            return Err(Error::Unsupported(why.into()));
        }
        let name = name.unwrap_or(&selected.name).to_owned();
        Command::subscribe(&name)?; // refuses a name that cannot be sent, before anything is
        let items = FetchItems::parse("(UID FLAGS)")?;
        let found = self.fetch_all(&message.into(), &items)?.into_iter().next();
        let uid = found.as_ref().and_then(|found| NonZeroU32::new(found.uid?));
        let (Some(found), Some(uid)) = (found, uid) else { return Ok(None) };
        let kept = || {
            let is_kept = |flag: &&String| !flag.eq_ignore_ascii_case("\\Deleted");
            let flags = found.flags.iter().flatten().filter(is_kept);
            flags.filter_map(|flag| Flag::new(flag).ok()).collect()
        };
        let flags = flags.map_or_else(kept, <[Flag]>::to_vec);
        let new = NewLetter { flags: &flags, date, text: letter };
        // A letter that goes into quarantine is moved there.
        if self.capabilities().has("REPLACE") && self.quarantine.is_none() {
            let command = Command::replace(MessageId::Uid(uid), &name, &new)?;
            let stored = self.carry_out([command], Appended(None))?;
            return Ok(Some((stored, true)));
        }
        // Nothing is stored if the old letter may not be removed.
        let commands = [
            Command::append(&name, &flags, date, letter)?,
            Command::store(&MessageId::Uid(uid).into(), StoreMode::Add, &[Flag::DELETED], true)?,
        ];
        self.for_purpose(Purpose::Delete { others: 0 }, |client| client.foresee(&commands))?;
        let stored = self.append(&name, &flags, date, letter)?;
        let removed = self.remove(&SequenceSet::from(uid))?;
        Ok(Some((stored, removed)))
    }

    /// APPEND of a letter that is read while it is sent. `letter` must deliver exactly `length`
    /// bytes, none of them NUL. Sending starts when the server asks for the literal. If the server
    /// offers LITERAL+ or, up to 4,096 bytes, LITERAL- (RFC 7888), it starts immediately.
    ///
    /// # Errors
    /// [`Error::Refused`] if the mailbox does not exist or the server refuses the letter. The
    /// connection is usable then, unless `letter` fails while the rest of the announced bytes is
    /// sent. [`Error::Letter`] if `letter` fails, or delivers fewer or more bytes than `length`:
    /// nothing is stored, and the connection is closed, since the server waits for the rest; it
    /// stays usable if the beginning of the letter cannot be read.
    pub fn append_from(
        &mut self,
        name: &str,
        flags: &[Flag],
        date: Option<DateTime>,
        length: u64,
        letter: &mut dyn Read,
    ) -> Result<Option<Stored>, Error> {
        let mut start = Vec::new();
        letter.take(CHUNK as u64).read_to_end(&mut start).map_err(Error::Letter)?;
        let command = Command::append_from(name, flags, date, &start, length)?;
        let mut letter = start.as_slice().chain(letter);
        let letter = Literal { from: &mut letter, chunk: Vec::new(), has_heard: false };
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
