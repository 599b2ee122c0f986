//! The mailbox object, and what all functions on it share.

use super::fetching::NextBatch;
use super::names::Names;
use super::pieces::Pieces;
use super::pipeline::{self, Pipeline};
use super::progress::Progress;
use super::read_ahead::ReadAhead;
use super::secret::AskSecret;
use super::sets::{check_truths, required};
use crate::client::{Error, ImapClient, PopClient, WarningKind};
use crate::condition::{Condition, Identifier};
use crate::host::{self, Call, Context, Host, Value};
use crate::proto::Limits;
use crate::proto::imap::SequenceSet;
use crate::proto::imap::sequence::Bound;
use crate::sandbox::Sandbox;
use crate::transport::Connector;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

/// What `make-imap-connection` returns: one connection, with the mailbox that is selected on it.
pub struct ImapMailbox {
    client: Mutex<ImapClient>,
    pub(super) pieces: Pieces,
    pub(super) read_ahead: ReadAhead,
    pub(super) next_batch: NextBatch,
}

impl ImapMailbox {
    /// The client; one caller at a time.
    pub fn client(&self) -> MutexGuard<'_, ImapClient> {
        // A panic in a native was reported when it happened; the connection's own state says whether it can be used.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client, unless somebody uses it.
    pub(super) fn client_at_once(&self) -> Option<MutexGuard<'_, ImapClient>> {
        match self.client.try_lock() {
            Ok(client) => Some(client),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What `make-pop-connection` returns.
pub struct PopMailbox {
    client: Mutex<PopClient>,
    pub(super) pieces: Pieces,
}

impl PopMailbox {
    /// The client; one caller at a time.
    pub fn client(&self) -> MutexGuard<'_, PopClient> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mailbox of either kind, for the functions that work on both.
pub(super) enum AnyMailbox {
    Imap(Arc<ImapMailbox>),
    Pop(Arc<PopMailbox>),
}

/// Gives a host something.
pub type Equip = Arc<dyn Fn(&mut Host) + Send + Sync>;

/// What the functions share in one host.
pub struct State {
    /// Opens connections.
    pub connector: Connector,
    /// The sandbox that answers, if one does.
    pub sandbox: Option<Arc<Sandbox>>,
    /// Limits on what servers may send; connections can have their own.
    pub limits: Limits,
    /// Asks for a password where a script gives a user and no password; `None` makes that an error, as where nobody sits at a terminal.
    pub ask_secret: Option<AskSecret>,
    /// What hosts that work for this one get besides the catalog, as the program gave it to this one.
    pub for_workers: Option<Equip>,
    open: Mutex<Vec<Weak<ImapMailbox>>>,
    open_pop: Mutex<Vec<Weak<PopMailbox>>>,
    made: AtomicU32,
    pub(super) names: Names,
    pub(super) pipeline: Pipeline,
}

/// Objects print with an address, as in the manual; it says which of several connections one is.
const FIRST_ADDRESS: u32 = 0x2064_ca4a;

impl State {
    /// A state without open connections.
    pub fn new(connector: Connector, sandbox: Option<Arc<Sandbox>>) -> Self {
        State {
            connector,
            sandbox,
            limits: Limits::default(),
            ask_secret: None,
            for_workers: None,
            open: Mutex::default(),
            open_pop: Mutex::default(),
            made: AtomicU32::new(0),
            names: Names::default(),
            pipeline: Pipeline::default(),
        }
    }

    pub(super) fn adopt(&self, client: ImapClient) -> Value {
        let mailbox = Arc::new(ImapMailbox {
            client: Mutex::new(client),
            pieces: Pieces::default(),
            read_ahead: ReadAhead::default(),
            next_batch: NextBatch::default(),
        });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|mailbox| mailbox.strong_count() > 0);
        open.push(Arc::downgrade(&mailbox));
        host::shared_object(
            mailbox,
            &format!("#<mailbox::imap-mailbox @ #x{:x}>", self.next_address()),
        )
    }

    pub(super) fn adopt_pop(&self, client: PopClient) -> Value {
        let mailbox =
            Arc::new(PopMailbox { client: Mutex::new(client), pieces: Pieces::default() });
        let mut open = self.open_pop.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|mailbox| mailbox.strong_count() > 0);
        open.push(Arc::downgrade(&mailbox));
        host::shared_object(
            mailbox,
            &format!("#<mailbox::pop-mailbox @ #x{:x}>", self.next_address()),
        )
    }

    pub(super) fn next_address(&self) -> u32 {
        FIRST_ADDRESS.wrapping_add(0x40_u32.wrapping_mul(self.made.fetch_add(1, Ordering::Relaxed)))
    }

    /// The only IMAP connection that is open; `None` when there are several or none.
    pub fn only_open(&self) -> Option<Arc<ImapMailbox>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = open
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|mailbox| mailbox.client_at_once().is_some_and(|client| !client.is_closed()));
        open.next().filter(|_| open.next().is_none())
    }

    /// The hosts of connections that were closed since this was asked last, each once for every connection.
    pub fn take_closed(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|mailbox| {
            let Some(mailbox) = mailbox.upgrade() else { return false };
            let closed = mailbox
                .client_at_once()
                .filter(|client| client.is_closed())
                .map(|client| client.host().to_owned());
            hosts.extend(closed.clone());
            closed.is_none()
        });
        self.open_pop.lock().unwrap_or_else(PoisonError::into_inner).retain(|mailbox| {
            let Some(mailbox) = mailbox.upgrade() else { return false };
            let client = mailbox.client();
            let closed = client.is_closed();
            hosts.extend(closed.then(|| client.host().to_owned()));
            !closed
        });
        hosts
    }

    /// A mailbox was made, renamed or removed: completion asks anew.
    pub(super) fn mailboxes_changed(&self) {
        self.names.forget();
    }

    /// Logs out of every connection that is still open. POP connections are left without QUIT: only `close-connection` removes what is marked.
    pub fn close_all(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        for mailbox in open.iter().filter_map(Weak::upgrade) {
            mailbox.client().close();
        }
        let open =
            std::mem::take(&mut *self.open_pop.lock().unwrap_or_else(PoisonError::into_inner));
        for mailbox in open.iter().filter_map(Weak::upgrade) {
            mailbox.client().abandon();
        }
    }

    /// Closes every connection that is still open, without a farewell that a server might keep waiting for.
    pub fn abandon_all(&self) {
        for mailbox in self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(Weak::upgrade)
        {
            mailbox.client().abandon();
        }
        self.close_all();
    }
}

