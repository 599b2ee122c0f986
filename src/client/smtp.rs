//! The SMTP client (RFC 5321): one connection, any number of letters.
//!
//! A letter is one transaction: MAIL, an RCPT for each recipient, DATA, the letter. With PIPELINING
//! MAIL and all RCPTs are sent together (RFC 2920), and DATA with them if there is one recipient.
//! After DATA the letter is sent only after 354. If a recipient is refused and the envelope does not
//! allow partial delivery, it is sent to nobody.
//!
//! With CHUNKING (RFC 3030), too, a letter of up to 64 KB goes out as one BDAT: with MAIL and RCPT, in one
//! round trip, if the server cannot accept it for too few recipients, and otherwise once all of them are
//! accepted. A server discards what follows a refused BDAT.
//!
//! A reply that arrives before the letter has ended cannot be its answer, and closes the
//! connection. If the connection breaks after the end of the letter was sent, nobody knows whether it was
//! accepted. That is [`Error::DeliveryUnknown`], and nothing is sent again.

use super::error::Error;
use super::options::{ConnectOptions, Credentials, Ports};
use crate::proto::EncodeError;
use crate::proto::imap::{Completion, StatusKind};
use crate::proto::sasl::{Exchange, Mechanism};
use crate::proto::smtp::domain::ascii_domain;
use crate::proto::smtp::{Command, Event, Handle, MailOptions, Notices, Reply, Session};
use crate::transport::{Connection, Connector, TransportError};
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

/// The longest wait for the reply to QUIT.
const LONGEST_FAREWELL: Duration = Duration::from_secs(2);

/// The size of a write to the stream, in bytes, and of the largest letter that is sent before the server
/// has accepted its recipients.
const CHUNK: usize = 64 << 10;

/// The longest line of a letter, in bytes (RFC 5322 2.1.1). Servers break or refuse longer ones.
pub const LONGEST_LINE: usize = 998;

/// A recipient that the server refused, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The address.
    pub address: String,
    /// The reply with its code.
    pub words: String,
}

/// The envelope of a letter.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'e> {
    /// The reverse path; empty for bounces.
    pub from: &'e str,
    /// The recipients.
    pub to: &'e [String],
    /// Whether the letter goes to the accepted recipients if others are refused. Otherwise it goes
    /// to nobody.
    pub partial: bool,
    /// Whether lines over 998 bytes are allowed.
    pub long_lines: bool,
}

/// An SMTP connection.
pub struct SmtpClient {
    pub(super) connection: Connection<Session>,
    helo: String,
    extensions: Vec<String>,
}

impl SmtpClient {
    /// Connects, encrypts as the options say, and logs in if there are credentials. `helo` is the
    /// name for EHLO; the default is the local address.
    ///
    /// # Errors
    /// As [`super::ImapClient::connect`].
    pub fn connect(
        connector: &Connector,
        host: &str,
        helo: Option<&str>,
        credentials: Option<&Credentials>,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        if let Some(helo) = helo {
            Command::ehlo(helo)?; // before a byte is sent, like the next check
        }
        credentials.map_or(Ok(()), Credentials::check)?;
        let way = options.way(Ports { plain: 25, implicit_tls: 465 });
        let mut connection =
            way.open(connector, host, options, Session::new(options.limits.clone()))?;
        if let Some(credentials) = credentials {
            credentials.tell(&mut connection);
        }
        let helo = helo.map_or_else(|| own_address(&mut connection), str::to_owned);
        let mut client = SmtpClient { connection, helo, extensions: Vec::new() };
        client.greeting()?;
        let starttls = way.wants_starttls(&client.connection);
        client.say_hello(starttls)?;
        if starttls {
            client.start_tls()?;
        }
        if let Some(credentials) = credentials {
            client.log_in(credentials)?;
        }
        Ok(client)
    }

    /// Says whose connection this one stands for.
    pub fn stand_for(&mut self, user: Option<&str>) {
        self.connection.set_user(user.unwrap_or_default());
    }

    /// The port that was asked for.
    pub fn port(&self) -> u16 {
        self.connection.account().port
    }

