//! `sandbox-outbox` and `sandbox-deliver`: the sandbox as a script sees it.
//!
//! They use the sandbox's store directly. A delivery is therefore a change that goes through no
//! connection, and the witness is asked (`witnessed`).

use super::state::state;
use super::values::text;
use super::witnessed::witnessed;
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Value};
use crate::proto::deed::{Change, Deed};
use crate::sandbox::{Sandbox, Sent};
use std::sync::Arc;

fn sandbox(call: &Call<'_>) -> Result<Arc<Sandbox>, Condition> {
    state(call).sandbox.clone().ok_or_else(|| {
        Condition::new(
            Identifier::Unsupported,
            format!(
                "{}: no sandbox runs in this process; start the command with --sandbox",
                call.name()
            ),
        )
    })
}

pub(super) fn sandbox_outbox(call: &Call<'_>) -> Result<Value, Condition> {
    let sent = sandbox(call)?.store().outbox();
    let entry = |sent: Sent| {
        let to = sent.to.iter().map(|address| host::string(address.as_str())).collect();
        host::list(vec![
            host::string(sent.from.as_str()),
            host::list(to),
            host::string(text(&sent.bytes)),
        ])
    };
    Ok(host::list(sent.into_iter().map(entry).collect()))
}

pub(super) fn sandbox_deliver(call: &Call<'_>) -> Result<Value, Condition> {
    let letter = call.string(0)?;
    let (user, mailbox) =
        (call.key_string("user")?, call.key_string("mailbox")?.unwrap_or("INBOX"));
    let sandbox = sandbox(call)?;
    let store = sandbox.store();
    let usual = store.usual_account();
    let deed = Deed::new(Change::delivery(mailbox)).on("the sandbox");
    let uid = witnessed(call, &deed, |has_begun| {
        *has_begun = true;
        let delivered = store.deliver(user.unwrap_or(&usual), mailbox, letter.as_bytes());
        delivered.map_err(|error| {
            Condition::new(Identifier::ErrorResponse, format!("{}: {error}", call.name()))
        })
    })?;
    Ok(host::integer(i64::from(uid)))
}
