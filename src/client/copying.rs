//! Copies letters from one server to another, with several APPENDs in flight.
//!
//! Letters are appended while the FETCH responses arrive. A server with MULTIAPPEND (RFC 3502) gets
//! small letters in groups, each of which it stores whole or not at all; the letters of a group that it
//! refuses are appended one by one. A full window waits for the oldest APPEND. A letter larger than the window goes to a file while it comes, because its flags and date
//! may follow it, and from there to the other server, alone. So memory is bounded by the window. If
//! either side fails, the APPENDs in flight are still waited for, since the server may have stored
//! them.

use super::appending::Appended;
use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Nothing, Pending};
use super::spool::{LARGE, cannot_spool, for_each_chunk};
use crate::proto::EncodeError;
use crate::proto::imap::command::NewLetter;
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::{Command, DateTime, FetchItems, Flag, Kept, Messages, Token, Tokens};
use std::collections::{HashSet, VecDeque};

/// The most letters in flight to the other server.
const WINDOW: usize = 64;
/// The most bytes in flight: enough to fill a slow line with little memory. A larger letter goes
/// alone.
const WINDOW_BYTES: u64 = 4 << 20;
/// The most letters in a group.
const GROUP: usize = 16;
/// The most bytes in a group.
const GROUP_BYTES: u64 = 256 << 10;

/// A letter as its FETCH response describes it.
#[derive(Default)]
struct Letter {
    uid: Option<u32>,
    flags: Vec<Flag>,
    date: Option<DateTime>,
    text: Option<Text>,
}

/// The bytes of a letter.
enum Text {
    Here(Vec<u8>),
    Kept(Kept),
}

impl Text {
    fn size(&self) -> u64 {
        match self {
            Text::Here(text) => text.len() as u64,
            Text::Kept(kept) => kept.size(),
        }
    }
}

/// A small letter that is or goes in a group.
struct Small {
    message: u32,
    flags: Vec<Flag>,
    date: Option<DateTime>,
    text: Vec<u8>,
}

/// An APPEND in flight.
enum Sent {
    One(u32, Pending<Appended>),
    Group(Vec<Small>, Pending<Nothing>),
}

/// The destination, and the APPENDs whose completions are outstanding.
struct UnderWay<'c> {
    to: &'c mut ImapClient,
    destination: &'c str,
    /// Each APPEND with its size, oldest first.
    sent: VecDeque<(u64, Sent)>,
    bytes: u64,
    /// The letters of the next group, and their size.
    group: Vec<Small>,
    group_bytes: u64,
    has_groups: bool,
    on_copied: &'c mut dyn FnMut(u32),
}

impl ImapClient {
    /// Copies letters with their flags and internal dates to a mailbox on another connection.
    /// `\Seen` is not set on the originals. Calls `on_copied` for each letter that the other server
    /// has stored, in order, with its number or UID as in `messages`.
    ///
    /// # Errors
    /// Those of FETCH here and of APPEND there. Letters reported to `on_copied` have been copied.
    pub fn copy_to_other(
        &mut self,
        messages: &Messages,
        to: &mut ImapClient,
        destination: &str,
        on_copied: &mut dyn FnMut(u32),
    ) -> Result<(), Error> {
        let append = Command::append(destination, &[], None, b"")?;
        to.foresee_each(&append, self, messages)?;
        let items = FetchItems::parse("(UID FLAGS INTERNALDATE BODY.PEEK[])")?;
        let asked = self.asked_for(messages);
        let mut given = HashSet::new();
        let mut under_way = UnderWay {
            has_groups: to.capabilities().has("MULTIAPPEND"),
            to,
            destination,
            sent: VecDeque::new(),
            bytes: 0,
            group: Vec::new(),
            group_bytes: 0,
            on_copied,
        };
        self.connection().keep_literals_over(Some(WINDOW_BYTES));
        let result = self.fetch(messages, &items, &mut |mut data| {
            let number = data.number;
            let letter = letter_of(&mut data.tokens)?;
            let message = if messages.are_uids() { letter.uid } else { number };
            match message.filter(|message| asked.contains(*message)) {
                Some(message) if letter.text.is_some() && given.insert(message) => {
                    under_way.send(message, letter)
                }
                _ => Ok(()),
            }
        });
        self.connection().keep_literals_over(Some(LARGE));
        // The server may have stored letters that were sent before an error.
        let rest = if result.is_ok() { under_way.send_group() } else { Ok(()) };
        let sent = under_way.wait_for(0);
        result.and(rest).and(sent)
    }
}

