//! Runs one session over one wire, and checks its result and the mail it leaves.

use super::sessions::Session;
use super::stand::{Mail, Stand, letter};
use postoffice::client::{
    ConnectOptions, Credentials, Error, ImapClient, PopClient, SmtpClient, TlsMode,
};
use postoffice::condition::{Condition, Identifier};
use postoffice::sandbox::faults::{Fault, Relay, Said, Side};
use postoffice::transport::{Connector, TlsOptions};
use std::time::Duration;

/// The number of bytes that the client and the server have sent.
pub type Sent = (u64, u64);

/// What a session needs in order to run, and where it records its progress.
pub struct Visit<'a> {
    credentials: Credentials,
    options: ConnectOptions,
    relay: Option<&'a Relay>,
    entered: Sent,
    told: Option<Sent>,
    /// The letter that the session read, if it read one.
    pub found: Vec<u8>,
}

impl<'a> Visit<'a> {
    pub fn new(
        port: u16,
        credentials: Credentials,
        timeout: Duration,
        relay: Option<&'a Relay>,
    ) -> Visit<'a> {
        let options = ConnectOptions { port: Some(port), timeout, ..ConnectOptions::default() };
        Visit { credentials, options, relay, entered: (0, 0), told: None, found: Vec::new() }
    }

    /// Marks the end of the login: the part that the session is named after begins here.
    pub fn enter(&mut self) {
        self.entered = self.sent();
    }

    /// Marks the point at which the client knows that everything succeeded.
    pub fn told(&mut self) {
        self.told = Some(self.sent());
    }

    pub fn imap(&self) -> Result<ImapClient, Error> {
        ImapClient::connect(&Connector::default(), "127.0.0.1", &self.credentials, &self.options)
    }

    pub fn pop(&self) -> Result<PopClient, Error> {
        PopClient::connect(&Connector::default(), "127.0.0.1", &self.credentials, &self.options)
    }

    pub fn smtp(&self, log_in: bool) -> Result<SmtpClient, Error> {
        let credentials = log_in.then_some(&self.credentials);
        SmtpClient::connect(
            &Connector::default(),
            "127.0.0.1",
            Some("localhost"),
            credentials,
            &self.options,
        )
    }

    fn sent(&self) -> Sent {
        self.relay
            .map_or((0, 0), |relay| (relay.sent_by(Side::Client), relay.sent_by(Side::Server)))
    }
}

/// The outcome of one attempt.
pub struct Attempt {
    pub result: Result<(), Error>,
    pub found: Vec<u8>,
    /// Where the session called [`Visit::enter`], and where it called [`Visit::told`], if it did.
    pub entered: Sent,
    pub told: Option<Sent>,
    pub said: Vec<Said>,
    pub mail: Mail,
}

/// How to run a session.
pub struct Conditions {
    pub faults: Vec<Fault>,
    pub timeout: Duration,
    /// Whether to start with STARTTLS.
    pub starttls: bool,
}

pub fn attempt(stand: &mut Stand, session: &Session, conditions: &Conditions) -> Attempt {
    stand.fill();
    let relay = stand.behind(&conditions.faults);
    let mut visit = Visit::new(
        relay.address().port(),
        stand.server.credentials(),
        conditions.timeout,
        Some(relay),
    );
    if conditions.starttls {
        visit.options.tls = Some(TlsMode::StartTls);
        visit.options.tls_options =
            TlsOptions { ca_file: Some(stand.server.ca_file.clone()), ..TlsOptions::default() };
    }
    let result = (session.run)(&mut visit);
    relay.wait_for_end();
    Attempt {
        result,
        found: visit.found,
        entered: visit.entered,
        told: visit.told,
        said: relay.said(),
        mail: stand.mail(),
    }
}

impl Attempt {
    pub fn identifier(&self) -> Option<Identifier> {
        self.result.as_ref().err().map(|error| Condition::from(error).identifier)
    }

    /// Checks what must hold if the wire only ends or falls silent and alters no byte: success is
    /// never reported too early, and a letter that was read is whole.
    pub fn check_truth(&self, session: &Session) -> Result<(), String> {
        let told = match &self.result {
            Ok(()) if !(session.done)(&self.mail) => Err("the client was told that all is done"),
            Ok(()) if !self.found.is_empty() && self.found != letter(2) => {
                Err("the letter that was read is not the whole one")
            }
            Err(Error::DeliveryUnknown { .. }) | Ok(()) => Ok(()),
            // A script must know whether a letter has left for others; the state of its own
            // mailboxes it can look up.
            Err(_) if session.name.starts_with("smtp") && self.mail != Mail::initial() => {
                Err("the letter was sent, and the error does not say so")
            }
            Err(_) => Ok(()),
        };
        told.map_err(|what| self.describe(what)).and_then(|()| self.check_mail(session))
    }

    /// Checks what must hold whatever the server says: no letter is lost, doubled or damaged.
    pub fn check_mail(&self, session: &Session) -> Result<(), String> {
        if (session.safe)(&self.mail) {
            Ok(())
        } else {
            Err(self.describe("letters are lost, doubled or damaged"))
        }
    }

    pub fn describe(&self, what: &str) -> String {
        format!("{what}: {:?} {:?}, {:?}", self.identifier(), self.result, self.mail)
    }
}
