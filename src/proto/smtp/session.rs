//! The SMTP session: commands in, bytes out; bytes in, events out.
//!
//! Replies arrive in the order of the commands. A reply has one or more lines, `250-…` and finally
//! `250 …`, all with the same code; it becomes one event when its last line has arrived.
//!
//! Submitted commands are pipelined (RFC 2920) except across a barrier, a command that must be the
//! last of its batch: commands submitted after it wait for its reply. The caller submits one
//! command at a time if the server does not offer PIPELINING. After the reply 354 to DATA nothing
//! but the letter is sent. The caller passes it to [`Session::letter`] and ends it with
//! [`Session::end_letter`]; the server's verdict arrives as the reply to the handle that
//! `end_letter` returned. With CHUNKING (RFC 3030) a command can hold the whole letter instead, BDAT;
//! its reply is the verdict.
//!
//! For deeds, a transaction runs from MAIL to the reply to the letter, or to a refused MAIL or
//! DATA, or RSET. The next MAIL may be sent while a letter awaits its reply (RFC 2920 3.1), so
//! several transactions can be open. A reply that no command waits for is a protocol error, because it could be taken
//! for the reply to the next command.

use super::body::Body;
use super::command::Command;
use crate::proto::Protocol;
use crate::proto::buffer::Received;
use crate::proto::deed::Deed;
use crate::proto::error::{ProtocolError, excerpt};
use crate::proto::limits::Limits;
use crate::proto::outgoing::Outgoing;
use crate::proto::secret::Secret;
use std::collections::VecDeque;
use zeroize::Zeroize;

/// Identifies a submitted command, or the end of a letter. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

/// A complete reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The reply code, three digits.
    pub code: u16,
    raw: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The text of each line, without the codes.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.raw.split(|byte| *byte == b'\n').filter(|line| line.len() >= 3).map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.get(4..).unwrap_or(b"")
        })
    }

    /// The whole reply as text, `550 5.1.1 no such user`, its lines joined by spaces.
    pub fn words(&self) -> String {
        let texts: Vec<String> =
            self.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        format!("{} {}", self.code, texts.join(" ")).trim_end().to_owned()
    }

    /// Returns whether the code is 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
}

