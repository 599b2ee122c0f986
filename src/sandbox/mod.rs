//! A mail server inside this process, for trying scripts and for tests.
//!
//! It speaks IMAP4rev1 (RFC 3501) with the extensions of [`Extensions`], in plain text, behind STARTTLS and over TLS, on
//! addresses of 127.0.0.1 that the system chooses. Mail lives in memory and is gone with the [`Sandbox`].
//!
//! Commands are decoded by `imap-codec`, not by this crate's own protocol core, so that a mistake there cannot hide.
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
//! From the outside in: [`Sandbox`] and its listeners (`listener`), one connection's bytes (`wire`), commands out of bytes
//! (`framing`), the session and its state (`session`) with a file per group of commands, its view of the mailbox (`selected`),
//! and the mail itself (`store`, `names`, `mailbox`, `letter`).

mod address;
mod append;
mod certificates;
mod copying;
mod dates;
mod error;
mod fetch;
mod flags;
mod folders;
mod framing;
mod header;
mod idle;
mod import;
mod letter;
mod list;
mod listener;
mod login;
mod mailbox;
mod matching;
mod mime;
mod names;
mod options;
mod parameters;
mod received;
mod search;
mod section;
pub mod seed;
mod selected;
mod sequence;
mod session;
pub mod store;
mod structure;
mod text;
mod wire;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use certificates::Authority;
pub use error::SandboxError;
pub use import::{ImportedLetter, import};
pub use letter::Letter;
use listener::Running;
pub use options::{Account, Extensions, Options, Seed};
use received::Received;
use session::Shared;
pub use store::Store;

/// What the certificate of the two standing listeners names.
const OWN_HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// A running server. Dropping it closes its listeners and connections and waits for its threads.
pub struct Sandbox {
    shared: Arc<Shared>,
    running: Arc<Running>,
    authority: Authority,
    imap: SocketAddr,
    imaps: SocketAddr,
    hosts: Mutex<HashMap<(String, bool), SocketAddr>>,
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
        let shared = Arc::new(Shared { store: Arc::new(store), extensions: options.extensions, received });
        let running = Arc::new(Running::default());
        let bound = running
            .listen(options.imap_port, false, acceptor.clone(), &shared)
            .and_then(|imap| Ok((imap, running.listen(options.imaps_port, true, acceptor, &shared)?)));
        let (imap, imaps) = bound.map_err(|source| {
            running.stop();
            SandboxError::Start { action: "listen on 127.0.0.1", source }
        })?;
        Ok(Sandbox { shared, running, authority, imap, imaps, hosts: Mutex::default() })
    }

    /// The plain listener, with STARTTLS; its certificate names `localhost` and `127.0.0.1`.
    pub fn imap_address(&self) -> SocketAddr {
        self.imap
    }

    /// The listener that expects TLS from the first byte.
    pub fn imaps_address(&self) -> SocketAddr {
        self.imaps
    }

    /// A listener whose certificate names `host`, made at the first call, so that a script's own host name verifies.
    pub fn address_for(&self, host: &str, implicit_tls: bool) -> io::Result<SocketAddr> {
        let host = host.to_ascii_lowercase();
        if OWN_HOSTS.contains(&host.as_str()) {
            return Ok(if implicit_tls { self.imaps } else { self.imap });
        }
        if self.running.is_stopped() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the sandbox was stopped"));
        }
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = hosts.get(&(host.clone(), implicit_tls)) {
            return Ok(*address);
        }
        let acceptor = self.authority.acceptor(&[&host]).map_err(io::Error::other)?;
        let address = self.running.listen(0, implicit_tls, acceptor, &self.shared)?;
        hosts.insert((host, implicit_tls), address);
        Ok(address)
    }

    /// The certificate of the authority that signed all of this sandbox's certificates, made at start.
    pub fn certificate_authority_pem(&self) -> &str {
        self.authority.pem()
    }

    /// The mail of all accounts.
    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// Drops every connection at once, as a crash would; the listeners go on.
    pub fn disconnect_all(&self) {
        self.running.disconnect_all();
    }

    /// Stops accepting and disconnects. Safe to call again.
    pub fn stop(&self) {
        self.running.stop();
    }

    /// The last 10,000 commands that were decoded, as `imap-types` shows them, with `"<secret>"` for credentials and a letter's size for its bytes.
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
        formatter.debug_struct("Sandbox").field("imap", &self.imap).field("imaps", &self.imaps).finish_non_exhaustive()
    }
}
