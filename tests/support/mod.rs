//! What the tests share: fresh accounts on the sandbox or a Dovecot, connections to them, and
//! relays that disturb the wire. A test that calls `on_every_server` runs on each server over each
//! wire.
#![allow(dead_code, reason = "some of it is only used with the host")]

pub mod certificates;
pub mod leaks;
pub mod script;

use postoffice::client::{Auth, ConnectOptions, Credentials, ImapClient};
use postoffice::proto::imap::command::StoreMode;
use postoffice::proto::imap::{Flag, Messages};
use postoffice::sandbox::faults::{Fault, Relay};
use postoffice::sandbox::{Account, Extension, Extensions, Options, Sandbox, Seed};
use postoffice::transport::Connector;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A server with one fresh account. Its ports are those of the relays after `behind`.
pub struct Server {
    pub name: &'static str,
    pub user: String,
    pub password: String,
    pub port: u16,
    pub tls_port: u16,
    pub pop_port: u16,
    pub pops_port: u16,
    pub ca_file: PathBuf,
    sandbox: Option<Sandbox>,
    relays: Vec<Relay>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// An empty sandbox; the server's account is the first one in `options`.
    pub fn sandbox(options: Options) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let account = options.accounts[0].clone();
        let sandbox = Sandbox::start(options).unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, sandbox.certificate_authority_pem()).unwrap();
        Server {
            name: "sandbox",
            user: account.user,
            password: account.password,
            port: sandbox.imap_address().port(),
            tls_port: sandbox.imaps_address().port(),
            pop_port: sandbox.pop_address().port(),
            pops_port: sandbox.pops_address().port(),
            ca_file,
            sandbox: Some(sandbox),
            relays: Vec::new(),
            _folder: folder,
        }
    }

    /// A fresh account on the Dovecot that `scripts/dev/test` has started, or `None` if there is
    /// none. Fails if `POSTOFFICE_REAL_SERVERS` requires one. Dovecot creates an account at its
    /// first login.
    pub fn dovecot() -> Option<Server> {
        let Ok(description) = std::env::var("POSTOFFICE_DOVECOT") else {
            assert!(
                std::env::var("POSTOFFICE_REAL_SERVERS").is_err(),
                "POSTOFFICE_REAL_SERVERS is set, but POSTOFFICE_DOVECOT is not"
            );
            return None;
        };
        let fields: Vec<&str> = description.split(' ').collect();
        let [port, tls_port, pop_port, pops_port, ca_file] = fields[..] else {
            panic!("POSTOFFICE_DOVECOT: {description}")
        };
        static USERS: AtomicU32 = AtomicU32::new(0);
        Some(Server {
            name: "dovecot",
            user: format!("u{}-{}", std::process::id(), USERS.fetch_add(1, Ordering::Relaxed)),
            password: "pw".into(),
            port: port.parse().unwrap(),
            tls_port: tls_port.parse().unwrap(),
            pop_port: pop_port.parse().unwrap(),
            pops_port: pops_port.parse().unwrap(),
            ca_file: ca_file.into(),
            sandbox: None,
            relays: Vec::new(),
            _folder: tempfile::tempdir().unwrap(),
        })
    }

    /// A fresh account on the Dovecot, and the port of the Postfix that delivers to it; `None` if one
    /// is missing. Fails if `POSTOFFICE_REAL_SERVERS` requires both.
    pub fn postfix() -> Option<(Server, u16)> {
        let (Some(mut server), Ok(port)) = (Server::dovecot(), std::env::var("POSTOFFICE_POSTFIX"))
        else {
            assert!(
                std::env::var("POSTOFFICE_REAL_SERVERS").is_err(),
                "POSTOFFICE_REAL_SERVERS is set, but POSTOFFICE_POSTFIX is not"
            );
            return None;
        };
        static USERS: AtomicU32 = AtomicU32::new(0);
        server.user = format!(
            "p{}",
            (std::process::id() * 10 + USERS.fetch_add(1, Ordering::Relaxed)) % 1000
        );
        let mut client = server.connect(); // creates the mailbox with the right owner
        // The thousand names that Postfix delivers to are used again and again.
        client.select("INBOX", false).unwrap();
        if client.selected().unwrap().exists > 0 {
            client.store_silently(&Messages::all(), StoreMode::Add, &[Flag::DELETED]).unwrap();
            client.expunge().unwrap();
        }
        client.close();
        Some((server, port.parse().unwrap()))
    }

    /// Puts a relay with these faults in front of each port.
    pub fn behind(mut self, faults: &[Fault]) -> Server {
        for port in [self.port, self.tls_port, self.pop_port, self.pops_port] {
            self.relays.push(relay_to(port, faults));
        }
        let [port, tls_port, pop_port, pops_port] =
            [0, 1, 2, 3].map(|index| self.relays[index].address().port());
        Server { port, tls_port, pop_port, pops_port, ..self }
    }

    pub fn store(&self) -> &postoffice::sandbox::Store {
        self.sandbox.as_ref().expect("the sandbox").store()
    }

    pub fn received(&self) -> Vec<String> {
        self.sandbox.as_ref().expect("the sandbox").received()
    }

    pub fn the_sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("the sandbox")
    }

    pub fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// A real server is logged into by the protocol's own command: the key derivation of SCRAM
    /// takes long in a debug build, and `logins.rs` tests it.
    pub fn credentials(&self) -> Credentials {
        let credentials = Credentials::new(self.user.as_str(), self.password.as_str());
        Credentials { auth: (!self.is_sandbox()).then_some(Auth::Login), ..credentials }
    }

    pub fn options(&self) -> ConnectOptions {
        ConnectOptions {
            port: Some(self.port),
            timeout: Duration::from_secs(20),
            ..ConnectOptions::default()
        }
    }

    pub fn connect(&self) -> ImapClient {
        ImapClient::connect(
            &Connector::default(),
            "127.0.0.1",
            &self.credentials(),
            &self.options(),
        )
        .unwrap()
    }

    /// Connects, appends `letters` to the inbox (`\n` becomes CRLF), and selects it.
    pub fn with_letters(&self, letters: &[&str]) -> ImapClient {
        let mut client = self.connect();
        for letter in letters {
            client.append("INBOX", &[], None, letter.replace('\n', "\r\n").as_bytes()).unwrap();
        }
        client.select("INBOX", false).unwrap();
        client
    }
}

