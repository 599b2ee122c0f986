//! Changing messages: flags, copies, moves, removal.
//!
//! A change by message number first asks `shifting` whether the number may be stale.
//! `delete-letter` hands over to `pop` for a POP mailbox.

use super::Answer;
use super::flags::flags;
use super::mailbox::{asked_count, mailbox, on_mailbox, pop_mailbox, progress};
use super::pipeline;
use super::pop;
use super::sets::{addressed, set_value};
use super::shifting;
use super::state::{State, state};
use super::values::{Texts, Wanted, fetched};
use crate::client::{CopiedUids, Error, FetchReader, ImapClient, modified};
use crate::condition::Condition;
use crate::host::{self, Call, Function, Type, Value};
use crate::proto::Limits;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::{Completion, Data, FetchItems, SequenceSet};

/// The rows of the topic "Changing".
pub(super) const FUNCTIONS: &[Function] = &[
    Function::native(
        "alter-flags",
        "(mb messages &key flags add-flags remove-flags silent uid unchanged-since)",
        alter_flags,
        "Changes the flags of messages. Returns a result like that of fetch-parts, with the new flags.
mb: a mailbox object. messages: as for fetch-parts. Exactly one of :flags (replaces all flags), :add-flags, :remove-flags, each a flag such as :\\\\deleted or :junk, or a list of flags.
:silent  t asks for no result and returns nil. :uid  t takes messages as unique ids.
:unchanged-since  a modseq, as mailbox-highest-modseq or the item \"modseq\" gave it: leaves letters alone that have changed since (RFC 7162). Then it returns (:changed result :modified messages); messages is the set of those that were left alone, nil if none was. The server may tell their flags in result, too.
Errors: :syntax-error, :error-response, :unsupported for :unchanged-since if the server does not offer CONDSTORE.",
    ).typed(&[("silent", Type::Truth), ("uid", Type::Truth), ("unchanged-since", Type::Integer(0, i64::MAX))]).checked(),
    Function::native(
        "changed-letters",
        "(mb modseq)",
        super::condstore::changed_letters,
        "The letters of the selected mailbox that are new or have other flags since a modseq (RFC 7162): a result like that of (fetch-parts mb … \"(flags modseq)\" :uid t). Letters that are gone are not in it; see :since of select-mailbox.
mb: a mailbox object. modseq: a number, as mailbox-highest-modseq or the item \"modseq\" gave it.
Errors: :unsupported if the server does not offer CONDSTORE.",
    ).checked(),
    Function::native(
        "delete-letter",
        "(mb messages &key expunge uid)",
        delete_letter,
        "Marks messages :\\\\deleted and removes all messages with that mark. Returns the list of numbers that the server reports. Each number counts after the ones before it are gone, so deleting 3, 4 and 5 can return (3 3 3).
mb: a mailbox object. messages: as for fetch-parts. :expunge  nil only marks them. :uid  t takes messages as unique ids.
On a POP mailbox it only marks letters and returns t; close-connection removes them. If one of several is refused, later ones may be marked, too; reset-mailbox undoes this.
Errors: :error-response.",
    ).typed(&[("expunge", Type::Truth), ("uid", Type::Truth)]).checked(),
    Function::native(
        "expunge-mailbox",
        "(mb &key uids)",
        expunge_mailbox,
        "Removes the messages that are marked :\\\\deleted. Returns the list of numbers that the server reports.
mb: a mailbox object. :uids  a set of unique ids: removes only those of the marked messages. Errors: :error-response, :unsupported if the server cannot remove single messages.",
    ).checked(),
    Function::native(
        "copy-to-mailbox",
        "(mb messages destination &key uid create)",
        copy_to_mailbox,
        "Copies messages with their flags to another mailbox.
mb: a mailbox object. messages: as for fetch-parts. destination: a string. :uid  t takes messages as unique ids. :create  t creates the destination if it does not exist.
Returns (uidvalidity from to), from and to being sets of unique ids, if the server reports them, else t. Errors: :error-response when the destination does not exist.",
    ).typed(&[("uid", Type::Truth), ("create", Type::Truth)]).checked(),
    Function::native(
        "%copy-letters",
        "(mb messages other-mb destination &key uid create)",
        super::copying::copy_letters,
        "Copies letters from one connection to another; see copy-letters, whose errors these are.",
    ).typed(&[("uid", Type::Truth), ("create", Type::Truth)]).inside_of("copy-letters").checked(),
    Function::native(
        "move-to-mailbox",
        "(mb messages destination &key uid create)",
        move_to_mailbox,
        "Moves messages to another mailbox. If the server cannot, they are copied, and exactly these are removed after the copy has succeeded.
Arguments and result as for copy-to-mailbox. Errors: :error-response; every message is in at least one of the two mailboxes then.",
    ).typed(&[("uid", Type::Truth), ("create", Type::Truth)]).checked(),
    Function::native(
        "append-letter",
        "(mb name text &key flags date)",
        super::appending::append_letter,
        "Stores a letter in a mailbox (APPEND, RFC 3501 6.3.11).
mb: a mailbox object. name: a string. text: a string, whose lines get CR LF; a bytevector, which is stored as it is; or (:file \"path\"), a file whose lines get CR LF, with little memory
for any size. The file is read twice, to count and to send. :flags  a flag or a list of flags.
:date  its internal date, a universal time or a string as for parse-date; now by default.
Returns (uidvalidity uid) if the server reports them, else t. Errors: :error-response when there is no such mailbox, :syntax-error for a letter with NUL unless the server has BINARY, :file when the file cannot be
read. A file that becomes shorter or longer while it is sent is not stored, and the connection is closed.",
    ).checked(),
    Function::native(
        "replace-letter",
        "(mb message text &key mailbox flags date uid)",
        super::appending::replace_letter,
        "Stores a letter in the place of another: the new one is stored first, then the old one is removed, in one step where the server can (REPLACE, RFC 8508).
mb: a mailbox object. message: a number. text: a string, whose lines get CR LF, or a bytevector, which is stored as it is. :mailbox  where the new letter goes, a string; by default the selected mailbox.
:flags  a flag or a list of flags, by default those of the old letter. :date  as for append-letter. :uid  t takes the number as a unique id.
Returns (uidvalidity uid) if the server reports them, else t. Errors: :error-response when there is no such letter or mailbox, with nothing removed; :unsupported in a mailbox that is open read-only.
A server that cannot remove a single letter leaves the old one marked as deleted, with a warning.",
    ).typed(&[("uid", Type::Truth)]).checked(),
];

pub(super) fn alter_flags(call: &Call<'_>) -> Answer {
    let messages = addressed(call, 1)?;
    shifting::check(call, &*mailbox(call)?, &messages)?;
    let given: Vec<(StoreMode, &str, &Value)> = [
        (StoreMode::Replace, "flags"),
        (StoreMode::Add, "add-flags"),
        (StoreMode::Remove, "remove-flags"),
    ]
    .into_iter()
    .filter_map(|(mode, key)| call.key(key).map(|value| (mode, key, value)))
    .collect();
    let [(mode, key, value)] = given[..] else {
        return Err(Condition::syntax(format!(
            "{}: expected exactly one of :flags, :add-flags and :remove-flags, got {}",
            call.name(),
            given.len()
        )));
    };
    let flags = flags(call, key, value)?;
    let silent = call.boolean_key("silent");
    // nil is what is known of a mailbox without mod-sequences; the change is never made unguarded.
    if let Some(value) = call.key("unchanged-since").filter(|value| host::is_nil(value)) {
        return Err(call.wrong(":unchanged-since", "a modseq, a whole number from 0 on", value));
    }
    let since = call.key_integer("unchanged-since", 0..)?.map(i64::unsigned_abs);
    let mailbox = mailbox(call)?;
    let by_uid = messages.are_uids();
    let begin = |client: &mut ImapClient| {
        let limits = client.limits().clone();
        let items = FetchItems::parse(if since.is_some() { "(flags modseq)" } else { "flags" })?;
        let (values, modified) = (Vec::new(), SequenceSet::new());
        let reader = NewFlags { silent, by_uid, items, limits, values, modified };
        client.begin_store_unchanged(&messages, mode, &flags, silent, since, reader)
    };
    pipeline::perform_read(call, &mailbox, begin, move |_, (values, modified)| {
        Ok(match since {
            None => host::list(values),
            Some(_) => host::list(vec![
                host::keyword("changed"),
                host::list(values),
                host::keyword("modified"),
                set_value(&modified),
            ]),
        })
    })
}

/// Reads the flags that the server reports after a STORE, and which letters it left alone.
struct NewFlags {
    silent: bool,
    by_uid: bool,
    items: FetchItems,
    limits: Limits,
    values: Vec<Value>,
    modified: SequenceSet,
}

impl FetchReader for NewFlags {
    type Output = (Vec<Value>, SequenceSet);

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        if !self.silent {
            let wanted = Wanted { items: Some(&self.items), by_uid: self.by_uid };
            self.values.extend(fetched(data, Texts::Strings, wanted, &self.limits)?);
        }
        Ok(())
    }

    fn completed(&mut self, completion: &Completion) {
        let left_alone = modified(completion);
        left_alone.ranges().iter().for_each(|&(first, last)| self.modified.push_range(first, last));
    }

    fn finish(self) -> Result<Self::Output, Error> {
        Ok((self.values, self.modified))
    }
}

