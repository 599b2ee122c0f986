//! POP3 (RFC 1939, 2449, 2595, 5034): one session per connection.
//!
//! | state | commands | left by |
//! |---|---|---|
//! | AUTHORIZATION | `login`: STLS, USER, PASS, APOP, AUTH | a login, QUIT |
//! | TRANSACTION | `retrieval`: STAT, LIST, UIDL, RETR, TOP, DELE, RSET | QUIT |
//! | UPDATE | none; QUIT in TRANSACTION enters it | the end of the session |
//!
//! CAPA is accepted in both states with commands, NOOP in TRANSACTION only. A login opens the
//! user's inbox for this session alone (`maildrop`). Letters marked by DELE are removed in UPDATE
//! only. If the connection ends without QUIT, nothing is removed, and the marks are lost.
//!
//! Commands and answers pass through `Conversation`, which buffers answers to pipelined commands.

mod extensions;
mod login;
mod maildrop;
mod retrieval;

use std::{io, sync::Arc};

pub use extensions::PopExtensions;
use maildrop::{Maildrop, Unavailable};

use crate::sandbox::imap::session::{Shared, next_session};
use crate::sandbox::wire::Transport;
use crate::sandbox::wire::conversation::{Conversation, Input, split};

/// The longest command line, including its CRLF (RFC 2449 4).
const LINE_LIMIT: usize = 255;

/// The commands that are recorded for tests, whether or not they are switched on. Other lines are
/// not recorded, since they could contain passwords.
const VERBS: [&str; 15] = [
    "CAPA", "STLS", "USER", "PASS", "APOP", "AUTH", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE",
    "RSET", "NOOP", "QUIT",
];

/// The longest AUTH line; it may include an initial response.
const AUTH_LINE_LIMIT: usize = 512;

/// The session's state. UPDATE needs no variant, since QUIT passes through it.
enum State {
    /// Before the login. `user` is the name from USER if that was the previous command.
    Authorization {
        user: Option<String>,
    },
    Transaction(Maildrop),
    Over,
}

/// A positive answer.
enum Done {
    /// The text after `+OK`.
    Text(String),
    /// The answer has been written already: it has several lines, or it announced TLS.
    Sent,
}

/// Why a command fails: `-ERR`, or a broken connection.
enum Refusal {
    /// A response code without brackets (RFC 2449 8, 3206), which may be empty, and the text.
    Failed(&'static str, String),
    /// The command is unknown, malformed or out of place. Too many of these in a row end the
    /// session.
    Bad(String),
    /// The connection failed; no answer can be sent.
    Broken(io::Error),
}

type Outcome = Result<Done, Refusal>;

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Broken(error)
    }
}

fn ok(text: impl Into<String>) -> Outcome {
    Ok(Done::Text(text.into()))
}

fn failed<T>(code: &'static str, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Failed(code, text.into()))
}

fn bad<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Bad(text.into()))
}

/// A POP3 connection.
pub(crate) struct PopSession {
    shared: Arc<Shared>,
    conversation: Conversation,
    state: State,
    number: u64,
    /// The greeting's timestamp. APOP's digest is computed from it and the password.
    timestamp: String,
}

impl PopSession {
    pub(crate) fn new(
        shared: Arc<Shared>,
        transport: Transport,
        acceptor: native_tls::TlsAcceptor,
    ) -> PopSession {
        let number = next_session();
        let now = jiff::Timestamp::now().as_microsecond();
        PopSession {
            conversation: Conversation::new(transport, acceptor, shared.pop.pipelining),
            shared,
            state: State::Authorization { user: None },
            number,
            timestamp: format!("<{}.{number}.{now}@sandbox>", std::process::id()),
        }
    }

    /// Greets the client and answers commands until it quits or disconnects.
    pub(crate) fn run(mut self) {
        // An error means that the client has disconnected, so there is nobody to answer.
        let _ = self.serve();
        // Release the maildrop first: a client that has seen the end can log in again.
        self.state = State::Over;
        self.conversation.lines.transport.close();
    }

    fn serve(&mut self) -> io::Result<()> {
        let timestamp =
            if self.shared.pop.apop { format!(" {}", self.timestamp) } else { String::new() };
        self.conversation.say(&format!("+OK Sandbox ready.{timestamp}"));
        while !matches!(self.state, State::Over) {
            let outcome = match self.conversation.next(AUTH_LINE_LIMIT)? {
                Input::Command(line) => self.execute(&line),
                Input::Malformed(reason) => bad(reason),
                Input::SentAhead => {
                    self.state = State::Over;
                    bad("Commands were sent ahead without PIPELINING.")
                }
                Input::End => return Ok(()),
            };
            self.answer(outcome)?;
        }
        self.conversation.flush()
    }

