//! Letters straight to files, with memory flat whatever their size.

use super::error::Error;
use super::imap::ImapClient;
use crate::proto::imap::{Command, Event, SequenceSet, Token, Tokens};
use std::io::Write;
use std::num::NonZeroU32;

/// Literals from this size on are written as they arrive.
const STREAMED_FROM: u64 = 64 << 10;

impl ImapClient {
    /// Writes a letter's exact bytes; how many there were, or `None` when there is no such letter. `\Seen` is left alone.
    ///
    /// # Errors
    /// [`Error::File`] with `path` when writing fails; the connection is usable then. Bytes written before an error are not the whole letter.
    pub fn write_letter(&mut self, message: NonZeroU32, uid: bool, path: &str, to: &mut dyn Write) -> Result<Option<u64>, Error> {
        let command = Command::fetch(&SequenceSet::from(message), "BODY.PEEK[]", uid)?;
        let mut written = None;
        self.connection().session().stream_literals_over(Some(STREAMED_FROM));
        let file = |cause| Error::File { path: path.to_owned(), cause };
        let result = self.run_events(command, &mut |event| {
            match event {
                Event::Piece(piece) if written.is_some() || ends_in_body(piece.before) => {
                    to.write_all(piece.bytes).map_err(file)?;
                    *written.get_or_insert(0) += piece.bytes.len() as u64;
                }
                Event::Data(mut data) if data.is("FETCH") && written.is_none() => {
                    if let Some(bytes) = body_of(&mut data.tokens)? {
                        to.write_all(&bytes).map_err(file)?;
                        written = Some(bytes.len() as u64);
                    }
                }
                _ => {}
            }
            Ok(())
        });
        self.connection().session().stream_literals_over(None);
        result?;
        Ok(written)
    }
}

/// Whether a response up to its literal ends in `BODY[] {n}`.
fn ends_in_body(before: &[u8]) -> bool {
    let Some(open) = memchr::memrchr(b'{', before) else { return false };
    before[..open].trim_ascii_end().to_ascii_uppercase().ends_with(b"BODY[]")
}

fn body_of(tokens: &mut Tokens<'_>) -> Result<Option<Vec<u8>>, Error> {
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(None),
            Token::Atom(name) => {
                let value = tokens.expect_token()?;
                if name.eq_ignore_ascii_case(b"BODY[]") {
                    return Ok(value.bytes().filter(|_| !value.is_nil()).map(std::borrow::Cow::into_owned));
                }
                tokens.skip_value(value)?;
            }
            _ => return Err(tokens.malformed("expected a fetch item's name").into()),
        }
    }
}