    /// Whether the reply to EHLO lists an extension.
    pub fn has(&self, name: &str) -> bool {
        self.extension(name).is_some()
    }

    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.connection.is_encrypted()
    }

    /// Whether the connection is closed on this side.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Sends a letter. Line ends become CR LF, and leading dots are doubled. Returns the refused
    /// recipients; there are none unless the envelope allows `partial` delivery.
    ///
    /// # Errors
    /// [`Error::Argument`], before a byte is sent, for NUL, lines over 998 bytes unless allowed,
    /// and malformed addresses. Of an address of which only the domain is not ASCII, the domain is
    /// sent as its A-label; [`Error::Unsupported`] if the letter needs an extension that the
    /// server lacks, or is larger than its limit; [`Error::Recipients`], with nothing sent;
    /// [`Error::Refused`]; [`Error::DeliveryUnknown`] if the connection broke between the end of
    /// the letter and the reply.
    pub fn send(&mut self, envelope: &Envelope<'_>, letter: &[u8]) -> Result<Vec<Refused>, Error> {
        self.send_with(envelope, &Notices::default(), letter)
    }

    /// Sends a letter, and asks for notifications of its delivery (DSN, RFC 3461).
    ///
    /// # Errors
    /// As [`SmtpClient::send`]; [`Error::Unsupported`] if the server does not offer DSN, and
    /// [`Error::Argument`] as [`Notices::check`].
    pub fn send_with(
        &mut self,
        envelope: &Envelope<'_>,
        notices: &Notices<'_>,
        letter: &[u8],
    ) -> Result<Vec<Refused>, Error> {
        check_letter(letter, envelope.long_lines)?;
        check_addresses(envelope)?;
        notices.check()?;
        if notices.need_dsn() && !self.has("DSN") {
            return Err(Error::Unsupported(
                "the server sends no notifications on demand (DSN)".into(),
            ));
        }
        let from = ascii_domain(envelope.from)?;
        let to: Vec<String> = envelope
            .to
            .iter()
            .map(|to| ascii_domain(to).map(Cow::into_owned))
            .collect::<Result<_, _>>()?;
        let options = self.mail_options(&Envelope { from: &from, to: &to, ..*envelope }, letter)?;
        let mail = Command::mail_with(&from, &to, options, notices)?;
        let recipients = to
            .iter()
            .map(|to| Command::rcpt_with(to, options.utf8, notices))
            .collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() {
            return Err(EncodeError {
                what: "to",
                expected: "at least one address",
                got: "none".into(),
            }
            .into());
        }
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if let Some(limit) = self
            .extension("SIZE")
            .and_then(|line| words_of(line).nth(1)?.parse::<u64>().ok())
            .filter(|limit| *limit > 0)
            && letter.len() as u64 > limit
        {
            return Err(Error::Unsupported(format!(
                "the letter has {} bytes, and the server takes at most {limit}",
                letter.len()
            )));
        }
        let is_chunk = letter.len() <= CHUNK && self.has("CHUNKING") && self.has("PIPELINING");
        if is_chunk {
            return self.transmit_as_chunk(mail, recipients, envelope, letter);
        }
        let refused = self.open_transaction(mail, recipients, envelope)?;
        self.transmit(letter)?;
        Ok(refused)
    }

    /// VRFY: the server's words, or `None` if it does not know the address.
    ///
    /// # Errors
    /// [`Error::Argument`] for a malformed address, and those of every operation.
    pub fn verify(&mut self, address: &str) -> Result<Option<String>, Error> {
        let answer = self.run(Command::vrfy(address)?)?;
        Ok((answer.code / 100 == 2).then_some(answer.words))
    }

    /// The host that was asked for.
    pub fn host(&self) -> &str {
        self.connection.host()
    }

    /// Closes the stream without QUIT.
    pub fn abandon(&mut self) {
        self.connection.close();
    }

    /// QUIT, then closes the stream. Safe to call again.
    pub fn close(&mut self) {
        if !self.is_closed() && self.connection.session().in_flight() == 0 {
            self.connection.hurry(LONGEST_FAREWELL);
            let _ = self.run(Command::quit()); // the stream is closed in any case
        }
        self.connection.close();
    }

    /// The parameters of MAIL that the letter needs; an error if the server lacks an extension for
    /// it.
    fn mail_options(&self, envelope: &Envelope<'_>, letter: &[u8]) -> Result<MailOptions, Error> {
        let international =
            !envelope.from.is_ascii() || envelope.to.iter().any(|to| !to.is_ascii());
        if international && !self.has("SMTPUTF8") {
            return Err(Error::Unsupported(
                "an address is not ASCII, and the server does not take such addresses (SMTPUTF8)"
                    .into(),
            ));
        }
        let eight_bit = !letter.is_ascii();
        if eight_bit && !self.has("8BITMIME") {
            return Err(Error::Unsupported(
                "the letter has 8-bit text, and the server takes none (8BITMIME); encode it as quoted-printable".into(),
            ));
        }
        let header = memchr::memmem::find(letter, b"\n\n")
            .or(memchr::memmem::find(letter, b"\n\r\n"))
            .map_or(letter, |end| &letter[..end]);
        let utf8 = self.has("SMTPUTF8") && (international || !header.is_ascii());
        Ok(MailOptions { size: self.has("SIZE").then_some(letter.len() as u64), eight_bit, utf8 })
    }

    /// Sends MAIL, RCPT and DATA in as few round trips as the server allows, and returns when the
    /// server is ready for the letter.
    fn open_transaction(
        &mut self,
        mail: Command,
        recipients: Vec<Command>,
        envelope: &Envelope<'_>,
    ) -> Result<Vec<Refused>, Error> {
        let pipelining = self.has("PIPELINING");
        // With one recipient DATA can be pipelined: if the recipient is refused, the server must
        // refuse DATA.
        let with_data = pipelining && recipients.len() == 1;
        let mut handles: Vec<Handle> = Vec::new();
        let mail = self.submit(mail)?;
        if pipelining {
            handles = recipients
                .iter()
                .map(|command| self.connection.submit(command.clone()))
                .collect::<Result<_, _>>()?;
        }
        let data = with_data.then(|| self.connection.submit(Command::data())).transpose()?;
        let mail = self.reply_to(mail)?;
        let mut refused = Vec::new();
        for (index, command) in recipients.into_iter().enumerate() {
            if !pipelining && mail.code / 100 != 2 {
                break;
            }
            let answer = match handles.get(index) {
                Some(handle) => self.reply_to(*handle)?,
                None => self.run(command)?,
            };
            if answer.code / 100 != 2 {
                refused.push(Refused { address: envelope.to[index].clone(), words: answer.words });
            }
        }
        let data = data.map(|data| self.reply_to(data)).transpose()?;
        let accepted = envelope.to.len() - refused.len();
        let may_go =
            mail.code / 100 == 2 && accepted > 0 && (refused.is_empty() || envelope.partial);
        if !may_go {
            if data.is_some_and(|data| data.code == 354) {
                // The server expects a letter that must not be sent. Only closing the connection
                // prevents one.
                self.connection.close();
            } else {
                self.run(Command::rset())?;
            }
            return Err(if mail.code / 100 == 2 {
                Error::Recipients { refused }
            } else {
                refusal("MAIL", mail)
            });
        }
        let data = match data {
            Some(data) => data,
            None => self.run(Command::data())?,
        };
        if data.code == 354 { Ok(refused) } else { Err(refusal("DATA", data)) }
    }

    /// Sends MAIL, RCPT and the letter by BDAT, and waits for all replies.
    fn transmit_as_chunk(
        &mut self,
        mail: Command,
        recipients: Vec<Command>,
        envelope: &Envelope<'_>,
        letter: &[u8],
    ) -> Result<Vec<Refused>, Error> {
        let is_ahead = recipients.len() == 1 || envelope.partial;
        let mail = self.submit(mail)?;
        let recipients: Vec<Handle> = recipients
            .into_iter()
            .map(|command| self.connection.submit(command))
            .collect::<Result<_, _>>()?;
        let ahead = match is_ahead {
            true => Some(self.connection.submit(Command::letter(letter))?),
            false => None,
        };
        let unless_sent = |error| if is_ahead { unknown(error) } else { error };
        let mail = self.reply_to(mail).map_err(unless_sent)?;
        let mut refused = Vec::new();
        for (handle, address) in recipients.into_iter().zip(envelope.to) {
            let answer = self.reply_to(handle).map_err(unless_sent)?;
            if answer.code / 100 != 2 {
                refused.push(Refused { address: address.clone(), words: answer.words });
            }
        }
        let is_accepted = mail.code / 100 == 2
            && refused.len() < envelope.to.len()
            && (refused.is_empty() || envelope.partial);
        let verdict = match ahead {
            Some(letter) => Some(self.reply_to(letter).map_err(unknown)?),
            None if is_accepted => {
                let letter = self.submit(Command::letter(letter))?;
                Some(self.reply_to(letter).map_err(unknown)?)
            }
            None => None,
        };
        match verdict {
            Some(verdict) if is_accepted && verdict.code / 100 == 2 => return Ok(refused),
            _ => drop(self.run(Command::rset())?), // the state after a refused BDAT is indeterminate
        }
        Err(match verdict {
            _ if mail.code / 100 != 2 => refusal("MAIL", mail),
            Some(verdict) if is_accepted => refusal("the letter", verdict),
            _ => Error::Recipients { refused },
        })
    }

    /// Sends the letter after 354 and waits for the final reply.
    fn transmit(&mut self, letter: &[u8]) -> Result<(), Error> {
        self.connection.stream().begin_reply();
        self.check_nothing_ahead()?;
        for chunk in letter.chunks(CHUNK) {
            self.connection.letter(chunk);
            self.connection.flush()?;
        }
        self.check_nothing_ahead()?;
        let handle = self.connection.end_letter();
        self.connection.stream().begin_reply();
        match self.reply_to(handle) {
            Ok(answer) if answer.code / 100 == 2 => Ok(()),
            Ok(answer) => Err(refusal("the letter", answer)),
            Err(error) => Err(unknown(error)),
        }
    }

    fn greeting(&mut self) -> Result<(), Error> {
        self.connection.wait()?;
        let Event::Greeting(reply) = self.connection.session().current_event() else {
            return Err(Error::Unexpected("something else than a greeting came first".into()));
        };
        let (code, words) = (reply.code, reply.words());
        match code {
            220 => Ok(()),
            400.. => {
                self.connection.close();
                Err(Error::Bye { words: self.connection.redact(&words) })
            }
            _ => {
                self.connection.close();
                Err(Error::Unexpected(format!(
                    "the server's greeting is {:?}",
                    words.chars().take(60).collect::<String>()
                )))
            }
        }
    }

    /// A reply that arrives before the letter has ended cannot be the answer to it. The connection
    /// is closed so that the letter is not completed.
    fn check_nothing_ahead(&mut self) -> Result<(), Error> {
        if !self.connection.session().has_unread() {
            self.connection.overhear()?;
        }
        if !self.connection.session().has_unread() {
            return Ok(());
        }
        self.connection.close();
        Err(Error::Unexpected(
            "the server replied before the letter had ended; the letter was not sent".into(),
        ))
    }

    /// Sends EHLO. If it is refused, tries HELO, unless `only_extended` is true: if TLS is
    /// required, nothing else may be sent before it.
    fn say_hello(&mut self, only_extended: bool) -> Result<(), Error> {
        self.extensions.clear();
        let answer = self.run(Command::ehlo(&self.helo)?)?;
        if answer.code / 100 == 2 {
            let limits = self.connection.session().limits();
            limits
                .check("names", answer.lines.len() as u64)
                .inspect_err(|_| self.connection.close())?;
            self.extensions =
                answer.lines.into_iter().skip(1).map(|line| line.to_ascii_uppercase()).collect();
            return Ok(());
        }
        if only_extended {
            return Err(
                self.give_up(&format!("the server refused EHLO before TLS: {}", answer.words))
            );
        }
        let answer = self.run(Command::helo(&self.helo)?)?;
        if answer.code / 100 == 2 { Ok(()) } else { Err(refusal("HELO", answer)) }
    }

    fn start_tls(&mut self) -> Result<(), Error> {
        if !self.has("STARTTLS") {
            return Err(self.give_up("the server offers no STARTTLS, and the letter would travel in the clear; give :tls :none to allow that, or :tls :implicit for port 465"));
        }
        let answer = self.run(Command::starttls())?;
        if answer.code != 220 {
            return Err(self.give_up(&format!("the server refused STARTTLS: {}", answer.words)));
        }
        self.connection.start_tls()?;
        self.say_hello(false)
    }

    fn log_in(&mut self, credentials: &Credentials) -> Result<(), Error> {
        // A server may have two lines, one of them in the form before RFC 4954: `AUTH=LOGIN`.
        let lines = self.extensions.iter().filter(|line| words_of(line).next() == Some("AUTH"));
        let offered: Vec<String> =
            lines.flat_map(|line| words_of(line).skip(1)).map(str::to_owned).collect();
        let offers = |name: &str| offered.iter().any(|word| word == name);
        let mechanism = match credentials.mechanism(offers) {
            Ok(None) if offers("LOGIN") => Ok(Mechanism::Login),
            Ok(None) => {
                Err(Error::Unsupported("the server offers no way to log in that is known here (SCRAM-SHA-256, PLAIN, LOGIN)".into()))
            }
            Ok(Some(mechanism)) => Ok(mechanism),
            Err(error) => Err(error),
        };
        let mut exchange = match mechanism {
            Ok(mechanism) => Exchange::new(mechanism, &credentials.user, &credentials.password)?,
            Err(error) => {
                self.close();
                return Err(error);
            }
        };
        let initial = exchange.initial();
        let handle = self.submit(Command::auth(exchange.mechanism(), initial.as_ref()))?;
        loop {
            self.connection.wait()?;
            let outcome = match self.connection.session().current_event() {
                Event::Challenge(_, challenge) => match exchange.answer(challenge) {
                    Ok(answer) => {
                        self.connection.answer(&answer);
                        continue;
                    }
                    Err(cause) => Err(cause),
                },
                Event::Reply(done, reply) if done == handle && reply.is_positive() => {
                    exchange.finish()
                }
                Event::Reply(_, reply) => {
                    let words = self.connection.redact(&reply.words());
                    self.connection.close();
                    return Err(Error::Authentication { user: credentials.user.clone(), words });
                }
                _ => continue,
            };
            return outcome.map_err(|cause| {
                self.connection.close();
                Error::Login { user: credentials.user.clone(), cause }
            });
        }
    }

    /// The line of the EHLO reply with this keyword.
    fn extension(&self, name: &str) -> Option<&str> {
        self.extensions
            .iter()
            .map(String::as_str)
            .find(|line| words_of(line).next().is_some_and(|word| word.eq_ignore_ascii_case(name)))
    }

    fn run(&mut self, command: Command) -> Result<Answer, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        let handle = self.submit(command)?;
        self.reply_to(handle)
    }

    /// Submits a command, after reading what the server has sent unasked.
    fn submit(&mut self, command: Command) -> Result<Handle, Error> {
        if self.connection.session().in_flight() == 0 && !self.connection.session().has_unread() {
            self.connection.overhear()?;
        }
        self.connection.stream().begin_reply();
        Ok(self.connection.submit(command)?)
    }

    /// Waits for the reply to a command. A 421 closes the connection.
    fn reply_to(&mut self, handle: Handle) -> Result<Answer, Error> {
        loop {
            self.connection.wait()?;
            if let Event::Reply(done, reply) = self.connection.session().current_event() {
                let answer = Answer::from(&reply);
                if answer.code == 421 {
                    let words = self.connection.redact(&answer.words);
                    self.connection.close();
                    return Err(Error::Bye { words });
                }
                if done == handle {
                    return Ok(Answer { words: self.connection.redact(&answer.words), ..answer });
                }
            }
        }
    }

    /// Closes the connection because the server cannot be trusted with the letter.
    fn give_up(&mut self, why: &str) -> Error {
        self.connection.close(); // nothing more is sent to a server that is not trusted
        Error::Insecure(why.to_owned())
    }
}

