//! The scripted server and the client that the hostile tests share. [`Protocol`] has the few
//! messages that each protocol needs to get as far as TLS or the end of the login.

use crate::support::certificates::{Authority, Flaw};
use crate::support::script::{Peer, Script};
use native_tls::TlsAcceptor;
use postoffice::client::{
    ConnectOptions, Credentials, Error, ImapClient, PopClient, SmtpClient, TlsMode,
};
use postoffice::condition::{Condition, Identifier};
use postoffice::proto::Limits;
use postoffice::transport::{Connector, TlsOptions};
use std::sync::LazyLock;
use std::time::Duration;

/// The password of every client here. [`assert_no_password`] looks for it, and for its base64, in
/// what the client sent.
pub const PASSWORD: &str = "sesame-open-71";
pub const PASSWORD_BASE64: &str = "c2VzYW1lLW9wZW4tNzE";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Imap,
    Pop,
    Smtp,
}

pub use Protocol::{Imap, Pop, Smtp};
pub const PROTOCOLS: [Protocol; 3] = [Imap, Pop, Smtp];

/// Shared by all tests, because making keys takes time.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static ACCEPTOR: LazyLock<TlsAcceptor> = LazyLock::new(|| AUTHORITY.acceptor(Flaw::None));

pub fn acceptor(flaw: Flaw) -> TlsAcceptor {
    if flaw == Flaw::None { ACCEPTOR.clone() } else { AUTHORITY.acceptor(flaw) }
}

/// A client of any of the three protocols.
#[allow(clippy::large_enum_variant, reason = "a test has one at a time")]
pub enum Client {
    Imap(ImapClient),
    Pop(PopClient),
    Smtp(SmtpClient),
}

impl Client {
    /// Sends a command that works in any state after the login: NOOP, STAT or VRFY.
    pub fn ask(&mut self) -> Result<(), Error> {
        match self {
            Client::Imap(client) => client.noop(),
            Client::Pop(client) => client.stat(),
            Client::Smtp(client) => client.verify("a@example.org").map(drop),
        }
    }

    pub fn imap(&mut self) -> &mut ImapClient {
        let Client::Imap(client) = self else { panic!("not IMAP") };
        client
    }

    pub fn pop(&mut self) -> &mut PopClient {
        let Client::Pop(client) = self else { panic!("not POP") };
        client
    }

    pub fn smtp(&mut self) -> &mut SmtpClient {
        let Client::Smtp(client) = self else { panic!("not SMTP") };
        client
    }
}