    fn answer(&mut self, outcome: Outcome) -> io::Result<()> {
        let too_many = self.conversation.count(matches!(outcome, Err(Refusal::Bad(_))));
        match outcome {
            Ok(Done::Text(text)) => self.conversation.say(format!("+OK {text}").trim_end()),
            Ok(Done::Sent) => {}
            Err(Refusal::Failed(code, text)) if self.shared.pop.resp_codes && !code.is_empty() => {
                self.conversation.say(&format!("-ERR [{code}] {text}"));
            }
            Err(Refusal::Failed(_, text)) => self.conversation.say(&format!("-ERR {text}")),
            Err(Refusal::Bad(_)) if too_many => {
                self.conversation.say("-ERR Too many bad commands.");
                self.state = State::Over;
            }
            Err(Refusal::Bad(text)) => self.conversation.say(&format!("-ERR {text}")),
            Err(Refusal::Broken(error)) => return Err(error),
        }
        self.conversation.flush_if_large()
    }

    fn execute(&mut self, line: &str) -> Outcome {
        let (verb, arguments) = split(line);
        if verb != "AUTH" && line.len() + 2 > LINE_LIMIT {
            return bad("The command line is too long.");
        }
        if VERBS.contains(&verb.as_str()) {
            self.shared.received.note_text(shown(&verb, arguments));
        }
        // RFC 1939 7: PASS must directly follow USER.
        let user = match &mut self.state {
            State::Authorization { user } => user.take(),
            _ => None,
        };
        let extensions = self.shared.pop;
        match verb.as_str() {
            "CAPA" if extensions.capa => self.without(arguments).and_then(|()| self.capa()),
            "STLS" if extensions.stls => self.without(arguments).and_then(|()| self.stls()),
            "USER" => self.user(arguments),
            "PASS" => self.pass(user, arguments),
            "APOP" if extensions.apop => self.apop(arguments),
            "AUTH" if extensions.sasl_plain || extensions.sasl_login => self.auth(arguments),
            "STAT" => self.without(arguments).and_then(|()| self.stat()),
            "LIST" => self.list(arguments),
            "UIDL" if extensions.uidl => self.uidl(arguments),
            "RETR" => self.retr(arguments),
            "TOP" if extensions.top => self.top(arguments),
            "DELE" => self.dele(arguments),
            "RSET" => self.without(arguments).and_then(|()| self.rset()),
            "NOOP" => self.without(arguments).and_then(|()| self.noop()),
            "QUIT" => self.without(arguments).and_then(|()| self.quit()),
            _ => bad("This command is unknown."),
        }
    }

    /// Refuses arguments.
    fn without(&self, arguments: Option<&str>) -> Result<(), Refusal> {
        if arguments.is_some() { bad("This command takes no arguments.") } else { Ok(()) }
    }

    fn capa(&mut self) -> Outcome {
        let authenticated = matches!(self.state, State::Transaction(_));
        let lines = self.shared.pop.capabilities(self.conversation.is_encrypted(), authenticated);
        self.conversation.say("+OK Capabilities follow.");
        lines.iter().for_each(|line| self.conversation.say(line));
        self.conversation.say(".");
        Ok(Done::Sent)
    }

    fn noop(&self) -> Outcome {
        self.maildrop()?;
        ok("")
    }

    /// Removes the marked letters and releases the maildrop before answering (RFC 1939 6), so that
    /// the next session can open it.
    fn quit(&mut self) -> Outcome {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Transaction(maildrop) => match maildrop.update() {
                Ok(()) => ok("Bye."),
                Err(Unavailable::InUse | Unavailable::Gone) => {
                    failed("SYS/TEMP", "The maildrop is gone; nothing was deleted.")
                }
            },
            _ => ok("Bye."),
        }
    }

    /// The open maildrop; an error before the login.
    fn maildrop(&self) -> Result<&Maildrop, Refusal> {
        match &self.state {
            State::Transaction(maildrop) => Ok(maildrop),
            _ => bad("Log in first."),
        }
    }

    fn maildrop_mut(&mut self) -> Result<&mut Maildrop, Refusal> {
        match &mut self.state {
            State::Transaction(maildrop) => Ok(maildrop),
            _ => bad("Log in first."),
        }
    }
}

/// The command as it is recorded, with `<secret>` for credentials.
fn shown(verb: &str, arguments: Option<&str>) -> String {
    let arguments = arguments.unwrap_or_default();
    match (verb, arguments.split_once(' ')) {
        ("PASS", _) => "PASS <secret>".to_owned(),
        ("APOP" | "AUTH", Some((name, _))) => format!("{verb} {name} <secret>"),
        _ => format!("{verb} {arguments}").trim_end().to_owned(),
    }
}
