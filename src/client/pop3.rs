//! The POP3 client (RFC 1939): a method for each operation, over one connection.
//!
//! POP3 sends one reply for each command, in order. Every operation therefore first reads the
//! replies to letters that were requested ahead ([`PopClient::expect`]), then sends its command and
//! reads the reply. DELE only marks letters; the server removes them at QUIT, so only
//! [`PopClient::close`] removes letters.
//!
//! `submit` sends a command, `finish` reads its reply, and `run` does both. Bodies are passed on in
//! pieces as they arrive.

use super::error::Error;
use super::options::{Auth, ConnectOptions, Credentials, Ports};
use super::pop_ahead::{MOST, PopAhead};
use super::remaking::Ids;
use super::told::{Warning, WarningKind};
use crate::proto::Secret;
use crate::proto::deed::{Deed, Letters};
use crate::proto::imap::{Completion, StatusKind};
use crate::proto::pop3::{Command, Event, Handle, Reply, Session};
use crate::proto::sasl::{Exchange, Mechanism, SaslError};
use crate::proto::witness::Facts;
use crate::proto::{EncodeError, Limits};
use crate::transport::{Connection, Connector};
use md5::{Digest, Md5};
use std::collections::HashMap;
use std::time::Duration;

/// The longest wait for the reply to QUIT. It is longer than IMAP's, since the server removes the
/// marked letters before it replies.
const LONGEST_FAREWELL: Duration = Duration::from_secs(60);

/// The longest initial response sent with AUTH, since a command line has at most 255 octets (RFC
/// 5034 4).
const LONGEST_INITIAL: usize = 232;

/// A POP3 connection.
pub struct PopClient {
    pub(super) connection: Connection<Session>,
    capabilities: Vec<String>,
    timestamp: Option<String>,
    count: u32,
    bytes: u64,
    /// Whether letters are marked, so that a missing reply to QUIT is an error.
    marked: bool,
    /// The letters that were marked before the operation that began last.
    pub(super) marked_before: Vec<u32>,
    pub(super) ids: Ids,
    /// Sizes from LIST, which do not change during a session.
    pub(super) sizes: HashMap<u32, u64>,
    pub(super) ahead: PopAhead,
    warnings: Vec<Warning>,
}

impl PopClient {
    /// Connects, encrypts as the options say, logs in, and asks for the number of letters.
    ///
    /// # Errors
    /// As [`super::ImapClient::connect`].
    pub fn connect(
        connector: &Connector,
        host: &str,
        credentials: &Credentials,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        credentials.check()?; // before a byte is sent
        if matches!(credentials.auth, None | Some(Auth::Login)) {
            user_and_password(credentials)?;
        }
        let way = options.way(Ports { plain: 110, implicit_tls: 995 });
        let mut connection =
            way.open(connector, host, options, Session::new(options.limits.clone()))?;
        credentials.tell(&mut connection);
        let mut client = PopClient {
            connection,
            capabilities: Vec::new(),
            timestamp: None,
            count: 0,
            bytes: 0,
            marked: false,
            marked_before: Vec::new(),
            ids: Ids::default(),
            sizes: HashMap::new(),
            ahead: PopAhead::default(),
            warnings: Vec::new(),
        };
        client.greeting()?;
        client.learn_capabilities(None)?;
        if way.wants_starttls(&client.connection) {
            client.start_tls()?;
        }
        client.log_in(credentials)?;
        client.look_around()?;
        Ok(client)
    }

    /// Sends CAPA, whose reply may differ after the login, and STAT; pipelined if the server allows
    /// it.
    fn look_around(&mut self) -> Result<(), Error> {
        let ahead = if self.has("PIPELINING") {
            Some((self.submit(Command::capa())?, self.submit(Command::stat())?))
        } else {
            None
        };
        self.learn_capabilities(ahead.map(|(capa, _)| capa))?;
        let text = match ahead {
            Some((_, stat)) => self.finish(stat, "STAT", None, &mut |_| Ok(()))?,
            None => self.line(Command::stat())?,
        };
        self.note_count(&text)
    }

    /// Returns the warnings since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// Adds a warning with secrets replaced, unless there are as many as the limit allows.
    pub(super) fn warn(&mut self, kind: WarningKind, words: &str) {
        if self.warnings.len() < self.limits().warnings {
            self.warnings.push(Warning { kind, words: self.connection.redact(words) });
        }
    }