fn numbers(numbers: Vec<u32>) -> Value {
    host::list(numbers.into_iter().map(|number| host::integer(i64::from(number))).collect())
}

pub(super) fn delete_letter(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::delete_letter(call, &mailbox);
    }
    let messages = addressed(call, 1)?;
    shifting::check(call, &*mailbox(call)?, &messages)?;
    let expunge = call.key("expunge").is_none_or(host::is_true);
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let expunged = on_mailbox(call, |client| {
        if expunge {
            return client.mark_and_expunge(&messages);
        }
        client.store_silently(&messages, StoreMode::Add, &[Flag::DELETED])?;
        Ok(Vec::new())
    })?;
    Ok(numbers(expunged))
}

pub(super) fn expunge_mailbox(call: &Call<'_>) -> Answer {
    let uids = match call.key("uids") {
        Some(value) => Some(super::sets::set_or_saved(call, 0, value)?.ok_or_else(|| {
            call.wrong("uids", "a unique id, (:seq N M), or a list of these", value)
        })?),
        None => None,
    };
    let expunged = on_mailbox(call, |client| match &uids {
        Some(uids) => client.uid_expunge(uids),
        None => client.expunge(),
    })?;
    Ok(numbers(expunged))
}

fn where_to(copied: Option<CopiedUids>) -> Value {
    match copied {
        Some(copied) => host::list(vec![
            host::integer(i64::from(copied.uid_validity)),
            set_value(&copied.from),
            set_value(&copied.to),
        ]),
        None => host::truth(true),
    }
}

