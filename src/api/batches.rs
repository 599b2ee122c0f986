//! Splits messages into batches, which `for-each-letter` fetches one by one.
//!
//! One FETCH asks for UIDs, and for sizes if the parts include texts. A batch holds about a
//! megabyte of letters, or 500 messages. While a script handles one batch, the next may be in
//! flight. Memory stays flat however many messages there are. A batch is a list of UIDs, on a POP
//! mailbox of numbers.

use super::Answer;
use super::fetching::items;
use super::mailbox::{on_mailbox_at, pop_mailbox};
use super::pop;
use super::sets::addressed;
use crate::client::Error;
use crate::host::{self, Call};
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::{FetchItems, Tokens};
use std::num::NonZeroU32;

/// The limits of one batch: bytes of its letters, and number of messages.
pub(super) const BATCH_BYTES: u64 = 1 << 20;
pub(super) const BATCH_MESSAGES: usize = 500;

/// Returns the batches as lists of UIDs. If the parts include texts, the sizes of the letters
/// count.
pub(super) fn letter_batches(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 1) {
        return pop::letter_batches(call, &mailbox);
    }
    let (messages, items) = (addressed(call, 2)?, items(call, 3)?);
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let uid = messages.are_uids();
    let question = if items.hold_texts() { "(UID RFC822.SIZE)" } else { "(UID)" };
    let mut batches = Vec::new();
    let (mut batch, mut bytes, mut seen) = (Vec::new(), 0, std::collections::HashSet::new());
    on_mailbox_at(call, 1, |client| {
        let asked = client.asked_for(&messages);
        client.fetch(&messages, &FetchItems::parse(question)?, &mut |mut data| {
            let number = data.number.unwrap_or(0);
            let Some((found, size)) = uid_and_size(&mut data.tokens)? else { return Ok(()) };
            if !asked.contains(if uid { found.get() } else { number }) || !seen.insert(found) {
                return Ok(()); // not asked for, or reported twice
            }
            if batch.len() >= BATCH_MESSAGES || (bytes + size > BATCH_BYTES && !batch.is_empty()) {
                batches.push(host::list(std::mem::take(&mut batch)));
                bytes = 0;
            }
            batch.push(host::integer(i64::from(found.get())));
            bytes += size;
            Ok(())
        })
    })?;
    if !batch.is_empty() {
        batches.push(host::list(batch));
    }
    Ok(host::list(batches))
}

pub(super) fn uid_and_size(tokens: &mut Tokens<'_>) -> Result<Option<(NonZeroU32, u64)>, Error> {
    let (mut uid, mut size) = (None, 0);
    let mut items = FetchedItems::of(tokens)?;
    while let Some((name, value)) = items.next()? {
        if name.eq_ignore_ascii_case(b"UID") {
            uid = message_number(value);
        } else if name.eq_ignore_ascii_case(b"RFC822.SIZE") {
            size = value.number().unwrap_or(0);
        }
    }
    Ok(uid.map(|uid| (uid, size)))
}