/// The words of a line of the EHLO reply.
fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '=', '\t']).filter(|word| !word.is_empty())
}

/// The local address in the form that EHLO takes (RFC 5321 4.1.3).
fn own_address(connection: &mut Connection<Session>) -> String {
    match connection.stream().local_address().map(|address| address.ip()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "localhost".into(),
    }
}

/// A reply as owned text.
struct Answer {
    code: u16,
    words: String,
    lines: Vec<String>,
}

impl From<&Reply<'_>> for Answer {
    fn from(reply: &Reply<'_>) -> Self {
        Answer {
            code: reply.code,
            words: reply.words(),
            lines: reply.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
        }
    }
}

/// The error of a wait after the end of the letter was sent: nobody knows whether the server has accepted
/// it.
fn unknown(error: Error) -> Error {
    match error {
        Error::Transport(TransportError::Interrupted) => {
            Error::DeliveryUnknown { cause: "the wait was interrupted".into() }
        }
        Error::Transport(_) | Error::Protocol(_) => {
            Error::DeliveryUnknown { cause: error.to_string() }
        }
        error => error,
    }
}

fn refusal(command: &'static str, answer: Answer) -> Error {
    Error::Refused {
        command,
        completion: Completion { kind: StatusKind::No, code: None, text: answer.words },
    }
}

/// Checks the addresses with SMTPUTF8 assumed, so that a malformed address is an argument error
/// whatever the server offers.
fn check_addresses(envelope: &Envelope<'_>) -> Result<(), EncodeError> {
    Command::mail(envelope.from, &[], MailOptions { utf8: true, ..MailOptions::default() })?;
    envelope.to.iter().try_for_each(|to| Command::rcpt(to, true).map(drop))?;
    let mut all = envelope.to.iter().map(String::as_str).chain([envelope.from]);
    all.try_for_each(|address| ascii_domain(address).map(drop))
}

/// Checks a letter for NUL and long lines.
fn check_letter(letter: &[u8], long_lines: bool) -> Result<(), Error> {
    if letter.contains(&0) {
        return Err(EncodeError {
            what: "letter",
            expected: "text without NUL",
            got: "a NUL".into(),
        }
        .into());
    }
    let longest =
        letter.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::len).max().unwrap_or(0);
    if longest > LONGEST_LINE && !long_lines {
        let got = format!("one of {longest} bytes");
        return Err(
            EncodeError { what: "letter", expected: "lines of at most 998 bytes", got }.into()
        );
    }
    Ok(())
}
