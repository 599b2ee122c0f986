//! Accessors of mailbox objects and of `mailbox-list` entries.
//!
//! The session updates the state of the selected mailbox from every response, so these functions
//! need no command. Most return nil when no mailbox is selected. `mailbox-separator` may have to
//! wait for the reply to a LIST that was sent earlier, `mailbox-highest-modseq` may ask the server, and `mailbox-message-count` also works on
//! POP mailboxes. The rows of the `mailbox-list-…` accessors are in `mailboxes`; the accessors in
//! `envelope` share `part_of`.

use super::Answer;
use super::flags::flag_list;
use super::mailbox::{failed, mailbox, on_mailbox, pop_mailbox};
use super::reconnection::Reconnection;
use super::sets::required;
use crate::client::ImapClient;
use crate::host::{self, Call, Function, Run, Value};
use crate::proto::imap::SelectedMailbox;

/// The rows of the topic "What a mailbox object knows".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "mailbox-name",
        "(mb)",
        mailbox_name,
        "The name of the selected mailbox, a string; nil when none is selected.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-flags",
        "(mb)",
        mailbox_flags,
        "The flags in use in the selected mailbox, a list of keywords.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-permanent-flags",
        "(mb)",
        mailbox_permanent_flags,
        "The flags that can be stored in the selected mailbox, a list of keywords. :\\\\* among them means that scripts can store flags of their own.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-message-count",
        "(mb)",
        mailbox_message_count,
        "The number of messages in the selected mailbox, an integer, as the server last reported it; nil when none is selected.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-recent-messages",
        "(mb)",
        mailbox_recent_messages,
        "The number of messages in the selected mailbox that are new to this session (\\Recent), an integer.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-separator",
        "(mb)",
        mailbox_separator,
        "The string that separates the levels of mailbox names on this server; nil if names have no levels.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-uidnext",
        "(mb)",
        mailbox_uidnext,
        "The unique id that the next message will get, an integer, as the server predicted it at select-mailbox.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-uidvalidity",
        "(mb)",
        mailbox_uidvalidity,
        "A number that changes when the unique ids known so far become invalid.
mb: a mailbox object. Returns an integer, or nil when none is selected.",
    ).checked(),
    Function::new(
        "mailbox-uidvalidty",
        "(mb)",
        "The manual's spelling of mailbox-uidvalidity.\nmb: a mailbox object. Returns an integer, or nil.",
        Run::Alias("mailbox-uidvalidity"),
    ).checked(),
    Function::native(
        "mailbox-first-unseen",
        "(mb)",
        mailbox_first_unseen,
        "The number of the first message that is not seen, an integer; nil if the server did not report it.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-highest-modseq",
        "(mb)",
        mailbox_highest_modseq,
        "The highest modification sequence of the selected mailbox (RFC 7162), an integer; nil if the mailbox or the server has none. The server is asked if it did not report it by itself.
mb: a mailbox object.",
    ).checked(),
    Function::native(
        "mailbox-read-only?",
        "(mb)",
        mailbox_is_read_only,
        "Whether the selected mailbox can only be read. mb: a mailbox object. Returns t or nil.",
    ).checked(),
];

/// Returns a value of the selected mailbox; `nil` when none is selected.
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
        mailbox.extra::<Reconnection>().numbers_are_new();
        return Ok(number(Some(mailbox.client().count())));
    }
    mailbox(call)?.extra::<Reconnection>().numbers_are_new();
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
    Ok(number(on_mailbox(call, ImapClient::highest_modseq)?))
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

/// Returns part `index` of a list that must have at least `length` parts.
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

/// The status of an entry; `nil` if it has none.
pub(super) fn mailbox_list_status(call: &Call<'_>) -> Answer {
    part_of_entry(call, 0)?; // checks that it is an entry
    let parts = host::as_list(required(call, 0)).and_then(|mut parts| parts.nth(3));
    Ok(parts.unwrap_or_else(host::nil))
}

pub(super) fn mailbox_list_name(call: &Call<'_>) -> Answer {
    part_of_entry(call, 2)
}
