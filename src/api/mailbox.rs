//! The way from a call to its connection.
//!
//! Nearly every native that talks to a server uses `on_mailbox` or one of its relatives. They find
//! the mailbox in an argument, refuse a call that cannot be pipelined while `pipelined-map` issues,
//! and run the operation (see `operation`).

use super::objects::{AnyMailbox, ImapMailbox, PopMailbox};
use super::operation::deliver;
pub(super) use super::operation::{deliver_warnings, failed, on};
use super::pipeline;
use super::progress::Progress;
use super::reconnection::{self, Reconnection};
use super::selection::imap_mailbox;
use super::sets::required;
use crate::client::{Error, ImapClient, PopClient};
use crate::condition::Condition;
use crate::host::{self, Call};
use crate::proto::imap::Messages;
use crate::proto::imap::sequence::Bound;
use std::sync::Arc;

/// Counts the messages that a set asks for, if this is known without asking the server.
pub(super) fn asked_count(client: &ImapClient, messages: &Messages) -> Option<u64> {
    let last = client.selected().map_or(0, |mailbox| mailbox.exists);
    let count = |&(first, second): &(Bound, Bound)| match (first, second) {
        _ if first == second => Some(1),
        _ if messages.are_uids() => None, // UIDs have gaps
        (Bound::Number(first), Bound::Number(second)) => {
            Some(u64::from(first.get().abs_diff(second.get())) + 1)
        }
        (Bound::Number(number), Bound::Last) | (Bound::Last, Bound::Number(number)) => {
            Some(u64::from(last.abs_diff(number.get())) + 1)
        }
        (Bound::Last, Bound::Last) => Some(1),
    };
    messages.set().ranges().iter().map(count).sum()
}

/// Returns the progress of the calling host.
pub(super) fn progress(call: &Call<'_>) -> Arc<Progress> {
    call.context().state::<Progress>()
}

/// Returns the IMAP mailbox in the first argument.
pub(super) fn mailbox(call: &Call<'_>) -> Result<Arc<ImapMailbox>, Condition> {
    mailbox_at(call, 0)
}

/// Returns the mailbox in argument `index`, with the mailbox selected that the script means.
pub(super) fn mailbox_at(call: &Call<'_>, index: usize) -> Result<Arc<ImapMailbox>, Condition> {
    let argument = required(call, index);
    let mailbox = imap_mailbox(call, argument)?;
    mailbox.ok_or_else(|| {
        call.wrong("mailbox", "a mailbox, as make-imap-connection returns it", argument)
    })
}

/// Returns the mailbox in argument `index`, of either kind.
pub(super) fn any_mailbox_at(call: &Call<'_>, index: usize) -> Result<AnyMailbox, Condition> {
    let argument = required(call, index);
    if let Some(mailbox) = host::downcast::<PopMailbox>(argument) {
        return Ok(AnyMailbox::Pop(mailbox));
    }
    let imap = imap_mailbox(call, argument)?.map(AnyMailbox::Imap);
    imap.ok_or_else(|| {
        call.wrong(
            "mailbox",
            "a mailbox, as make-imap-connection or make-pop-connection returns it",
            argument,
        )
    })
}

/// Returns the POP mailbox in argument `index`, if it is one.
pub(super) fn pop_mailbox(call: &Call<'_>, index: usize) -> Option<Arc<PopMailbox>> {
    host::downcast::<PopMailbox>(call.arg(index)?)
}

/// Runs an operation on the POP mailbox in the first argument.
pub(super) fn on_pop_mailbox<T>(
    call: &Call<'_>,
    operation: impl FnOnce(&mut PopClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    let argument = required(call, 0);
    let mailbox = pop_mailbox(call, 0).ok_or_else(|| {
        call.wrong("mailbox", "a mailbox, as make-pop-connection returns it", argument)
    })?;
    operate(call, &mailbox, operation)
}

/// Runs an operation on a POP mailbox. Its error becomes a condition.
pub(super) fn operate<T>(
    call: &Call<'_>,
    mailbox: &PopMailbox,
    operation: impl FnOnce(&mut PopClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    pipeline::check(call)?;
    let _work = progress(call).begin(call.name());
    let mut client = mailbox.client();
    client.begin_operation(call.number());
    let result =
        reconnection::learn_ids(call, mailbox, &mut client).and_then(|()| operation(&mut client));
    deliver(call.context(), call.name(), client.take_warnings());
    result.map_err(|error| {
        let condition = failed(call, &error);
        mailbox.extra::<Reconnection>().note(&condition);
        condition
    })
}

/// Runs an operation on the IMAP mailbox in the first argument. Delivers its warnings; its error
/// becomes a condition.
pub(super) fn on_mailbox<T>(
    call: &Call<'_>,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    on_mailbox_at(call, 0, operation)
}

/// Does the same with the mailbox in argument `index`.
pub(super) fn on_mailbox_at<T>(
    call: &Call<'_>,
    index: usize,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    let mailbox = mailbox_at(call, index)?;
    pipeline::check(call)?;
    on(call.context(), call.name(), &mailbox, |client| {
        client.begin_operation(call.number());
        operation(client)
    })
}
