//! The state that the functions of one host share: how connections are opened, and which are open.

use super::names::Names;
use super::objects::{Client, Held, ImapMailbox};
use super::secret::AskSecret;
use crate::client::{ImapClient, PopClient, SmtpClient};
use crate::host::{self, Call, Context, Host, Value};
use crate::proto::Limits;
use crate::sandbox::Sandbox;
use crate::transport::Connector;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Installs extra functions in a host; called for every worker host.
pub type Equip = Arc<dyn Fn(&mut Host) + Send + Sync>;

/// The state that the functions of one host share.
pub struct State {
    /// Opens connections.
    pub connector: Connector,
    /// The sandbox that answers, if one does.
    pub sandbox: Option<Arc<Sandbox>>,
    /// Limits on what servers may send; connections can have their own.
    pub limits: Limits,
    /// Asks for a password where a script gives a user and no password. `None` makes that an
    /// error, as where nobody sits at a terminal.
    pub ask_secret: Option<AskSecret>,
    /// Whether a change by message numbers that have shifted is refused, not only warned of.
    pub strict: bool,
    /// Natives registered by the embedding program; worker hosts get them too.
    pub for_workers: Option<Equip>,
    imap: Open<ImapClient>,
    pop: Open<PopClient>,
    smtp: Open<SmtpClient>,
    made: AtomicU32,
    pub(super) names: Names,
}

/// Objects print with an address, as in the manual; it tells several connections apart.
const FIRST_ADDRESS: u32 = 0x2064_ca4a;

impl State {
    /// A state without open connections.
    pub fn new(connector: Connector, sandbox: Option<Arc<Sandbox>>) -> Self {
        State {
            connector,
            sandbox,
            limits: Limits::default(),
            ask_secret: None,
            strict: false,
            for_workers: None,
            imap: Open::default(),
            pop: Open::default(),
            smtp: Open::default(),
            made: AtomicU32::new(0),
            names: Names::default(),
        }
    }

    /// The object for a new IMAP connection.
    pub(super) fn adopt_imap(&self, client: ImapClient) -> Value {
        self.adopt(&self.imap, client)
    }

    /// The object for a new POP connection.
    pub(super) fn adopt_pop(&self, client: PopClient) -> Value {
        self.adopt(&self.pop, client)
    }

    /// The object for a new SMTP connection.
    pub(super) fn adopt_smtp(&self, client: SmtpClient) -> Value {
        self.adopt(&self.smtp, client)
    }

    fn adopt<C: Client + Send + 'static>(&self, open: &Open<C>, client: C) -> Value {
        let held = Arc::new(Held::new(client));
        open.add(&held);
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let address = FIRST_ADDRESS.wrapping_add(0x40_u32.wrapping_mul(made));
        host::shared_object(held, &format!("#<mailbox::{} @ #x{address:x}>", C::TYPE))
    }

    /// The only IMAP connection that is open; `None` when there are several or none.
    pub fn only_open(&self) -> Option<Arc<ImapMailbox>> {
        let open = self.imap.list();
        let is_open = |mailbox: &Arc<ImapMailbox>| {
            mailbox.client_if_free().is_some_and(|client| !client.is_closed())
        };
        let mut open = open.iter().filter_map(Weak::upgrade).filter(is_open);
        open.next().filter(|_| open.next().is_none())
    }

    /// The hosts of connections that were closed since the last call, each once for every
    /// connection.
    pub fn take_closed(&self) -> Vec<String> {
        [self.imap.take_closed(), self.pop.take_closed(), self.smtp.take_closed()].concat()
    }

    /// A mailbox was made, renamed or removed: completion asks again.
    pub(super) fn mailboxes_changed(&self) {
        self.names.forget();
    }

    /// Leaves every connection that is still open: LOGOUT and QUIT. POP connections are left
    /// without QUIT, since only `close-connection` removes what is marked.
    pub fn close_all(&self) {
        self.imap.for_each(Client::leave);
        self.pop.for_each(Client::leave);
        self.smtp.for_each(Client::leave);
    }

    /// Closes every connection that is still open, without a farewell that a server might keep
    /// waiting for.
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
        open.retain(|held| held.strong_count() > 0);
        open.push(Arc::downgrade(held));
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

/// The state of the host that calls.
pub(super) fn state_of(context: &Context) -> Arc<State> {
    let connector = || Connector { policy: context.policy().clone(), ..Connector::default() };
    context.try_state().unwrap_or_else(|| Arc::new(State::new(connector(), None)))
}

/// The state of the host that calls.
pub(super) fn state(call: &Call<'_>) -> Arc<State> {
    state_of(call.context())
}
