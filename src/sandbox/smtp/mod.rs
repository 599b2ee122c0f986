//! SMTP submission (RFC 5321, 3207, 4954, 1870, 6152, 2920, 6531, 3461, 3030): one session per connection.
//!
//! The session's state has three independent parts: the name the client gave (EHLO, HELO), the user
//! who has logged in (AUTH), and the current transaction.
//!
//! | command | needs | changes |
//! |---|---|---|
//! | EHLO, HELO | nothing | sets the client, ends the transaction |
//! | STARTTLS | EHLO | forgets client, user and transaction |
//! | AUTH | EHLO, no user, no transaction | sets the user |
//! | MAIL | EHLO or HELO, a user if required, no transaction | starts a transaction |
//! | RCPT | a transaction | adds a recipient |
//! | DATA | a recipient, no BDAT before | delivers the letter, ends the transaction |
//! | BDAT | a recipient | adds a chunk; the last one delivers the letter, ends the transaction |
//! | RSET | nothing | ends the transaction |
//!
//! Files: `login` has STARTTLS and AUTH, `transaction` MAIL and RCPT with `path` and `parameters`,
//! `data`, `chunks` and `delivery` what happens to a letter, `reply` the answers.

mod chunks;
mod data;
mod delivery;
mod extensions;
mod login;
mod parameters;
mod path;
mod reply;
mod transaction;

use std::{io, sync::Arc};

pub(crate) use delivery::Delivery;
pub use delivery::Sent;
pub use extensions::SmtpExtensions;
use reply::{Outcome, Refusal, Reply, refuse, reply};
use transaction::Transaction;

use crate::sandbox::imap::session::{Shared, next_session};
use crate::sandbox::wire::Transport;
use crate::sandbox::wire::conversation::{Conversation, Input, split};

/// The longest command line. RFC 5321 4.5.3.1.4 requires at least 512 octets; the parameters of
/// MAIL add as much again.
const LINE_LIMIT: usize = 2048;

/// The longest AUTH line, which may include a long initial response (RFC 4954 4).
const AUTH_LINE_LIMIT: usize = 12_288;

/// The commands that are recorded for tests, whether or not they are switched on. Other lines are
/// not recorded, since they could contain passwords.
const VERBS: [&str; 13] = [
    "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY",
    "HELP", "QUIT",
];

/// Commands of RFC 5321 and related RFCs that the sandbox does not implement.
const UNIMPLEMENTED: [&str; 6] = ["EXPN", "TURN", "ETRN", "SEND", "SOML", "SAML"];

/// The client's name from EHLO or HELO.
struct Client {
    name: String,
    /// Whether the client used EHLO.
    extended: bool,
}

/// An SMTP connection.
pub(crate) struct SmtpSession {
    shared: Arc<Shared>,
    conversation: Conversation,
    number: u64,
    client: Option<Client>,
    user: Option<String>,
    transaction: Option<Transaction>,
    /// How many letters this session has tried to deliver. It numbers them.
    letters: u32,
    over: bool,
}

impl SmtpSession {
    pub(crate) fn new(
        shared: Arc<Shared>,
        transport: Transport,
        acceptor: native_tls::TlsAcceptor,
    ) -> SmtpSession {
        SmtpSession {
            conversation: Conversation::new(transport, acceptor, shared.smtp.pipelining),
            shared,
            number: next_session(),
            client: None,
            user: None,
            transaction: None,
            letters: 0,
            over: false,
        }
    }

    /// Greets the client and answers commands until it quits or disconnects.
    pub(crate) fn run(mut self) {
        // An error means that the client has disconnected, so there is nobody to answer.
        let _ = self.serve();
        self.conversation.lines.transport.close();
    }

    fn serve(&mut self) -> io::Result<()> {
        let kind = if self.shared.smtp.ehlo { "ESMTP" } else { "SMTP" };
        self.conversation.say(&format!("220 sandbox {kind} Sandbox ready."));
        while !self.over {
            let outcome = match self.conversation.next(AUTH_LINE_LIMIT)? {
                Input::Command(line) => self.execute(&line),
                Input::Malformed(reason) => refuse(500, "5.5.2", reason),
                Input::SentAhead => {
                    self.over = true;
                    refuse(421, "4.7.0", "Commands were sent ahead without PIPELINING.")
                }
                Input::End => return Ok(()),
            };
            self.answer(outcome)?;
        }
        self.conversation.flush()
    }

