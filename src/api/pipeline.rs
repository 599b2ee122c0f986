//! `pipelined-map`: calls whose commands are sent without waiting, and whose results are taken
//! later, in order.
//!
//! While a script's `issue` runs, a function of this interface begins its operation and returns a
//! placeholder that holds the [`Pending`] operation and what is left to do with its result. When
//! the result is wanted, the placeholder waits for the operation and does the rest. Functions that
//! cannot be split this way are refused while `issue` runs, so that nothing is done out of order.

use super::mailbox::{failed, on};
use super::objects::{ImapMailbox, PopMailbox};
use super::sets::required;
use crate::client::{Error, ImapClient, Pending, Reader};
use crate::condition::Condition;
use crate::host::{self, Call, Context, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Answer = Result<Value, Condition>;

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

/// Which phase of `pipelined-map` this host is in.
#[derive(Default)]
struct Phase(Mutex<Option<Issuing>>);

/// A script's `issue` runs.
#[derive(Default)]
struct Issuing {
    /// The one call that was made.
    name: Option<String>,
    /// What `issue` must not have done.
    wrong: Option<Condition>,
}

/// What stands for the result of a call that was sent.
struct Placeholder(Mutex<Option<Operation>>);

/// What is left of a call, either way it ends.
struct Operation {
    /// Waits for the result.
    take: Box<dyn FnOnce(&Context) -> Answer + Send>,
    /// Lets go of it.
    forget: Box<dyn FnOnce() + Send>,
}

impl Phase {
    fn issuing(&self) -> MutexGuard<'_, Option<Issuing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out an operation that may be pipelined: `begin` sends its command, `wait` hears the
/// answer, `then` makes the call's value of the result. While a script issues, only `begin` runs.
pub(super) fn perform<P, T>(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    begin: impl FnOnce(&mut ImapClient) -> Result<Pending<P>, Error>,
    wait: impl FnOnce(&mut ImapClient, Pending<P>) -> Result<T, Error> + Send + 'static,
    then: impl FnOnce(&Context, T) -> Answer + Send + 'static,
) -> Answer
where
    P: Send + 'static,
{
    let context = call.context();
    if context.state::<Phase>().issuing().is_none() {
        let carry_out = |client: &mut ImapClient| begin(client).and_then(|sent| wait(client, sent));
        let result = on(context, call.name(), mailbox, carry_out)?;
        return then(context, result);
    }
    check(call)?;
    begin_call(call)?;
    let pending = on(context, call.name(), mailbox, begin)?;
    if !pending.is_in_flight() {
        let result = on(context, call.name(), mailbox, |client| wait(client, pending))?;
        return then(context, result);
    }
    note_call(call);
    // Either closure takes it; the other finds nothing.
    let pending = Arc::new(Mutex::new(Some(pending)));
    let take_pending = |pending: &Mutex<Option<Pending<P>>>| {
        pending.lock().unwrap_or_else(PoisonError::into_inner).take()
    };
    let (name, owner, other) = (call.name().to_owned(), mailbox.clone(), pending.clone());
    let take = move |context: &Context| {
        let Some(pending) = take_pending(&pending) else { return Ok(host::nil()) };
        let result = on(context, &name, &owner, |client| wait(client, pending))?;
        then(context, result)
    };
    let owner = mailbox.clone();
    let forget = move || {
        if let Some(pending) = take_pending(&other) {
            owner.client().forget(pending);
        }
    };
    Ok(placeholder(call, Operation { take: Box::new(take), forget: Box::new(forget) }))
}

/// The same where the result is the reader's own.
pub(super) fn perform_read<R>(
    call: &Call<'_>,
    mailbox: &Arc<ImapMailbox>,
    begin: impl FnOnce(&mut ImapClient) -> Result<Pending<R>, Error>,
    then: impl FnOnce(&Context, R::Output) -> Answer + Send + 'static,
) -> Answer
where
    R: Reader + Send + 'static,
{
    perform(call, mailbox, begin, |client, pending| client.wait(pending), then)
}

/// Carries out a call that wants one letter of a POP mailbox. While a script issues, the client is
/// only told that the letter will be wanted, if the server takes several commands at once.
pub(super) fn perform_letter(
    call: &Call<'_>,
    mailbox: &Arc<PopMailbox>,
    number: u32,
    then: impl FnOnce(Vec<u8>) -> Value + Send + 'static,
) -> Answer {
    let issues = call.context().state::<Phase>().issuing().is_some();
    if issues {
        begin_call(call)?;
    }
    if !issues || !mailbox.client().has("PIPELINING") {
        let letter = super::mailbox::operate(call, mailbox, |client| client.letter(number, None))?;
        return Ok(then(letter));
    }
    mailbox.client().expect([number], None).map_err(|error| failed(call, &error))?;
    note_call(call);
    let (name, owner, other) = (call.name().to_owned(), mailbox.clone(), mailbox.clone());
    let take = move |context: &Context| {
        let _work = context.state::<super::progress::Progress>().begin(&name);
        let letter = owner.client().letter(number, None);
        letter.map(then).map_err(|error| {
            let condition = Condition::from(&error);
            Condition { message: format!("{name}: {}", condition.message), ..condition }
        })
    };
    let forget = move || other.client().forget_letters();
    Ok(placeholder(call, Operation { take: Box::new(take), forget: Box::new(forget) }))
}

fn placeholder(call: &Call<'_>, operation: Operation) -> Value {
    let shown = format!("#<the result of {}, which is still to come>", call.name());
    host::object(Placeholder(Mutex::new(Some(operation))), &shown)
}

/// Refuses a second call in one `issue`.
fn begin_call(call: &Call<'_>) -> Result<(), Condition> {
    let phase = call.context().state::<Phase>();
    let mut issuing = phase.issuing();
    let Some(Issuing { name: Some(first), wrong }) = &mut *issuing else { return Ok(()) };
    let condition = Condition::syntax(format!(
        "pipelined-map: issue makes more than one call for an item: {first} and {}",
        call.name()
    ));
    *wrong = Some(condition.clone());
    Err(condition)
}

fn note_call(call: &Call<'_>) {
    if let Some(issuing) = &mut *call.context().state::<Phase>().issuing() {
        issuing.name = Some(call.name().to_owned());
    }
}

/// Refuses a call that cannot be sent without waiting, while a script issues. Every function that
/// reaches outside asks this before it does.
pub(super) fn check(call: &Call<'_>) -> Result<(), Condition> {
    let issues = call.context().state::<Phase>().issuing().is_some();
    if !issues || SENDABLE.contains(&call.name()) {
        return Ok(());
    }
    Err(Condition::syntax(format!(
        "pipelined-map: {} cannot be sent without waiting; issue makes one call of {}",
        call.name(),
        SENDABLE.join(", ")
    )))
}

/// From here to `%end-issue` calls are only sent.
pub(super) fn begin_issue(call: &Call<'_>) -> Answer {
    *call.context().state::<Phase>().issuing() = Some(Issuing::default());
    Ok(host::nil())
}

/// Ends issuing. Returns what `issue` returned: the placeholder of its call, or a value that needs
/// no command.
pub(super) fn end_issue(call: &Call<'_>) -> Answer {
    let issuing = call.context().state::<Phase>().issuing().take();
    let (returned, failed) = (required(call, 0), call.arg(1).is_some_and(host::is_true));
    let Some(Issuing { name: Some(name), wrong }) = issuing else { return Ok(returned.clone()) };
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

fn take_operation(value: &Value) -> Option<Operation> {
    let placeholder = host::downcast::<Placeholder>(value)?;
    placeholder.0.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The result that a placeholder stands for.
pub(super) fn redeem(call: &Call<'_>) -> Answer {
    let value = required(call, 0);
    match take_operation(value) {
        Some(operation) => (operation.take)(call.context()),
        None => Ok(value.clone()),
    }
}

/// Lets go of what a placeholder stands for.
pub(super) fn forget(call: &Call<'_>) -> Answer {
    if let Some(operation) = take_operation(required(call, 0)) {
        (operation.forget)();
    }
    Ok(host::nil())
}

/// The arguments of `pipelined-map`, checked; its window.
pub(super) fn window(call: &Call<'_>) -> Answer {
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
