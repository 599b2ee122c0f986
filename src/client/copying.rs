//! Copies letters from one server to another, with several APPENDs in flight.
//!
//! Letters are appended while the FETCH responses arrive. A full window waits for the oldest
//! APPEND. A letter larger than the window goes to a file while it comes, because its flags and date
//! may follow it, and from there to the other server, alone. So memory is bounded by the window. If
//! either side fails, the APPENDs in flight are still waited for, since the server may have stored
//! them.

use super::appending::Appended;
use super::error::Error;
use super::imap::ImapClient;
use super::pending::Pending;
use super::spool::{LARGE, cannot_spool, for_each_chunk};
use crate::proto::EncodeError;
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::{Command, DateTime, FetchItems, Flag, Kept, Messages, Token, Tokens};
use std::collections::{HashSet, VecDeque};

/// The most letters in flight to the other server.
const WINDOW: usize = 64;
/// The most bytes in flight: enough to fill a slow line with little memory. A larger letter goes
/// alone.
const WINDOW_BYTES: u64 = 4 << 20;

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

/// The destination, and the APPENDs whose completions are outstanding.
struct UnderWay<'c> {
    to: &'c mut ImapClient,
    destination: &'c str,
    /// Each letter's number or UID, size and operation, oldest first.
    sent: VecDeque<(u32, u64, Pending<Appended>)>,
    bytes: u64,
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
        let mut under_way =
            UnderWay { to, destination, sent: VecDeque::new(), bytes: 0, on_copied };
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
        let rest = under_way.wait_for(0);
        result.and(rest)
    }
}

impl UnderWay<'_> {
    /// Begins the APPEND of a letter, once the window has room for it.
    fn send(&mut self, message: u32, letter: Letter) -> Result<(), Error> {
        let Some(text) = letter.text else { return Ok(()) };
        let size = text.size();
        while !self.sent.is_empty()
            && (self.sent.len() >= WINDOW || self.bytes + size > WINDOW_BYTES)
        {
            self.wait_for(self.sent.len() - 1)?;
        }
        let (to, flags, date) = (self.destination, &letter.flags, letter.date);
        match text {
            Text::Here(text) => {
                let sent = self.to.begin_append(to, flags, date, &text)?;
                self.to.flush()?;
                self.sent.push_back((message, size, sent));
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

    /// Waits until at most `left` APPENDs are outstanding.
    fn wait_for(&mut self, left: usize) -> Result<(), Error> {
        let mut failure = None;
        while self.sent.len() > left {
            let Some((message, size, sent)) = self.sent.pop_front() else { break };
            self.bytes -= size;
            match self.to.wait(sent) {
                Ok(_) => (self.on_copied)(message),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
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
