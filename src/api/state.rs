//! The state that the functions of one host share: how connections are opened, and which are open.
//!
//! The connections themselves belong to the objects that the script holds; the state has only weak
//! references to them. At the end of a host, `close_all` or `abandon_all` closes the connections
//! that are still open.

use super::names::Names;
use super::objects::{Client, Held, ImapMailbox};
use super::reconnecting::Lost;
use super::secret::AskSecret;
use crate::client::{ImapClient, PopClient, SmtpClient};
use crate::guard::{Limiter, OnlyMoves};
use crate::host::{self, Call, Context, Host, Value};
use crate::mirror::Mirrors;
use crate::proto::Limits;
use crate::proto::witness::{Witness, Witnesses};
use crate::sandbox::Sandbox;
use crate::state::OnDemand;
use crate::transport::{Connector, Interrupt};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Installs extra functions in a host; called for every worker host.
pub type Equip = Arc<dyn Fn(&mut Host) + Send + Sync>;

/// The state that the functions of one host share.
pub struct State {
    /// Opens connections. Its witness is asked after [`State::limiter`].
    pub connector: Connector,
    /// Refuses changes beyond the limits of this host's program.
    pub limiter: Arc<Limiter>,
    /// The sandbox, if one answers.
    pub sandbox: Option<Arc<Sandbox>>,
    /// Limits on what servers may send. Connections can have their own.
    pub limits: Limits,
    /// Asks for a password if a script gives a user but no password. `None` makes that an error,
    /// for hosts without a terminal.
    pub ask_secret: Option<AskSecret>,
    /// Whether a change by message numbers that may have shifted is refused instead of warned of.
    pub strict: bool,
    /// What outlives the program: cursors. By default it ends with the program.
    pub database: Arc<OnDemand>,
    /// Natives registered by the embedding program; worker hosts get them too.
    pub for_workers: Option<Equip>,
    /// The mirrors that take all changes, in a dry run.
    pub mirrors: Option<Arc<Mirrors>>,
    /// What is asked after the limiter.
    behind: Arc<dyn Witness>,
    imap: Open<ImapClient>,
    pop: Open<PopClient>,
    smtp: Open<SmtpClient>,
    made: AtomicU32,
    /// How many `with-reconnect` run within one another.
    reconnecting: Mutex<usize>,
    pub(super) names: Names,
}

/// The address with which the first object prints. As in the manual, addresses tell connections
/// apart.
const FIRST_ADDRESS: u32 = 0x2064_ca4a;

impl State {
    /// Makes a state without open connections.
    pub fn new(connector: Connector, sandbox: Option<Arc<Sandbox>>) -> Self {
        let limiter = Arc::new(Limiter::default());
        let behind = connector.witness.clone();
        let mut witnesses: Vec<Arc<dyn Witness>> = vec![limiter.clone()];
        if connector.quarantine.is_some() {
            witnesses.push(Arc::new(OnlyMoves));
        }
        witnesses.push(behind.clone());
        let witnesses = Witnesses(witnesses);
        let connector = Connector { witness: Arc::new(witnesses), ..connector };
        State {
            connector,
            limiter,
            sandbox,
            limits: Limits::default(),
            ask_secret: None,
            strict: false,
            for_workers: None,
            database: Arc::default(),
            mirrors: None,
            behind,
            imap: Open::default(),
            pop: Open::default(),
            smtp: Open::default(),
            made: AtomicU32::new(0),
            reconnecting: Mutex::default(),
            names: Names::default(),
        }
    }

    /// A state for a thread that works for this one: it opens connections in the same way, under the
    /// limits that apply now, and shares their counts.
    pub(super) fn for_worker(&self, interrupt: Interrupt) -> Self {
        let (interrupt, witness) = (Some(interrupt), self.behind.clone());
        let connector = Connector { interrupt, witness, ..self.connector.clone() };
        let mut state = State::new(connector, self.sandbox.clone());
        state.limits = self.limits.clone();
        state.ask_secret = self.ask_secret.clone();
        state.database = self.database.clone();
        state.mirrors = self.mirrors.clone();
        self.limiter.budgets().into_iter().for_each(|budget| state.limiter.enter(budget));
        state
    }

    /// Returns the object for a new IMAP connection.
    pub(super) fn adopt_imap(&self, client: ImapClient) -> Value {
        self.adopt(&self.imap, client)
    }

    /// Returns the object for a new POP connection.
    pub(super) fn adopt_pop(&self, client: PopClient) -> Value {
        self.adopt(&self.pop, client)
    }

