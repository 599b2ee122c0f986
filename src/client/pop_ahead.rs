//! Prefetches letters of a POP mailbox, so that many of them cost one round trip (PIPELINING, RFC
//! 2449 6.6).
//!
//! The caller announces the letters it will want (`expected`). Commands for them are sent while
//! their sizes, known or estimated, fit into a window of letters and bytes (`asked`). Replies are
//! read in order and kept until the caller takes them. A letter that turns out larger than the room
//! left is dropped, and requested again when it is wanted.

use super::error::Error;
use super::pop3::PopClient;
use super::spool::{Content, Spool, cannot_spool};
use crate::proto::Limits;
use crate::proto::imap::Store;
use crate::proto::pop3::{Command, Handle};
use std::collections::VecDeque;

/// The most letters in flight or kept.
pub(super) const MOST: usize = 1_000;
/// The most bytes in flight or kept, by the sizes of LIST.
const MOST_BYTES: u64 = 8 << 20;

/// The assumed size of a header.
const HEADER_SIZE: u64 = 4 << 10;

/// In a mailbox with more letters than this, LIST is sent first for their sizes.
const FEW: u32 = 20;

/// A letter's number, and how many lines of its body; `None` means the whole letter.
type Which = (u32, Option<u32>);

/// The letters that will be wanted, and those that were requested.
pub(super) struct PopAhead {
    /// The most letters in flight or kept.
    window: usize,
    /// Letters to request when there is room.
    expected: VecDeque<Which>,
    /// The LIST in flight.
    list: Option<Handle>,
    /// Requested letters, in the order of their replies.
    asked: VecDeque<Asked>,
}

/// A requested letter.
struct Asked {
    which: Which,
    handle: Handle,
    name: &'static str,
    size: u64,
    /// The letter, once its reply has arrived.
    letter: Option<Result<Content, Error>>,
    /// Whether the letter will be dropped.
    forgotten: bool,
}

impl Default for PopAhead {
    fn default() -> Self {
        PopAhead { window: MOST, expected: VecDeque::new(), list: None, asked: VecDeque::new() }
    }
}

impl PopAhead {
    fn position(&self, which: Which) -> Option<usize> {
        self.asked.iter().position(|asked| asked.which == which && !asked.forgotten)
    }

    /// Bytes of letters that have arrived.
    fn held(&self) -> u64 {
        let letters = self.asked.iter().filter_map(|asked| asked.letter.as_ref()?.as_ref().ok());
        letters.map(Content::size).sum()
    }

    /// Whether the window has room for a letter of this size; an empty one always has.
    fn has_room_for(&self, size: u64) -> bool {
        let bytes: u64 = self.asked.iter().map(|asked| asked.size).sum();
        self.asked.is_empty() || self.asked.len() < self.window && bytes + size <= MOST_BYTES
    }
}

impl PopClient {
    /// Announces that these letters, or their headers and `lines` lines, will be wanted in this
    /// order. If the server has PIPELINING, several are requested together, and
    /// [`PopClient::letter`] returns them. At most about 8 MiB are in flight or kept.
    ///
    /// # Errors
    /// An error if a command cannot be sent.
    pub fn expect(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
        lines: Option<u32>,
    ) -> Result<(), Error> {
        if !self.has("PIPELINING") {
            return Ok(());
        }
        self.ahead.expected.extend(numbers.into_iter().map(|number| (number, lines)));
        let asks_first = self.ahead.asked.is_empty() && !self.ahead.expected.is_empty();
        if lines.is_none() && self.sizes.is_empty() && self.count() > FEW && asks_first {
            self.ahead.list = Some(self.submit(Command::list())?);
        }
        self.ask_expected()
    }

    /// Sets how many letters may be in flight: 1 to 1,000, the default.
    pub fn set_window(&mut self, letters: usize) {
        self.ahead.window = letters.clamp(1, MOST);
    }

    /// Requests announced letters while there is room.
    fn ask_expected(&mut self) -> Result<(), Error> {
        let mut sent = false;
        while let Some(&which) = self.ahead.expected.front() {
            // Before the reply to LIST, assume the average size.
            let average = self.bytes() / u64::from(self.count().max(1));
            let size = if which.1.is_some() {
                HEADER_SIZE
            } else {
                self.sizes.get(&which.0).copied().unwrap_or(average)
            };
            if !self.ahead.has_room_for(size) {
                break;
            }
            let command = command(which);
            let name = command.name();
            let handle = self.submit(command)?;
            self.ahead.asked.push_back(Asked {
                which,
                handle,
                name,
                size,
                letter: None,
                forgotten: false,
            });
            self.ahead.expected.pop_front();
            sent = true;
        }
        if sent { Ok(self.connection.send_ahead()?) } else { Ok(()) }
    }

    /// Returns a letter, or its header and `lines` lines of the body.
    ///
    /// # Errors
    /// As [`PopClient::content`].
    pub fn letter(&mut self, number: u32, lines: Option<u32>) -> Result<Vec<u8>, Error> {
        self.content(number, lines)?.into_bytes()
    }

