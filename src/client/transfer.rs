//! Letters straight to files, with memory flat whatever their size.

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::imap::{Command, Event, FetchItems, MessageId, Messages, Token, Tokens};
use std::collections::HashSet;
use std::io::Write;

/// Literals from this size on are written as they arrive.
const STREAMED_FROM: u64 = 64 << 10;

/// Where letters go that come one after the other.
pub trait Letters {
    /// The next bytes of the letter that is coming.
    ///
    /// # Errors
    /// What keeps them from being written; no further letter is given then.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// The letter's last byte has come: it is that of this message number, or of this unique id. `None`: nobody asked for it, and it is not kept.
    ///
    /// # Errors
    /// As [`Letters::write`].
    fn end(&mut self, message: Option<u32>) -> Result<(), Error>;
}

impl ImapClient {
    /// Gives the exact bytes of letters, in the server's order, each as it arrives. `\Seen` is left alone.
    ///
    /// # Errors
    /// Those of `to`, when the server has finished; the connection is usable then.
    pub fn write_letters(
        &mut self,
        messages: &Messages,
        to: &mut dyn Letters,
    ) -> Result<(), Error> {
        let items = FetchItems::parse("(UID BODY.PEEK[])")?;
        let commands = self.for_each_part(messages, |part| Command::fetch(part, &items))?;
        let asked = self.asked_for(messages);
        let mut given = HashSet::new();
        self.settle()?; // pieces are of these letters only
        self.connection().stream_literals_over(Some(STREAMED_FROM));
        let (mut is_body, mut came) = (None, false);
        let result = commands.into_iter().try_for_each(|command| {
            let done = self.run_events(command, &mut |event| match event {
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
                    let (found, body) = uid_and_body(&mut data.tokens)?;
                    let message = if messages.are_uids() { found } else { number };
                    if let Some(Body::Whole(bytes)) = &body {
                        came = true;
                        to.write(bytes)?;
                    }
                    let is_new = |message: &u32| {
                        body.is_some() && asked.contains(*message) && given.insert(*message)
                    };
                    let message = message.filter(is_new);
                    if std::mem::take(&mut came) { to.end(message) } else { Ok(()) }
                }
                // Pieces of what is no letter after all: they do not begin the next one.
                _ if std::mem::take(&mut came) => to.end(None),
                _ => Ok(()),
            });
            done.map(drop)
        });
        self.connection().stream_literals_over(None);
        result
    }

    /// Writes a letter's exact bytes; how many there were, or `None` when there is no such letter. `peek` leaves `\Seen` alone.
    ///
    /// # Errors
    /// [`Error::File`] with `path` when writing fails; the connection is usable then. Bytes written before an error are not the whole letter.
    pub fn write_letter(
        &mut self,
        message: MessageId,
        peek: bool,
        path: &str,
        to: &mut dyn Write,
    ) -> Result<Option<u64>, Error> {
        let items = FetchItems::parse(if peek { "BODY.PEEK[]" } else { "BODY[]" })?;
        let command = Command::fetch(&message.into(), &items)?;
        self.settle()?; // pieces are of this letter only
        self.connection().stream_literals_over(Some(STREAMED_FROM));
        let file = |cause| Error::File { path: path.to_owned(), cause };
        let (mut written, mut streamed) = (None, false);
        let mut is_body = None; // decided once a literal: what stands before it may be long, and its pieces many
        let result = self.run_events(command, &mut |event| {
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
                    let (found, body) = uid_and_body(&mut data.tokens)?;
                    let told = if message.is_uid() { found } else { number };
                    let is_asked_for = told == Some(message.get());
                    match body {
                        Some(Body::Whole(bytes)) if is_asked_for && written.is_none() => {
                            to.write_all(&bytes).map_err(file)?;
                            written = Some(bytes.len() as u64);
                        }
                        // A UID behind the letter says only now which one it was.
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
        self.connection().stream_literals_over(None);
        result?;
        Ok(written)
    }
}

/// A response up to its literal, without that, in upper case, if the literal is a whole letter.
fn items_before(before: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(before).to_ascii_uppercase();
    let (items, _) = text.rsplit_once('{')?;
    items.trim_end().ends_with("BODY[]").then(|| items.to_owned())
}

/// Whether a response up to its literal is this message's and ends in `BODY[] {n}`. A UID that has not come yet is taken on trust, and checked when the
/// response is whole.
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

enum Body {
    Whole(Vec<u8>),
    Streamed,
}

fn uid_and_body(tokens: &mut Tokens<'_>) -> Result<(Option<u32>, Option<Body>), Error> {
    let (mut uid, mut body) = (None, None);
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok((uid, body)),
            Token::Atom(name) => {
                let value = tokens.expect_token()?;
                if name.eq_ignore_ascii_case(b"UID") {
                    uid = value.number().and_then(|uid| u32::try_from(uid).ok());
                } else if name.eq_ignore_ascii_case(b"BODY[]") && !value.is_nil() {
                    body = match value {
                        Token::Streamed(_) => Some(Body::Streamed),
                        _ => value.bytes().map(|bytes| Body::Whole(bytes.into_owned())),
                    };
                } else {
                    tokens.skip_value(value)?;
                }
            }
            _ => return Err(tokens.malformed("expected a fetch item's name").into()),
        }
    }
}