    fn answer(&mut self, outcome: Outcome) -> io::Result<()> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(Refusal::Reply(answer)) => answer,
            Err(Refusal::Broken(error)) => return Err(error),
        };
        let enhanced = self.shared.smtp.enhanced_status_codes;
        if self.conversation.count(answer.is_bad_command()) {
            self.over = true;
            Reply::new(421, "4.7.0", "Too many bad commands.")
                .write(enhanced, &mut self.conversation.out);
        } else {
            answer.write(enhanced, &mut self.conversation.out);
        }
        self.conversation.flush_if_large()
    }

    fn execute(&mut self, line: &str) -> Outcome {
        let (verb, arguments) = split(line);
        if verb != "AUTH" && line.len() + 2 > LINE_LIMIT {
            return refuse(500, "5.5.2", "The command line is too long.");
        }
        if VERBS.contains(&verb.as_str()) {
            self.shared.received.note_text(shown(&verb, arguments));
        }
        match verb.as_str() {
            "EHLO" if self.shared.smtp.ehlo => self.hello(arguments, true),
            "HELO" => self.hello(arguments, false),
            "STARTTLS" => without(arguments).and_then(|()| self.starttls()),
            "AUTH" => self.auth(arguments),
            "MAIL" => self.mail(arguments),
            "RCPT" => self.rcpt(arguments),
            "BDAT" if self.shared.smtp.chunking => self.bdat(arguments),
            "DATA" => without(arguments).and_then(|()| self.data()),
            "RSET" => without(arguments).and_then(|()| self.rset()),
            "NOOP" => reply(250, "2.0.0", "Done."),
            "VRFY" => self.vrfy(arguments),
            "HELP" => reply(214, "2.0.0", "This is a sandbox; see RFC 5321."),
            "QUIT" => without(arguments).and_then(|()| self.quit()),
            verb if UNIMPLEMENTED.contains(&verb) => {
                refuse(502, "5.5.1", "This command is not implemented.")
            }
            _ => refuse(500, "5.5.1", "This command is unknown."),
        }
    }

    fn hello(&mut self, arguments: Option<&str>, extended: bool) -> Outcome {
        let domain = |name: &&str| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
        };
        let Some(name) = arguments.filter(|name| !name.is_empty()).filter(domain) else {
            return refuse(501, "5.5.4", "A host name or an address in brackets is expected.");
        };
        self.client = Some(Client { name: name.to_owned(), extended });
        self.transaction = None;
        let mut lines = vec![format!("sandbox greets {name}.")];
        if extended {
            lines.extend(self.shared.smtp.keywords(self.conversation.is_encrypted()));
        }
        // RFC 2034 4: the answer to EHLO has no enhanced code.
        Ok(Reply::lines(250, lines))
    }

    fn rset(&mut self) -> Outcome {
        self.transaction = None;
        reply(250, "2.0.0", "Forgotten.")
    }

    fn vrfy(&self, arguments: Option<&str>) -> Outcome {
        let Some(name) = arguments.filter(|name| !name.is_empty()) else {
            return refuse(501, "5.5.4", "VRFY needs a name.");
        };
        let bare = name.strip_prefix('<').and_then(|name| name.strip_suffix('>')).unwrap_or(name);
        let address = path::Path::parse(bare);
        match address.and_then(|address| self.shared.delivery.account(&self.shared.store, &address))
        {
            Some(user) => reply(250, "2.1.5", format!("<{user}@sandbox>")),
            None => reply(252, "2.0.0", "There is no telling, but a letter will be taken."),
        }
    }

    fn quit(&mut self) -> Outcome {
        self.over = true;
        self.transaction = None;
        reply(221, "2.0.0", "Bye.")
    }

    /// Refuses a command that requires EHLO.
    fn extended(&self) -> Result<(), Refusal> {
        if self.client.as_ref().is_some_and(|client| client.extended) {
            return Ok(());
        }
        refuse(503, "5.5.1", "EHLO comes first.")
    }
}

/// Refuses arguments.
fn without(arguments: Option<&str>) -> Result<(), Refusal> {
    if arguments.is_some() {
        refuse(501, "5.5.4", "This command takes no arguments.")
    } else {
        Ok(())
    }
}

/// The command as it is recorded, with `<secret>` for credentials.
fn shown(verb: &str, arguments: Option<&str>) -> String {
    let arguments = arguments.unwrap_or_default();
    match (verb, arguments.split_once(' ')) {
        ("AUTH", Some((name, _))) => format!("{verb} {name} <secret>"),
        _ => format!("{verb} {arguments}").trim_end().to_owned(),
    }
}
