//! `with-fetch-letter-sequence`: hands a letter over in pieces.
//!
//! `begin` fetches the whole letter into a temporary file that no other process can open; a small
//! letter stays in memory. Then `fetch-letter-sequence` copies the next bytes into the script's
//! buffer until `end-of-letter-p` is true, and `end` drops the file. So memory stays flat, and the
//! connection is free for other commands meanwhile. A mailbox has a stack of such letters, because
//! the form may be nested: the functions use the innermost one.

use super::mailbox::{any_mailbox_at, on_mailbox};
use super::objects::AnyMailbox;
use super::pop;
use super::sets::{message, message_id, required};
use crate::client::spool::PLACE;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::SpooledTempFile;

/// Letters up to this many bytes stay in memory.
const IN_MEMORY: usize = 1 << 20;

/// The letters being read on a mailbox, the innermost last.
#[derive(Default)]
pub(super) struct Pieces(Mutex<Vec<Letter>>);

struct Letter {
    bytes: SpooledTempFile,
    left: u64,
}

impl Pieces {
    fn begin(&self, letter: Letter) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
    }

    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
    }

    fn with<T>(
        &self,
        call: &Call<'_>,
        operation: impl FnOnce(&mut Letter) -> T,
    ) -> Result<T, Condition> {
        let mut letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let none = || {
            Condition::syntax(format!(
                "{}: no letter is being fetched in pieces: call it inside with-fetch-letter-sequence",
                call.name()
            ))
        };
        letters.last_mut().map(operation).ok_or_else(none)
    }
}

/// Returns the letters being read on a mailbox.
fn pieces_of(mailbox: &AnyMailbox) -> Arc<Pieces> {
    mailbox.extra()
}

pub(super) fn begin(call: &Call<'_>) -> Result<Value, Condition> {
    let (mailbox, message) = (any_mailbox_at(call, 0)?, message(call, 1)?);
    let (id, peek) = (message_id(call, 1)?, call.boolean_key("peek"));
    let mut out = BufWriter::new(SpooledTempFile::new(IN_MEMORY));
    let found = match &mailbox {
        AnyMailbox::Pop(mailbox) => {
            pop::write_letter(call, mailbox, message.get(), PLACE, &mut out)?
        }
        AnyMailbox::Imap(_) => {
            on_mailbox(call, |client| client.write_letter(id, peek, PLACE, &mut out))?.is_some()
        }
    };
    if !found {
        return Err(Condition::new(
            Identifier::ErrorResponse,
            format!("{}: there is no message {message}", call.name()),
        ));
    }
    let letter = out
        .flush()
        .and_then(|()| out.into_inner().map_err(io::IntoInnerError::into_error))
        .and_then(|mut bytes| {
            let left = bytes.stream_position()?;
            bytes.rewind()?;
            Ok(Letter { bytes, left })
        });
    pieces_of(&mailbox).begin(letter.map_err(|cause| unreadable(call, &cause))?);
    Ok(host::truth(true))
}

fn unreadable(call: &Call<'_>, cause: &io::Error) -> Condition {
    Condition::new(Identifier::File, format!("{}: {PLACE}: {cause}", call.name()))
}

pub(super) fn end(call: &Call<'_>) -> Result<Value, Condition> {
    pieces_of(&any_mailbox_at(call, 0)?).end();
    Ok(host::nil())
}

pub(super) fn fetch_letter_sequence(call: &Call<'_>) -> Result<Value, Condition> {
    let mailbox = any_mailbox_at(call, 0)?;
    let buffer = required(call, 1);
    let length = host::bytes_length(buffer).ok_or_else(|| {
        call.wrong("buffer", "a bytevector, as (make-bytevector 4096) makes it", buffer)
    })?;
    let limit = i64::try_from(length).unwrap_or(i64::MAX);
    let start = call.key_integer("start", 0..=limit)?.unwrap_or(0);
    let end = call.key_integer("end", start..=limit)?.unwrap_or(limit);
    let (start, wanted) =
        (usize::try_from(start).unwrap_or(0), u64::try_from(end - start).unwrap_or(0));
    let piece = pieces_of(&mailbox).with(call, |letter| {
        let mut piece = Vec::new();
        (&mut letter.bytes).take(wanted).read_to_end(&mut piece)?;
        letter.left -= piece.len() as u64;
        Ok(piece)
    })?;
    let piece = piece.map_err(|cause| unreadable(call, &cause))?;
    if !host::copy_into_bytes(buffer, start, &piece) {
        return Err(call.wrong("buffer", "a bytevector that can be changed", buffer));
    }
    Ok(host::integer(i64::try_from(start + piece.len()).unwrap_or(i64::MAX)))
}

pub(super) fn end_of_letter_p(call: &Call<'_>) -> Result<Value, Condition> {
    let left = pieces_of(&any_mailbox_at(call, 0)?).with(call, |letter| letter.left)?;
    Ok(host::truth(left == 0))
}
