//! A mail server inside this process, for tests and for trying scripts.
//!
//! It speaks IMAP4rev1 (RFC 3501) with the extensions in [`Extensions`], POP3 (RFC 1939) with those
//! in [`PopExtensions`] and SMTP submission (RFC 5321) with those in [`SmtpExtensions`]: in plain
//! text, with STARTTLS or STLS, and over TLS, on ports of 127.0.0.1 that the system chooses. All
//! three serve the same mail, which lives in memory and is gone with the [`Sandbox`]. Letters to
//! people elsewhere go to [`Store::outbox`] and no further.
//!
//! IMAP commands are decoded by `imap-codec`, not by this crate's own protocol core, so that a
//! mistake in the core cannot hide.
//!
//! ```
//! use postoffice::sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! sandbox.store().deliver("myacct", "INBOX", b"Subject: hello\n\nThe eighth letter.\n")?;
//! assert_eq!(sandbox.store().letters("myacct", "INBOX").len(), 8);
//! # Ok::<(), postoffice::sandbox::SandboxError>(())
//! ```
//!
//! The layers, from the outside in:
//!
//! - [`Sandbox`] and its options; [`faults`], which disturb connections.
//! - `wire`: a connection's bytes, lines and TLS, and the conversation of POP3 and SMTP, whose
//!   commands are lines.
//! - `imap`, `pop`, `smtp`: one session each, one file for each group of commands, and the
//!   session's view of the mail (`imap::selected`, `pop::maildrop`).
//! - `store`: the mail itself, independent of any protocol.

mod error;
pub mod faults;
mod imap;
mod listener;
mod options;
mod parameters;
mod pop;
mod received;
mod sasl;
mod smtp;
pub(crate) mod store;
mod switch;
mod wire;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

pub use error::SandboxError;
use faults::FaultRule;
pub use imap::extensions::{Extension, Extensions};
use imap::session::Shared;
use listener::{Running, Service};
pub use options::{Account, Options, Protocol, Seed};
pub use pop::PopExtensions;
use received::Received;
use smtp::Delivery;
pub use smtp::{Sent, SmtpExtensions};
pub use store::import::{ImportedLetter, import};
pub use store::letter::Letter;
pub use store::names::Separator;
use store::origin::Remote;
pub use store::origin::{
    Items, Origin, OriginError, Original, OriginalLetter, OriginalName, string_bytes,
};
pub use store::quota::Quota;
pub use store::{Store, seed};
pub use switch::Switch;
use wire::certificates::Authority;

/// The names in the certificate of the standing listeners.
const OWN_HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// A running server. Dropping it closes its listeners and connections and waits for its threads.
pub struct Sandbox {
    shared: Arc<Shared>,
    running: Arc<Running>,
    authority: Authority,
    /// The standing listeners' addresses, in the order of [`Service::ALL`].
    addresses: Vec<SocketAddr>,
    hosts: Mutex<HashMap<(String, Service), SocketAddr>>,
}

impl Sandbox {
    /// Starts a server on 127.0.0.1. Fails if a port or thread is not available, an option is
    /// invalid, or mail cannot be imported.
    pub fn start(options: Options) -> Result<Sandbox, SandboxError> {
        let authority = Authority::new()?;
        let acceptor = authority.acceptor(&OWN_HOSTS)?;
        let first = options.accounts.first().map(|account| account.user.clone());
        let store = match options.origin {
            None => Store::new(options.accounts, options.seed),
            Some(origin) => {
                let account = options.accounts.into_iter().next();
                let account = account.ok_or_else(|| SandboxError::UnknownUser(String::new()))?;
                Store::over(account, Remote::new(origin)).map_err(SandboxError::Origin)?
            }
        };
        for path in &options.mail {
            let user = first.as_deref().ok_or_else(|| SandboxError::UnknownUser(String::new()))?;
            store.import(user, path, options.warn)?;
        }
        if let Some(first) = first.filter(|_| options.accept_any) {
            store.admit_guests(first);
        }
        let received = Received::default();
        let delivery = Delivery::new(options.domains, options.refuse, options.trace_headers);
        let (extensions, pop, smtp) = (options.extensions, options.pop, options.smtp);
        let shared = Arc::new(Shared {
            store: Arc::new(store),
            extensions: Mutex::new(extensions),
            pop,
            smtp,
            delivery,
            received,
            sayings: Mutex::default(),
            awaited: Mutex::default(),
        });
        let running = Arc::new(Running::default());
        running.faults.set(options.faults);
        let imap = [options.imap_port, options.imaps_port];
        let ports =
            [imap, [options.pop_port, options.pops_port], [options.smtp_port, options.smtps_port]];
        let services = Service::ALL.into_iter().zip(ports.into_iter().flatten());
        let bound = services
            .map(|(service, port)| running.listen(port, service, acceptor.clone(), &shared))
            .collect::<io::Result<_>>();
        let addresses = bound.map_err(|source| {
            running.stop();
            SandboxError::Start { action: "listen on 127.0.0.1", source }
        })?;
        Ok(Sandbox { shared, running, authority, addresses, hosts: Mutex::default() })
    }

