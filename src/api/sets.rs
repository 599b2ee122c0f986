//! Message sets in scripts: a number, `(:seq 1 5)`, a list of these, or `:saved`.
//!
//! The last message is `:*`, and the empty list is the empty set. The same notation is used for
//! message numbers and, with `:uid t`, for unique ids. `:saved` is the result of the last search
//! with `:return '(:save)`: unique ids, whatever `:uid` says. `message_set` reads a set and
//! `set_value` makes one; the other functions read arguments of a call and report wrong ones.

use super::mailbox::pop_mailbox;
use super::pop;
use super::reconnection;
use super::selection::imap_mailbox;
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{MessageId, Messages, SequenceSet};
use std::num::NonZeroU32;

pub(super) const EXPECTED: &str = "a message number, (:seq N M), or a list of these";

/// Returns a required argument. The host has checked the lambda list, so it is present.
pub(super) fn required<'c>(call: &'c Call<'_>, index: usize) -> &'c Value {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(host::nil);
    call.arg(index).unwrap_or(&NONE)
}

/// Returns the set in argument `index`. The empty list is the empty set.
pub(super) fn messages(call: &Call<'_>, index: usize) -> Result<SequenceSet, Condition> {
    let value = required(call, index);
    message_set(value).ok_or_else(|| call.wrong("messages", EXPECTED, value))
}

/// Checks a message set without a connection.
pub(super) fn check(function: &str, parameter: &str, value: &Value) -> Result<(), Condition> {
    let wrong = || host::wrong_argument(function, parameter, EXPECTED, value);
    let is_set = is_saved(value) || message_set(value).is_some();
    is_set.then_some(()).ok_or_else(wrong)
}

/// Whether the value is `:saved`.
pub(super) fn is_saved(value: &Value) -> bool {
    host::as_keyword(value) == Some("saved")
}

/// Reads a set, or the UIDs that `:saved` stands for in the IMAP mailbox of argument `mailbox`;
/// `None` if the value is neither.
pub(super) fn set_or_saved(
    call: &Call<'_>,
    mailbox: usize,
    value: &Value,
) -> Result<Option<SequenceSet>, Condition> {
    if is_saved(value) {
        let mailbox = call.arg(mailbox).map(|argument| imap_mailbox(call, argument)).transpose()?;
        return Ok(mailbox.flatten().map(|mailbox| mailbox.client().saved()));
    }
    Ok(message_set(value))
}

/// Returns the messages in argument `index`: UIDs with `:uid t` and for `:saved`, otherwise numbers.
pub(super) fn addressed(call: &Call<'_>, index: usize) -> Result<Messages, Condition> {
    let value = required(call, index);
    if is_saved(value) {
        let saved = set_or_saved(call, index.wrapping_sub(1), value)?.map(Messages::Uids);
        return saved.ok_or_else(|| call.wrong("messages", EXPECTED, value));
    }
    let messages = Messages::new(messages(call, index)?, call.boolean_key("uid"));
    check_numbers(call, index, &messages)?;
    Ok(messages)
}

/// Returns the message in argument `index`: a UID with `:uid t`, otherwise a number.
pub(super) fn message_id(call: &Call<'_>, index: usize) -> Result<MessageId, Condition> {
    let id = MessageId::new(message(call, index)?, call.boolean_key("uid"));
    check_numbers(call, index, &id.into())?;
    Ok(id)
}

/// Checks that numbers in argument `index` mean what the script thinks, in the mailbox of the
/// argument before it.
pub(super) fn check_numbers(
    call: &Call<'_>,
    index: usize,
    messages: &Messages,
) -> Result<(), Condition> {
    let before = index.wrapping_sub(1);
    let Some(argument) = call.arg(before) else { return Ok(()) };
    if let Some(mailbox) = pop_mailbox(call, before) {
        return pop::check_numbers(call, &mailbox, messages);
    }
    let Some(mailbox) = imap_mailbox(call, argument)? else { return Ok(()) };
    reconnection::check_numbers(call, &mailbox, messages, "search-mailbox, or use :uid t")
}

/// Returns the number in argument `index`.
pub(super) fn message(call: &Call<'_>, index: usize) -> Result<NonZeroU32, Condition> {
    let value = required(call, index);
    number(value).ok_or_else(|| call.wrong("message", "a message number from 1 on", value))
}

/// Reads a set; `None` if the value is not one.
pub(super) fn message_set(value: &Value) -> Option<SequenceSet> {
    let mut set = SequenceSet::new();
    if let Some(number) = number(value) {
        set.push(number);
        return Some(set);
    }
    let items: Vec<Value> = host::as_list(value)?.collect();
    if is_empty_range(&items) {
        return Some(set);
    }
    if let Some((first, last)) = range(&items) {
        set.push_range(first?, last?);
        return Some(set);
    }
    for item in &items {
        match number(item) {
            Some(number) => set.push(number),
            None => {
                let inner: Vec<Value> = host::as_list(item)?.collect();
                if !is_empty_range(&inner) {
                    let (first, last) = range(&inner)?;
                    set.push_range(first?, last?);
                }
            }
        }
    }
    Some(set)
}

/// Whether this is `(:seq N 0)`, which has no message. ``(:seq 1 ,count)`` makes it for an empty
/// mailbox.
fn is_empty_range(items: &[Value]) -> bool {
    let zero = |value: &Value| host::as_integer(value) == Some(0);
    range(items).is_some_and(|(first, _)| first.is_some() && zero(&items[2]))
}

/// Reads `(:seq N M)`. Each end is `None` if it is not a bound.
fn range(items: &[Value]) -> Option<(Option<Bound>, Option<Bound>)> {
    match items {
        [word, first, last] if host::as_keyword(word) == Some("seq") => {
            Some((bound(first), bound(last)))
        }
        _ => None,
    }
}

fn bound(value: &Value) -> Option<Bound> {
    if host::as_keyword(value) == Some("*") {
        return Some(Bound::Last);
    }
    number(value).map(Bound::Number)
}

fn number(value: &Value) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(host::as_integer(value)?).ok()?)
}

/// Returns a set as a script value: a list of numbers, and of `(:seq N M)` for ranges.
pub(super) fn set_value(set: &SequenceSet) -> Value {
    let bound = |bound: Bound| match bound {
        Bound::Number(number) => host::integer(i64::from(number.get())),
        Bound::Last => host::keyword("*"),
    };
    let range = |&(first, last): &(Bound, Bound)| {
        if first == last {
            bound(first)
        } else {
            host::list(vec![host::keyword("seq"), bound(first), bound(last)])
        }
    };
    host::list(set.ranges().iter().map(range).collect())
}
