//! Message sets as scripts write them: a number, `(:seq 1 5)`, or a list of those.

use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::sequence::Bound;
use crate::proto::imap::{MessageId, Messages, SequenceSet};
use std::num::NonZeroU32;

pub(super) const EXPECTED: &str = "a message number, (:seq N M), or a list of these";

/// A required argument; the lambda list was checked, so that it is there.
pub(super) fn required<'c>(call: &'c Call<'_>, index: usize) -> &'c Value {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(host::nil);
    call.arg(index).unwrap_or(&NONE)
}

/// The set in argument `index`; the empty list is the empty set.
pub(super) fn messages(call: &Call<'_>, index: usize) -> Result<SequenceSet, Condition> {
    let value = required(call, index);
    message_set(value).ok_or_else(|| call.wrong("messages", EXPECTED, value))
}

/// The messages in argument `index`, by UID with `:uid t`.
pub(super) fn addressed(call: &Call<'_>, index: usize) -> Result<Messages, Condition> {
    Ok(Messages::new(messages(call, index)?, call.boolean_key("uid")))
}

/// The message in argument `index`, by UID with `:uid t`.
pub(super) fn message_id(call: &Call<'_>, index: usize) -> Result<MessageId, Condition> {
    Ok(MessageId::new(message(call, index)?, call.boolean_key("uid")))
}

/// One message in argument `index`.
pub(super) fn message(call: &Call<'_>, index: usize) -> Result<NonZeroU32, Condition> {
    let value = required(call, index);
    number(value).ok_or_else(|| call.wrong("message", "a message number from 1 on", value))
}

/// Reads a set; `None` for anything that is none.
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

/// `(:seq N 0)`, as ``(:seq 1 ,count)`` gives it for an empty mailbox: no message.
fn is_empty_range(items: &[Value]) -> bool {
    let zero = |value: &Value| host::as_integer(value) == Some(0);
    range(items).is_some_and(|(first, _)| first.is_some() && zero(&items[2]))
}

/// `(:seq N M)`: its ends, each `None` when it is no bound.
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

/// A set as a script sees it: numbers, and `(:seq N M)` for ranges.
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