#[cfg(feature = "host")]
impl Server {
    /// A session with `mb`, a connection to this server whose inbox is selected.
    pub fn session(&self) -> postoffice::repl::Session {
        let mut session = postoffice::repl::Session::new(Vec::new());
        postoffice::api::attach(session.host(), &postoffice::api::Setup::default());
        let Server { user, password, port, .. } = self;
        for form in [
            format!(
                "(setq mb (make-imap-connection \"127.0.0.1\" :port {port} :user \"{user}\" :password \"{password}\" :auth :login))"
            ),
            "(select-mailbox mb \"inbox\")".to_owned(),
        ] {
            assert!(session.evaluate(&form).result.is_ok(), "{form}");
        }
        session
    }
}

/// Defines `(lose)`, which closes every connection of the session on this side, as if it had broken.
#[cfg(feature = "host")]
pub fn define_lose(session: &mut postoffice::repl::Session) {
    session.host().register_fn("lose", "()", "Loses every connection.", |call| {
        call.context().try_state::<postoffice::api::State>().unwrap().abandon_all();
        Ok(postoffice::host::nil())
    });
}

/// The sandbox with all extensions, with none, and without each of these, by a name for messages.
pub fn sandboxes(without: &[Extension]) -> Vec<(String, Server)> {
    let all = Extensions::default();
    let less = without.iter().map(|one| (format!("without {one}"), all.without(*one)));
    let sets = [("all".to_owned(), all), ("none".to_owned(), Extensions::none())];
    sets.into_iter()
        .chain(less)
        .map(|(name, extensions)| (name, Server::sandbox(Options { extensions, ..empty() })))
        .collect()
}

impl Server {
    /// Describes every mailbox of the account: its STATUS counts, and the UID, flags and size of
    /// each message. Selects read-only, so it changes nothing.
    fn state(&self) -> Vec<String> {
        let mut client = self.connect();
        let mut state = Vec::new();
        for mailbox in client.list("", "*").unwrap() {
            if mailbox.has("\\Noselect") || mailbox.has("\\NonExistent") {
                state.push(mailbox.name);
                continue;
            }
            let counts = ["MESSAGES", "RECENT", "UNSEEN", "UIDNEXT"].map(str::to_owned);
            state.push(format!(
                "{} {:?}",
                mailbox.name,
                client.status(&mailbox.name, &counts).unwrap()
            ));
            client.select(&mailbox.name, true).unwrap();
            let items = "(UID FLAGS RFC822.SIZE)".parse().unwrap();
            for message in client.fetch_all(&Messages::all(), &items).unwrap() {
                let mut flags = message.flags.unwrap();
                flags.sort();
                state.push(format!("{:?} {flags:?} {:?}", message.uid, message.size));
            }
        }
        client.close();
        state
    }

    /// Runs `read` and fails if it changed a mailbox: a count, a flag, or which messages and
    /// mailboxes there are.
    pub fn left_as_it_was<T>(&self, what: &str, read: impl FnOnce() -> T) -> T {
        let before = self.state();
        let result = read();
        assert_eq!(self.state(), before, "{what} on {}", self.name);
        result
    }
}

/// Options of an empty sandbox with the account `user`, password `pw`.
pub fn empty() -> Options {
    Options { accounts: vec![Account::new("user", "pw")], seed: Seed::Empty, ..Options::default() }
}

/// Wires whose faults a correct client and server do not notice: they only split or delay bytes.
pub fn sound_wires() -> [(&'static str, Vec<Fault>); 3] {
    // The ranges keep letters of several megabytes from taking minutes. The commands and responses
    // of all other sessions lie inside them.
    let both = |fault: &str| {
        ["client", "server"].map(|side| format!("{side}:{fault}").parse().unwrap()).to_vec()
    };
    [
        ("at once", Vec::new()),
        ("a byte at a time", both("byte-at-a-time@0..60000")),
        ("dripping", both("drip@0..2500=0.0001")),
    ]
}

/// Starts a relay with these faults to a port of this machine.
pub fn relay_to(port: u16, faults: &[Fault]) -> Relay {
    Relay::start(SocketAddr::from(([127, 0, 0, 1], port)), faults.to_vec()).unwrap()
}

/// Runs a test against the sandbox, and against Dovecot if there is one, over every sound wire.
pub fn on_every_server(test: impl Fn(&Server)) {
    for (wire, faults) in sound_wires() {
        for server in [Some(Server::sandbox(empty())), Server::dovecot()].into_iter().flatten() {
            eprintln!("server: {}, bytes travel {wire}", server.name);
            test(&if faults.is_empty() { server } else { server.behind(&faults) });
        }
    }
}
