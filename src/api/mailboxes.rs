//! Mailboxes as wholes: selecting, making, listing, closing.

use super::flags::flag_list;
use super::mailbox::{mailbox, on_mailbox};
use super::pipeline;
use super::state::state;
use crate::client::{Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Value};

type Result<T> = std::result::Result<T, Condition>;

pub(super) fn select_mailbox(call: &Call<'_>) -> Result<Value> {
    let (name, read_only) = (call.string(1)?, call.boolean_key("read-only"));
    on_mailbox(call, |client| client.select(name, read_only))?;
    Ok(host::truth(true))
}

fn by_name(
    call: &Call<'_>,
    operation: fn(&mut ImapClient, &str) -> std::result::Result<(), Error>,
) -> Result<Value> {
    let name = call.string(1)?;
    on_mailbox(call, |client| operation(client, name))?;
    state(call).mailboxes_changed();
    Ok(host::truth(true))
}

pub(super) fn create_mailbox(call: &Call<'_>) -> Result<Value> {
    by_name(call, ImapClient::create)
}

pub(super) fn delete_mailbox(call: &Call<'_>) -> Result<Value> {
    by_name(call, ImapClient::delete)
}

pub(super) fn subscribe_mailbox(call: &Call<'_>) -> Result<Value> {
    by_name(call, ImapClient::subscribe)
}

pub(super) fn unsubscribe_mailbox(call: &Call<'_>) -> Result<Value> {
    by_name(call, ImapClient::unsubscribe)
}

pub(super) fn rename_mailbox(call: &Call<'_>) -> Result<Value> {
    let (old, new) = (call.string(1)?, call.string(2)?);
    on_mailbox(call, |client| client.rename(old, new))?;
    state(call).mailboxes_changed();
    Ok(host::truth(true))
}

pub(super) fn close_mailbox(call: &Call<'_>) -> Result<Value> {
    on_mailbox(call, ImapClient::close_mailbox)?;
    Ok(host::truth(true))
}

pub(super) fn unselect_mailbox(call: &Call<'_>) -> Result<Value> {
    on_mailbox(call, ImapClient::unselect)?;
    Ok(host::truth(true))
}

pub(super) fn mailbox_list(call: &Call<'_>) -> Result<Value> {
    let reference = call.key_string("reference")?.unwrap_or("");
    let pattern = call.key_string("pattern")?.unwrap_or("*");
    let subscribed = call.boolean_key("subscribed");
    let entries = on_mailbox(call, |client| match subscribed {
        true => client.list_subscribed(reference, pattern),
        false => client.list(reference, pattern),
    })?;
    let entry = |entry: crate::client::Listed| {
        let separator = entry.separator.as_deref().map_or_else(host::nil, host::string);
        host::list(vec![flag_list(&entry.flags), separator, host::string(&entry.name)])
    };
    Ok(host::list(entries.into_iter().map(entry).collect()))
}

/// The items that RFC 3501 knows; what a script gets when it names none.
const STATUS_ITEMS: [&str; 5] = ["messages", "recent", "uidnext", "uidvalidity", "unseen"];

pub(super) fn mailbox_status(call: &Call<'_>) -> Result<Value> {
    let name = call.string(1)?;
    let items = match call.arg(2) {
        None => STATUS_ITEMS.map(str::to_uppercase).to_vec(),
        Some(value) => status_items(value).ok_or_else(|| {
            call.wrong("items", "a keyword such as :unseen, or a list of them", value)
        })?,
    };
    let mailbox = mailbox(call)?;
    let begin = |client: &mut ImapClient| client.begin_status(name, &items);
    pipeline::perform_read(call, &mailbox, begin, |_, found| {
        let pair = |(name, number): (String, u64)| {
            [host::keyword(&name.to_lowercase()), host::integer(number as i64)]
        }; // at most 63 bits
        Ok(host::list(found.into_iter().flat_map(pair).collect()))
    })
}

fn status_items(value: &Value) -> Option<Vec<String>> {
    let item = |value: &Value| host::as_keyword(value).map(str::to_uppercase);
    match host::as_list(value) {
        Some(mut items) => items.by_ref().map(|value| item(&value)).collect(),
        None => Some(vec![item(value)?]),
    }
}