/// Creates the destination and tries again if its absence was the only problem. TRYCREATE says so,
/// and also that nothing was copied (RFC 3501 6.4.7).
pub(super) fn or_create<T>(
    client: &mut ImapClient,
    first: Result<T, Error>,
    destination: &str,
    state: &State,
    again: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Error> {
    match first {
        Err(Error::Refused { completion, .. })
            if completion.code.as_ref().is_some_and(|(code, _)| code == "TRYCREATE") =>
        {
            client.create(destination)?;
            state.mailboxes_changed();
            again(client)
        }
        result => result,
    }
}

pub(super) fn copy_to_mailbox(call: &Call<'_>) -> Answer {
    let (messages, destination) = (addressed(call, 1)?, call.string(2)?.to_owned());
    let mailbox = mailbox(call)?;
    shifting::check(call, &mailbox, &messages)?;
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let (create, state, progress) = (call.boolean_key("create"), state(call), progress(call));
    let to = destination.clone();
    let set = messages.by_number(); // another search may be saved before the copy is tried again
    let begin = |client: &mut ImapClient| {
        progress.expect_messages(asked_count(client, &messages));
        client.begin_copy(&messages, &destination)
    };
    let wait = move |client: &mut ImapClient, pending| {
        let copied = client.wait(pending);
        if !create {
            return copied;
        }
        or_create(client, copied, &to, &state, |client| client.copy(&set, &to))
    };
    pipeline::perform(call, &mailbox, begin, wait, |_, copied| Ok(where_to(copied)))
}

pub(super) fn move_to_mailbox(call: &Call<'_>) -> Answer {
    let (messages, destination) = (addressed(call, 1)?, call.string(2)?);
    shifting::check(call, &*mailbox(call)?, &messages)?;
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let (create, state) = (call.boolean_key("create"), state(call));
    let copied = on_mailbox(call, |client| {
        progress(call).expect_messages(asked_count(client, &messages));
        let moved = client.move_to(&messages, destination).map(|moved| moved.copied);
        if !create {
            return moved;
        }
        or_create(client, moved, destination, &state, |client| {
            client.move_to(&messages, destination).map(|moved| moved.copied)
        })
    })?;
    Ok(where_to(copied))
}
