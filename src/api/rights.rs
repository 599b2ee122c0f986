//! Access rights to mailboxes, as pairs of strings.

use super::mailbox::on_mailbox;
use super::sets::required;
use crate::condition::Condition;
use crate::host::{self, Call, Value};

/// Returns `((identifier . rights) …)`, or with `:own` a string.
pub(super) fn mailbox_rights(call: &Call<'_>) -> Result<Value, Condition> {
    let name = call.string(1)?;
    if call.boolean_key("own") {
        return Ok(host::string(on_mailbox(call, |client| client.my_rights(name))?));
    }
    let found = on_mailbox(call, |client| client.rights(name))?;
    let pair = |(identifier, rights)| host::cons(host::string(identifier), host::string(rights));
    Ok(host::list(found.into_iter().map(pair).collect()))
}

pub(super) fn set_mailbox_rights(call: &Call<'_>) -> Result<Value, Condition> {
    let (name, identifier) = (call.string(1)?, call.string(2)?);
    let value = required(call, 3);
    let rights = host::as_str(value);
    if rights.is_none() && !host::is_nil(value) {
        return Err(call.wrong("rights", "a string such as \"lrs\" or \"+w\", or nil", value));
    }
    on_mailbox(call, |client| client.set_rights(name, identifier, rights))?;
    Ok(host::truth(true))
}
