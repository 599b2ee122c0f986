//! The POP3 session: commands in, bytes out; bytes in, events out.
//!
//! Replies arrive in the order of the commands. The first line of a reply is `+OK` or `-ERR`, in any
//! case, and a text that servers may write right behind it. Empty lines between replies are skipped.
//! Lines end in CR LF, or in LF alone if the greeting does. For
//! some commands a body follows `+OK`; it is handed on in pieces until its end, and never buffered
//! whole. Commands are pipelined except around barriers (logins, STLS, QUIT): a barrier waits until
//! all earlier commands are answered, and later commands wait for its reply.
//!
//! The session keeps the numbers of the letters marked by DELE, so that the deed of a QUIT names
//! what it removes. Bytes that arrive while no command is in flight are a protocol error, because
//! they could be taken for the reply to the next command.
//!
//! | state | next line | then |
//! |---|---|---|
//! | greeting | `+OK …` | idle |
//! | reply | `+OK`, `-ERR`, `+ ` (for AUTH) | idle, or body |
//! | body | pieces to CR LF `.` CR LF | idle |

use super::body::{Body, Found};
use super::command::{Command, Shape};
use crate::proto::Protocol;
use crate::proto::buffer::Received;
use crate::proto::deed::{Act, Deed, Letters};
use crate::proto::error::{ProtocolError, excerpt};
use crate::proto::limits::Limits;
use crate::proto::outgoing::Outgoing;
use crate::proto::secret::Secret;
use memchr::memchr;
use std::collections::VecDeque;
use zeroize::Zeroize;

/// Identifies a submitted command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(u64);

/// The first line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Whether the status is `+OK`.
    pub ok: bool,
    /// The extended response code in brackets, for example `IN-USE` (RFC 2449 8).
    pub code: Option<&'a [u8]>,
    /// The whole text after the status.
    pub text: &'a [u8],
}

