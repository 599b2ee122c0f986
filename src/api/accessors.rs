//! What a mailbox object knows without asking the server, and the parts of a mailbox list's entry.

use super::flags::flag_list;
use super::mailbox::{failed, mailbox, pop_mailbox};
use super::sets::required;
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::SelectedMailbox;

type Answer = Result<Value, Condition>;

/// A value of the selected mailbox; `nil` when none is selected.
fn of_selected(call: &Call<'_>, read: impl FnOnce(&SelectedMailbox) -> Value) -> Answer {
    let mailbox = mailbox(call)?;
    let client = mailbox.client();
    Ok(client.selected().map_or_else(host::nil, read))
}

fn number(number: Option<impl Into<u64>>) -> Value {
    number.map_or_else(host::nil, |number| host::integer(number.into() as i64)) // the server's numbers have at most 63 bits
}

pub(super) fn mailbox_flags(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| flag_list(&selected.flags))
}

pub(super) fn mailbox_permanent_flags(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| flag_list(&selected.permanent_flags))
}

pub(super) fn mailbox_message_count(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return Ok(number(Some(mailbox.client().count())));
    }
    of_selected(call, |selected| number(Some(selected.exists)))
}

pub(super) fn mailbox_recent_messages(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| number(Some(selected.recent)))
}

pub(super) fn mailbox_uidnext(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| number(selected.uid_next))
}

pub(super) fn mailbox_uidvalidity(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| number(selected.uid_validity))
}

pub(super) fn mailbox_first_unseen(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| number(selected.first_unseen))
}

pub(super) fn mailbox_highest_modseq(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| number(selected.highest_modseq))
}

pub(super) fn mailbox_name(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| host::string(&selected.name))
}

pub(super) fn mailbox_is_read_only(call: &Call<'_>) -> Answer {
    of_selected(call, |selected| host::truth(selected.read_only))
}

pub(super) fn mailbox_separator(call: &Call<'_>) -> Answer {
    let mailbox = mailbox(call)?;
    let mut client = mailbox.client();
    let separator = client.separator().map_err(|error| failed(call, &error))?;
    Ok(separator.map_or_else(host::nil, host::string))
}

/// Part `index` of a list that has `length` parts or more.
pub(super) fn part_of(
    call: &Call<'_>,
    parameter: &str,
    expected: &str,
    index: usize,
    length: usize,
) -> Answer {
    let value = required(call, 0);
    let parts: Vec<Value> = host::as_list(value).map(Iterator::collect).unwrap_or_default();
    if parts.len() < length {
        return Err(call.wrong(parameter, expected, value));
    }
    Ok(parts[index].clone())
}

fn part_of_entry(call: &Call<'_>, index: usize) -> Answer {
    part_of(call, "entry", "an entry of mailbox-list's result", index, 3)
}

pub(super) fn mailbox_list_flags(call: &Call<'_>) -> Answer {
    part_of_entry(call, 0)
}

pub(super) fn mailbox_list_separator(call: &Call<'_>) -> Answer {
    part_of_entry(call, 1)
}

pub(super) fn mailbox_list_name(call: &Call<'_>) -> Answer {
    part_of_entry(call, 2)
}
