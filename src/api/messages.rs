//! Changing messages: flags, copies, removal.

use super::flags::flags;
use super::mailbox::{asked_count, mailbox, on_mailbox, pop_mailbox, progress};
use super::pipeline;
use super::pop;
use super::sets::{addressed, set_value};
use super::state::{State, state};
use super::values::{Texts, Wanted, fetched};
use crate::client::{CopiedUids, Error, FetchReader, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::Limits;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;
use crate::proto::imap::{Data, FetchItems};

type Answer = Result<Value, Condition>;

pub(super) fn alter_flags(call: &Call<'_>) -> Answer {
    let messages = addressed(call, 1)?;
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
    let mailbox = mailbox(call)?;
    let by_uid = messages.are_uids();
    let begin = |client: &mut ImapClient| {
        let limits = client.limits().clone();
        let items = FetchItems::parse("flags")?;
        let reader = NewFlags { silent, by_uid, items, limits, values: Vec::new() };
        client.begin_store(&messages, mode, &flags, silent, reader)
    };
    pipeline::perform_read(call, &mailbox, begin, |_, values| Ok(host::list(values)))
}

/// Reads the flags that a STORE tells.
struct NewFlags {
    silent: bool,
    by_uid: bool,
    items: FetchItems,
    limits: Limits,
    values: Vec<Value>,
}

impl FetchReader for NewFlags {
    type Output = Vec<Value>;

    fn item(&mut self, data: Data<'_>) -> Result<(), Error> {
        if !self.silent {
            let wanted = Wanted { items: Some(&self.items), by_uid: self.by_uid };
            self.values.extend(fetched(data, Texts::Strings, wanted, &self.limits)?);
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Value>, Error> {
        Ok(self.values)
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
    let expunge = call.key("expunge").is_none_or(host::is_true);
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let expunged = on_mailbox(call, |client| {
        let deleted = [Flag::new("\\Deleted")?];
        client.store_silently(&messages, StoreMode::Add, &deleted)?;
        if expunge { client.expunge() } else { Ok(Vec::new()) }
    })?;
    Ok(numbers(expunged))
}

pub(super) fn expunge_mailbox(call: &Call<'_>) -> Answer {
    let uids = match call.key("uids") {
        Some(value) => Some(super::sets::message_set(value).ok_or_else(|| {
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

/// Makes the destination and tries again, if that is all that was missing: TRYCREATE says so, and
/// that nothing was copied (RFC 3501 6.4.7).
fn or_create(
    client: &mut ImapClient,
    first: Result<Option<CopiedUids>, Error>,
    destination: &str,
    state: &State,
    again: impl FnOnce(&mut ImapClient) -> Result<Option<CopiedUids>, Error>,
) -> Result<Option<CopiedUids>, Error> {
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
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let (create, state, progress) = (call.boolean_key("create"), state(call), progress(call));
    let to = destination.clone();
    let set = messages.clone();
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
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let (create, state) = (call.boolean_key("create"), state(call));
    let copied = on_mailbox(call, |client| {
        progress(call).expect_messages(asked_count(client, &messages));
        let moved = client.move_to(&messages, destination);
        if !create {
            return moved;
        }
        or_create(client, moved, destination, &state, |client| {
            client.move_to(&messages, destination)
        })
    })?;
    Ok(where_to(copied))
}
