//! Streams letters to files, with the same memory for letters of any size.
//!
//! The session hands out large literals in pieces ([`Event::Piece`]) while they arrive. A piece
//! arrives before the end of its response. So the text before the literal decides whether it is the
//! body of a wanted letter. A UID that follows the literal is checked when the response is
//! complete.

use super::answers::unreadable_words;
use super::error::Error;
use super::imap::ImapClient;
use super::running::OnEvent;
use super::spool::for_each_chunk;
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::{
    Command, Completion, Event, FetchItems, Kept, MessageId, Messages, Token, Tokens,
};
use std::collections::HashSet;
use std::io::Write;

/// Literals of at least this size are written while they arrive.
const STREAMED_FROM: u64 = 64 << 10;

/// Receives letters one after the other.
pub trait Letters {
    /// Takes the next bytes of the current letter.
    ///
    /// # Errors
    /// A failure to write. No further letter is delivered then.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Ends the current letter. `message` is its sequence number or UID; `None` means that nobody
    /// asked for it, and its bytes must be discarded.
    ///
    /// # Errors
    /// As [`Letters::write`].
    fn end(&mut self, message: Option<u32>) -> Result<(), Error>;
}

impl ImapClient {
    /// Streams the exact bytes of letters to `to`, in the server's order. `\Seen` is not set.
    ///
    /// # Errors
    /// Those of `to`, after the server has finished. The connection stays usable.
    pub fn write_letters(
        &mut self,
        messages: &Messages,
        to: &mut dyn Letters,
    ) -> Result<(), Error> {
        let items = FetchItems::parse("(UID BODY.PEEK[])")?;
        let commands = self.for_each_part(messages, |part| Command::fetch(part, &items))?;
        let asked = self.asked_for(messages);
        let mut given = HashSet::new();
        self.settle()?; // so that all pieces belong to these letters
        let (mut is_body, mut came) = (None, false);
        commands.into_iter().try_for_each(|command| {
            let done = self.run_streaming(command, &mut |event| match event {
                Event::Piece(piece) => {
                    let wanted =
                        *is_body.get_or_insert_with(|| items_before(piece.before).is_some());
                    if wanted {
                        came = true;
                        to.write(piece.bytes)?;
                    }
                    if piece.last {
                        is_body = None;
                    }
                    Ok(())
                }
                Event::Data(mut data) if data.is("FETCH") => {
                    let number = data.number;
                    let read = uid_and_body(&mut data.tokens);
                    // What came is no letter if even the repaired response cannot be read, and must
                    // not become the start of the next one.
                    if read.is_err() && data.tokens.are_repaired() && std::mem::take(&mut came) {
                        to.end(None)?;
                    }
                    let (found, body) = read?;
                    let message = match messages.are_uids() {
                        true => found.or(messages.only().filter(|_| body.is_some())),
                        false => number,
                    };
                    if let Some(body @ (Body::Whole(_) | Body::Kept(_))) = &body {
                        came = true;
                        body.pass(&mut |bytes| to.write(bytes))?;
                    }
                    let is_new = |message: &u32| {
                        body.is_some() && asked.contains(*message) && given.insert(*message)
                    };
                    let message = message.filter(is_new);
                    if std::mem::take(&mut came) { to.end(message) } else { Ok(()) }
                }
                // These pieces were not a letter, and must not become the start of the next one.
                _ if std::mem::take(&mut came) => to.end(None),
                _ => Ok(()),
            });
            done.map(drop)
        })
    }

    /// Sends one command and passes its events to `on_event`, with literals in pieces. A literal that
    /// began to come before the command was sent stays whole: nobody has heard its first bytes.
    fn run_streaming(
        &mut self,
        command: Command,
        on_event: OnEvent<'_>,
    ) -> Result<Completion, Error> {
        let sent = self.send(command)?;
        self.connection().stream_literals_over(Some(STREAMED_FROM));
        let result = self.hear_out(sent, on_event);
        self.connection().stream_literals_over(None);
        result
    }

