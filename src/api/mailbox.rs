//! The way from a call to its connection and back.
//!
//! Nearly every native that talks to a server uses `on_mailbox` or one of its relatives. They find
//! the mailbox in an argument, refuse a call that cannot be pipelined while `pipelined-map` issues,
//! lock the client, start the progress, run the operation, and deliver the server's warnings. An
//! error becomes a condition that names the function, with a hint where the script can remove the
//! cause: no mailbox selected, or no such destination.

use super::objects::{AnyMailbox, ImapMailbox, PopMailbox};
use super::pipeline;
use super::progress::Progress;
use super::reconnecting::Reconnection;
use super::sets::required;
use crate::client::{Error, ImapClient, PopClient, Warning, WarningKind};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{Messages, Verb};
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

pub(super) fn mailbox_at(call: &Call<'_>, index: usize) -> Result<Arc<ImapMailbox>, Condition> {
    let argument = required(call, index);
    host::downcast::<ImapMailbox>(argument).ok_or_else(|| {
        call.wrong("mailbox", "a mailbox, as make-imap-connection returns it", argument)
    })
}

/// Returns the mailbox in argument `index`, of either kind.
pub(super) fn any_mailbox_at(call: &Call<'_>, index: usize) -> Result<AnyMailbox, Condition> {
    let argument = required(call, index);
    if let Some(mailbox) = host::downcast::<PopMailbox>(argument) {
        return Ok(AnyMailbox::Pop(mailbox));
    }
    let imap = host::downcast::<ImapMailbox>(argument).map(AnyMailbox::Imap);
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
    let result = operation(&mut client);
    deliver(call.context(), call.name(), client.take_warnings());
    result.map_err(|error| failed(call, &error))
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

/// Runs an operation on an IMAP connection on behalf of the function `name`.
pub(super) fn on<T>(
    context: &Context,
    name: &str,
    mailbox: &ImapMailbox,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    let mut client = mailbox.client();
    let _work = context.state::<Progress>().begin(name);
    let result = operation(&mut client);
    deliver_warnings(context, name, &mut client);
    result.map_err(|error| {
        let condition = condition(name, &error, client.selected().is_none());
        mailbox.extra::<Reconnection>().note(&condition);
        condition
    })
}

/// Delivers messages of the server that need not stop the program.
pub(super) fn deliver_warnings(context: &Context, name: &str, client: &mut ImapClient) {
    deliver(context, name, client.take_warnings());
}

fn deliver(context: &Context, name: &str, warnings: Vec<Warning>) {
    for warning in warnings {
        if warning.kind == WarningKind::Unreadable {
            context.warn(unreadable(name, &warning.words));
            continue;
        }
        let (identifier, message) = match warning.kind {
            WarningKind::UnknownOk => {
                (Identifier::UnknownOk, "the server says something that is not known here")
            }
            WarningKind::UnknownUntagged => {
                (Identifier::UnknownUntagged, "the server sends something that is not known here")
            }
            _ => (Identifier::Problem, "the server warns"),
        };
        let condition = Condition::new(identifier, format!("{name}: {message}"));
        context.warn(condition.with_server_string(warning.words));
    }
}

/// The warning that a part of an answer was left out.
fn unreadable(name: &str, words: &str) -> Condition {
    Condition::new(Identifier::Unreadable, format!("{name}: {words}"))
}

/// Returns the condition for a client's error.
pub(super) fn failed(call: &Call<'_>, error: &Error) -> Condition {
    condition(call.name(), error, false)
}

/// Returns the condition for a client's error in the function `name`, with a hint if a mailbox must
/// be selected or created first.
fn condition(name: &str, error: &Error, nothing_selected: bool) -> Condition {
    let needs_selected = |command| Verb::named(command).is_some_and(|v| v.row().needs_selected);
    let hint = match error {
        Error::Refused { command, .. } if nothing_selected && needs_selected(command) => {
            "; no mailbox is selected: call (select-mailbox mb \"inbox\") first"
        }
        Error::Refused { command, completion }
            if completion.code.as_ref().is_some_and(|(code, _)| code == "TRYCREATE") =>
        {
            if *command == "APPEND" {
                "; (create-mailbox mb name) makes the mailbox"
            } else {
                "; :create t makes the mailbox"
            }
        }
        _ => "",
    };
    let condition = Condition::from(error);
    Condition { message: format!("{name}: {}{hint}", condition.message), ..condition }
}
