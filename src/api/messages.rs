//! Changing messages: flags, copies, removal.

use super::flags::flags;
use super::mailbox::{asked_count, on_mailbox, pop_mailbox, progress, state};
use super::pop;
use super::sets::{messages, set_value};
use super::values::{Texts, Wanted, fetched};
use crate::client::{CopiedUids, Error, ImapClient};
use crate::condition::Condition;
use crate::host::{self, Call, Value};
use crate::proto::imap::SequenceSet;
use crate::proto::imap::command::StoreMode;
use crate::proto::imap::flag::Flag;

type Answer = Result<Value, Condition>;

pub(super) fn alter_flags(call: &Call<'_>) -> Answer {
    let messages = messages(call, 1)?;
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
    let (silent, uid) = (call.boolean_key("silent"), call.boolean_key("uid"));
    let mut items = Vec::new();
    on_mailbox(call, |client| {
        let limits = client.limits().clone();
        client.store(&messages, mode, &flags, silent, uid, &mut |data| {
            if !silent {
                items.extend(fetched(
                    data,
                    Texts::Strings,
                    Wanted { flags: true, uid, modseq: false },
                    &limits,
                )?);
            }
            Ok(())
        })
    })?;
    Ok(host::list(items))
}

fn numbers(numbers: Vec<u32>) -> Value {
    host::list(numbers.into_iter().map(|number| host::integer(i64::from(number))).collect())
}

pub(super) fn delete_letter(call: &Call<'_>) -> Answer {
    if let Some(mailbox) = pop_mailbox(call, 0) {
        return pop::delete_letter(call, &mailbox);
    }
    let messages = messages(call, 1)?;
    let expunge = call.key("expunge").is_none_or(host::is_true);
    let uid = call.boolean_key("uid");
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let expunged = on_mailbox(call, |client| {
        let deleted = [Flag::new("\\Deleted")?];
        client.store(&messages, StoreMode::Add, &deleted, true, uid, &mut |_| Ok(()))?;
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

type Transfer = fn(&mut ImapClient, &SequenceSet, &str, bool) -> Result<Option<CopiedUids>, Error>;

fn transfer(call: &Call<'_>, operation: Transfer) -> Answer {
    let (messages, destination) = (messages(call, 1)?, call.string(2)?);
    let (uid, create) = (call.boolean_key("uid"), call.boolean_key("create"));
    if messages.is_empty() {
        return Ok(host::nil());
    }
    let copied = on_mailbox(call, |client| {
        progress(call).expect_messages(asked_count(client, &messages, uid));
        match operation(client, &messages, destination, uid) {
            // TRYCREATE says that nothing but the destination is missing, and that nothing was copied (RFC 3501 6.4.7).
            Err(Error::Refused { completion, .. })
                if create
                    && completion.code.as_ref().is_some_and(|(code, _)| code == "TRYCREATE") =>
            {
                client.create(destination)?;
                state(call.context()).mailboxes_changed();
                operation(client, &messages, destination, uid)
            }
            result => result,
        }
    })?;
    Ok(match copied {
        Some(copied) => host::list(vec![
            host::integer(i64::from(copied.uid_validity)),
            set_value(&copied.from),
            set_value(&copied.to),
        ]),
        None => host::truth(true),
    })
}

pub(super) fn copy_to_mailbox(call: &Call<'_>) -> Answer {
    transfer(call, ImapClient::copy)
}

pub(super) fn move_to_mailbox(call: &Call<'_>) -> Answer {
    transfer(call, ImapClient::move_to)
}