/// How many messages a set asks for, where that can be told before the server is asked.
pub(super) fn asked_count(client: &ImapClient, messages: &SequenceSet, uid: bool) -> Option<u64> {
    let last = client.selected().map_or(0, |mailbox| mailbox.exists);
    let count = |&(first, second): &(Bound, Bound)| match (first, second) {
        _ if first == second => Some(1),
        _ if uid => None, // unique ids have gaps
        (Bound::Number(first), Bound::Number(second)) => {
            Some(u64::from(first.get().abs_diff(second.get())) + 1)
        }
        (Bound::Number(number), Bound::Last) | (Bound::Last, Bound::Number(number)) => {
            Some(u64::from(last.abs_diff(number.get())) + 1)
        }
        (Bound::Last, Bound::Last) => Some(1),
    };
    messages.ranges().iter().map(count).sum()
}

/// The progress of the host that calls.
pub(super) fn progress(call: &Call<'_>) -> Arc<Progress> {
    call.context().state::<Progress>()
}

/// The state of the host that calls.
pub(super) fn state(context: &Context) -> Arc<State> {
    let connector = || Connector { policy: context.policy().clone(), ..Connector::default() };
    context.try_state().unwrap_or_else(|| Arc::new(State::new(connector(), None)))
}

/// The mailbox in the first argument.
pub(super) fn mailbox(call: &Call<'_>) -> Result<Arc<ImapMailbox>, Condition> {
    mailbox_at(call, 0)
}

