//! Operations on whole mailboxes: selecting, creating, renaming, deleting, listing, closing; counts
//! and quotas. The natives for access rights are in `rights`, those for metadata in `metadata`.
//!
//! Creating, deleting, renaming, subscribing and unsubscribing clear the names that are cached for
//! completion.

use super::condstore;
use super::flags::flag_list;
use super::mailbox::{mailbox, on_mailbox};
use super::pipeline;
use super::reconnection::Reconnection;
use super::state::state;
use crate::client::{
    Error, ImapClient, ListRequest, Namespace, QuotaResource, QuotaRoot, StatusValue,
};
use crate::condition::Condition;
use crate::host::{self, Call, Function, Type, Value};
use crate::proto::imap::Flag;
use crate::shown::escape_controls;

/// The rows of the topic "Mailboxes".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "select-mailbox",
        "(mb name &key read-only since)",
        select_mailbox,
        "Makes a mailbox the current one. All message functions work on it, and the accessors describe it.
mb: a mailbox object. name: a string; \"inbox\" always exists. :read-only  t opens it so that nothing changes, \\Seen included.
Returns t. Errors: :error-response when there is no such mailbox; no mailbox is selected then. A mailbox that can only be read signals the condition :problem.
:since  (uidvalidity modseq), a state of the mailbox as mailbox-uidvalidity and mailbox-highest-modseq gave it: asks what has happened since (RFC 7162). Then it returns (:changed items :vanished uids). items is a result like that of (fetch-parts mb … \"(flags modseq)\" :uid t) of the letters that are new or have other flags; uids is a set of unique ids whose letters are gone, perhaps with some that never had one. (uidvalidity modseq uids) asks only about the letters of that set.
Errors: :unsupported if the server does not offer CONDSTORE; :uid-validity-changed when unique ids and modseqs of before mean nothing now; the mailbox is selected then.",
    ).typed(&[("read-only", Type::Truth)]).checked(),
    Function::native(
        "create-mailbox",
        "(mb name &key special-use)",
        create_mailbox,
        "Creates a mailbox, and any missing levels above it.
mb: a mailbox object. name: a string, levels separated by mailbox-separator.
:special-use  what the mailbox is for, which programs then find by find-mailbox: :\\\\archive, :\\\\drafts, :\\\\junk, :\\\\sent, :\\\\trash or another use that the server knows (RFC 6154).
Returns t. Errors: :error-response when it exists, or cannot have this use; :unsupported for :special-use if the server does not offer CREATE-SPECIAL-USE.",
    ).checked(),
    Function::native(
        "mailbox-exists?",
        "(mb name)",
        mailbox_exists,
        "Whether there is a mailbox of this name that can be selected.
mb: a mailbox object. name: a string. Returns t or nil. Errors: :error-response.",
    ).checked(),
    Function::native(
        "ensure-mailbox",
        "(mb name)",
        ensure_mailbox,
        "Creates a mailbox, and any missing levels above it, unless it exists.
mb: a mailbox object. name: a string, levels separated by mailbox-separator. Returns t if it was created, else nil. Errors: :error-response when it cannot be created.",
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
        "(mb &key reference pattern subscribed special-use status)",
        mailbox_list,
        "The mailboxes whose names match, a list of entries (flags separator name) in the server's order.
mb: a mailbox object. :reference  a string, \"\": where in the hierarchy to begin. :pattern  a string, \"*\": * matches anything, % anything within one level.
:subscribed  t lists only the mailboxes that are subscribed to. :special-use  t lists only those with a special use: the flag :\\\\sent, :\\\\trash, … (RFC 6154).
:status  a keyword or a list of items, as for mailbox-status; each entry is (flags separator name status) then. The status is nil for one that has no messages or cannot be read.
All of it takes one round trip where the server offers LIST-EXTENDED and LIST-STATUS, else two or three. With :special-use or :status, subscribed mailboxes have the flag :\\\\subscribed, and :\\\\nonexistent if they do not exist.
See mailbox-list-flags, mailbox-list-separator, mailbox-list-name, mailbox-list-status. Errors: :error-response; :unsupported for special uses if the server knows none, and for a status item that it does not offer.",
    ).typed(&[("reference", Type::String), ("pattern", Type::String), ("subscribed", Type::Truth), ("special-use", Type::Truth)]).checked(),
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
        "mailbox-list-status",
        "(entry)",
        super::accessors::mailbox_list_status,
        "The status of an entry of mailbox-list, a list (:messages 7 :unseen 2 …); nil if it has none.
