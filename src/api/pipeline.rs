//! `pipelined-map`: sends the commands of many calls without waiting, and takes their results
//! later, in order.
//!
//! The Scheme code calls the script's `issue` between `%begin-issue` and `%end-issue`. Meanwhile a
//! native that can be pipelined only begins its operation and returns a placeholder. The
//! placeholder holds the [`Pending`] operation and the code that makes the result. `%redeem` waits
//! for the operation and runs that code; `%forget` drops both.
//!
//! | phase | functions of `SENDABLE` | others that reach outside |
//! |---|---|---|
//! | normal | return the result | return the result |
//! | issuing | return a placeholder; a second call is an error | are refused |
//!
//! They are refused so that nothing is done out of order.

use super::Answer;
use super::mailbox::{failed, on};
use super::objects::{ImapMailbox, PopMailbox};
use super::sets::required;
use crate::client::{Content, Error, ImapClient, Pending, Reader};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Function, KeptCall, Run, Type, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The rows of the topic "Many calls at once".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "%pipelined-window",
        "(issue receive items window)",
        window,
        "Checks the arguments of pipelined-map; window may be nil. Returns the window.",
    ).inside_of("pipelined-map").checked(),
    Function::native(
        "%begin-issue",
        "()",
        begin_issue,
        "Starts issuing: until %end-issue, calls are only sent. Returns nil.",
    ).inside_of("pipelined-map").checked(),
    Function::native(
        "%end-issue",
        "(returned failed)",
        end_issue,
        "Ends issuing. returned: the result of issue. failed: t if issue raised an error. Returns the placeholder for the result.",
    ).inside_of("pipelined-map").checked(),
    Function::native(
        "%redeem",
        "(placeholder)",
        redeem,
        "Waits for the result of a placeholder and returns it. placeholder: the value that %end-issue returned.",
    ).inside_of("pipelined-map").checked(),
    Function::native(
        "%forget",
        "(placeholder)",
        forget,
        "Drops the result of a placeholder. placeholder: the value that %end-issue returned. Returns nil.",
    ).inside_of("pipelined-map").checked(),
    Function::new(
        "pipelined-map",
        "(issue receive items &key window)",
        "Calls issue with each item and sends its call without waiting for the reply; then calls receive with the item and the result, in the order of the items. Returns the list of the values of receive. Over a slow line many calls take one round trip.
issue: a function of one argument that makes one call of fetch-parts, fetch-letter, alter-flags, search-mailbox, copy-to-mailbox or mailbox-status and returns its result as it is; it cannot look at it. On a POP mailbox the call is fetch-letter.
receive: a function of two arguments. items: a list. :window  an integer from 1 to 1000, 256: how many calls are in flight.
Errors: those of a call when its result is received, of issue and of receive; calls that are in flight are dropped then. :syntax-error when issue makes two calls or looks at its result.",
        Run::Scheme(
            "(lambda (issue receive items &key window)
               (let ((window (%pipelined-window issue receive items window)) (front '()) (back '()) (count 0) (results '()))
                 (flet ((issue-one (item)
                          (let ((returned nil) (done nil))
                            (%begin-issue)
                            (handler-case (progn (setq returned (issue item)) (setq done t))
                              (error (c) (%end-issue nil t) (error c)))
                            (push (cons item (%end-issue returned (not done))) back)
                            (incf count)))
                        (receive-one ()
                          (when (null? front) (setq front (reverse back)) (setq back '()))
                          (let ((next (%car front)))
                            (setq front (%cdr front))
                            (decf count)
                            (push (receive (%car next) (%redeem (%cdr next))) results))))
                   (unwind-protect
                       (progn
                         (dolist (item items)
                           (when (>= count window) (receive-one))
                           (issue-one item))
                         (do () ((= count 0)) (receive-one))
                         (reverse results))
                     (dolist (next front) (%forget (%cdr next)))
                     (dolist (next back) (%forget (%cdr next)))))))",
        ),
    ).typed(&[("window", Type::Integer(1, 1000)), ("issue", Type::Function(1)), ("receive", Type::Function(2)), ("items", Type::List)]).checked(),
    Function::new(
        "with-read-ahead",
        "((mb messages parts . options) . body)",
        "Runs the body, which is going to fetch these parts of these messages, one message at a time and in any order. fetch-letter and fetch-parts for them are answered from commands that were sent ahead, so that a plain loop does not wait a round trip for each.
mb: a mailbox object of either kind. messages parts  as for fetch-parts; for fetch-letter \"body[]\", for top-lines with 0 lines on a POP mailbox \"body[header]\". :uid  t takes messages as unique ids, as the calls then do.
:window  an integer from 1 to 1000, 256: how many commands are in flight; on a POP mailbox 1000, and about 8 megabytes.
:\\\\seen is set only for letters that the body fetches without peeking; prefetched letters that it does not fetch are dropped. If messages leave the mailbox meanwhile, or another mailbox is selected, the calls fetch as usual.
Returns the value of the body's last form. Errors: those of the body and of fetch-parts.",
        Run::Macro(
            "(syntax-rules ()
               ((_ (mb . arguments) body ...)
                (let ((mailbox mb))
                  (%begin-read-ahead mailbox . arguments)
                  (unwind-protect (progn body ...) (%end-read-ahead mailbox)))))",
        ),
    ).checked(),
    Function::native(
        "%begin-read-ahead",
        "(mb messages parts &key uid window)",
        super::read_ahead::begin,
        "Sends the first commands of with-read-ahead. Arguments and errors as there. Returns t.",
    ).typed(&[("uid", Type::Truth), ("window", Type::Integer(1, 1000))]).inside_of("with-read-ahead").checked(),
    Function::native(
        "%end-read-ahead",
        "(mb)",
        super::read_ahead::end,
        "Drops the messages that were read ahead. mb: a mailbox object. Returns nil.",
    ).inside_of("with-read-ahead").checked(),
    Function::new(
        "parallel-map",
        "(f items &key at-most)",
        "Calls f with each item, several at a time, each call in a thread with an interpreter of its own. Returns the list of results in the order of the items. If a call raises an error, its condition takes the place of the result; error? is true for it. With many servers the total time is about that of the slowest.
f: a lambda form or the name of a function (f, 'f or #'f) of one argument. It sees the functions and macros that the script has defined at top level, and copies of the top-level variables that hold data: numbers, strings, symbols, characters, bytes, lists, vectors, hash tables. Its assignments are not seen outside. It does not see variables around the lambda form, nor connections or functions in variables: it makes its own connections, and those that it leaves open are closed.
items: a list of data. :at-most  an integer from 1 to 200, 16: how many run at a time. For an untrusted script 4, since each takes some 20 MB of the memory that it may use.
Results are data or conditions; bytes, hash tables and vectors are copies, and a vector cannot be changed. The output of f appears in the order of the items.
Errors: :syntax-error for anything else as f, in the place of a result that is not data, and for a parallel-map within another.",
        Run::Macro(
            "(syntax-rules ()
               ((_ f items) (%parallel-map (%function-text f) items (%visible-globals) nil))
               ((_ f items :at-most count) (%parallel-map (%function-text f) items (%visible-globals) count)))",
        ),
    ).checked(),
    Function::native(
        "%parallel-map",
        "(f items globals at-most)",
        super::parallel::map,
        "Does the work of parallel-map. f: the text of a function. globals: lists of a global of the script and its value. at-most: an integer or nil.",
    ).checked(),
];

