//! Waiting for new letters.

use super::Answer;
use super::mailbox::{mailbox_at, progress};
use super::objects::ImapMailbox;
use super::operation::{deliver_warnings, failed};
use super::pipeline;
use super::reconnection::Reconnection;
use super::selection::imap_mailbox;
use super::sets::required;
use crate::client;
use crate::condition::Condition;
use crate::host::{self, Call, Function, Type, Value};
use std::sync::Arc;
use std::time::Duration;

/// The rows of the topic "Waiting".
pub(super) const FUNCTIONS: &[Function] = &[Function::native(
    "wait-for-mail",
    "(mb &key timeout)",
    wait_for_mail,
    "Waits until a letter arrives in the selected mailbox. The server announces it (IDLE, RFC 2177), or is asked again and again where it has no IDLE, after pauses that grow from half a second to a minute.
mb: a mailbox object, or a list of such: it then waits for all of them at once, whichever servers they are on. :timeout  seconds; without it, it waits for ever. 0 asks each server once.
Letters that arrived since select-mailbox or the last wait-for-mail end it at once, so that none is missed between two calls. Other changes, such as letters that leave and new flags, do not end it; the accessors know of them afterwards, and message numbers may have shifted.
Returns ((mb :exists n) …) for each mailbox with new letters, n being the number of letters in it now, or nil when the time is up. Ctrl-C and time limits end it, and the connections stay usable.
IDLE is renewed every four minutes, on this machine every 28, so that no router forgets the connection and a dead one is noticed.
Errors: :error-response when no mailbox is selected, :server-shutdown-connection, :timeout when a server does not answer. with-reconnect waits again, and letters that arrived meanwhile end that wait.",
).typed(&[("timeout", Type::Seconds)]).checked()];

fn wait_for_mail(call: &Call<'_>) -> Answer {
    let seconds = call.key("timeout").and_then(host::as_float);
    let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let mailboxes = mailboxes(call)?;
    pipeline::check(call)?;
    let _work = progress(call).begin(call.name());
    let mut clients: Vec<_> = mailboxes.iter().map(|(_, mailbox)| mailbox.client()).collect();
    for client in &mut clients {
        client.begin_operation(call.number());
    }
    let mut waiting: Vec<_> = clients.iter_mut().map(|client| &mut **client).collect();
    let heard = client::wait_for_any(&mut waiting, timeout);
    for client in &mut clients {
        deliver_warnings(call.context(), call.name(), client);
    }
    let heard = heard.map_err(|(position, error)| {
        let condition = failed(call, &error);
        mailboxes[position].1.extra::<Reconnection>().note(&condition);
        condition
    })?;
    let news = heard.into_iter().map(|(position, count)| {
        let mailbox = mailboxes[position].0.clone();
        host::list(vec![mailbox, host::keyword("exists"), host::integer(i64::from(count))])
    });
    Ok(host::list(news.collect()))
}

/// The mailboxes to wait for, each once.
fn mailboxes(call: &Call<'_>) -> Result<Vec<(Value, Arc<ImapMailbox>)>, Condition> {
    let argument = required(call, 0);
    let Some(items) = host::as_list(argument).filter(|_| !host::is_nil(argument)) else {
        return Ok(vec![(argument.clone(), mailbox_at(call, 0)?)]);
    };
    let mut mailboxes: Vec<(Value, Arc<ImapMailbox>)> = Vec::new();
    for item in items {
        let mailbox = imap_mailbox(call, &item)?.ok_or_else(|| {
            call.wrong("mailbox", "mailboxes, as make-imap-connection returns them", &item)
        })?;
        if !mailboxes.iter().any(|(_, known)| Arc::ptr_eq(known, &mailbox)) {
            mailboxes.push((item, mailbox));
        }
    }
    Ok(mailboxes)
}
