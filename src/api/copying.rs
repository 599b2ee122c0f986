//! `copy-letters`: copies letters from one connection to another.
//!
//! The client does the copying, with FETCH on one connection and many APPENDs in flight on the
//! other. This module checks the arguments and creates the destination if it should. Letters that
//! were copied before an error stay, and the error's message counts them.

use super::mailbox::{asked_count, deliver_warnings, mailbox_at, on_mailbox, progress};
use super::sets::addressed;
use super::state::state;
use crate::client::{Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::Messages;
use std::sync::Arc;

pub(super) fn copy_letters(call: &Call<'_>) -> Result<Value, Condition> {
    let from = mailbox_at(call, 0)?;
    let (messages, to, destination) = (addressed(call, 1)?, mailbox_at(call, 2)?, call.string(3)?);
    let create = call.boolean_key("create");
    if Arc::ptr_eq(&from, &to) {
        return Err(Condition::syntax(format!(
            "{}: both mailboxes are one connection; copy-to-mailbox copies on the server",
            call.name()
        )));
    }
    super::shifting::check(call, &from, &messages)?;
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let mut target = to.client();
    target.begin_operation(call.number());
    let mut copied = Vec::new();
    let result = on_mailbox(call, |client| {
        copy_between(call, client, &messages, &mut target, destination, create, &mut copied)
    });
    deliver_warnings(call.context(), call.name(), &mut target);
    result.map_err(|condition| {
        with_note(
            condition,
            &format!("{} letters were copied before, to {destination:?}", copied.len()),
        )
    })?;
    Ok(host::list(copied.into_iter().map(|number| host::integer(i64::from(number))).collect()))
}

/// Copies letters from one connection to another. `copied` gets those that the other server has
/// confirmed, before an error too.
pub(super) fn copy_between(
    call: &Call<'_>,
    client: &mut ImapClient,
    messages: &Messages,
    target: &mut ImapClient,
    destination: &str,
    create: bool,
    copied: &mut Vec<u32>,
) -> Result<(), Error> {
    let progress = progress(call);
    progress.expect_messages(asked_count(client, messages));
    if create {
        make(call, target, destination)?;
    }
    client.copy_to_other(messages, target, destination, &mut |message| {
        copied.push(message);
        progress.message();
    })
}

/// Adds a note to a condition's message.
pub(super) fn with_note(condition: Condition, note: &str) -> Condition {
    Condition { message: format!("{}; {note}", condition.message), ..condition }
}

fn make(call: &Call<'_>, target: &mut ImapClient, destination: &str) -> Result<(), Error> {
    match target.status(destination, &["MESSAGES".into()]) {
        Err(Error::Refused { .. }) => {
            target.create(destination)?;
            state(call).mailboxes_changed();
            Ok(())
        }
        found => found.map(drop),
    }
}