    /// Writes a letter's exact bytes to `to`. Returns how many there were, or `None` if there is no
    /// such letter. With `peek`, `\Seen` is not set.
    ///
    /// # Errors
    /// [`Error::File`] with `path` if writing fails; the connection stays usable. After an error
    /// only part of the letter may have been written.
    pub fn write_letter(
        &mut self,
        message: MessageId,
        peek: bool,
        path: &str,
        to: &mut dyn Write,
    ) -> Result<Option<u64>, Error> {
        let items = FetchItems::parse(if peek { "BODY.PEEK[]" } else { "BODY[]" })?;
        let command = Command::fetch(&message.into(), &*self.spared(&items)?)?;
        self.settle()?; // so that all pieces belong to this letter
        let file = |cause| Error::File { path: path.to_owned(), cause };
        let (mut written, mut streamed, mut lost) = (None, false, None);
        let mut is_body = None; // decided once for each literal: the text before it may be long, and its pieces many
        let result = self.run_streaming(command, &mut |event| {
            match event {
                Event::Piece(piece) => {
                    let wanted =
                        *is_body.get_or_insert_with(|| ends_in_body_of(piece.before, message));
                    if piece.last {
                        is_body = None;
                    }
                    if !wanted {
                        return Ok(());
                    }
                    if written.is_some() && !streamed {
                        return Err(Error::Unexpected("the server sent the letter twice".into()));
                    }
                    to.write_all(piece.bytes).map_err(file)?;
                    *written.get_or_insert(0) += piece.bytes.len() as u64;
                    streamed = !piece.last;
                }
                Event::Data(mut data) if data.is("FETCH") => {
                    let number = data.number;
                    let lost_words = data.lost.map(|lost| unreadable_words(&data, lost));
                    let (found, body) = uid_and_body(&mut data.tokens)?;
                    // Some servers answer UID FETCH without the UID.
                    let told = if message.is_uid() && body.is_some() {
                        found.or(Some(message.get()))
                    } else if message.is_uid() {
                        found
                    } else {
                        number
                    };
                    let is_asked_for = told == Some(message.get());
                    if is_asked_for && body.is_none() {
                        lost = lost_words.or(lost.take());
                    }
                    match body {
                        Some(body @ (Body::Whole(_) | Body::Kept(_)))
                            if is_asked_for && written.is_none() =>
                        {
                            let passed = body.pass(&mut |bytes| to.write_all(bytes).map_err(file));
                            written = Some(passed?);
                        }
                        // A UID after the body identifies the letter only now.
                        Some(Body::Streamed) if !is_asked_for && written.is_some() => {
                            return Err(Error::Unexpected(
                                "the server sent another letter than the one asked for".into(),
                            ));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
            Ok(())
        });
        result?;
        match lost.filter(|_| written.is_none()) {
            Some(lost) => {
                self.drop_warning(&lost);
                Err(Error::Unexpected(lost))
            }
            None => Ok(written),
        }
    }
}

/// If the literal is a whole letter, returns the response up to it, in upper case.
fn items_before(before: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(before).to_ascii_uppercase();
    let (items, _) = text.rsplit_once('{')?;
    items.trim_end().ends_with("BODY[]").then(|| items.to_owned())
}

/// Returns whether a response up to its literal is about this message and ends in `BODY[] {n}`. A
/// UID that has not arrived yet is assumed to match, and checked when the response is complete.
fn ends_in_body_of(before: &[u8], message: MessageId) -> bool {
    let Some(items) = items_before(before) else { return false };
    let mut words = items.split([' ', '(', ')']).filter(|word| !word.is_empty());
    let number = words.nth(1).and_then(|number| number.parse().ok());
    if !message.is_uid() {
        return number == Some(message.get());
    }
    let told = words.skip_while(|word| *word != "UID").nth(1).and_then(|uid| uid.parse().ok());
    told.is_none_or(|told: u32| told == message.get())
}

/// The body in a FETCH response: in memory, kept before it was known to be wanted, or already passed
/// on in pieces.
enum Body {
    Whole(Vec<u8>),
    Kept(Kept),
    Streamed,
}

impl Body {
    /// Passes on the bytes that are here, and returns how many there are.
    fn pass(&self, to: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<u64, Error> {
        match self {
            Body::Whole(bytes) => to(bytes).map(|()| bytes.len() as u64),
            Body::Kept(kept) => for_each_chunk(&**kept, to),
            Body::Streamed => Ok(0),
        }
    }
}

/// Reads UID and body from a FETCH response.
fn uid_and_body(tokens: &mut Tokens<'_>) -> Result<(Option<u32>, Option<Body>), Error> {
    let (mut uid, mut body) = (None, None);
    let mut items = FetchedItems::of(tokens)?;
    while let Some((name, value)) = items.next()? {
        if name.eq_ignore_ascii_case(b"UID") {
            uid = message_number(value).map(u32::from);
        } else if name.eq_ignore_ascii_case(b"BODY[]") {
            body = match value {
                Token::Streamed(_, kept) => Some(kept.cloned().map_or(Body::Streamed, Body::Kept)),
                _ if value.is_nil() => Some(Body::Whole(Vec::new())), // an empty letter
                _ => value.bytes().map(|bytes| Body::Whole(bytes.into_owned())),
            };
        }
    }
    Ok((uid, body))
}