pub(super) fn mailbox_at(call: &Call<'_>, index: usize) -> Result<Arc<ImapMailbox>, Condition> {
    check_truths(call)?;
    let argument = required(call, index);
    host::downcast::<ImapMailbox>(argument).ok_or_else(|| {
        call.wrong("mailbox", "a mailbox, as make-imap-connection returns it", argument)
    })
}

/// The mailbox of either kind in argument `index`.
pub(super) fn any_mailbox_at(call: &Call<'_>, index: usize) -> Result<AnyMailbox, Condition> {
    check_truths(call)?;
    let argument = required(call, index);
    if let Some(mailbox) = host::downcast::<PopMailbox>(argument) {
        return Ok(AnyMailbox::Pop(mailbox));
    }
    let imap = host::downcast::<ImapMailbox>(argument).map(AnyMailbox::Imap);
    imap.ok_or_else(|| {
        call.wrong(
            "mailbox",
            "a mailbox, as make-imap-connection or make-pop-connection returns it",
            argument,
        )
    })
}

/// The POP mailbox in the first argument, if it is one.
pub(super) fn pop_mailbox(call: &Call<'_>, index: usize) -> Option<Arc<PopMailbox>> {
    host::downcast::<PopMailbox>(call.arg(index)?)
}

/// Runs an operation on the POP mailbox in the first argument.
pub(super) fn on_pop_mailbox<T>(
    call: &Call<'_>,
    operation: impl FnOnce(&mut PopClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    let argument = required(call, 0);
    let mailbox = pop_mailbox(call, 0).ok_or_else(|| {
        call.wrong("mailbox", "a mailbox, as make-pop-connection returns it", argument)
    })?;
    operate(call, &mailbox, operation)
}

/// Runs an operation on a POP mailbox; its error becomes a condition.
pub(super) fn operate<T>(
    call: &Call<'_>,
    mailbox: &PopMailbox,
    operation: impl FnOnce(&mut PopClient) -> Result<T, Error>,
) -> Result<T, Condition> {
    pipeline::check(call)?;
    let _work = progress(call).begin(call.name());
    operation(&mut mailbox.client()).map_err(|error| failed(call, &error, false))
}

/// Runs an operation on the mailbox in the first argument; its warnings are delivered, its error becomes a condition.
pub(super) fn on_mailbox<T>(
    call: &Call<'_>,
    operation: impl FnOnce(&mut ImapClient) -> Result<T, Error>,
) -> Result<T, Condition> {
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
    let _work = progress(call).begin(call.name());
    let result = pipeline::operate(call, &mailbox, &mut client, operation)?;
    deliver_warnings(call, &mut client);
    result.map_err(|error| failed(call, &error, client.selected().is_none()))
}

pub(super) fn deliver_warnings(call: &Call<'_>, client: &mut ImapClient) {
    for warning in client.take_warnings() {
        let (identifier, message) = match warning.kind {
            WarningKind::Problem => (Identifier::Problem, "the server warns"),
            WarningKind::UnknownOk => {
                (Identifier::UnknownOk, "the server says something that is not known here")
            }
            WarningKind::UnknownUntagged => {
                (Identifier::UnknownUntagged, "the server sends something that is not known here")
            }
        };
        call.context().warn(
            Condition::new(identifier, format!("{}: {message}", call.name()))
                .with_server_string(warning.words),
        );
    }
}

/// The condition for a client's error, with the function's name before it.
pub(super) fn failed(call: &Call<'_>, error: &Error, nothing_selected: bool) -> Condition {
    let mut condition = Condition::from(error);
    let needs_selection = nothing_selected
        && matches!(error, Error::Refused { command, .. } if NEED_SELECTION.contains(command));
    let hint = if needs_selection {
        "; no mailbox is selected: call (select-mailbox mb \"inbox\") first"
    } else {
        ""
    };
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