    /// Returns a letter, or its header and `lines` lines of the body. A large one is in a file.
    ///
    /// # Errors
    /// As [`PopClient::retrieve`], [`crate::proto::ProtocolError::TooLarge`] over the limit for
    /// literals, and [`Error::File`] if the file cannot be written.
    pub fn content(&mut self, number: u32, lines: Option<u32>) -> Result<Content, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let which = (number, lines);
        if let Some(at) = self.ahead.position(which) {
            self.hear_up_to(at, true)?;
            let at = self.ahead.position(which); // unwanted letters before it were dropped
            if let Some(letter) =
                at.and_then(|at| self.ahead.asked.remove(at)).and_then(|asked| asked.letter)
            {
                let _ = self.ask_expected(); // the letter has arrived; the next call reports a closed connection
                return letter;
            }
        }
        if let Some(at) = self.ahead.expected.iter().position(|expected| *expected == which) {
            // The caller has skipped the letters before it. Drop them to make room.
            self.ahead.expected.drain(..=at);
            self.ahead.asked.retain(|asked| asked.letter.is_none());
        }
        let mut letter = self.spool_for(which);
        let limits = self.limits();
        self.retrieve(number, lines, &mut |piece| collect(&mut letter, piece, &limits))?;
        let _ = self.ask_expected(); // as above
        letter.finish().map_err(cannot_spool)
    }

    /// Fetches letters in order, pipelined if the server allows it, and requests those of `next`,
    /// which another call will want. Of several letters, one that the server refuses is left out,
    /// with a warning.
    ///
    /// # Errors
    /// That of the first letter that fails for another reason, or that of the only one. The ones
    /// before it were given to `on_letter`.
    pub fn letters(
        &mut self,
        numbers: &[u32],
        next: &[u32],
        lines: Option<u32>,
        on_letter: &mut dyn FnMut(u32, Content) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let is_expected = |ahead: &PopAhead, which| {
            ahead.position(which).is_some() || ahead.expected.contains(&which)
        };
        if !numbers.first().is_some_and(|&first| is_expected(&self.ahead, (first, lines))) {
            self.forget_letters(); // expected by an operation that was left
            self.expect(numbers.iter().copied(), lines)?;
        }
        self.expect(next.iter().copied(), lines)?;
        let result = numbers.iter().try_for_each(|&number| match self.content(number, lines) {
            Ok(letter) => on_letter(number, letter),
            Err(refusal @ Error::Refused { .. }) if numbers.len() > 1 => {
                self.warn_refused(number, &refusal);
                Ok(())
            }
            Err(error) => Err(error),
        });
        if result.is_err() {
            self.forget_letters();
        }
        result
    }

    /// Makes room for a letter, in a file if LIST has reported a large one.
    fn spool_for(&self, (number, lines): Which) -> Spool {
        Spool::of(self.sizes.get(&number).copied().filter(|_| lines.is_none()))
    }

    /// Drops the announced letters; those in flight are dropped when they arrive. Resets the window
    /// to its default.
    pub fn forget_letters(&mut self) {
        self.ahead.window = MOST;
        self.ahead.expected.clear();
        self.ahead.asked.retain(|asked| asked.letter.is_none());
        self.ahead.asked.iter_mut().for_each(|asked| asked.forgotten = true);
    }

    /// Drops kept letters that have gone stale.
    pub(super) fn drop_letters(&mut self, is_stale: impl Fn(u32, bool) -> bool) {
        self.ahead.asked.retain(|asked| {
            asked.letter.as_ref().is_none_or(|letter| !is_stale(asked.which.0, letter.is_ok()))
        });
    }

    /// Waits until no letter is in flight. Letters that may be wanted are kept as far as there is
    /// room.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        while let Some(last) = self.ahead.asked.iter().rposition(|asked| asked.letter.is_none()) {
            self.hear_up_to(last, false)?;
        }
        Ok(())
    }

    /// Reads replies up to this letter. If it is wanted now, it is kept whatever its size.
    fn hear_up_to(&mut self, last: usize, is_wanted: bool) -> Result<(), Error> {
        if let Some(list) = self.ahead.list.take() {
            match self.sizes_told(list) {
                Err(error) if self.is_closed() => {
                    self.ahead = PopAhead::default();
                    return Err(error);
                }
                _ => self.ask_expected()?, // without sizes, averages are assumed
            }
        }
        let limits = self.limits();
        for at in 0..=last {
            let Asked { which, handle, name, forgotten, ref letter, .. } = self.ahead.asked[at];
            if letter.is_some() {
                continue;
            }
            // A letter may be larger than LIST reported. If it does not fit, it is dropped, and
            // requested again when it is wanted.
            let room = if is_wanted && at == last {
                u64::MAX
            } else {
                MOST_BYTES - self.ahead.held().min(MOST_BYTES)
            };
            let (mut letter, mut dropped) = (self.spool_for(which), forgotten);
            let result = self.finish(handle, name, None, &mut |piece| {
                dropped |= letter.size() + piece.len() as u64 > room;
                if dropped {
                    if letter.size() > 0 {
                        letter = Spool::default();
                    }
                    return Ok(());
                }
                collect(&mut letter, piece, &limits)
            });
            if self.is_closed() {
                self.ahead = PopAhead::default();
                return result.and(Err(Error::Closed));
            }
            self.ahead.asked[at].forgotten = dropped;
            let letter = result.and_then(|_| letter.finish().map_err(cannot_spool));
            self.ahead.asked[at].letter = Some(letter);
        }
        self.ahead.asked.retain(|asked| !(asked.forgotten && asked.letter.is_some()));
        Ok(())
    }
}

/// Adds a piece to a letter, up to the limit.
fn collect(letter: &mut Spool, piece: &[u8], limits: &Limits) -> Result<(), Error> {
    limits.check("literal", letter.size() + piece.len() as u64)?;
    letter.write(piece).map_err(cannot_spool)
}

fn command((number, lines): Which) -> Command {
    lines.map_or(Command::retr(number), |lines| Command::top(number, lines))
}
