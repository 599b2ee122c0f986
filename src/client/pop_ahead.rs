//! Letters of a POP mailbox that are asked for before they are wanted, so that a slow line costs one round trip for many of them (RFC 2449 6.6).

use super::error::Error;
use super::pop3::{PopClient, collect};
use crate::proto::pop3::{Command, Handle};
use std::collections::VecDeque;

/// What may be on its way or held: so many letters, and bytes, as LIST told them.
pub(super) const MOST: usize = 1_000;
const MOST_BYTES: u64 = 8 << 20;

/// What is taken for the size of a header.
const HEADER_SIZE: u64 = 4 << 10;

/// A mailbox of more letters is asked for their sizes first.
const FEW: u32 = 20;

/// A letter's number, and how many lines of it besides its header; `None` for all.
type Which = (u32, Option<u32>);

/// Letters that will be wanted.
pub(super) struct PopAhead {
    /// How many may be on their way or held.
    window: usize,
    /// Those that are asked for when there is room.
    expected: VecDeque<Which>,
    /// The question for the letters' sizes, until it is answered.
    list: Option<Handle>,
    /// Those that were asked for, in the order in which they come.
    asked: VecDeque<Asked>,
}

struct Asked {
    which: Which,
    handle: Handle,
    name: &'static str,
    size: u64,
    /// Once it has come.
    letter: Option<Result<Vec<u8>, Error>>,
    /// Whether nobody will take it.
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

    /// Bytes of letters that have come.
    fn held(&self) -> usize {
        self.asked
            .iter()
            .filter_map(|asked| asked.letter.as_ref()?.as_ref().ok())
            .map(Vec::len)
            .sum()
    }

    fn has_room_for(&self, size: u64) -> bool {
        let bytes: u64 = self.asked.iter().map(|asked| asked.size).sum();
        self.asked.is_empty() || self.asked.len() < self.window && bytes + size <= MOST_BYTES
    }
}

impl PopClient {
    /// Says that letters, or their headers and some lines, will be wanted, in this order: they are asked for several at a time, where the server takes
    /// that, and [`PopClient::letter`] gives them. What is on its way or held has at most about 8 MiB.
    ///
    /// # Errors
    /// What keeps a command from being sent.
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

    /// Says how many letters may be on their way, 1 to 1,000, which is the default.
    pub fn set_window(&mut self, letters: usize) {
        self.ahead.window = letters.clamp(1, MOST);
    }

    fn ask_expected(&mut self) -> Result<(), Error> {
        let mut sent = false;
        while let Some(&which) = self.ahead.expected.front() {
            // Until LIST has told it, a letter counts for an average one.
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

    /// A letter, or its header and some lines, in memory.
    ///
    /// # Errors
    /// As [`PopClient::retrieve`], and [`crate::proto::ProtocolError::TooLarge`] over the limit for literals.
    pub fn letter(&mut self, number: u32, lines: Option<u32>) -> Result<Vec<u8>, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let which = (number, lines);
        if let Some(at) = self.ahead.position(which) {
            self.hear_up_to(at, true)?;
            let at = self.ahead.position(which); // those before it that nobody wanted are gone
            if let Some(letter) =
                at.and_then(|at| self.ahead.asked.remove(at)).and_then(|asked| asked.letter)
            {
                let _ = self.ask_expected(); // the letter is there; what closed the connection is told by the next call
                return letter;
            }
        }
        if let Some(at) = self.ahead.expected.iter().position(|expected| *expected == which) {
            // Those before it were skipped: what has come of them makes room.
            self.ahead.expected.drain(..=at);
            self.ahead.asked.retain(|asked| asked.letter.is_none());
        }
        let mut letter = Vec::new();
        let limits = self.limits();
        self.retrieve(number, lines, &mut |piece| collect(&mut letter, piece, &limits, "literal"))?;
        let _ = self.ask_expected(); // as above
        Ok(letter)
    }

    /// Letters in turn, several asked for at once where the server takes that; then those of `next`, which another call will want, are on their way.
    ///
    /// # Errors
    /// The first letter's that fails; the ones before it were given to `on_letter`.
    pub fn letters(
        &mut self,
        numbers: &[u32],
        next: &[u32],
        lines: Option<u32>,
        on_letter: &mut dyn FnMut(u32, Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let is_expected = |ahead: &PopAhead, which| {
            ahead.position(which).is_some() || ahead.expected.contains(&which)
        };
        if !numbers.first().is_some_and(|&first| is_expected(&self.ahead, (first, lines))) {
            self.forget_letters(); // of something that was left
            self.expect(numbers.iter().copied(), lines)?;
        }
        self.expect(next.iter().copied(), lines)?;
        let result = numbers.iter().try_for_each(|&number| {
            let letter = self.letter(number, lines)?;
            on_letter(number, letter)
        });
        if result.is_err() {
            self.forget_letters();
        }
        result
    }

    /// Lets go of the letters that were expected: those that are on their way are dropped when they come.
    pub fn forget_letters(&mut self) {
        self.ahead.window = MOST;
        self.ahead.expected.clear();
        self.ahead.asked.retain(|asked| asked.letter.is_none());
        self.ahead.asked.iter_mut().for_each(|asked| asked.forgotten = true);
    }

    /// Drops what has come of letters that are no more what it says.
    pub(super) fn drop_letters(&mut self, is_stale: impl Fn(u32, bool) -> bool) {
        self.ahead.asked.retain(|asked| {
            asked.letter.as_ref().is_none_or(|letter| !is_stale(asked.which.0, letter.is_ok()))
        });
    }

    /// Waits until no letter is on its way; those that somebody may want are kept, as far as there is room.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        while let Some(last) = self.ahead.asked.iter().rposition(|asked| asked.letter.is_none()) {
            self.hear_up_to(last, false)?;
        }
        Ok(())
    }

    /// Hears letters up to this one, which may be wanted now: then it is kept whatever its size.
    fn hear_up_to(&mut self, last: usize, is_wanted: bool) -> Result<(), Error> {
        if let Some(list) = self.ahead.list.take() {
            match self.sizes_told(list) {
                Err(error) if self.is_closed() => {
                    self.ahead = PopAhead::default();
                    return Err(error);
                }
                _ => self.ask_expected()?, // a server that does not tell is asked for as much as before
            }
        }
        let limits = self.limits();
        for at in 0..=last {
            let Asked { handle, name, forgotten, ref letter, .. } = self.ahead.asked[at];
            if letter.is_some() {
                continue;
            }
            // LIST may have told less than comes: what does not fit is dropped, and asked for again when it is wanted.
            let room = if is_wanted && at == last {
                usize::MAX
            } else {
                MOST_BYTES as usize - self.ahead.held().min(MOST_BYTES as usize)
            };
            let (mut letter, mut dropped) = (Vec::new(), forgotten);
            let result = self.finish(handle, name, None, &mut |piece| {
                dropped |= letter.len() + piece.len() > room;
                if dropped {
                    letter = Vec::new();
                    return Ok(());
                }
                collect(&mut letter, piece, &limits, "literal")
            });
            if self.is_closed() {
                self.ahead = PopAhead::default();
                return result.and(Err(Error::Closed));
            }
            self.ahead.asked[at].forgotten = dropped;
            self.ahead.asked[at].letter = Some(result.map(|_| letter));
        }
        self.ahead.asked.retain(|asked| !(asked.forgotten && asked.letter.is_some()));
        Ok(())
    }
}

fn command((number, lines): Which) -> Command {
    lines.map_or(Command::retr(number), |lines| Command::top(number, lines))
}
