//! `copy-letters`: copies letters from one connection to another.
//!
//! The client does the copying, with FETCH on one connection and many APPENDs in flight on the
//! other. This module checks the arguments and creates the destination if it should. Letters that
//! were copied before an error stay, and the error's message counts them.

use super::mailbox::{asked_count, deliver_warnings, mailbox_at, on_mailbox, progress};
use super::sets::addressed;
use super::state::state;
use crate::client::Error;
use crate::condition::Condition;
use crate::host::{self, Call, Value};
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
        let progress = progress(call);
        progress.expect_messages(asked_count(client, &messages));
        if create {
            make(call, &mut target, destination)?;
        }
        client.copy_to_other(&messages, &mut target, destination, &mut |message| {
            copied.push(message);
            progress.message();
        })
    });
    deliver_warnings(call.context(), call.name(), &mut target);
    result.map_err(|condition| {
        let note = format!(
            "{}; {} letters were copied before, to {destination:?}",
            condition.message,
            copied.len()
        );
        Condition { message: note, ..condition }
    })?;
    Ok(host::list(copied.into_iter().map(|number| host::integer(i64::from(number))).collect()))
}

fn make(
    call: &Call<'_>,
    target: &mut crate::client::ImapClient,
    destination: &str,
) -> Result<(), Error> {
    match target.status(destination, &["MESSAGES".into()]) {
        Err(Error::Refused { .. }) => {
            target.create(destination)?;
            state(call).mailboxes_changed();
            Ok(())
        }
        found => found.map(drop),
    }
}
