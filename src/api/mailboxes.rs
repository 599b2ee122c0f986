//! Operations on whole mailboxes: selecting, creating, renaming, deleting, listing, closing; counts
//! and quotas.
//!
//! Creating, deleting, renaming, subscribing and unsubscribing clear the names that are cached for
//! completion.

use super::flags::flag_list;
use super::mailbox::{mailbox, on_mailbox};
use super::objects::ImapMailbox;
use super::pipeline;
use super::reconnection::Reconnection;
use super::selection::Borrowed;
use super::state::state;
use crate::client::{Error, ImapClient, QuotaResource, QuotaRoot};
use crate::condition::Condition;
use crate::host::{self, Call, Function, Type, Value};

/// The rows of the topic "Mailboxes".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "select-mailbox",
        "(mb name &key read-only)",
        select_mailbox,
        "Makes a mailbox the current one. All message functions work on it, and the accessors describe it.
mb: a mailbox object. name: a string; \"inbox\" always exists. :read-only  t opens it so that nothing changes, \\Seen included.
Returns t. Errors: :error-response when there is no such mailbox; no mailbox is selected then. A mailbox that can only be read signals the condition :problem.",
    ).typed(&[("read-only", Type::Truth)]).checked(),
    Function::native(
        "create-mailbox",
        "(mb name)",
        create_mailbox,
        "Creates a mailbox, and any missing levels above it.
mb: a mailbox object. name: a string, levels separated by mailbox-separator. Returns t. Errors: :error-response when it exists.",
    ).checked(),
    Function::native(
        "delete-mailbox",
        "(mb name)",
        delete_mailbox,
        "Removes a mailbox with all its messages.
mb: a mailbox object. name: a string. Returns t. Errors: :error-response when there is no such mailbox.",
    ).checked(),
    Function::native(
        "rename-mailbox",
        "(mb old-name new-name)",
        rename_mailbox,
        "Renames a mailbox. Renaming \"inbox\" moves its messages to the new mailbox and leaves an empty inbox.
mb: a mailbox object. old-name new-name: strings. Returns t. Errors: :error-response when the old one does not exist or the new one does.",
    ).checked(),
    Function::native(
        "mailbox-list",
        "(mb &key reference pattern subscribed)",
        mailbox_list,
        "The mailboxes whose names match, a list of entries (flags separator name) in the server's order.
mb: a mailbox object. :reference  a string, \"\": where in the hierarchy to begin. :pattern  a string, \"*\": * matches anything, % anything within one level.
:subscribed  t lists only the mailboxes that are subscribed to.
See mailbox-list-flags, mailbox-list-separator, mailbox-list-name. Errors: :error-response.",
    ).typed(&[("reference", Type::String), ("pattern", Type::String), ("subscribed", Type::Truth)]).checked(),
    Function::native(
        "mailbox-list-flags",
        "(entry)",
        super::accessors::mailbox_list_flags,
        "The flags of an entry of mailbox-list, a list of keywords. :\\\\noselect is a level that holds no messages, :\\\\noinferiors one that cannot have levels below it.
entry: (flags separator name).",
    ).checked(),
    Function::native(
        "mailbox-list-separator",
        "(entry)",
        super::accessors::mailbox_list_separator,
        "The string between the levels of an entry's name; nil if names have no levels.
entry: (flags separator name), from mailbox-list.",
    ).checked(),
    Function::native(
        "mailbox-list-name",
        "(entry)",
        super::accessors::mailbox_list_name,
        "The name of an entry of mailbox-list, a string.
entry: (flags separator name).",
    ).checked(),
    Function::native(
        "close-mailbox",
        "(mb)",
        close_mailbox,
        "Removes the messages that are marked :\\\\deleted from the selected mailbox and leaves it. No mailbox is selected then. unselect-mailbox removes nothing.
mb: a mailbox object. Returns t. Errors: :error-response when none is selected.",
    ).checked(),
    Function::native(
        "unselect-mailbox",
        "(mb)",
        unselect_mailbox,
        "Leaves the selected mailbox without removing anything (RFC 3691).
mb: a mailbox object. Returns t. Errors: :error-response when none is selected.",
    ).checked(),
    Function::native(
        "subscribe-mailbox",
        "(mb name)",
        subscribe_mailbox,
        "Adds a mailbox to the subscribed ones, which mail programs show.
mb: a mailbox object. name: a string. Returns t. Errors: :error-response.",
    ).checked(),
    Function::native(
        "unsubscribe-mailbox",
        "(mb name)",
        unsubscribe_mailbox,
        "Removes a mailbox from the subscribed ones; its messages stay.
mb: a mailbox object. name: a string. Returns t. Errors: :error-response.",
    ).checked(),
    Function::native(
        "mailbox-quota",
        "(mb name)",
        mailbox_quota,
        "The quota of a mailbox's account: how much it may hold, and how much it does (RFC 9208).
mb: a mailbox object. name: a string.
Returns a list of quota roots, each (root (resource used limit) …). root is a string. resource is :storage, in units of 1024 bytes, :message, a number of letters, or another one of the server's. Returns nil if nothing is limited.
Errors: :unsupported if the server does not offer QUOTA; :error-response when there is no such mailbox.",
    ).checked(),
    Function::native(
        "mailbox-status",
        "(mb name &optional items)",
        mailbox_status,
        "Counts of a mailbox, which need not be selected, as a list (:messages 7 :unseen 2 …).
mb: a mailbox object. name: a string. items: a keyword or a list of :messages :recent :uidnext :uidvalidity :unseen, which is also the default; others if the server knows them.
Errors: :error-response when there is no such mailbox.",
    ).checked(),
];

type Result<T> = std::result::Result<T, Condition>;

pub(super) fn select_mailbox(call: &Call<'_>) -> Result<Value> {
    let (name, read_only) = (call.string(1)?, call.boolean_key("read-only"));
    if let Some(mailbox) = call.arg(0).and_then(host::downcast::<ImapMailbox>) {
        mailbox.extra::<Borrowed>().forget();
    }
    on_mailbox(call, |client| client.select(name, read_only))?;
    mailbox(call)?.extra::<Reconnection>().numbers_are_new();
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

/// The items of RFC 3501, which are the default of `mailbox-status`.
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

/// Returns `((root (:storage used limit) (:message used limit)) …)`.
fn mailbox_quota(call: &Call<'_>) -> Result<Value> {
    let name = call.string(1)?;
    let roots = on_mailbox(call, |client| client.quota(name))?;
    let number = |number: u64| host::integer(i64::try_from(number).unwrap_or(i64::MAX));
    let resource = |resource: &QuotaResource| {
        let name = host::keyword(&resource.name.to_lowercase());
        host::list(vec![name, number(resource.usage), number(resource.limit)])
    };
    let root = |root: QuotaRoot| {
        let resources = root.resources.iter().map(resource);
        host::list_of(std::iter::once(host::string(&root.name)).chain(resources))
    };
    Ok(host::list(roots.into_iter().map(root).collect()))
}
