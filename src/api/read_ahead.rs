//! `with-read-ahead`: prefetches the messages that its body is going to fetch, one at a time.
//!
//! These are only the two ends. `begin` announces the messages to the client, which requests up to
//! `:window` of them and answers the body's fetches; `end` drops the rest.

use super::mailbox::{mailbox, on_mailbox, pop_mailbox};
use super::sets::addressed;
use crate::condition::Condition;
use crate::host::{self, Call, Value};

/// The default of `:window` on an IMAP mailbox: commands in flight.
const WINDOW: usize = 256;

pub(super) fn begin(call: &Call<'_>) -> Result<Value, Condition> {
    let window =
        call.key_integer("window", 1..=1000)?.and_then(|window| usize::try_from(window).ok());
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return super::pop::read_ahead(call, &mailbox, window);
    }
    let (messages, items) = (addressed(call, 1)?, super::fetching::items(call, 2)?);
    on_mailbox(call, |client| client.read_ahead(&messages, &items, window.unwrap_or(WINDOW)))?;
    Ok(host::truth(true))
}

pub(super) fn end(call: &Call<'_>) -> Result<Value, Condition> {
    match pop_mailbox(call, 0) {
        Some(mailbox) => mailbox.client().forget_letters(),
        None => mailbox(call)?.client().end_read_ahead(),
    }
    Ok(host::nil())
}