/// The functions that `issue` may call: each sends a single command.
const SENDABLE: [&str; 6] = [
    "fetch-parts",
    "fetch-letter",
    "alter-flags",
    "search-mailbox",
    "copy-to-mailbox",
    "mailbox-status",
];

/// The default of `:window`: calls in flight.
const WINDOW: i64 = 256;

/// The phase of `pipelined-map` in this host; `None` if no `issue` runs.
#[derive(Default)]
struct Phase(Mutex<Option<Issuing>>);

/// The state while a script's `issue` runs.
#[derive(Default)]
struct Issuing {
    /// The name of the one call that was made.
    name: Option<String>,
    /// The error of an `issue` that made more than one call.
    wrong: Option<Condition>,
}

/// The placeholder for the result of a call that was sent; empty once that was taken or dropped.
struct Placeholder(Mutex<Option<Operation>>);

/// The rest of a call. One of the two closures runs.
struct Operation {
    /// The mailbox and the call, if its connection can be made anew.
    kept: Option<(Arc<ImapMailbox>, Arc<KeptCall>)>,
    /// Waits for the result and returns the value of the call.
    take: Box<dyn FnOnce(&Context) -> Answer + Send>,
    /// Drops the operation; its reply is discarded when it arrives.
    forget: Box<dyn FnOnce() + Send>,
}

impl Phase {
    fn issuing(&self) -> MutexGuard<'_, Option<Issuing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs an operation that can be pipelined: `begin` sends its command, `wait` waits for the reply,
/// `then` makes the value of the call from the result. While a script issues, only `begin` runs.
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
        let carry_out = |client: &mut ImapClient| {
            client.begin_operation(call.number());
            begin(client).and_then(|sent| wait(client, sent))
        };
        let result = on(context, call.name(), mailbox, carry_out)?;
        return then(context, result);
    }
    check(call)?;
    begin_call(call)?;
    mailbox.client().begin_operation(call.number());
    let pending = on(context, call.name(), mailbox, begin)?;
    if !pending.is_in_flight() {
        let result = on(context, call.name(), mailbox, |client| wait(client, pending))?;
        return then(context, result);
    }
    note_call(call);
    // One of the closures takes it; the other then finds nothing.
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
    let kept = Some((mailbox.clone(), Arc::new(call.keep())));
    Ok(placeholder(call, Operation { kept, take: Box::new(take), forget: Box::new(forget) }))
}

/// Does the same for an operation whose result comes from its reader.
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