entry: (flags separator name status), from mailbox-list with :status.",
    ).checked(),
    Function::native(
        "find-mailbox",
        "(mb special-use)",
        find_mailbox,
        "The name of the mailbox with a special use (RFC 6154), a string; nil if there is none.
mb: a mailbox object. special-use: a keyword: :\\\\all, :\\\\archive, :\\\\drafts, :\\\\flagged, :\\\\junk, :\\\\sent, :\\\\trash.
If the server marks several mailboxes so, the first. If it marks none, the mailbox with a usual name, at the top or directly below inbox, if exactly one is there: Archive, Archives; Drafts, Draft; Junk, Junk E-mail, Junk Email, Spam, Bulk Mail; Sent, Sent Items, Sent Mail, Sent Messages; Trash, Deleted, Deleted Items, Deleted Messages; in any case of letters.
Errors: :error-response.",
    ).checked(),
    Function::native(
        "mailbox-namespaces",
        "(mb)",
        mailbox_namespaces,
        "Where the names of mailboxes begin (RFC 2342): a list (:personal namespaces :other namespaces :shared namespaces), for one's own mailboxes, those of other users, and shared ones.
mb: a mailbox object. namespaces is a list of (prefix separator): prefix is the string that the names begin with, separator the string between their levels, nil if they have none. If the server does not offer NAMESPACE, the list has one personal namespace without a prefix. Errors: :error-response.",
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
        "mailbox-rights",
        "(mb name &key own)",
        super::rights::mailbox_rights,
        "Who may do what with a mailbox (RFC 4314): a list ((identifier . rights) …) of strings. One's own rights need to include a for that.
mb: a mailbox object. name: a string. :own  t returns one's own rights instead, a string.
rights has a letter for each right: l the mailbox is listed, r it is read, s :\\\\seen is kept, w flags are changed, i letters are put in, p letters are sent to it, k mailboxes are created below it, x it is deleted, t letters are marked :\\\\deleted, e they are expunged, a rights are changed; others are the server's own. An identifier is a user, a group or anyone; with - before it, it loses these rights.
Errors: :unsupported if the server does not offer ACL; :error-response when there is no such mailbox, or the rights may not be seen.",
    ).typed(&[("own", Type::Truth)]).checked(),
    Function::native(
        "set-mailbox-rights",
        "(mb name identifier rights)",
        super::rights::set_mailbox_rights,
        "Sets the rights of an identifier to a mailbox (RFC 4314).
mb: a mailbox object. name: a string. identifier: a string. rights: a string as mailbox-rights returns it, \"lrs\"; with + or - before the letters, these are added or removed. nil removes the identifier. Returns t.
Errors: :unsupported if the server does not offer ACL; :error-response when there is no such mailbox, or the server does not allow it.",
    ).checked(),
    Function::native(
        "mailbox-metadata",
        "(mb name &optional entries &key below)",
        super::metadata::mailbox_metadata,
        "Notes that the server keeps on a mailbox, or on itself (RFC 5464): a list ((\"/private/comment\" . \"text\") …) of those that exist.
mb: a mailbox object. name: a string, \"\" for the server. entries: a string or a list of them; only this user sees what is below /private, others also what is below /shared. By default all entries.
:below  t returns all entries below these, too. Errors: :unsupported if the server does not offer METADATA; :error-response when there is no such mailbox; :response-too-large.",
    ).typed(&[("below", Type::Truth)]).checked(),
    Function::native(
        "set-mailbox-metadata",
        "(mb name entry-name value)",
        super::metadata::set_mailbox_metadata,
        "Sets a note that the server keeps on a mailbox, or on itself (RFC 5464).
mb: a mailbox object. name: a string, \"\" for the server. entry-name: a string that begins with /private/ or /shared/, such as \"/private/comment\". value: a string, or nil, which removes the entry. Returns t.
Errors: :unsupported if the server does not offer METADATA; :error-response when there is no such mailbox, or the text is too long for the server.",
    ).checked(),
    Function::native(
        "mailbox-status",
        "(mb name &optional items)",
        mailbox_status,
        "Counts of a mailbox, which need not be selected, as a list (:messages 7 :unseen 2 …).
mb: a mailbox object. name: a string. items: a keyword or a list of :messages :recent :uidnext :uidvalidity :unseen, which is also the default; of extensions :size in bytes, :deleted letters, :highestmodseq, :mailboxid a string, :appendlimit bytes or nil; others if the server knows them.
Errors: :error-response when there is no such mailbox; :unsupported for an item of an extension that the server does not offer.",
    ).checked(),
];

