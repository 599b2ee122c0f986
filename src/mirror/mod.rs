//! Mirrors: real accounts behind a sandbox, so that a program can run for real and change nothing.
//!
//! ```text
//! program → client → sandbox ─ changes stay in its store
//!                       ↓ what nobody has changed
//!                    client, EXAMINE only → the real server
//! ```
//!
//! [`Mirrors`] makes connections in the place of a client's own. Each is first made to the real
//! server, with the real login. The first one to an account stays open and becomes the origin of a
//! sandbox ([`origin`](crate::sandbox::Origin)); the others end there. Then the program is connected
//! to the sandbox. So all connections to an account see the changes that one of them made: letters
//! have left or arrived, with their UIDs and message numbers, flags are set, mailboxes exist.
//!
//! The real server is asked when something is needed that the sandbox does not have: the letters of
//! a mailbox when it is first selected or counted, the text of a letter when it is fetched, and which
//! letters match when their texts are searched. Nothing else is fetched.
//!
//! The program gets the capabilities that both have. What it asks for that only the real server has
//! is [`Error::CannotForesee`].
//!
//! The real connections are made by a connector whose witness refuses every change. The program's
//! own connector knows only the way to the sandboxes, whose accounts have passwords that nobody
//! else knows; so there is no way around them.

mod origin;

use crate::client::{
    Auth, Compress, ConnectOptions, Credentials, Error, ImapClient, SmtpClient, TlsMode,
};
use crate::mime::header;
use crate::proto::deed;
use crate::proto::imap::{Capabilities, utf7};
use crate::proto::witness::ReadOnly;
use crate::sandbox::{
    Account, Extension, Extensions, Options, Origin, Sandbox, Seed, Sent, SmtpExtensions,
    string_bytes,
};
use crate::transport::{Connector, Route, Router, TlsOptions};
use origin::RealAccount;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the program waits for a mirror, which may wait for the real server several times.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The extensions that a mirror can have, if the real server has them.
const MIRRORED: [Extension; 16] = [
    Extension::LiteralPlus,
    Extension::LiteralMinus,
    Extension::Unselect,
    Extension::UidPlus,
    Extension::Move,
    Extension::Enable,
    Extension::Children,
    Extension::StatusSize,
    Extension::Within,
    Extension::ESearch,
    Extension::SearchRes,
    Extension::Partial,
    Extension::ListExtended,
    Extension::SpecialUse,
    Extension::Utf8Accept,
    Extension::Binary,
];

/// An account: host in lower case, port, user.
type Key = (String, u16, String);

/// The mirrors of a program's accounts.
pub struct Mirrors {
    /// Makes the real connections.
    real: Connector,
    accounts: Mutex<HashMap<Key, Arc<Mirror>>>,
    holders: Mutex<HashMap<Key, Arc<Holder>>>,
    for_programs: Mutex<Vec<ForProgram>>,
    ways: Arc<Ways>,
}

/// The mirror of an account.
pub struct Mirror {
    sandbox: Sandbox,
    user: String,
    password: String,
    real: Arc<RealAccount>,
    /// What the real server offers.
    capabilities: Capabilities,
}

/// The ways to the sandboxes.
#[derive(Default)]
struct Ways(Mutex<HashMap<(String, u16), SocketAddr>>);

impl Router for Ways {
    fn route(
        &self,
        host: &str,
        port: u16,
        _protocol: &str,
        _implicit_tls: bool,
    ) -> io::Result<Option<Route>> {
        let ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match ways.get(&(host.to_ascii_lowercase(), port)) {
            Some(address) => Ok(Some(Route { address: *address, roots_pem: None })),
            None => Err(io::Error::other("a dry run makes no connection of this kind")),
        }
    }
}

impl fmt::Debug for Mirrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mirrors").finish_non_exhaustive()
    }
}

impl Mirrors {
    /// Mirrors of the accounts that `real` connects to. Returns the connector for the program, which
    /// has the rest of `real`: its witness sees the changes that are made in the mirrors.
    pub fn new(real: Connector) -> (Mirrors, Connector) {
        let ways = Arc::new(Ways::default());
        let connector =
            Connector { redirects: Vec::new(), router: Some(ways.clone()), ..real.clone() };
        let real = Connector { witness: Arc::new(ReadOnly), quarantine: None, ..real };
        let (accounts, holders, for_programs) = Default::default();
        (Mirrors { real, accounts, holders, for_programs, ways }, connector)
    }