    /// Returns the object for a new SMTP connection.
    pub(super) fn adopt_smtp(&self, client: SmtpClient) -> Value {
        self.adopt(&self.smtp, client)
    }

    /// Counts a connection among the open ones again, after it was made anew.
    pub(super) fn readopt(&self, connection: &Lost) {
        match connection {
            Lost::Imap(mailbox) => self.imap.add(mailbox),
            Lost::Pop(mailbox) => self.pop.add(mailbox),
            Lost::Smtp(connection) => self.smtp.add(connection),
        }
    }

    /// Notes that the body of a `with-reconnect` begins, or that it ends.
    pub(super) fn set_reconnects(&self, begins: bool) {
        let mut depth = self.reconnecting.lock().unwrap_or_else(PoisonError::into_inner);
        *depth = if begins { *depth + 1 } else { depth.saturating_sub(1) };
    }

    /// Whether a `with-reconnect` runs.
    pub(super) fn reconnects(&self) -> bool {
        *self.reconnecting.lock().unwrap_or_else(PoisonError::into_inner) > 0
    }

    fn adopt<C: Client + Send + 'static>(&self, open: &Open<C>, client: C) -> Value {
        let held = Arc::new(Held::new(client));
        open.add(&held);
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let address = FIRST_ADDRESS.wrapping_add(0x40_u32.wrapping_mul(made));
        host::shared_object(held, &format!("#<mailbox::{} @ #x{address:x}>", C::TYPE))
    }

    /// Returns the only open IMAP connection; `None` if there are none or several.
    pub fn only_open(&self) -> Option<Arc<ImapMailbox>> {
        let open = self.imap.list();
        let is_open = |mailbox: &Arc<ImapMailbox>| {
            mailbox.client_if_free().is_some_and(|client| !client.is_closed())
        };
        let mut open = open.iter().filter_map(Weak::upgrade).filter(is_open);
        open.next().filter(|_| open.next().is_none())
    }

    /// Returns the hosts of the connections that were closed since the last call, one entry for
    /// each connection.
    pub fn take_closed(&self) -> Vec<String> {
        [self.imap.take_closed(), self.pop.take_closed(), self.smtp.take_closed()].concat()
    }

    /// Clears the names for completion: a mailbox was created, renamed or removed.
    pub(super) fn mailboxes_changed(&self) {
        self.names.forget();
    }

    /// Ends every open connection, with LOGOUT or QUIT. POP connections are closed without QUIT,
    /// because only `close-connection` removes marked letters.
    pub fn close_all(&self) {
        self.imap.for_each(Client::leave);
        self.pop.for_each(Client::leave);
        self.smtp.for_each(Client::leave);
    }

    /// Closes every open connection without a farewell, whose reply a server might delay.
    pub fn abandon_all(&self) {
        self.imap.for_each(Client::abandon);
        self.pop.for_each(Client::abandon);
        self.smtp.for_each(Client::abandon);
    }
}

/// The connections of one protocol that may be open.
struct Open<C>(Mutex<Vec<Weak<Held<C>>>>);

impl<C> Default for Open<C> {
    fn default() -> Self {
        Open(Mutex::default())
    }
}

impl<C: Client> Open<C> {
    fn list(&self) -> MutexGuard<'_, Vec<Weak<Held<C>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, held: &Arc<Held<C>>) {
        let mut open = self.list();
        let added = Arc::downgrade(held);
        open.retain(|held| held.strong_count() > 0 && !held.ptr_eq(&added));
        open.push(added);
    }

    fn take_closed(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        self.list().retain(|held| {
            let Some(held) = held.upgrade() else { return false };
            let Some(client) = held.client_if_free() else { return true };
            hosts.extend(client.is_closed().then(|| client.host().to_owned()));
            !client.is_closed()
        });
        hosts
    }

    fn for_each(&self, end: fn(&mut C)) {
        let open = std::mem::take(&mut *self.list());
        open.iter().filter_map(Weak::upgrade).for_each(|held| end(&mut held.client()));
    }
}

/// Returns the state of the host that has this context.
pub(super) fn state_of(context: &Context) -> Arc<State> {
    let connector = || Connector { policy: context.policy().clone(), ..Connector::default() };
    context.try_state().unwrap_or_else(|| Arc::new(State::new(connector(), None)))
}

/// Returns the state of the calling host.
pub(super) fn state(call: &Call<'_>) -> Arc<State> {
    state_of(call.context())
}