type Result<T> = std::result::Result<T, Condition>;

pub(super) fn select_mailbox(call: &Call<'_>) -> Result<Value> {
    let (name, read_only) = (call.string(1)?, call.boolean_key("read-only"));
    let since = call.key("since").filter(|value| host::is_true(value));
    let since = since.map(|value| condstore::since(call, value)).transpose()?;
    let result = match since {
        None => {
            on_mailbox(call, |client| client.select(name, read_only))?;
            host::truth(true)
        }
        Some(since) => {
            on_mailbox(call, |client| condstore::select_since(client, name, read_only, &since))?
        }
    };
    mailbox(call)?.extra::<Reconnection>().numbers_are_new();
    Ok(result)
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
    let special_use = call.key("special-use").filter(|value| !host::is_nil(value));
    let Some(value) = special_use else { return by_name(call, ImapClient::create) };
    let special_use = use_of(value).and_then(|text| Flag::new(&text).ok());
    let special_use = special_use.ok_or_else(|| call.wrong(":special-use", USE, value))?;
    let name = call.string(1)?;
    on_mailbox(call, |client| client.create_for(name, &special_use))?;
    state(call).mailboxes_changed();
    Ok(host::truth(true))
}

fn mailbox_exists(call: &Call<'_>) -> Result<Value> {
    let name = call.string(1)?;
    on_mailbox(call, |client| exists(client, name)).map(host::truth)
}

fn ensure_mailbox(call: &Call<'_>) -> Result<Value> {
    let name = call.string(1)?;
    let created = on_mailbox(call, |client| {
        if exists(client, name)? {
            return Ok(false);
        }
        client.create(name).map(|()| true)
    })?;
    if created {
        state(call).mailboxes_changed();
    }
    Ok(host::truth(created))
}

/// Whether LIST has this mailbox, and it can be selected. A wildcard in the name finds others, too.
fn exists(client: &mut ImapClient, name: &str) -> std::result::Result<bool, Error> {
    let is_inbox = name.eq_ignore_ascii_case("inbox");
    let listed = client.list("", name)?;
    Ok(listed.iter().any(|mailbox| {
        let is_it = mailbox.name == name || is_inbox && mailbox.name.eq_ignore_ascii_case(name);
        is_it && !mailbox.has("\\Noselect") && !mailbox.has("\\NonExistent")
    }))
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
    let (subscribed, special_use) =
        (call.boolean_key("subscribed"), call.boolean_key("special-use"));
    let status = call.typed_key("status", STATUS, status_items)?;
    let items = status.as_deref().unwrap_or_default();
    check_status_items(call, items)?;
    let request = ListRequest { reference, pattern, subscribed, special_use, status: items };
    let entries = on_mailbox(call, |client| client.list_with(&request))?;
    let entry = |entry: crate::client::Listed| {
        let separator = entry.separator.as_deref().map_or_else(host::nil, host::string);
        let mut parts = vec![flag_list(&entry.flags), separator, host::string(&entry.name)];
        if !items.is_empty() {
            parts.push(status_value(entry.status.unwrap_or_default()));
        }
        host::list(parts)
    };
    Ok(host::list(entries.into_iter().map(entry).collect()))
}