    /// Connects to an account as [`ImapClient::connect`] does, and returns a connection to its
    /// mirror. `connector` is the program's.
    ///
    /// # Errors
    /// Those of [`ImapClient::connect`].
    pub fn connect_imap(
        &self,
        connector: &Connector,
        host: &str,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<ImapClient, Error> {
        let real = self.real_connector(connector);
        let mut client = ImapClient::connect(&real, host, credentials, options)?;
        let port = client.account().port;
        let warnings = client.take_warnings();
        let key = (host.to_ascii_lowercase(), port, credentials.user.clone());
        let mut accounts = self.accounts();
        let known = accounts.get(&key).cloned();
        let mirror = match known {
            Some(mirror) => {
                client.close();
                mirror
            }
            None => {
                let mirror = Mirror::of(client, &real, credentials, options)?;
                accounts.entry(key).or_insert(Arc::new(mirror)).clone()
            }
        };
        // The way leads to this account's sandbox until the connection is made.
        self.ways.set(host, port, mirror.sandbox.imap_address());
        let own = Credentials {
            auth: Some(Auth::Login),
            ..Credentials::new(&mirror.user, &mirror.password)
        };
        let options = own_options(options, port);
        let connector = silent(connector);
        let connected = ImapClient::connect(&connector, host, &own, &options);
        drop(accounts);
        let mut client = connected?;
        client.stand_for(mirror.capabilities.clone(), warnings);
        Ok(client)
    }

    /// Connects to a mail server as [`SmtpClient::connect`] does, ends that connection, and returns
    /// one to a sandbox, which holds the letters. `connector` is the program's.
    ///
    /// # Errors
    /// Those of [`SmtpClient::connect`].
    pub fn connect_smtp(
        &self,
        connector: &Connector,
        host: &str,
        helo: Option<&str>,
        credentials: Option<&Credentials>,
        options: &ConnectOptions,
    ) -> Result<SmtpClient, Error> {
        let real = self.real_connector(connector);
        let mut client = SmtpClient::connect(&real, host, helo, credentials, options)?;
        let user = credentials.map(|credentials| credentials.user.clone());
        let key = (host.to_ascii_lowercase(), client.port(), user.clone().unwrap_or_default());
        client.close();
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = match holders.get(&key) {
            Some(holder) => holder.clone(),
            None => {
                let holder = Arc::new(Holder::like(&client)?);
                holders.insert(key.clone(), holder.clone());
                holder
            }
        };
        self.ways.set(host, key.1, holder.sandbox.smtp_address());
        let own = Credentials::new(&holder.user, &holder.password);
        let options = own_options(options, key.1);
        let connector = silent(connector);
        let connected = SmtpClient::connect(&connector, host, helo, Some(&own), &options);
        drop(holders);
        let mut client = connected?;
        client.stand_for(user.as_deref());
        Ok(client)
    }

    /// Keeps a letter that a program would get.
    pub fn hold_for_program(&self, words: &[String], from: &str, to: &[String], letter: &[u8]) {
        let mut held = self.for_programs.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(ForProgram {
            words: words.to_vec(),
            from: from.to_owned(),
            to: to.to_vec(),
            letter: letter.to_vec(),
        });
    }

    /// The letters that mail servers would have got, in order for each account: host, port, user.
    pub fn held(&self) -> HashMap<(String, u16, String), Vec<Sent>> {
        let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.iter().map(|(key, holder)| (key.clone(), holder.sandbox.store().outbox())).collect()
    }

    /// The letters that programs would have got, in order.
    pub fn held_for_programs(&self) -> Vec<ForProgram> {
        self.for_programs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn real_connector(&self, connector: &Connector) -> Connector {
        Connector {
            trace: connector.trace.clone(),
            trace_switch: connector.trace_switch.clone(),
            meter: connector.meter.clone(),
            gauge: connector.gauge.clone(),
            interrupt: connector.interrupt.clone(),
            ..self.real.clone()
        }
    }

    /// The mirror of an account.
    pub fn mirror(&self, host: &str, account: &deed::Account) -> Option<Arc<Mirror>> {
        let user = account.user.clone().unwrap_or_default();
        self.accounts().get(&(host.to_ascii_lowercase(), account.port, user)).cloned()
    }

    /// Ends the connections to the real servers.
    pub fn close(&self) {
        self.accounts().values().for_each(|mirror| mirror.real.close());
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Key, Arc<Mirror>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The options of a connection to a sandbox of this module.
fn own_options(options: &ConnectOptions, port: u16) -> ConnectOptions {
    ConnectOptions {
        port: Some(port),
        tls: Some(TlsMode::None),
        id: None,
        tls_options: TlsOptions::default(),
        compress: Compress::Never,
        // The real connection has the deadlines.
        timeout: LONGEST_WAIT,
        reply_deadline: Some(LONGEST_WAIT),
        ..options.clone()
    }
}

/// A connector that traces and counts nothing: what the real server is asked is traced and counted.
fn silent(connector: &Connector) -> Connector {
    Connector { trace: None, meter: None, gauge: None, ..connector.clone() }
}

/// Holds the letters for a mail server.
struct Holder {
    sandbox: Sandbox,
    user: String,
    password: String,
}

impl Holder {
    /// A holder with the extensions of a server.
    fn like(real: &SmtpClient) -> Result<Holder, Error> {
        let (user, password) = (random_password()?, random_password()?);
        let size = real.has("SIZE").then_some(0);
        let smtp = SmtpExtensions {
            starttls: false,
            size,
            eight_bit_mime: real.has("8BITMIME"),
            smtp_utf8: real.has("SMTPUTF8"),
            dsn: real.has("DSN"),
            require_auth: true,
            ..SmtpExtensions::default()
        };
        let sandbox = Sandbox::start(Options {
            accounts: vec![Account::new(&user, &password)],
            seed: Seed::Empty,
            smtp,
            domains: Vec::new(),
            trace_headers: false,
            ..Options::default()
        });
        let sandbox = sandbox.map_err(|error| Error::Unexpected(error.to_string()))?;
        Ok(Holder { sandbox, user, password })
    }
}

/// A letter that a program would have got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForProgram {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The reverse path.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The letter.
    pub letter: Vec<u8>,
}

impl Ways {
    fn set(&self, host: &str, port: u16, address: SocketAddr) {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ways.insert((host.to_ascii_lowercase(), port), address);
    }
}

impl Mirror {
    fn of(
        client: ImapClient,
        connector: &Connector,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<Mirror, Error> {
        let capabilities = client.capabilities().clone();
        let wanted = |extension: &Extension| {
            MIRRORED.contains(extension) && offers(&capabilities, *extension)
        };
        let extensions = Extension::all().fold(Extensions::default(), |all, extension| {
            if wanted(&extension) { all.with(extension) } else { all.without(extension) }
        });
        let real =
            RealAccount::new(client, connector.clone(), credentials.clone(), options.clone());
        let real = Arc::new(real);
        let password = random_password()?;
        let user = credentials.user.clone();
        let sandbox = Sandbox::start(Options {
            accounts: vec![Account::new(&user, &password)],
            seed: Seed::Empty,
            extensions,
            domains: Vec::new(),
            trace_headers: false,
            origin: Some(real.clone() as Arc<dyn Origin>),
            ..Options::default()
        });
        let sandbox = sandbox.map_err(|error| Error::Unexpected(error.to_string()))?;
        Ok(Mirror { sandbox, user, password, real, capabilities })
    }

    /// The UIDNEXT of a mailbox.
    pub fn uid_next(&self, mailbox: &str) -> Option<u32> {
        self.sandbox.store().uid_next(&self.user, &utf7::encode(mailbox))
    }

    /// The letter with a UID in a mailbox, or the last one.
    pub fn letter(&self, mailbox: &str, uid: Option<u32>) -> Option<crate::sandbox::Letter> {
        self.sandbox.store().letter(&self.user, &utf7::encode(mailbox), uid)
    }

    /// The name of a mailbox, if it has this UIDVALIDITY; otherwise the names of all that have it,
    /// because it was renamed since it was selected.
    pub fn names_now(&self, name: &str, uid_validity: u32) -> Vec<String> {
        let wire = utf7::encode(name);
        let names = self.sandbox.store().names_with(&self.user, &wire, uid_validity);
        let decoded = |now: String| match now == wire {
            true => name.to_owned(),
            false => utf7::decode(now.as_bytes()).unwrap_or(now),
        };
        names.into_iter().map(decoded).collect()
    }

    /// The subjects of letters of the real account, as far as they are there.
    pub fn subjects(&self, mailbox: &str, uids: &[u32]) -> HashMap<u32, String> {
        let mut subjects = HashMap::new();
        let items = "BODY.PEEK[HEADER.FIELDS (SUBJECT)]";
        // Without an answer the plan has no subjects.
        let _ = self.real.fetch(&utf7::encode(mailbox), uids, items, &mut |uid, items| {
            let header =
                items.iter().find_map(|(_, value)| string_bytes(value)).unwrap_or_default();
            let subject = header::fields(&header).find(|field| field.is("Subject"));
            subjects.extend(subject.map(|subject| (uid, subject.decoded())));
        });
        subjects
    }
}

fn offers(capabilities: &Capabilities, extension: Extension) -> bool {
    capabilities.offers(extension.name())
}

/// A password that nobody can guess: other users of this machine can reach the sandbox, too.
fn random_password() -> Result<String, Error> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unexpected(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
