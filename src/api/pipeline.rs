//! `pipelined-map`: calls whose commands are sent without waiting, and whose results are taken later, in order.
//!
//! While a script's `issue` runs, a call of this interface sends its command and gives a placeholder. The same call is carried out when its result is wanted; its
//! first command is then the one that was sent.

use super::mailbox::{ImapMailbox, PopMailbox, failed, state};
use super::sets::required;
use crate::client::{Error, ImapClient, Sending, Ticket};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, KeptCall, NativeCode, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may be sent without waiting: one command each.
const SENDABLE: [&str; 6] = [
    "fetch-parts",
    "fetch-letter",
    "alter-flags",
    "search-mailbox",
    "copy-to-mailbox",
    "mailbox-status",
];

/// Calls in flight where `:window` says nothing else.
const WINDOW: i64 = 256;

/// What the host is about.
#[derive(Default)]
pub(super) struct Pipeline(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    /// Calls are carried out.
    #[default]
    Carrying,
    /// A call is only sent.
    Issuing(Issued),
    /// The next call takes this command's answers.
    Redeeming(Arc<ImapMailbox>, Ticket),
}

#[derive(Default)]
struct Issued {
    /// The one call that was made.
    name: Option<String>,
    sent: Option<Sent>,
    /// What issue must not have done.
    wrong: Option<Condition>,
}

/// What stands for the result of a call that was sent.
struct Placeholder {
    call: KeptCall,
    code: NativeCode,
    sent: Mutex<Option<Sent>>,
}

/// What is in flight.
enum Sent {
    Command(Arc<ImapMailbox>, Ticket),
    /// A letter that is expected; the client knows which.
    Letter(Arc<PopMailbox>),
}

impl Pipeline {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_issuing(&self) -> bool {
        matches!(*self.stage(), Stage::Issuing(_))
    }
}

/// Runs a function of the catalog, or only sends its command while a script issues.
pub(super) fn run(call: &Call<'_>, code: NativeCode) -> Result<Value, Condition> {
    let state = state(call.context());
    if call.name().starts_with('%') || !state.pipeline.is_issuing() {
        return code(call);
    }
    let result = code(call);
    let mut stage = state.pipeline.stage();
    let Stage::Issuing(issued) = &mut *stage else { return result };
    let Some(sent) = issued.sent.take() else { return result };
    let placeholder = Placeholder { call: call.keep(), code, sent: Mutex::new(Some(sent)) };
    Ok(host::object(
        placeholder,
        &format!("#<the result of {}, which is still to come>", call.name()),
    ))
}