/// The events of [`Session::current_event`].
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// More bytes are needed.
    NeedBytes,
    /// The first reply of the connection.
    Greeting(Reply<'a>),
    /// The reply to a command or to a letter.
    Reply(Handle, Reply<'a>),
    /// A challenge of AUTH, in base64; answer it with [`Session::answer`].
    Challenge(Handle, &'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    NeedBytes,
    Greeting(usize),
    Reply(Handle, usize),
    Challenge(Handle, usize),
}

/// A command that awaits a reply.
#[derive(Debug)]
struct Awaited {
    handle: Handle,
    name: &'static str,
    barrier: bool,
}

/// A mail transaction (RFC 5321 3.3), from MAIL to the reply to the letter or to RSET.
#[derive(Debug, Clone, Copy)]
struct Transaction {
    mail: Handle,
    /// The handle of the letter's end, once the letter has been given whole.
    end: Option<Handle>,
}

/// One SMTP connection's protocol state.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    received: Received,
    out: Outgoing,
    sent: VecDeque<Awaited>,
    waiting: VecDeque<(Handle, Command)>,
    greeted: bool,
    /// How many challenges the AUTH in flight has brought.
    challenges: u32,
    /// Whether the server replied 354 and the letter has not ended.
    in_letter: bool,
    /// The MAIL of the transaction to which that letter belongs.
    letter_of: Option<Handle>,
    /// The transactions whose MAIL was submitted and that have not ended, in this order. There are
    /// several when the next MAIL is sent before the reply to a letter.
    transactions: VecDeque<Transaction>,
    /// The transaction that the last reply ended: the handle of its MAIL, and whether the letter
    /// was accepted.
    ended: Option<(Handle, bool)>,
    body: Body,
    next_handle: u64,
    /// The offset in the unread bytes of the line being read, and the code of the reply's earlier
    /// lines.
    line: (usize, Option<u16>),
    /// Whether a reply arrived before a command asked for it; then nothing more is sent.
    ahead: bool,
    /// Whether the server ends its lines in CR LF; its first line decides, and after TLS the next
    /// line once more. Otherwise LF alone is a line end, too.
    crlf: Option<bool>,
    found: Found,
}

const READ_SIZE: usize = 16 << 10;

impl Session {
    /// Makes a session that waits for the greeting.
    pub fn new(limits: Limits) -> Self {
        Session {
            limits,
            received: Received::default(),
            out: Outgoing::default(),
            sent: VecDeque::new(),
            waiting: VecDeque::new(),
            greeted: false,
            challenges: 0,
            in_letter: false,
            letter_of: None,
            transactions: VecDeque::new(),
            ended: None,
            body: Body::default(),
            next_handle: 0,
            line: (0, None),
            ahead: false,
            crlf: None,
            found: Found::NeedBytes,
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers a challenge; `answer` is in base64.
    pub fn answer(&mut self, answer: &Secret) {
        self.out.push(answer.reveal().as_bytes(), true);
        self.out.push(b"\r\n", false);
    }

    /// Sends the next bytes of the letter. Call it after the reply 354 to DATA.
    pub fn letter(&mut self, chunk: &[u8]) {
        let mut wire = Vec::with_capacity(chunk.len() + chunk.len() / 32);
        self.body.push(chunk, &mut wire);
        self.out.push(&wire, false);
    }

    /// Ends the letter. The reply to the returned handle says whether the server accepted it.
    pub fn end_letter(&mut self) -> Handle {
        let mut wire = Vec::new();
        self.body.finish(&mut wire);
        self.out.push(&wire, false);
        self.in_letter = false;
        let handle = self.new_handle();
        let mail = self.letter_of.take();
        if let Some(transaction) = self.transactions.iter_mut().find(|one| Some(one.mail) == mail) {
            transaction.end = Some(handle);
        }
        self.sent.push_back(Awaited { handle, name: "the letter", barrier: false });
        self.pump();
        handle
    }

    /// Returns whether there are bytes that no event has shown.
    pub fn has_unread(&self) -> bool {
        self.received.has_unshown()
    }

    /// Returns how many replies are outstanding, including those of commands not sent yet.
    pub fn in_flight(&self) -> usize {
        self.sent.len() + self.waiting.len()
    }

    /// The event that was found last.
    pub fn current_event(&self) -> Event<'_> {
        let raw = |count: usize| self.received.first(count);
        let reply =
            |count: usize| Reply { code: code_of(raw(count)).unwrap_or(0), raw: raw(count) };
        match self.found {
            Found::NeedBytes => Event::NeedBytes,
            Found::Greeting(count) => Event::Greeting(reply(count)),
            Found::Reply(handle, count) => Event::Reply(handle, reply(count)),
            Found::Challenge(handle, count) => {
                Event::Challenge(handle, reply(count).lines().next().unwrap_or(b""))
            }
        }
    }

    fn new_handle(&mut self) -> Handle {
        self.next_handle += 1;
        Handle(self.next_handle)
    }

    /// The position of the transaction in progress for the server when it replies to the command
    /// `handle`: the last one that began before.
    fn transaction_before(&self, handle: Handle) -> Option<usize> {
        self.transactions.iter().rposition(|transaction| transaction.mail < handle)
    }

    /// Notes the end of a transaction: the reply to its letter, a refused MAIL or DATA, RSET, or
    /// another MAIL that the server accepted.
    fn note_end(&mut self, handle: Handle, name: &str, code: u16) {
        let is_positive = code / 100 == 2;
        let before = self.transaction_before(handle);
        let over = match name {
            "the letter" | "BDAT" => {
                self.transactions.iter().position(|one| one.end == Some(handle))
            }
            "MAIL" if is_positive => before,
            "MAIL" => self.transactions.iter().position(|one| one.mail == handle),
            "DATA" if code == 354 => {
                self.letter_of = before.map(|position| self.transactions[position].mail);
                None
            }
            "DATA" | "RSET" => before,
            _ => None,
        };
        if let Some(transaction) = over.and_then(|position| self.transactions.remove(position)) {
            self.ended = Some((transaction.mail, is_positive && transaction.end == Some(handle)));
        }
    }

    fn advance(&mut self) -> Result<Found, ProtocolError> {
        self.ended = None;
        self.received.drop_shown();
        let Some(length) = self.whole_reply()? else { return Ok(Found::NeedBytes) };
        self.received.show(length);
        let raw = self.received.first(length);
        let code = code_of(raw).unwrap_or(0);
        if !self.greeted {
            self.greeted = true;
            return Ok(Found::Greeting(length));
        }
        if self.ahead {
            // The reply was there before the command, which was not sent. Only 421 may come
            // unasked.
            return match self.waiting.pop_front() {
                Some((handle, _)) if code == 421 => Ok(Found::Reply(handle, length)),
                _ => Err(out_of_turn("a reply that no command waits for", raw)),
            };
        }
        let Some(awaited) = self.sent.front() else {
            return Err(out_of_turn("a reply that no command waits for", raw));
        };
        let handle = awaited.handle;
        if code == 334 && awaited.name == "AUTH" {
            self.challenges += 1;
            self.limits.check("challenges", u64::from(self.challenges))?;
            return Ok(Found::Challenge(handle, length));
        }
        if code == 235 && awaited.name != "AUTH" {
            return Err(out_of_turn("the answer to a login that was not asked", raw));
        }
        if code == 221 && awaited.name != "QUIT" {
            return Err(out_of_turn("a farewell that answers no QUIT", raw));
        }
        if code / 100 == 3 && !(code == 354 && awaited.name == "DATA") {
            return Err(out_of_turn("an intermediate reply to a command that has none", raw));
        }
        self.challenges = 0;
        self.in_letter = code == 354;
        let name = awaited.name;
        self.note_end(handle, name, code);
        self.sent.pop_front();
        if !self.in_letter {
            self.pump();
        }
        Ok(Found::Reply(handle, length))
    }

    /// Returns the length of the reply at the start of the buffer if it has arrived completely.
    fn whole_reply(&mut self) -> Result<Option<usize>, ProtocolError> {
        loop {
            let (at, code) = self.line;
            let found = self.received.line_end(at);
            let bytes = self.received.unread();
            self.limits.check("status", found.unwrap_or(bytes.len()) as u64)?;
            let Some(end) = found else { return Ok(None) };
            let line = &bytes[at..=end];
            let this =
                code_of(line).ok_or_else(|| out_of_turn("a line without a reply code", line))?;
            let is_crlf = line.ends_with(b"\r\n");
            if self.crlf.is_none() {
                self.crlf = Some(is_crlf);
            }
            if !is_crlf && self.crlf == Some(true) {
                return Err(out_of_turn("a reply that ends in a bare LF", line));
            }
            if code.is_some_and(|code| code != this) {
                return Err(out_of_turn("a reply with several codes", line));
            }
            if line[3] != b'-' {
                self.line = (0, None);
                return Ok(Some(end + 1));
            }
            self.line = (end + 1, Some(this));
        }
    }

    /// Writes the commands that may be sent now.
    fn pump(&mut self) {
        while !self.ahead
            && !self.in_letter
            && !self.sent.back().is_some_and(|awaited| awaited.barrier)
        {
            let Some((handle, mut command)) = self.waiting.pop_front() else { return };
            for (text, secret) in &mut command.parts {
                self.out.push(text.as_bytes(), *secret);
                if *secret {
                    text.zeroize();
                }
            }
            self.out.push(b"\r\n", false);
            self.out.push(&command.content, false);
            if command.name == "BDAT"
                && let Some(position) = self.transaction_before(handle)
            {
                self.transactions[position].end = Some(handle);
            }
            self.sent.push_back(Awaited { handle, name: command.name, barrier: command.barrier });
        }
    }
}

impl Protocol for Session {
    const NAME: &'static str = "smtp";
    type Command = Command;
    type Handle = Handle;

    fn deed(&self, command: &Command) -> Option<Deed> {
        command.change.clone().map(Deed::new)
    }

    /// A reply that has already arrived cannot answer this command, so nothing is sent then. If the
    /// reply is 421, which may come at any time (RFC 5321 3.8), the next event gives it as the
    /// reply to the command; otherwise the next event is an error.
    fn submit(&mut self, command: Command) -> Handle {
        self.ahead |= self.greeted && self.in_flight() == 0 && self.has_unread();
        let handle = self.new_handle();
        if command.change.is_some() {
            self.transactions.push_back(Transaction { mail: handle, end: None });
        }
        self.waiting.push_back((handle, command));
        self.pump();
        handle
    }

    fn ended(&self) -> Option<(Handle, bool)> {
        self.ended
    }

    fn is_wholly_sent(&self, mail: Handle) -> bool {
        self.transactions
            .iter()
            .any(|transaction| transaction.mail == mail && transaction.end.is_some())
    }

    fn take_outgoing(&mut self) -> Outgoing {
        std::mem::take(&mut self.out)
    }

    fn space(&mut self) -> &mut [u8] {
        self.received.space(READ_SIZE)
    }

    fn filled(&mut self, count: usize) {
        self.received.filled(count);
    }

    fn find_event(&mut self) -> Result<bool, ProtocolError> {
        self.found = self.advance()?;
        Ok(self.found != Found::NeedBytes)
    }

    fn tls_established(&mut self) -> Result<(), ProtocolError> {
        self.received.drop_shown();
        if !self.received.unread().is_empty() {
            return Err(out_of_turn("text in the clear behind the reply to STARTTLS", b""));
        }
        self.crlf = self.crlf.filter(|crlf| *crlf);
        Ok(())
    }
}

/// Reads a reply code: exactly three digits, the first from 2 to 5, then a space, `-` or the end of
/// the line (RFC 5321 4.2).
fn code_of(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    let follows = matches!(line.get(3), None | Some(b' ' | b'-' | b'\r' | b'\n'));
    if !follows || !digits.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&digits[0]) {
        return None;
    }
    Some(digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

fn out_of_turn(what: &'static str, near: &[u8]) -> ProtocolError {
    ProtocolError::OutOfTurn { what, near: excerpt(near) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::smtp::command::MailOptions;

    /// Returns the events of a session that has sent EHLO, when the server sends `bytes` in chunks
    /// of `size`.
    fn events(bytes: &[u8], size: usize) -> Result<Vec<String>, ProtocolError> {
        let mut session = Session::new(Limits::default());
        session.submit(Command::ehlo("localhost").unwrap());
        let mut found = Vec::new();
        for chunk in bytes.chunks(size) {
            session.space()[..chunk.len()].copy_from_slice(chunk);
            session.filled(chunk.len());
            while session.find_event()? {
                found.push(match session.current_event() {
                    Event::Greeting(reply) => format!("greeting {}", reply.words()),
                    Event::Reply(_, reply) => reply.words(),
                    other => format!("{other:?}"),
                });
            }
        }
        Ok(found)
    }

    #[test]
    fn replies_are_read_whole_and_byte_by_byte() {
        let table: &[(&str, &[&str])] = &[
            (
                "220 hello\r\n250-a\r\n250-SIZE 5\r\n250 b\r\n",
                &["greeting 220 hello", "250 a SIZE 5 b"],
            ),
            ("220\r\n250\r\n", &["greeting 220", "250"]),
            ("554-no\r\n554 way\r\n", &["greeting 554 no way"]),
            ("220 hello\n250-a\n250 b\r\n", &["greeting 220 hello", "250 a b"]),
            ("220\n250\n", &["greeting 220", "250"]),
        ];
        for (bytes, expected) in table {
            for size in [1, 3, 100] {
                assert_eq!(events(bytes.as_bytes(), size).unwrap(), *expected, "{bytes:?}");
            }
        }
    }

    fn hear(session: &mut Session, bytes: &str) -> Result<bool, ProtocolError> {
        session.space()[..bytes.len()].copy_from_slice(bytes.as_bytes());
        session.filled(bytes.len());
        session.find_event()
    }

    fn mail(session: &mut Session) -> Handle {
        session.submit(Command::mail("a@example.org", &[], MailOptions::default()).unwrap())
    }

    /// Returns a session that has sent a letter, which the server has not answered yet, and the
    /// handle of its MAIL.
    fn with_a_letter() -> (Session, Handle) {
        let mut session = Session::new(Limits::default());
        hear(&mut session, "220 hello\r\n").unwrap();
        let first = mail(&mut session);
        session.submit(Command::rcpt("b@example.org", false).unwrap());
        session.submit(Command::data());
        for reply in ["250 sender\r\n", "250 recipient\r\n", "354 go\r\n"] {
            assert!(hear(&mut session, reply).unwrap());
            assert_eq!(session.ended(), None);
        }
        session.letter(b"x\r\n");
        session.end_letter();
        (session, first)
    }

    #[test]
    fn a_letter_keeps_its_transaction_when_the_next_mail_is_sent_ahead() {
        for (verdict, accepted) in [("250 taken\r\n", true), ("550 no\r\n", false)] {
            let (mut session, first) = with_a_letter();
            let second = mail(&mut session);
            assert!(session.is_wholly_sent(first) && !session.is_wholly_sent(second));
            assert!(hear(&mut session, verdict).unwrap());
            assert_eq!(session.ended(), Some((first, accepted)));
            assert!(hear(&mut session, "250 sender\r\n").unwrap());
            assert_eq!(session.ended(), None);
            session.submit(Command::rset());
            assert!(hear(&mut session, "250 forgotten\r\n").unwrap());
            assert_eq!(session.ended(), Some((second, false)));
        }
    }

    #[test]
    fn a_letter_belongs_to_the_transaction_of_its_data() {
        let mut session = Session::new(Limits::default());
        hear(&mut session, "220 hello\r\n").unwrap();
        let first = mail(&mut session);
        session.submit(Command::data());
        let second = mail(&mut session); // waits, since nothing may follow DATA
        hear(&mut session, "250 sender\r\n").unwrap();
        hear(&mut session, "354 go\r\n").unwrap();
        session.end_letter();
        assert!(session.is_wholly_sent(first) && !session.is_wholly_sent(second));
        hear(&mut session, "250 taken\r\n").unwrap();
        assert_eq!(session.ended(), Some((first, true)));
        hear(&mut session, "550 no\r\n").unwrap();
        assert_eq!(session.ended(), Some((second, false)));
    }

    #[test]
    fn a_mail_within_a_transaction_ends_by_the_servers_answer() {
        // A server must refuse the second MAIL (RFC 5321 4.1.4). If it does not, the first one is
        // over without a letter.
        for (answer, ended_first) in [("503 nested\r\n", 1), ("250 sender\r\n", 0)] {
            let mut session = Session::new(Limits::default());
            hear(&mut session, "220 hello\r\n").unwrap();
            let both = [mail(&mut session), mail(&mut session)];
            hear(&mut session, "250 sender\r\n").unwrap();
            assert_eq!(session.ended(), None);
            hear(&mut session, answer).unwrap();
            assert_eq!(session.ended(), Some((both[ended_first], false)));
            session.submit(Command::rset());
            hear(&mut session, "250 forgotten\r\n").unwrap();
            assert_eq!(session.ended(), Some((both[1 - ended_first], false)));
        }
    }

    #[test]
    fn what_is_no_reply_ends_the_connection() {
        for bytes in [
            "hello\r\n",
            "22 x\r\n",
            "2200 x\r\n",
            "220x\r\n",
            "220 a\r\n250 b\n",
            "120 x\r\n",
            "620 x\r\n",
            "220-a\r\n250 b\r\n",
            "220 a\r\n354 go\r\n",
            "220 a\r\n250 b\r\n250 c\r\n",
            "220 a\r\n221 b\r\n",
            "+OK\r\n",
        ] {
            assert!(events(bytes.as_bytes(), 100).is_err(), "{bytes:?}");
        }
        let endless = "250-x\r\n".repeat(200_000);
        assert!(matches!(events(endless.as_bytes(), 4096), Err(ProtocolError::TooLarge { .. })));
    }
}
