//! Metadata of mailboxes and of the server, as pairs of strings.

use super::mailbox::on_mailbox;
use super::sets::required;
use crate::condition::Condition;
use crate::host::{self, Call, Value};

/// Returns `(("/private/comment" . "text") …)`.
pub(super) fn mailbox_metadata(call: &Call<'_>) -> Result<Value, Condition> {
    let name = call.string(1)?;
    let given = call.arg(2).filter(|value| !host::is_nil(value));
    let (entries, below) = match given {
        None => (vec!["/private".to_owned(), "/shared".to_owned()], true),
        Some(value) => {
            let expected = "a string such as \"/private/comment\", or a list of them";
            let entries = entry_names(value);
            (
                entries.ok_or_else(|| call.wrong("entries", expected, value))?,
                call.boolean_key("below"),
            )
        }
    };
    let found = on_mailbox(call, |client| client.metadata(name, &entries, below))?;
    let pair = |(entry, text)| host::cons(host::string(entry), host::string(text));
    Ok(host::list(found.into_iter().map(pair).collect()))
}

fn entry_names(value: &Value) -> Option<Vec<String>> {
    let name = |value: &Value| host::as_str(value).map(str::to_owned);
    match host::as_list(value) {
        Some(mut entries) => entries.by_ref().map(|value| name(&value)).collect(),
        None => Some(vec![name(value)?]),
    }
}

pub(super) fn set_mailbox_metadata(call: &Call<'_>) -> Result<Value, Condition> {
    let (name, entry) = (call.string(1)?, call.string(2)?);
    let value = required(call, 3);
    let text = host::as_str(value);
    if text.is_none() && !host::is_nil(value) {
        return Err(call.wrong("value", "a string, or nil", value));
    }
    on_mailbox(call, |client| client.set_metadata(name, entry, text))?;
    Ok(host::truth(true))
}
