//! `with-limits`: limits on what the body may change.
//!
//! The limits are a budget of the host's [`Limiter`](crate::guard::Limiter), which sees the changes
//! of all connections. `%with-limits` enters the budget and leaves it however the body ends; nothing
//! that the body calls gets hold of it.

use super::Answer;
use super::state::state;
use crate::condition::Condition;
use crate::guard::{Budget, ChangeLimits, MailboxPattern};
use crate::host::{self, Call, Function, Run, Type, Value};
use std::sync::Arc;

/// The rows of the topic "Limits".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "with-limits",
        "((&key max-deletes max-changes read-only only-mailbox) . body)",
        "Runs the body, and refuses what goes beyond the limits: on every connection, also one that was opened before, and in the threads of parallel-map. Of what is refused nothing is sent. Limits of the command line and of a with-limits around this one stay; the counts begin at 0.
:max-deletes  the most letters that may be deleted. :max-changes  the most changes: each letter flagged, marked as seen by a fetch, moved, copied, appended, sent or deleted, each mailbox created, renamed or deleted, each subscription, right, metadata entry and program.
:read-only  if true, nothing may be changed: mailboxes are opened read-only, and stay so until they are selected again; fetches do not mark letters as seen; all other changes are refused. :only-mailbox  a name, a pattern or a list of these: no other mailbox may be changed. In a pattern * stands for any characters, % for any but / and .
Letters are counted before the command is sent; the server is asked where the arguments do not say how many they are. What the server refuses is not counted, nor is what a limit refuses.
Returns the value of the body's last form. Errors: :limit, :syntax-error, and those of the body.",
        Run::Macro("(syntax-rules (nil)
               ((_ nil body ...) (%with-limits (lambda () body ...)))
               ((_ () body ...) (%with-limits (lambda () body ...)))
               ((_ (key value . options) body ...) (%with-limits (lambda () body ...) key value . options)))"),
    ).checked(),
    Function::new(
        "%with-limits",
        "(thunk &key max-deletes max-changes read-only only-mailbox)",
        "Does the work of with-limits. thunk: the body. Returns its value.",
        Run::Scheme(
            "(lambda (thunk . options)
               (let ((budget (apply %limits options)))
                 (unwind-protect (progn (%enter-limits budget) (funcall thunk)) (%leave-limits budget))))",
        ),
    ).inside_of("with-limits").checked(),
    Function::native(
        "%limits",
        "(&key max-deletes max-changes read-only only-mailbox)",
        limits,
        "Makes the limits of with-limits. Returns an object of which nothing is used yet.",
    )
    .typed(&[
        ("max-deletes", Type::Integer(0, i64::MAX)),
        ("max-changes", Type::Integer(0, i64::MAX)),
        ("read-only", Type::Truth),
    ])
    .inside_of("with-limits").checked(),
    Function::native(
        "%enter-limits",
        "(limits)",
        |call| {
            state(call).limiter.enter(budget(call)?);
            Ok(host::nil())
        },
        "Begins to apply limits. limits: as %limits returns them. Returns nil.",
    ).inside_of("with-limits").checked(),
    Function::native(
        "%leave-limits",
        "(limits)",
        |call| {
            state(call).limiter.leave(&budget(call)?);
            Ok(host::nil())
        },
        "Ends limits. limits: those that %enter-limits was given. Returns nil.",
    ).inside_of("with-limits").checked(),
];

fn limits(call: &Call<'_>) -> Answer {
    let count = |name| -> Result<Option<u64>, Condition> {
        let number = call.typed_key(name, "a whole number from 0 on", host::as_integer)?;
        Ok(number.and_then(|number| u64::try_from(number).ok()))
    };
    let limits = ChangeLimits {
        read_only: call.boolean_key("read-only"),
        max_deletes: count("max-deletes")?,
        max_changes: count("max-changes")?,
        only_mailbox: patterns(call)?,
    };
    Ok(host::object(Budget::new(limits), "#<limits>"))
}

/// The patterns of `:only-mailbox`; none for nil.
fn patterns(call: &Call<'_>) -> Result<Vec<MailboxPattern>, Condition> {
    let read = |value: &Value| host::as_str(value).and_then(|text| text.parse().ok());
    let all = |value: &Value| match host::as_list(value) {
        Some(mut values) => values.try_fold(Vec::new(), |mut all, one| {
            all.push(read(&one)?);
            Some(all)
        }),
        None => Some(vec![read(value)?]),
    };
    let expected = "the name of a mailbox, a pattern such as \"lists/*\", or a list of these";
    Ok(call.typed_key("only-mailbox", expected, all)?.unwrap_or_default())
}

fn budget(call: &Call<'_>) -> Result<Arc<Budget>, Condition> {
    call.typed(0, "limits", host::downcast::<Budget>)
}