/// An operation on a mailbox: carried out, only sent, or carried out with the answers to a command that was sent.
pub(super) fn operate<T>(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    client: &mut ImapClient,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<Result<T, Error>, Condition> {
    let state = state(call.context());
    let stage = std::mem::take(&mut *state.pipeline.stage());
    match stage {
        Stage::Carrying => Ok(operation(client)),
        Stage::Redeeming(owner, ticket) if Arc::ptr_eq(&owner, mailbox) => {
            Ok(client.redeem(ticket, operation))
        }
        Stage::Redeeming(..) => Ok(operation(client)),
        Stage::Issuing(mut issued) => {
            let result = send(call, mailbox, client, &mut issued, operation);
            *state.pipeline.stage() = Stage::Issuing(issued);
            result
        }
    }
}

fn send<T>(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    client: &mut ImapClient,
    issued: &mut Issued,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<Result<T, Error>, Condition> {
    if !SENDABLE.contains(&call.name()) {
        return Err(not_sendable(call));
    }
    issued.is_the_first(call)?;
    match client.ahead(operation) {
        Ok(Sending::Sent(ticket)) => Err(issued.note(call, Sent::Command(mailbox.clone(), ticket))),
        Ok(Sending::Needless(value)) => Ok(Ok(value)),
        Err(error) => Ok(Err(error)),
    }
}

fn not_sendable(call: &Call<'_>) -> Condition {
    Condition::syntax(format!(
        "pipelined-map: {} cannot be sent without waiting; issue makes one call of {}",
        call.name(),
        SENDABLE.join(", ")
    ))
}

impl Issued {
    fn is_the_first(&mut self, call: &Call<'_>) -> Result<(), Condition> {
        let Some(first) = &self.name else { return Ok(()) };
        let wrong = Condition::syntax(format!(
            "pipelined-map: issue makes more than one call for an item: {first} and {}",
            call.name()
        ));
        self.wrong = Some(wrong.clone());
        Err(wrong)
    }

    /// Notes the call that was sent; the condition ends it, and nobody sees that: the placeholder takes its place.
    fn note(&mut self, call: &Call<'_>, sent: Sent) -> Condition {
        self.name = Some(call.name().to_owned());
        self.sent = Some(sent);
        Condition::new(Identifier::Unexpected, "the result is still to come")
    }
}

/// Whether a call on a POP mailbox may be made now.
pub(super) fn check(call: &Call<'_>) -> Result<(), Condition> {
    if state(call.context()).pipeline.is_issuing() && !SENDABLE.contains(&call.name()) {
        Err(not_sendable(call))
    } else {
        Ok(())
    }
}

/// While a script issues, only says that it will want this letter.
///
/// # Errors
/// What takes the place of the call's result then.
pub(super) fn expect_letter(
    call: &Call<'_>,
    mailbox: &Arc<PopMailbox>,
    number: u32,
) -> Result<(), Condition> {
    let state = state(call.context());
    let mut stage = state.pipeline.stage();
    let Stage::Issuing(issued) = &mut *stage else { return Ok(()) };
    issued.is_the_first(call)?;
    let mut client = mailbox.client();
    if !client.has("PIPELINING") {
        return Ok(());
    }
    client.expect([number], None).map_err(|error| failed(call, &error, false))?;
    Err(issued.note(call, Sent::Letter(mailbox.clone())))
}

/// From here to `%issued` calls are only sent.
pub(super) fn begin_issue(call: &Call<'_>) -> Result<Value, Condition> {
    *state(call.context()).pipeline.stage() = Stage::Issuing(Issued::default());
    Ok(host::nil())
}

/// What `issue` returned, or `nil` when it failed: the placeholder of its call, or a value that needs no command.
pub(super) fn end_issue(call: &Call<'_>) -> Result<Value, Condition> {
    let stage = std::mem::take(&mut *state(call.context()).pipeline.stage());
    let (returned, failed) = (required(call, 0), call.arg(1).is_some_and(host::is_true));
    let Stage::Issuing(Issued { name: Some(name), wrong, .. }) = stage else {
        return Ok(returned.clone());
    };
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    if failed || host::downcast::<Placeholder>(returned).is_none() {
        return Err(Condition::syntax(format!(
            "pipelined-map: issue has to return the result of {name} as it is; receive gets it and can look at it"
        )));
    }
    Ok(returned.clone())
}

/// The result that a placeholder stands for.
pub(super) fn redeem(call: &Call<'_>) -> Result<Value, Condition> {
    let value = required(call, 0);
    let Some(placeholder) = host::downcast::<Placeholder>(value) else { return Ok(value.clone()) };
    let sent = placeholder.sent.lock().unwrap_or_else(PoisonError::into_inner).take();
    let state = state(call.context());
    if let Some(Sent::Command(mailbox, ticket)) = sent {
        *state.pipeline.stage() = Stage::Redeeming(mailbox, ticket);
    }
    let result = placeholder.call.again(call.context(), placeholder.code);
    *state.pipeline.stage() = Stage::Carrying;
    result
}

/// Lets go of what a placeholder stands for.
pub(super) fn forget(call: &Call<'_>) -> Result<Value, Condition> {
    if let Some(placeholder) = host::downcast::<Placeholder>(required(call, 0))
        && let Some(sent) = placeholder.sent.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        match sent {
            Sent::Command(mailbox, ticket) => mailbox.client().forget(ticket),
            Sent::Letter(mailbox) => mailbox.client().forget_letters(),
        }
    }
    Ok(host::nil())
}

/// The arguments of `pipelined-map`, checked; its window.
pub(super) fn window(call: &Call<'_>) -> Result<Value, Condition> {
    let check = |index: usize, name: &str, expected: &str, is_right: fn(&Value) -> bool| {
        let value = required(call, index);
        let wrong = || {
            let condition = call.wrong(name, expected, value);
            Condition {
                message: condition.message.replacen(call.name(), "pipelined-map", 1),
                ..condition
            }
        };
        if is_right(value) { Ok(value) } else { Err(wrong()) }
    };
    check(0, "issue", "a function of one argument", Value::is_function)?;
    check(1, "receive", "a function of two arguments", Value::is_function)?;
    check(2, "items", "a list", |value| host::as_list(value).is_some())?;
    let is_window = |value: &Value| {
        host::is_nil(value)
            || host::as_integer(value).is_some_and(|window| (1..=1000).contains(&window))
    };
    let window = check(3, ":window", "a whole number from 1 to 1000", is_window)?;
    Ok(host::integer(host::as_integer(window).unwrap_or(WINDOW)))
}