    /// The plain IMAP listener, with STARTTLS. Its certificate, like that of the other five, names
    /// `localhost` and `127.0.0.1`.
    pub fn imap_address(&self) -> SocketAddr {
        self.standing(Protocol::Imap, false)
    }

    /// The IMAP listener with TLS from the first byte.
    pub fn imaps_address(&self) -> SocketAddr {
        self.standing(Protocol::Imap, true)
    }

    /// The plain POP3 listener, with STLS.
    pub fn pop_address(&self) -> SocketAddr {
        self.standing(Protocol::Pop, false)
    }

    /// The POP3 listener with TLS from the first byte.
    pub fn pops_address(&self) -> SocketAddr {
        self.standing(Protocol::Pop, true)
    }

    /// The plain SMTP listener, with STARTTLS.
    pub fn smtp_address(&self) -> SocketAddr {
        self.standing(Protocol::Smtp, false)
    }

    /// The SMTP listener with TLS from the first byte.
    pub fn smtps_address(&self) -> SocketAddr {
        self.standing(Protocol::Smtp, true)
    }

    /// An IMAP listener whose certificate names `host`; see [`Sandbox::address_of`].
    pub fn address_for(&self, host: &str, implicit_tls: bool) -> io::Result<SocketAddr> {
        self.address_of(Protocol::Imap, host, implicit_tls)
    }

    /// A listener whose certificate names `host`, so that a script's own host name verifies. It is
    /// made at the first call.
    pub fn address_of(
        &self,
        protocol: Protocol,
        host: &str,
        implicit_tls: bool,
    ) -> io::Result<SocketAddr> {
        let service = Service { protocol, implicit_tls };
        let host = host.to_ascii_lowercase();
        if OWN_HOSTS.contains(&host.as_str()) {
            return Ok(self.standing(protocol, implicit_tls));
        }
        if self.running.is_stopped() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the sandbox was stopped"));
        }
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = hosts.get(&(host.clone(), service)) {
            return Ok(*address);
        }
        let acceptor = self.authority.acceptor(&[&host]).map_err(io::Error::other)?;
        let address = self.running.listen(0, service, acceptor, &self.shared)?;
        hosts.insert((host, service), address);
        Ok(address)
    }

    fn standing(&self, protocol: Protocol, implicit_tls: bool) -> SocketAddr {
        // The index is valid: every service in `Service::ALL` was bound at start.
        self.addresses[Service { protocol, implicit_tls }.index()]
    }

    /// The certificate, as PEM, of the authority that signed all of this sandbox's certificates.
    pub fn certificate_authority_pem(&self) -> &str {
        self.authority.pem()
    }

    /// The mail of all accounts.
    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// Replaces the IMAP extensions for new connections.
    pub fn set_extensions(&self, extensions: Extensions) {
        *self.shared.extensions.lock().unwrap_or_else(PoisonError::into_inner) = extensions;
    }

    /// The IMAP extensions of new connections.
    pub fn extensions(&self) -> Extensions {
        *self.shared.extensions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the fault rules for new connections; an empty list ends all faults. Connection
    /// numbers restart at 1.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        self.running.faults.set(rules);
    }

    /// The fault rules in force.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.running.faults.rules()
    }

    /// Drops every connection immediately, as a crash would; the listeners go on.
    pub fn disconnect_all(&self) {
        self.running.disconnect_all();
    }

    /// Sends this line before the next answer to an IMAP command, on whichever connection: `* NO
    /// The disk is nearly full` for example. The line is not checked, so it may be nonsense.
    pub fn say(&self, line: &str) {
        self.shared.sayings.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// Delivers a letter as soon as an IMAP client waits for letters: it sends IDLE or, where that is
    /// switched off, NOOP. Several letters go to as many waits.
    pub fn deliver_to_waiting(&self, user: &str, mailbox: &str, letter: &[u8]) {
        let mut awaited = self.shared.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.push_back((user.to_owned(), mailbox.to_owned(), letter.to_vec()));
    }

    /// Has RCPT refuse these addresses, and no others, from now on.
    pub fn refuse(&self, addresses: Vec<String>) {
        self.shared.delivery.refuse(addresses);
    }

    /// Stops accepting and closes all connections. May be called again.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// The last 10,000 decoded commands: IMAP's as `imap-types` shows them, POP3's and SMTP's as
    /// lines with the verb in capitals. Credentials show as `<secret>`, a letter as its size.
    pub fn received(&self) -> Vec<String> {
        self.shared.received.list()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}
