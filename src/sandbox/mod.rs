//! A mail server inside this process, for trying scripts and for tests.
//!
//! It speaks IMAP4rev1 (RFC 3501) with the extensions of [`Extensions`], POP3 (RFC 1939) with those of [`PopExtensions`] and SMTP
//! submission (RFC 5321) with those of [`SmtpExtensions`], in plain text, behind STARTTLS or STLS and over TLS, on addresses of
//! 127.0.0.1 that the system chooses. All three work on the same mail, which lives in memory and is gone with the [`Sandbox`]. What is
//! sent to people elsewhere goes no further than [`Store::outbox`].
//!
//! IMAP commands are decoded by `imap-codec`, not by this crate's own protocol core, so that a mistake there cannot hide.
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
//! From the outside in:
//!
//! - [`Sandbox`] and its options; [`faults`], which disturb a connection.
//! - `wire`: listeners, a connection's bytes, lines, TLS, and the conversation of the protocols
//!   whose commands are lines.
//! - `imap`, `pop`, `smtp`: a session each, a file for each group of commands, and the session's
//!   view of the mail (`imap::selected`, `pop::maildrop`).
//! - [`store`]: the mail itself, which knows of no protocol.

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
pub mod store;
mod wire;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

pub use error::SandboxError;
use faults::FaultRule;
use imap::session::Shared;
use listener::{Running, Service};
pub use options::{Account, Extensions, Options, Protocol, Seed};
pub use pop::PopExtensions;
use received::Received;
use smtp::Delivery;
pub use smtp::{Sent, SmtpExtensions};
pub use store::import::{ImportedLetter, import};
pub use store::letter::Letter;
pub use store::quota::Quota;
pub use store::{Store, seed};
use wire::certificates::Authority;

/// What the certificate of the two standing listeners names.
const OWN_HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// A running server. Dropping it closes its listeners and connections and waits for its threads.
pub struct Sandbox {
    shared: Arc<Shared>,
    running: Arc<Running>,
    authority: Authority,
    /// Those of the standing listeners, in the order of [`Service::ALL`].
    addresses: Vec<SocketAddr>,
    hosts: Mutex<HashMap<(String, Service), SocketAddr>>,
}

impl Sandbox {
    /// Starts a server on 127.0.0.1.
    pub fn start(options: Options) -> Result<Sandbox, SandboxError> {
        let authority = Authority::new()?;
        let acceptor = authority.acceptor(&OWN_HOSTS)?;
        let first = options.accounts.first().map(|account| account.user.clone());
        let store = Store::new(options.accounts, options.seed);
        for path in &options.mail {
            let user = first.as_deref().ok_or_else(|| SandboxError::UnknownUser(String::new()))?;
            store.import(user, path)?;
        }
        if let Some(first) = first.filter(|_| options.accept_any) {
            store.admit_guests(first);
        }
        let received = Received::default();
        let delivery = Delivery::new(options.domains, options.refuse, options.trace_headers);
        let (extensions, pop, smtp) = (options.extensions, options.pop, options.smtp);
        let shared = Arc::new(Shared {
            store: Arc::new(store),
            extensions,
            pop,
            smtp,
            delivery,
            received,
            sayings: Mutex::default(),
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

    /// The plain IMAP listener, with STARTTLS; its certificate names `localhost` and `127.0.0.1`, as those of the five others.
    pub fn imap_address(&self) -> SocketAddr {
        self.standing(Protocol::Imap, false)
    }

    /// The IMAP listener that expects TLS from the first byte.
    pub fn imaps_address(&self) -> SocketAddr {
        self.standing(Protocol::Imap, true)
    }

    /// The plain POP3 listener, with STLS.
    pub fn pop_address(&self) -> SocketAddr {
        self.standing(Protocol::Pop, false)
    }

    /// The POP3 listener that expects TLS from the first byte.
    pub fn pops_address(&self) -> SocketAddr {
        self.standing(Protocol::Pop, true)
    }

    /// The plain SMTP listener, with STARTTLS.
    pub fn smtp_address(&self) -> SocketAddr {
        self.standing(Protocol::Smtp, false)
    }

    /// The SMTP listener that expects TLS from the first byte.
    pub fn smtps_address(&self) -> SocketAddr {
        self.standing(Protocol::Smtp, true)
    }

    /// An IMAP listener whose certificate names `host`; see [`Sandbox::address_of`].
    pub fn address_for(&self, host: &str, implicit_tls: bool) -> io::Result<SocketAddr> {
        self.address_of(Protocol::Imap, host, implicit_tls)
    }

    /// A listener whose certificate names `host`, made at the first call, so that a script's own host name verifies.
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
        // Every service of `Service::ALL` was bound at start.
        self.addresses[Service { protocol, implicit_tls }.index()]
    }

    /// The certificate of the authority that signed all of this sandbox's certificates, made at start.
    pub fn certificate_authority_pem(&self) -> &str {
        self.authority.pem()
    }

    /// The mail of all accounts.
    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// Disturbs the connections from now on by these rules only; none, and the wires are sound again. Numbers of connections count from here.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        self.running.faults.set(rules);
    }

    /// The rules in force.
    pub fn faults(&self) -> Vec<FaultRule> {
        self.running.faults.rules()
    }

    /// Drops every connection at once, as a crash would; the listeners go on.
    pub fn disconnect_all(&self) {
        self.running.disconnect_all();
    }

    /// Has the next answer to an IMAP command, on whatever connection, come behind this line: `* NO The disk is nearly full` for example. The line goes
    /// out as it is, so that it may also be nonsense.
    pub fn say(&self, line: &str) {
        self.shared.sayings.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// From now on RCPT refuses these addresses, and no others.
    pub fn refuse(&self, addresses: Vec<String>) {
        self.shared.delivery.refuse(addresses);
    }

    /// Stops accepting and disconnects. Safe to call again.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// The last 10,000 commands that were decoded: IMAP's as `imap-types` shows them, POP3's and SMTP's as lines, their verbs in capitals; with `"<secret>"` for credentials and a letter's size for its bytes.
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
