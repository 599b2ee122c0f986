//! The sandbox as a script sees it.

use super::mailbox::state;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};

pub(super) fn sandbox_deliver(call: &Call<'_>) -> Result<Value, Condition> {
    let text = call.string(0)?;
    let (user, mailbox) = (call.key_string("user")?, call.key_string("mailbox")?.unwrap_or("INBOX"));
    let state = state(call.context());
    let sandbox = state.sandbox.as_ref().ok_or_else(|| {
        Condition::new(
            Identifier::Unsupported,
            format!("{}: no sandbox runs in this process; start the command with --sandbox", call.name()),
        )
    })?;
    let store = sandbox.store();
    let first = store.users().into_iter().next().unwrap_or_default();
    let delivered = store.deliver(user.unwrap_or(&first), mailbox, text.as_bytes());
    let uid = delivered.map_err(|error| Condition::new(Identifier::ErrorResponse, format!("{}: {error}", call.name())))?;
    Ok(host::integer(i64::from(uid)))
}