impl Protocol {
    pub fn greeting(self) -> &'static str {
        match self {
            Imap => "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] hello\r\n",
            Pop => "+OK hello\r\n",
            Smtp => "220 hello\r\n",
        }
    }

    /// Sends the greeting and whatever the client asks for before STARTTLS. Reads the STARTTLS
    /// command, leaves it unanswered, and returns its tag.
    pub fn up_to_starttls(self, peer: &mut Peer) -> String {
        peer.say(self.greeting());
        match self {
            Imap => {}
            Pop => drop(peer.answer("+OK\r\nSTLS\r\nUSER\r\n.\r\n")),
            Smtp => drop(peer.answer("250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")),
        }
        let command = peer.hear();
        command.split(' ').next().unwrap_or("").to_owned()
    }

    /// The reply to STARTTLS that allows TLS to begin.
    pub fn go_ahead(self, tag: &str) -> String {
        match self {
            Imap => format!("{tag} OK go\r\n"),
            Pop => "+OK go\r\n".into(),
            Smtp => "220 go\r\n".into(),
        }
    }

    /// Sends the greeting in this mode, with TLS where the mode has it.
    pub fn begin(self, mode: TlsMode, peer: &mut Peer) {
        match mode {
            TlsMode::None => peer.say(self.greeting()),
            TlsMode::Implicit => {
                assert!(peer.encrypt(&ACCEPTOR));
                peer.say(self.greeting());
            }
            TlsMode::StartTls => {
                let tag = self.up_to_starttls(peer);
                peer.say(&self.go_ahead(&tag));
                assert!(peer.encrypt(&ACCEPTOR));
                if self == Imap {
                    peer.answer("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n{tag} OK done\r\n");
                }
            }
        }
    }

    /// Plays a successful login, after [`Protocol::begin`].
    pub fn log_in(self, peer: &mut Peer) {
        let answers: &[&str] = match self {
            Imap => &[
                "{tag} OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] in\r\n",
                "* LIST () \"/\" \"\"\r\n{tag} OK done\r\n",
            ],
            Pop => &[
                "+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n",
                "+OK\r\n",
                "+OK\r\n",
                "+OK\r\nUSER\r\nUIDL\r\n.\r\n",
                "+OK 3 300\r\n",
            ],
            Smtp => &["250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n", "235 in\r\n"],
        };
        answers.iter().for_each(|answer| drop(peer.answer(answer)));
    }

    /// A reply that answers [`Client::ask`] with success.
    pub fn yes(self) -> &'static str {
        match self {
            Imap => "{tag} OK done\r\n",
            Pop => "+OK 3 300\r\n",
            Smtp => "250 yes\r\n",
        }
    }

    pub fn connect(
        self,
        script: &Script,
        change: impl FnOnce(&mut ConnectOptions),
    ) -> Result<Client, Error> {
        let port = script.address.port();
        let mut connector = Connector::default();
        connector.redirects.push(format!("localhost=127.0.0.1:{port}").parse().unwrap());
        self.connect_by(&connector, port, change)
    }

    pub fn connect_by(
        self,
        connector: &Connector,
        port: u16,
        change: impl FnOnce(&mut ConnectOptions),
    ) -> Result<Client, Error> {
        let credentials = Credentials::new("user", PASSWORD);
        let tls_options =
            TlsOptions { roots_pem: Some(AUTHORITY.pem.clone()), ..TlsOptions::default() };
        let mut options = ConnectOptions {
            port: Some(port),
            tls: Some(TlsMode::None),
            tls_options,
            ..ConnectOptions::default()
        };
        change(&mut options);
        Ok(match self {
            Imap => {
                Client::Imap(ImapClient::connect(connector, "localhost", &credentials, &options)?)
            }
            Pop => Client::Pop(PopClient::connect(connector, "localhost", &credentials, &options)?),
            Smtp => Client::Smtp(SmtpClient::connect(
                connector,
                "localhost",
                None,
                Some(&credentials),
                &options,
            )?),
        })
    }

    /// Connects to a server that runs `script` from the first byte on. Returns the result, and the
    /// lines that the server read. Fails if the client connects a second time.
    pub fn meet(
        self,
        change: impl FnOnce(&mut ConnectOptions),
        script: impl FnOnce(&mut Peer) + Send + 'static,
    ) -> (Result<(), Error>, Vec<String>) {
        let script = Script::run(script);
        let result = self.connect(&script, change).map(drop);
        assert!(!script.was_tried_again(), "connected once more");
        (result, script.heard())
    }

    /// Logs in, and runs `operation` while the server runs `script`. Returns the result, and the
    /// lines that the server read after the login.
    pub fn with<T>(
        self,
        mode: TlsMode,
        change: impl FnOnce(&mut ConnectOptions),
        script: impl FnOnce(&mut Peer) + Send + 'static,
        operation: impl FnOnce(&mut Client) -> Result<T, Error>,
    ) -> (Result<T, Error>, Vec<String>) {
        let script = Script::run(move |peer| {
            self.begin(mode, peer);
            self.log_in(peer);
            peer.heard.clear();
            script(peer);
        });
        let mut client = self
            .connect(&script, |options| {
                options.tls = Some(mode);
                change(options);
            })
            .unwrap_or_else(|error| panic!("{self:?} {mode:?}: {error}"));
        let result = operation(&mut client);
        drop(client);
        (result, script.heard())
    }
}

pub const MODES: [TlsMode; 3] = [TlsMode::None, TlsMode::StartTls, TlsMode::Implicit];

/// Sets the timeout to one second.
pub fn brief(options: &mut ConnectOptions) {
    options.timeout = Duration::from_secs(1);
}

/// Trusts the tests' certificate authority.
pub fn trust(options: &mut ConnectOptions) {
    options.tls_options.roots_pem = Some(AUTHORITY.pem.clone());
}

/// Sets small limits, so that endless input is refused soon.
pub fn small(options: &mut ConnectOptions) {
    options.limits = Limits {
        line: 200_000,
        status: 50_000,
        literal: 100_000,
        responses: 2_000,
        ..Limits::default()
    };
}

pub fn unchanged(_: &mut ConnectOptions) {}

#[track_caller]
pub fn identifier<T>(result: &Result<T, Error>) -> Identifier {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => Condition::from(error).identifier,
    }
}

/// Fails if a line contains the password in any form in which a login sends it, or a PASS command.
#[track_caller]
pub fn assert_no_password(heard: &[String]) {
    let says = |line: &String| {
        line.contains(PASSWORD)
            || line.contains(PASSWORD_BASE64)
            || line.contains("AHVzZXI")
            || line.contains("PASS")
    };
    assert!(!heard.iter().any(says), "the password went out: {heard:?}");
}