/// Runs a call that needs one letter of a POP mailbox. While a script issues, the letter is only
/// announced to the client, if the server has PIPELINING.
pub(super) fn perform_letter(
    call: &Call<'_>,
    mailbox: &Arc<PopMailbox>,
    number: u32,
    then: impl FnOnce(Content) -> Result<Value, Error> + Send + 'static,
) -> Answer {
    let issues = call.context().state::<Phase>().issuing().is_some();
    if issues {
        begin_call(call)?;
    }
    if !issues || !mailbox.client().has("PIPELINING") {
        return super::mailbox::operate(call, mailbox, |client| {
            then(client.content(number, None)?)
        });
    }
    mailbox.client().expect([number], None).map_err(|error| failed(call, &error))?;
    note_call(call);
    let (name, owner, other) = (call.name().to_owned(), mailbox.clone(), mailbox.clone());
    let take = move |context: &Context| {
        let _work = context.state::<super::progress::Progress>().begin(&name);
        let letter = owner.client().content(number, None);
        letter.and_then(then).map_err(|error| {
            let condition = Condition::from(&error);
            Condition { message: format!("{name}: {}", condition.message), ..condition }
        })
    };
    let forget = move || other.client().forget_letters();
    let kept = None;
    Ok(placeholder(call, Operation { kept, take: Box::new(take), forget: Box::new(forget) }))
}

fn placeholder(call: &Call<'_>, operation: Operation) -> Value {
    let shown = format!("#<the result of {}, which is still to come>", call.name());
    host::object(Placeholder(Mutex::new(Some(operation))), &shown)
}

/// Returns the mailbox that a placeholder's call is made on.
pub(super) fn mailbox_of(value: &Value) -> Option<Arc<ImapMailbox>> {
    let placeholder = host::downcast::<Placeholder>(value)?;
    let operation = placeholder.0.lock().unwrap_or_else(PoisonError::into_inner);
    operation.as_ref()?.kept.as_ref().map(|(mailbox, _)| mailbox.clone())
}

/// Refuses a second call in the same `issue`.
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

/// Refuses a call that cannot be pipelined while a script issues. Every function must call this
/// before it reaches outside.
pub(super) fn check(call: &Call<'_>) -> Result<(), Condition> {
    if SENDABLE.contains(&call.name()) { Ok(()) } else { refuse(call, "") }
}

/// Refuses a call of this kind, if it is one, while a script issues.
pub(super) fn refuse(call: &Call<'_>, kind: &str) -> Result<(), Condition> {
    let issues = call.context().state::<Phase>().issuing().is_some();
    if !issues {
        return Ok(());
    }
    let space = if kind.is_empty() { "" } else { " " };
    Err(Condition::syntax(format!(
        "pipelined-map: {}{space}{kind} cannot be sent without waiting; issue makes one call of {}",
        call.name(),
        SENDABLE.join(", ")
    )))
}

/// Starts issuing: until `%end-issue`, calls are only sent.
pub(super) fn begin_issue(call: &Call<'_>) -> Answer {
    *call.context().state::<Phase>().issuing() = Some(Issuing::default());
    Ok(host::nil())
}

/// Ends issuing. Returns the result of `issue`: the placeholder of its call, or a value that needed
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

/// Returns the result for a placeholder. Any other value is returned as it is.
///
/// A call whose connection was lost leaves an operation in its placeholder that makes the call
/// again. If another call has made the connection anew by now, it is made again at once.
pub(super) fn redeem(call: &Call<'_>) -> Answer {
    let value = required(call, 0);
    let Some(operation) = take_operation(value) else { return Ok(value.clone()) };
    let kept = operation.kept;
    let result = (operation.take)(call.context());
    let Some((mailbox, kept)) = kept.filter(|_| result.as_ref().is_err_and(is_lost)) else {
        return result;
    };
    if !mailbox.client().is_closed() {
        return again(call.context(), &kept);
    }
    let call = kept.clone();
    let again = Operation {
        kept: Some((mailbox, kept)),
        take: Box::new(move |context| again(context, &call)),
        forget: Box::new(|| ()),
    };
    if let Some(placeholder) = host::downcast::<Placeholder>(value) {
        *placeholder.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
    }
    result
}

fn is_lost(condition: &Condition) -> bool {
    matches!(condition.identifier, Identifier::ServerShutdownConnection | Identifier::Timeout)
}

/// Makes a call again on a new connection. Of the functions of `SENDABLE` only a copy has another
/// effect the second time.
fn again(context: &Context, call: &KeptCall) -> Answer {
    if call.name() == "copy-to-mailbox" {
        let message = "copy-to-mailbox: the connection was made anew; the server may have copied these letters before it was lost";
        return Err(Condition::new(Identifier::InDoubt, message));
    }
    call.again(context)
}

/// Drops the operation of a placeholder.
pub(super) fn forget(call: &Call<'_>) -> Answer {
    if let Some(operation) = take_operation(required(call, 0)) {
        (operation.forget)();
    }
    Ok(host::nil())
}

/// Returns the window of `pipelined-map`. The host has checked the types of all its arguments.
pub(super) fn window(call: &Call<'_>) -> Answer {
    let window = call.arg(3).and_then(host::as_integer);
    Ok(host::integer(window.unwrap_or(WINDOW)))
}