    /// Adds the warning that a letter was refused; the operation goes on with the others.
    pub(crate) fn warn_refused(&mut self, number: u32, refusal: &Error) {
        self.warn(WarningKind::Noticed, &format!("letter {number} was left out: {refusal}"));
    }

    /// The number of letters, from the latest STAT.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The letters' total size in octets, from the latest STAT.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The lines of CAPA in upper case, for example `TOP` or `SASL PLAIN LOGIN`; empty if the
    /// server has no CAPA.
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Whether a line of CAPA starts with this word.
    pub fn has(&self, name: &str) -> bool {
        self.capabilities
            .iter()
            .any(|line| line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(name)))
    }

    /// Whether the stream is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.connection.is_encrypted()
    }

    /// The host that was asked for.
    pub fn host(&self) -> &str {
        self.connection.host()
    }

    /// Whether the connection is closed on this side.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// STAT: updates the number of letters and their total size.
    ///
    /// # Errors
    /// As every operation: [`Error`].
    pub fn stat(&mut self) -> Result<(), Error> {
        let text = self.line(Command::stat())?;
        self.note_count(&text)
    }

    fn note_count(&mut self, text: &str) -> Result<(), Error> {
        let mut words = text.split_ascii_whitespace();
        let count = words.next().and_then(digits::<u32>);
        // Some servers leave out the size, or write words between the numbers.
        let bytes = match words.next() {
            Some(word) if !word.starts_with(|c: char| c.is_ascii_alphabetic()) => digits(word),
            _ => Some(words.find_map(digits).unwrap_or(0)),
        };
        match (count, bytes) {
            (Some(count), Some(bytes)) => {
                // Message sets count up to this number.
                self.connection.session().limits().check("responses", u64::from(count))?;
                (self.count, self.bytes) = (count, bytes);
            }
            _ => {
                return Err(self.unexpected(format!(
                    "the server's answer to STAT is not two numbers: {}",
                    near(text)
                )));
            }
        }
        Ok(())
    }

    /// RETR, or TOP for the header and `lines` lines of the body. `on_piece` gets the letter's
    /// bytes as they arrive.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such letter or it is marked. An error of `on_piece` is
    /// returned after the server has finished.
    pub fn retrieve(
        &mut self,
        number: u32,
        lines: Option<u32>,
        on_piece: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let command = lines.map_or(Command::retr(number), |lines| Command::top(number, lines));
        self.run(command, on_piece).map(drop)
    }

    /// UIDL of one letter.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such letter or the server has no UIDL.
    pub fn unique_id(&mut self, number: u32) -> Result<String, Error> {
        let text = self.line(Command::uidl(Some(number)))?;
        let words: Vec<&str> = blank_separated(&text).collect();
        let id = match words[..] {
            [told, id, ..] if digits(told) == Some(number) => Some(id),
            [id] if digits(id) != Some(number) => Some(id), // some servers leave out the number
            _ => None,
        };
        id.map(str::to_owned).ok_or_else(|| {
            self.unexpected(format!(
                "the server's answer to UIDL of letter {number} is {}",
                near(&text)
            ))
        })
    }

    /// UIDL of all letters that are not marked.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server has no UIDL.
    pub fn unique_ids(&mut self) -> Result<Vec<(u32, String)>, Error> {
        self.settle()?;
        let handle = self.submit(Command::uidl(None))?;
        // As `unique_id`, which takes the first word: the two must agree.
        let first = |id: &str| blank_separated(id).next().map(str::to_owned);
        let ids = self.numbered_lines(handle, "UIDL", first)?;
        self.ids = Ids::Known(ids.iter().cloned().collect());
        Ok(ids)
    }

    /// LIST: numbers and sizes in octets of all letters that are not marked.
    ///
    /// # Errors
    /// As every operation.
    pub fn sizes(&mut self) -> Result<Vec<(u32, u64)>, Error> {
        self.settle()?;
        let handle = self.submit(Command::list())?;
        self.sizes_told(handle)
    }

    /// Reads the reply to a LIST that was sent.
    pub(super) fn sizes_told(&mut self, list: Handle) -> Result<Vec<(u32, u64)>, Error> {
        let sizes = self.numbered_lines(list, "LIST", |size| digits(size.split(' ').next()?))?;
        self.sizes.extend(sizes.iter().copied());
        Ok(sizes)
    }

    pub(super) fn limits(&self) -> Limits {
        self.connection.session().limits().clone()
    }

    /// DELE for each letter, pipelined if the server allows it. The letters are removed at QUIT.
    ///
    /// # Errors
    /// [`Error::Refused`] for the first letter that does not exist. Those before it are marked, and
    /// up to 1,000 of those after it. [`Error::Limit`], then none is marked.
    pub fn delete(&mut self, numbers: &[u32]) -> Result<(), Error> {
        let at_once = if self.has("PIPELINING") { MOST } else { 1 };
        self.settle()?;
        if self.connection.foresees() {
            let deeds =
                numbers.iter().map(|number| self.connection.wanted(&Command::dele(*number)));
            let deeds: Vec<Deed> = deeds.flatten().map(|(deed, _)| deed).collect();
            self.connection.foresee(&deeds)?;
        }
        self.drop_letters(|number, _| numbers.contains(&number));
        numbers.chunks(at_once).try_for_each(|numbers| {
            self.marked = true;
            let (mut sent, mut result) = (Vec::new(), Ok(()));
            for number in numbers {
                match self.submit(Command::dele(*number)) {
                    Ok(handle) => sent.push(handle),
                    // The answers to those before it are still read.
                    Err(error) => {
                        result = Err(error);
                        break;
                    }
                }
            }
            for handle in sent {
                let answer = self.finish(handle, "DELE", None, &mut |_| Ok(()));
                if self.is_closed() {
                    return result.and(answer.map(drop));
                }
                result = result.and(answer.map(drop));
            }
            result
        })
    }

    /// RSET: removes all marks.
    ///
    /// # Errors
    /// As every operation.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.line(Command::rset())?;
        self.drop_letters(|_, has_come| !has_come); // it may have been refused for its mark
        self.marked = false;
        Ok(())
    }

    /// QUIT, which removes the marked letters, then closes the stream. Safe to call again and on a
    /// dead connection.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server could not remove all marked letters. If letters are marked,
    /// also any error that kept the reply from arriving: the letters may still be there.
    pub fn close(&mut self) -> Result<(), Error> {
        if self.is_closed() {
            return Ok(());
        }
        self.connection.hurry(LONGEST_FAREWELL);
        self.forget_letters();
        let result = self.line(Command::quit());
        self.connection.close();
        match result {
            Err(error) if self.marked || matches!(error, Error::Refused { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// Closes the stream without QUIT: nothing is removed.
    pub fn abandon(&mut self) {
        self.connection.close();
    }

    fn greeting(&mut self) -> Result<(), Error> {
        self.connection.wait()?;
        let Event::Greeting(reply) = self.connection.session().current_event() else {
            return Err(Error::Unexpected("something else than a greeting came first".into()));
        };
        let words = words(&reply);
        if !reply.ok {
            self.connection.close();
            return Err(Error::Bye { words });
        }
        self.timestamp = timestamp(&words);
        Ok(())
    }

    /// Reads the reply to the CAPA `sent`, or sends one now.
    fn learn_capabilities(&mut self, sent: Option<Handle>) -> Result<(), Error> {
        self.capabilities.clear();
        let handle = sent.map_or_else(|| self.submit(Command::capa()), Ok)?;
        match self.body_lines(handle, "CAPA", "names", |line| Ok(line.to_ascii_uppercase())) {
            Ok(lines) => self.capabilities = lines,
            Err(Error::Refused { .. }) => {} // RFC 1939 has no CAPA
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// STLS. A server that does not offer or accept it is given up. The timestamp and capabilities
    /// from before are discarded.
    fn start_tls(&mut self) -> Result<(), Error> {
        if !self.has("STLS") {
            self.connection.close();
            return Err(Error::Insecure("the server offers no STLS, and the password would travel in the clear; give :tls :none to allow that, or :tls :implicit for port 995".into()));
        }
        match self.line(Command::stls()) {
            Ok(_) => {
                self.connection.start_tls()?;
                self.timestamp = None; // it was sent unencrypted
            }
            Err(Error::Refused { completion, .. }) => {
                self.connection.close();
                return Err(Error::Insecure(format!(
                    "the server refused STLS: {}",
                    completion.words()
                )));
            }
            Err(error) => return Err(error),
        }
        self.learn_capabilities(None)
    }

    /// Logs in: by SASL if a mechanism is chosen, by APOP if that is better, otherwise by USER and
    /// PASS.
    fn log_in(&mut self, credentials: &Credentials) -> Result<(), Error> {
        let offered = self
            .capabilities
            .iter()
            .find_map(|line| line.strip_prefix("SASL "))
            .unwrap_or_default()
            .to_owned();
        let offers = |name: &str| offered.split(' ').any(|word| word == name);
        let mechanism = credentials.mechanism(offers).inspect_err(|_| self.connection.close())?;
        // Unencrypted, a digest is better than the password; under TLS MD5 adds nothing.
        let prefers_apop = credentials.auth.is_none()
            && !self.is_encrypted()
            && mechanism != Some(Mechanism::ScramSha256);
        let result = match (&self.timestamp, mechanism) {
            (Some(timestamp), _) if prefers_apop || credentials.auth == Some(Auth::Apop) => {
                let digest = Md5::digest(
                    Secret::new(format!("{timestamp}{}", credentials.password.reveal())).reveal(),
                );
                let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                self.line(Command::apop(&credentials.user, &digest)?).map(drop)
            }
            (None, _) if credentials.auth == Some(Auth::Apop) => {
                self.connection.close();
                return Err(Error::Unsupported(
                    "the server offers no APOP: its greeting has no timestamp".into(),
                ));
            }
            (_, Some(mechanism)) => self.authenticate(Exchange::new(
                mechanism,
                &credentials.user,
                &credentials.password,
            )?),
            // Not pipelined: Nagle's algorithm would delay the second short reply by 40 ms.
            (_, None) => user_and_password(credentials)?
                .into_iter()
                .try_for_each(|command| self.line(command).map(drop)),
        };
        match result {
            Err(Error::Refused { completion, .. }) => {
                self.connection.close();
                Err(Error::Authentication {
                    user: credentials.user.clone(),
                    words: completion.words(),
                })
            }
            other => other,
        }
    }

    fn authenticate(&mut self, mut exchange: Exchange) -> Result<(), Error> {
        let fits = exchange
            .clone()
            .initial()
            .is_none_or(|initial| initial.reveal().len() <= LONGEST_INITIAL);
        let initial = if fits { exchange.initial() } else { None };
        let handle = self.submit(Command::auth(exchange.mechanism(), initial.as_ref()))?;
        self.finish(handle, "AUTH", Some(&mut exchange), &mut |_| Ok(()))?;
        exchange.finish().map_err(|cause| self.login_failed(exchange.user(), cause))
    }

    fn login_failed(&mut self, user: &str, cause: SaslError) -> Error {
        self.connection.close();
        Error::Login { user: user.to_owned(), cause }
    }

    /// Reads lines of a letter number and a value. A line that is not one is left out, with a
    /// warning. If most are not, this is another command's answer.
    fn numbered_lines<T>(
        &mut self,
        handle: Handle,
        name: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<(u32, T)>, Error> {
        let pair = |line: &str| {
            let (number, rest) = line.trim().split_once(' ')?;
            Some((digits(number).filter(|number| *number > 0)?, read(rest.trim())?))
        };
        let lines = self.body_lines(handle, name, "listed", |line| {
            Ok(pair(line).ok_or_else(|| line.to_owned()))
        })?;
        let bad = |line: &&Result<_, String>| line.is_err();
        if let Some(Err(line)) = lines.iter().find(bad)
            && 2 * lines.iter().filter(bad).count() > lines.len()
        {
            let words = format!("a line of the server's answer to {name} is {}", near(line));
            return Err(self.unexpected(words));
        }
        let mut pairs = Vec::with_capacity(lines.len());
        for line in lines {
            match line {
                Ok(pair) => pairs.push(pair),
                Err(line) if line.trim().is_empty() => {}
                Err(line) => {
                    let words =
                        format!("a line of the answer to {name} was left out: {}", near(&line));
                    self.warn(WarningKind::Unreadable, &words);
                }
            }
        }
        Ok(pairs)
    }

    /// An error that quotes the server, with secrets replaced.
    fn unexpected(&self, text: String) -> Error {
        Error::Unexpected(self.connection.redact(&text))
    }

    /// Reads the lines of a multi-line reply with `read`, at most as many as the limit `most`
    /// allows.
    fn body_lines<T>(
        &mut self,
        handle: Handle,
        name: &'static str,
        most: &'static str,
        read: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut body = Vec::new();
        let limits = self.limits();
        self.finish(handle, name, None, &mut |piece| {
            limits.check("line", (body.len() + piece.len()) as u64)?;
            body.extend_from_slice(piece);
            Ok(())
        })?;
        // Only CR LF ends a line; a bare CR or LF does not, unless the server uses no other.
        let line_end = self.connection.session().line_end();
        let ends = memchr::memmem::find_iter(&body, line_end).map(|end| end + line_end.len());
        let mut lines = Vec::new();
        let mut start = 0;
        for end in ends {
            limits.check(most, lines.len() as u64 + 1)?;
            lines.push(read(&String::from_utf8_lossy(&body[start..end - line_end.len()]))?);
            start = end;
        }
        Ok(lines)
    }

    /// Sends a command with a one-line reply and returns its text.
    fn line(&mut self, command: Command) -> Result<String, Error> {
        self.run(command, &mut |_| Ok(()))
    }

    /// Sends one command and reads its reply, after the replies to letters requested ahead.
    fn run(
        &mut self,
        command: Command,
        on_piece: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<String, Error> {
        let name = command.name();
        self.settle()?;
        let handle = self.submit(command)?;
        self.finish(handle, name, None, on_piece)
    }

    /// Sends a command. If nothing is in flight, first reads what the server has sent unasked.
    pub(super) fn submit(&mut self, command: Command) -> Result<Handle, Error> {
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if self.connection.session().in_flight() == 0 && !self.connection.session().has_unread() {
            self.connection.overhear()?;
        }
        let facts = self.facts(&command);
        Ok(self.connection.submit_with(command, facts)?)
    }

    /// What the witness wants to know about the command's letters, as far as the command says it.
    fn facts(&self, command: &Command) -> Option<Facts> {
        let (deed, wanted) = self.connection.wanted(command)?;
        match deed.letters {
            Letters::Numbers(numbers) if !wanted.is_nothing() => Some(Facts::of(numbers)),
            _ => None,
        }
    }

    /// Reads a reply to its end. An error of the callback is returned after the body has ended, so
    /// that the connection stays usable.
    pub(super) fn finish(
        &mut self,
        handle: Handle,
        name: &'static str,
        mut exchange: Option<&mut Exchange>,
        on_piece: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<String, Error> {
        self.connection.stream().begin_reply();
        let mut failure = None;
        let mut text = String::new();
        loop {
            self.connection.wait()?;
            match self.connection.session().current_event() {
                Event::Reply(done, reply) if done == handle => {
                    text = words(&reply);
                    if !reply.ok {
                        let completion = Completion {
                            kind: StatusKind::No,
                            code: None,
                            text: self.connection.redact(&text),
                        };
                        return Err(Error::Refused { command: name, completion });
                    }
                    if !self.connection.session().expects_body() {
                        break;
                    }
                }
                Event::Piece(_, piece) if failure.is_none() => failure = on_piece(piece).err(),
                Event::End(_) => break,
                Event::Challenge(_, challenge) => {
                    if let Some(exchange) = exchange.as_deref_mut() {
                        let answer = exchange
                            .answer(challenge)
                            .map_err(|cause| self.login_failed(exchange.user(), cause))?;
                        self.connection.answer(&answer);
                    }
                }
                _ => {}
            }
            if let Some(Error::Protocol(_)) = &failure {
                self.connection.close();
                break;
            }
        }
        failure.map_or(Ok(text), Err)
    }
}

fn user_and_password(credentials: &Credentials) -> Result<[Command; 2], EncodeError> {
    Ok([Command::user(&credentials.user)?, Command::pass(&credentials.password)?])
}

fn words(reply: &Reply<'_>) -> String {
    String::from_utf8_lossy(reply.text).into_owned()
}

/// The words of a line. A bare line end is part of a word.
fn blank_separated(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t']).filter(|word| !word.is_empty())
}

/// Parses a number that consists of digits only.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The start of a server's words, escaped, for messages.
fn near(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    format!("{start:?}{}", if start.len() < text.len() { "…" } else { "" })
}

/// The timestamp in a greeting, such as `<1896.697170952@dbc.mtview.ca.us>`, which offers APOP (RFC
/// 1939 7).
fn timestamp(greeting: &str) -> Option<String> {
    let start = greeting.find('<')?;
    let end = start + greeting[start..].find('>')?;
    let stamp = &greeting[start..=end];
    (stamp.contains('@') && stamp.bytes().all(|byte| byte.is_ascii_graphic()))
        .then(|| stamp.to_owned())
}