/// The events of [`Session::current_event`].
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// More bytes are needed.
    NeedBytes,
    /// The first line of the connection.
    Greeting(Reply<'a>),
    /// The first line of a reply.
    Reply(Handle, Reply<'a>),
    /// A piece of a body, with dot-stuffing undone.
    Piece(Handle, &'a [u8]),
    /// The end of a body.
    End(Handle),
    /// A challenge of AUTH, in base64; answer it with [`Session::answer`].
    Challenge(Handle, &'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Greeting,
    Reply,
    Body(Handle),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoundEvent {
    NeedBytes,
    Greeting(usize),
    Reply(Handle, usize),
    Piece(Handle, usize),
    End(Handle),
    Challenge(Handle, usize),
}

/// One POP3 connection's protocol state.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    received: Received,
    out: Outgoing,
    sent: VecDeque<(Handle, Command)>,
    waiting: VecDeque<(Handle, Command)>,
    next: Next,
    body: Body,
    next_handle: u64,
    /// How many challenges the AUTH in flight has brought.
    challenges: u32,
    /// The marked letters, which QUIT removes.
    marked: Vec<u32>,
    /// Whether bytes arrived before a command asked for them; then nothing more is sent.
    ahead: bool,
    line_ends: LineEnds,
    found: FoundEvent,
}

/// How the server ends its lines; its greeting decides, and after TLS the next line once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    Undecided,
    CrLf,
    Lf,
}

const READ_SIZE: usize = 64 << 10;

impl Session {
    /// Makes a session that waits for the greeting.
    pub fn new(limits: Limits) -> Self {
        Session {
            limits,
            received: Received::default(),
            out: Outgoing::default(),
            sent: VecDeque::new(),
            waiting: VecDeque::new(),
            next: Next::Greeting,
            body: Body::default(),
            next_handle: 0,
            challenges: 0,
            marked: Vec::new(),
            ahead: false,
            line_ends: LineEnds::Undecided,
            found: FoundEvent::NeedBytes,
        }
    }

    /// Answers a challenge; `answer` is in base64.
    pub fn answer(&mut self, answer: &Secret) {
        self.out.push(answer.reveal().as_bytes(), true);
        self.out.push(b"\r\n", false);
    }

    /// The letters that are marked, which QUIT removes.
    pub fn marked(&self) -> &[u32] {
        &self.marked
    }

    /// Returns whether there are bytes that no event has shown.
    pub fn has_unread(&self) -> bool {
        self.received.has_unshown()
    }

    /// Returns whether a body follows the last reply.
    pub fn expects_body(&self) -> bool {
        matches!(self.next, Next::Body(_))
    }

    /// Returns the line end that the server uses.
    pub fn line_end(&self) -> &'static [u8] {
        if self.line_ends == LineEnds::Lf { b"\n" } else { b"\r\n" }
    }

    /// Whether a reply has arrived that no command waits for. Empty lines are none.
    fn has_reply_ahead(&self) -> bool {
        self.received.unread().iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns how many commands are unanswered, including those not sent yet.
    pub fn in_flight(&self) -> usize {
        self.sent.len() + self.waiting.len()
    }

    /// The event that was found last.
    pub fn current_event(&self) -> Event<'_> {
        let bytes = |count: usize| self.received.first(count);
        match self.found {
            FoundEvent::NeedBytes => Event::NeedBytes,
            FoundEvent::Greeting(count) => Event::Greeting(reply(bytes(count))),
            FoundEvent::Reply(handle, count) => Event::Reply(handle, reply(bytes(count))),
            FoundEvent::Piece(handle, count) => Event::Piece(handle, bytes(count)),
            FoundEvent::End(handle) => Event::End(handle),
            FoundEvent::Challenge(handle, count) => {
                Event::Challenge(handle, bytes(count).get(1..).unwrap_or_default().trim_ascii())
            }
        }
    }

    fn advance(&mut self) -> Result<FoundEvent, ProtocolError> {
        loop {
            self.received.drop_shown();
            let bytes = self.received.unread();
            if let Next::Body(handle) = self.next {
                match self.body.advance(bytes) {
                    Found::Piece(count) => {
                        self.received.show(count);
                        return Ok(FoundEvent::Piece(handle, count));
                    }
                    Found::Dot => self.received.skip(1),
                    Found::End(count) => {
                        self.received.skip(count);
                        self.next = Next::Reply;
                        return Ok(FoundEvent::End(handle));
                    }
                    Found::NeedBytes => return Ok(FoundEvent::NeedBytes),
                }
                continue;
            }
            if self.ahead && self.has_reply_ahead() {
                return Err(out_of_turn("a reply that no command waits for", bytes));
            }
            let found = self.received.line_end(0);
            let bytes = self.received.unread();
            self.limits.check("status", found.unwrap_or(bytes.len()) as u64)?;
            let Some(end) = found else { return Ok(FoundEvent::NeedBytes) };
            let line = &bytes[..end + 1];
            let is_crlf = line.ends_with(b"\r\n");
            if self.line_ends == LineEnds::Undecided {
                self.line_ends = if is_crlf { LineEnds::CrLf } else { LineEnds::Lf };
            }
            if !is_crlf && self.line_ends == LineEnds::CrLf {
                return Err(out_of_turn("a reply that ends in a bare LF", line));
            }
            // Before TLS nobody is trusted, so nothing is tolerated.
            let is_strict = self.sent.front().is_some_and(|(_, command)| command.name == "STLS");
            if matches!(line, b"\r\n" | b"\n") && self.next == Next::Reply && !is_strict {
                self.received.skip(end + 1);
                continue;
            }
            let is_exact =
                matches!(line.get(3), Some(b' ' | b'\r' | b'\n')) && line.starts_with(b"+OK");
            let ok = match status(line) {
                Some((true, _)) if is_strict && !is_exact => {
                    return Err(out_of_turn("neither +OK nor -ERR", line));
                }
                Some((ok, _)) => ok,
                None if line.starts_with(b"+") && self.next == Next::Reply => {
                    let Some((handle, _)) =
                        self.sent.front().filter(|(_, command)| command.name == "AUTH")
                    else {
                        return Err(out_of_turn("a challenge that no command waits for", line));
                    };
                    let handle = *handle;
                    self.challenges += 1;
                    self.limits.check("challenges", u64::from(self.challenges))?;
                    self.received.show(end + 1);
                    return Ok(FoundEvent::Challenge(handle, end + 1));
                }
                None => return Err(out_of_turn("neither +OK nor -ERR", line)),
            };
            self.received.show(end + 1);
            if self.next == Next::Greeting {
                self.next = Next::Reply;
                return Ok(FoundEvent::Greeting(end + 1));
            }
            let Some((handle, command)) = self.sent.pop_front() else {
                return Err(out_of_turn(
                    "a reply that no command waits for",
                    self.received.first(end + 1),
                ));
            };
            if ok {
                note_marks(&mut self.marked, &command);
            }
            if ok && command.shape == Shape::Lines {
                self.next = Next::Body(handle);
                self.body = match self.line_ends {
                    LineEnds::Lf => Body::with_bare_lf(),
                    _ => Body::default(),
                };
            }
            self.challenges = 0;
            self.pump();
            return Ok(FoundEvent::Reply(handle, end + 1));
        }
    }

    /// Writes the commands that may be sent now.
    fn pump(&mut self) {
        while !self.ahead && !self.sent.back().is_some_and(|(_, command)| command.barrier) {
            let is_barrier = self.waiting.front().is_some_and(|(_, command)| command.barrier);
            if is_barrier && !self.sent.is_empty() {
                return;
            }
            let Some((handle, mut command)) = self.waiting.pop_front() else { return };
            for (text, secret) in &mut command.parts {
                self.out.push(text.as_bytes(), *secret);
                if *secret {
                    text.zeroize();
                }
            }
            self.out.push(b"\r\n", false);
            self.sent.push_back((handle, command));
        }
    }
}

impl Protocol for Session {
    const NAME: &'static str = "pop3";
    type Command = Command;
    type Handle = Handle;

    fn deed(&self, command: &Command) -> Option<Deed> {
        let mut deed = Deed::new(command.change.clone()?);
        if matches!(deed.act, Act::Remove | Act::Unmark) {
            // Includes letters that commands in flight will mark.
            let mut marked = self.marked.clone();
            let before = self.sent.iter().chain(&self.waiting);
            before.for_each(|(_, command)| note_marks(&mut marked, command));
            if marked.is_empty() {
                return None;
            }
            deed.letters = Letters::Numbers(marked);
        }
        Some(deed)
    }

    /// A reply that has already arrived cannot answer this command: then nothing is sent, and the
    /// next event is an error.
    fn submit(&mut self, command: Command) -> Handle {
        self.received.drop_shown();
        self.ahead |= self.in_flight() == 0 && self.next == Next::Reply && self.has_reply_ahead();
        self.next_handle += 1;
        let handle = Handle(self.next_handle);
        self.waiting.push_back((handle, command));
        self.pump();
        handle
    }

    fn ended(&self) -> Option<(Handle, bool)> {
        match self.current_event() {
            Event::Reply(handle, reply) => Some((handle, reply.ok)),
            _ => None,
        }
    }

    fn is_wholly_sent(&self, handle: Handle) -> bool {
        !self.waiting.iter().any(|(waiting, _)| *waiting == handle)
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

    fn tls_established(&mut self) -> Result<(), ProtocolError> {
        self.received.drop_shown();
        if !self.received.unread().is_empty() {
            return Err(out_of_turn("text in the clear behind the reply to STLS", b""));
        }
        // The greeting came in the clear, perhaps from somebody else.
        if self.line_ends == LineEnds::Lf {
            self.line_ends = LineEnds::Undecided;
        }
        Ok(())
    }

    fn find_event(&mut self) -> Result<bool, ProtocolError> {
        self.found = self.advance()?;
        Ok(self.found != FoundEvent::NeedBytes)
    }
}

/// Tracks the marks that DELE sets and RSET clears.
fn note_marks(marked: &mut Vec<u32>, command: &Command) {
    let Some(change) = &command.change else { return };
    match (&change.act, &change.letters) {
        (Act::MarkForRemoval, Letters::Numbers(numbers)) => marked.extend(numbers),
        (Act::Unmark, _) => marked.clear(),
        _ => {}
    }
}

/// Reads `+OK text` or `-ERR text`: whether it is the first, and the text.
fn status(line: &[u8]) -> Option<(bool, &[u8])> {
    let starts = |status: &[u8]| {
        line.get(..status.len()).is_some_and(|start| start.eq_ignore_ascii_case(status))
    };
    let ok = starts(b"+OK");
    let length = if ok { 3 } else { 4 };
    let text = line.get(length..).filter(|_| ok || starts(b"-ERR"))?;
    Some((ok, text.trim_ascii()))
}

fn reply(line: &[u8]) -> Reply<'_> {
    let (ok, text) = status(line).unwrap_or((false, line));
    let code = text.strip_prefix(b"[").and_then(|rest| memchr(b']', rest).map(|end| &rest[..end]));
    Reply { ok, code, text }
}

fn out_of_turn(what: &'static str, near: &[u8]) -> ProtocolError {
    ProtocolError::OutOfTurn { what, near: excerpt(near) }
}
