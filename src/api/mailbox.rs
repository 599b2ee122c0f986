//! The mailbox object, and what all functions on it share.

use super::sets::required;
use crate::client::{Error, ImapClient, WarningKind};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Value};
use crate::sandbox::Sandbox;
use crate::transport::Connector;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What `make-imap-connection` returns: one connection, with the mailbox that is selected on it.
pub struct ImapMailbox {
    client: Mutex<ImapClient>,
}

impl ImapMailbox {
    /// The client; one caller at a time.
    pub fn client(&self) -> MutexGuard<'_, ImapClient> {
        // A panic in a native was reported when it happened; the connection's own state says whether it can be used.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the functions share in one host.
pub struct State {
    /// Opens connections.
    pub connector: Connector,
    /// The sandbox that answers, if one does.
    pub sandbox: Option<Arc<Sandbox>>,
    open: Mutex<Vec<Weak<ImapMailbox>>>,
    made: AtomicU32,
}

/// Objects print with an address, as in the manual; it says which of several connections one is.
const FIRST_ADDRESS: u32 = 0x2064_ca4a;

impl State {
    /// A state without open connections.
    pub fn new(connector: Connector, sandbox: Option<Arc<Sandbox>>) -> Self {
        State { connector, sandbox, open: Mutex::default(), made: AtomicU32::new(0) }
    }

    pub(super) fn adopt(&self, client: ImapClient) -> Value {
        let mailbox = Arc::new(ImapMailbox { client: Mutex::new(client) });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|mailbox| mailbox.strong_count() > 0);
        open.push(Arc::downgrade(&mailbox));
        let address = FIRST_ADDRESS + 0x40 * self.made.fetch_add(1, Ordering::Relaxed);
        host::shared_object(mailbox, &format!("#<mailbox::imap-mailbox @ #x{address:x}>"))
    }

    /// Logs out of every connection that is still open.
    pub fn close_all(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        for mailbox in open.iter().filter_map(Weak::upgrade) {
            mailbox.client().close();
        }
    }
}

/// The state of the host that calls.
pub(super) fn state(context: &Context) -> Arc<State> {
    context.try_state().unwrap_or_else(|| Arc::new(State::new(Connector::default(), None)))
}

/// The mailbox in the first argument.
pub(super) fn mailbox(call: &Call<'_>) -> Result<Arc<ImapMailbox>, Condition> {
    mailbox_at(call, 0)
}

fn mailbox_at(call: &Call<'_>, index: usize) -> Result<Arc<ImapMailbox>, Condition> {
    let argument = required(call, index);
    host::downcast::<ImapMailbox>(argument).ok_or_else(|| call.wrong("mailbox", "a mailbox, as make-imap-connection returns it", argument))
}

/// Runs an operation on the mailbox in the first argument; its warnings are delivered, its error becomes a condition.
pub(super) fn on_mailbox<T>(call: &Call<'_>, operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>) -> Result<T, Condition> {
    on_mailbox_at(call, 0, operation)
}

/// The same for the mailbox in another argument.
pub(super) fn on_mailbox_at<T>(
    call: &Call<'_>,
    index: usize,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    let mailbox = mailbox_at(call, index)?;
    let mut client = mailbox.client();
    let result = operation(&mut client);
    deliver_warnings(call, &mut client);
    result.map_err(|error| failed(call, &error, client.selected().is_none()))
}

pub(super) fn deliver_warnings(call: &Call<'_>, client: &mut ImapClient) {
    for warning in client.take_warnings() {
        let (identifier, message) = match warning.kind {
            WarningKind::Problem => (Identifier::Problem, "the server warns"),
            WarningKind::UnknownOk => (Identifier::UnknownOk, "the server says something that is not known here"),
            WarningKind::UnknownUntagged => (Identifier::UnknownUntagged, "the server sends something that is not known here"),
        };
        call.context().warn(Condition::new(identifier, format!("{}: {message}", call.name())).with_server_string(warning.words));
    }
}

/// The condition for a client's error, with the function's name before it.
pub(super) fn failed(call: &Call<'_>, error: &Error, nothing_selected: bool) -> Condition {
    let mut condition = Condition::from(error);
    let needs_selection = nothing_selected && matches!(error, Error::Refused { command, .. } if NEED_SELECTION.contains(command));
    let hint = if needs_selection { "; no mailbox is selected: call (select-mailbox mb \"inbox\") first" } else { "" };
    condition.message = format!("{}: {}{hint}", call.name(), condition.message);
    condition
}

const NEED_SELECTION: [&str; 14] = [
    "FETCH",
    "UID FETCH",
    "STORE",
    "UID STORE",
    "COPY",
    "UID COPY",
    "MOVE",
    "UID MOVE",
    "SEARCH",
    "UID SEARCH",
    "EXPUNGE",
    "UID EXPUNGE",
    "CLOSE",
    "UNSELECT",
];
