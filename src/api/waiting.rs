//! Waiting for new letters.

use super::Answer;
use super::mailbox::on_mailbox;
use super::sets::required;
use crate::host::{self, Call, Function, Type};
use std::time::Duration;

/// The rows of the topic "Waiting".
pub(super) const FUNCTIONS: &[Function] = &[Function::native(
    "wait-for-mail",
    "(mb &key timeout)",
    wait_for_mail,
    "Waits until a letter arrives in the selected mailbox. The server announces it (IDLE, RFC 2177), or is asked again and again where it has no IDLE, after pauses that grow from half a second to a minute.
mb: a mailbox object. :timeout  seconds; without it, it waits for ever. 0 asks the server once.
Letters that arrived since select-mailbox or the last wait-for-mail end it at once, so that none is missed between two calls. Other changes, such as letters that leave and new flags, do not end it; the accessors know of them afterwards, and message numbers may have shifted.
Returns ((mb :exists n)), n being the number of letters in the mailbox now, or nil when the time is up. Ctrl-C and time limits end it, and the connection stays usable.
Errors: :error-response when no mailbox is selected, :server-shutdown-connection, :timeout when the server does not answer. with-reconnect waits again, and letters that arrived meanwhile end that wait.",
).typed(&[("timeout", Type::Seconds)]).checked()];

fn wait_for_mail(call: &Call<'_>) -> Answer {
    let seconds = call.key("timeout").and_then(host::as_float);
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let arrived = on_mailbox(call, |client| client.wait_for_mail(timeout))?;
    Ok(arrived.map_or_else(host::nil, |count| {
        let mailbox = required(call, 0).clone();
        let changed = [mailbox, host::keyword("exists"), host::integer(i64::from(count))];
        host::list(vec![host::list(changed.to_vec())])
    }))
}
