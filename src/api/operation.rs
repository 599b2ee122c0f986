//! Runs one operation of a client on behalf of a function.
//!
//! It locks the client, starts the progress, and delivers the server's warnings. An error becomes a
//! condition that names the function, with a hint where the script can remove the cause: no mailbox
//! selected, or no such destination.

use super::objects::ImapMailbox;
use super::progress::Progress;
use super::reconnection::Reconnection;
use crate::client::{Error, ImapClient, Warning, WarningKind};
use crate::condition::{Condition, Identifier};
use crate::host::{Call, Context};
use crate::proto::imap::Verb;

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

pub(super) fn deliver(context: &Context, name: &str, warnings: Vec<Warning>) {
    for warning in warnings {
        if warning.kind == WarningKind::Unreadable {
            context.warn(unreadable(name, &warning.words));
            continue;
        }
        if warning.kind == WarningKind::Noticed {
            context.warn(Condition::new(Identifier::Problem, format!("{name}: {}", warning.words)));
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
        Error::NothingSelected => ": call (select-mailbox mb \"inbox\") first",
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