const USE: &str = "a keyword such as :\\\\sent";

/// Reads a special use; `:sent` is `\\Sent` as well.
fn use_of(value: &Value) -> Option<String> {
    let name = host::as_keyword(value)?.trim_start_matches('\\');
    (!name.is_empty()).then(|| format!("\\{name}"))
}

pub(super) fn find_mailbox(call: &Call<'_>) -> Result<Value> {
    let special_use = call.typed(1, USE, use_of)?;
    let found = on_mailbox(call, |client| client.find_special_use(&special_use))?;
    Ok(found.map_or_else(host::nil, host::string))
}

/// Returns `(:personal ((prefix separator) …) :other (…) :shared (…))`.
pub(super) fn mailbox_namespaces(call: &Call<'_>) -> Result<Value> {
    let found = on_mailbox(call, ImapClient::namespaces)?;
    let namespace = |namespace: &Namespace| {
        let separator = namespace.separator.as_deref().map_or_else(host::nil, host::string);
        host::list(vec![host::string(&namespace.prefix), separator])
    };
    let group = |name: &str, namespaces: &[Namespace]| {
        [host::keyword(name), host::list_of(namespaces.iter().map(namespace))]
    };
    let groups = [
        group("personal", &found.personal),
        group("other", &found.other_users),
        group("shared", &found.shared),
    ];
    Ok(host::list(groups.concat()))
}

const STATUS: &str = "a keyword such as :unseen, or a list of them";

/// The items of RFC 3501, which are the default of `mailbox-status`.
const STATUS_ITEMS: [&str; 5] = ["messages", "recent", "uidnext", "uidvalidity", "unseen"];

/// The items of extensions.
const MORE_STATUS_ITEMS: [&str; 6] =
    ["size", "deleted", "deleted-storage", "highestmodseq", "mailboxid", "appendlimit"];

pub(super) fn mailbox_status(call: &Call<'_>) -> Result<Value> {
    let name = call.string(1)?;
    let items = match call.arg(2) {
        None => STATUS_ITEMS.map(str::to_uppercase).to_vec(),
        Some(value) => status_items(value).ok_or_else(|| call.wrong("items", STATUS, value))?,
    };
    check_status_items(call, &items)?;
    let mailbox = mailbox(call)?;
    let begin = |client: &mut ImapClient| client.begin_status(name, &items);
    pipeline::perform_read(call, &mailbox, begin, |_, found| Ok(status_value(found)))
}

/// Returns `(:messages 7 :unseen 2 …)`.
fn status_value(found: Vec<(String, StatusValue)>) -> Value {
    let pair = |(name, value): (String, StatusValue)| {
        let value = match value {
            StatusValue::Number(number) => host::integer(number as i64), // at most 63 bits
            StatusValue::Text(text) => host::string(text),
            StatusValue::Nil => host::nil(),
        };
        [host::keyword(&name.to_lowercase()), value]
    };
    host::list(found.into_iter().flat_map(pair).collect())
}

fn status_items(value: &Value) -> Option<Vec<String>> {
    let item = |value: &Value| host::as_keyword(value).map(str::to_uppercase);
    match host::as_list(value) {
        Some(mut items) => items.by_ref().map(|value| item(&value)).collect(),
        None => Some(vec![item(value)?]),
    }
}

/// Refuses an item that is not known but looks like one that is. Others may be those of a server.
fn check_status_items(call: &Call<'_>, items: &[String]) -> Result<()> {
    for item in items.iter().map(|item| item.to_lowercase()) {
        let known = || STATUS_ITEMS.into_iter().chain(MORE_STATUS_ITEMS);
        if known().any(|known| known == item) {
            continue;
        }
        if let Some(near) = host::nearest(&item, known()) {
            let item = escape_controls(&item);
            return Err(Condition::syntax(format!(
                "{}: :{item} is no status item; did you mean `:{near}`?",
                call.name()
            )));
        }
    }
    Ok(())
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