impl UnderWay<'_> {
    /// Begins the APPEND of a letter, once the window has room for it.
    fn send(&mut self, message: u32, letter: Letter) -> Result<(), Error> {
        let Some(text) = letter.text else { return Ok(()) };
        let size = text.size();
        let text = match text {
            Text::Here(text) if self.has_groups && size < GROUP_BYTES && !text.contains(&0) => {
                if self.group.len() >= GROUP || self.group_bytes + size > GROUP_BYTES {
                    self.send_group()?;
                }
                self.group.push(Small { message, flags: letter.flags, date: letter.date, text });
                self.group_bytes += size;
                return Ok(());
            }
            text => text,
        };
        self.send_group()?;
        self.make_room(size)?;
        let (to, flags, date) = (self.destination, &letter.flags, letter.date);
        match text {
            Text::Here(text) => {
                let sent = self.to.begin_append(to, flags, date, &text)?;
                self.to.flush()?;
                self.sent.push_back((size, Sent::One(message, sent)));
                self.bytes += size;
            }
            Text::Kept(kept) => {
                for_each_chunk(&*kept, &mut |piece| match memchr::memchr(0, piece) {
                    None => Ok(()),
                    Some(_) => {
                        Err(EncodeError::new("letter", "bytes without NUL", b"a NUL").into())
                    }
                })?;
                let mut reader = kept.reader().map_err(cannot_spool)?;
                self.to.append_from(to, flags, date, size, &mut reader)?;
                (self.on_copied)(message);
            }
        }
        Ok(())
    }

    /// Begins the APPEND of the group, if there is one.
    fn send_group(&mut self) -> Result<(), Error> {
        if self.group.is_empty() {
            return Ok(());
        }
        let (group, size) =
            (std::mem::take(&mut self.group), std::mem::take(&mut self.group_bytes));
        self.make_room(size)?;
        let letters: Vec<NewLetter<'_>> = group
            .iter()
            .map(|one| NewLetter { flags: &one.flags, date: one.date, text: &one.text })
            .collect();
        let sent = self.to.begin_append_many(self.destination, &letters)?;
        self.to.flush()?;
        self.sent.push_back((size, Sent::Group(group, sent)));
        self.bytes += size;
        Ok(())
    }

    /// Waits until so many more bytes may be in flight.
    fn make_room(&mut self, size: u64) -> Result<(), Error> {
        while !self.sent.is_empty()
            && (self.sent.len() >= WINDOW || self.bytes + size > WINDOW_BYTES)
        {
            self.wait_for(self.sent.len() - 1)?;
        }
        Ok(())
    }

    /// Waits until at most `left` APPENDs are outstanding.
    fn wait_for(&mut self, left: usize) -> Result<(), Error> {
        let mut failure = None;
        while self.sent.len() > left {
            let Some((size, sent)) = self.sent.pop_front() else { break };
            self.bytes -= size;
            let copied = match sent {
                Sent::One(message, sent) => self.to.wait(sent).map(|_| (self.on_copied)(message)),
                Sent::Group(group, sent) => match self.to.wait(sent) {
                    // Nothing of the group was stored.
                    Err(Error::Refused { .. }) => self.append_each(&group),
                    waited => waited.map(|()| {
                        group.iter().for_each(|one| (self.on_copied)(one.message));
                    }),
                },
            };
            failure = failure.or(copied.err());
        }
        failure.map_or(Ok(()), Err)
    }

    /// Appends the letters of a group one by one, up to one that is refused.
    fn append_each(&mut self, group: &[Small]) -> Result<(), Error> {
        for one in group {
            self.to.append(self.destination, &one.flags, one.date, &one.text)?;
            (self.on_copied)(one.message);
        }
        Ok(())
    }
}

/// Reads a letter from a FETCH response.
fn letter_of(tokens: &mut Tokens<'_>) -> Result<Letter, Error> {
    let mut letter = Letter::default();
    let mut items = FetchedItems::of(tokens)?;
    while let Some((name, value)) = items.next()? {
        let text = || value.bytes().filter(|_| !value.is_nil());
        if name.eq_ignore_ascii_case(b"UID") {
            letter.uid = message_number(value).map(u32::from);
        } else if name.eq_ignore_ascii_case(b"INTERNALDATE") {
            letter.date = text().and_then(|date| std::str::from_utf8(&date).ok()?.parse().ok());
        } else if name.eq_ignore_ascii_case(b"BODY[]") {
            // NIL may be an empty letter, or one that the server cannot read now: an empty copy of
            // that would lose it.
            letter.text = match value {
                Token::Streamed(_, kept) => kept.cloned().map(Text::Kept),
                _ => text().map(|text| Text::Here(text.into_owned())),
            };
        } else if name.eq_ignore_ascii_case(b"FLAGS") {
            // Flags that clients cannot set, such as \Recent, are left out.
            let flags = items.flags()?.into_iter();
            letter
                .flags
                .extend(flags.filter_map(|flag| Flag::new(std::str::from_utf8(flag).ok()?).ok()));
        }
    }
    Ok(letter)
}
