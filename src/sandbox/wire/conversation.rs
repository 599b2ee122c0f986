//! The conversation of POP3 and SMTP: commands and answers are lines, and TLS can start between two
//! of them.
//!
//! Answers are buffered while complete commands are waiting, so pipelined commands get their
//! answers in one write (RFC 2920 3.2). A client that sends ahead without being offered PIPELINING
//! is disconnected, and so is one that sends too many bad commands in a row.

use std::io;

use native_tls::TlsAcceptor;

use crate::sandbox::wire::Transport;
use crate::sandbox::wire::lines::{Line, Lines};

/// After this many bad commands in a row the client cannot be speaking this protocol.
const BAD_LIMIT: u32 = 10;

/// Output is sent once this many bytes are buffered.
const FLUSH_SIZE: usize = 64 * 1024;

/// What came from the client.
pub(crate) enum Input {
    /// A line without its CRLF and without control characters.
    Command(String),
    /// A line that cannot be a command, and the reason.
    Malformed(&'static str),
    /// The client sent commands ahead although PIPELINING was not offered.
    SentAhead,
    /// The client has disconnected.
    End,
}

pub(crate) struct Conversation {
    pub(crate) lines: Lines,
    pub(crate) out: Vec<u8>,
    acceptor: TlsAcceptor,
    pipelining: bool,
    bad_in_a_row: u32,
}

impl Conversation {
    pub(crate) fn new(
        transport: Transport,
        acceptor: TlsAcceptor,
        pipelining: bool,
    ) -> Conversation {
        Conversation {
            lines: Lines::new(transport),
            out: Vec::new(),
            acceptor,
            pipelining,
            bad_in_a_row: 0,
        }
    }

    /// Reads the next command. Buffers answers while complete commands are waiting (RFC 2920 3.2).
    pub(crate) fn next(&mut self, limit: usize) -> io::Result<Input> {
        if !self.lines.has_line() {
            self.flush()?;
        }
        let line = match self.lines.read_line(limit)? {
            Line::Complete(line) => line,
            Line::TooLong => return Ok(Input::Malformed("The command line is too long.")),
            Line::End => return Ok(Input::End),
        };
        // What follows BDAT belongs to it.
        let has_content = line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT "));
        if !self.pipelining && !has_content && !self.lines.pending().is_empty() {
            return Ok(Input::SentAhead);
        }
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Ok(Input::Malformed("A line must end with CRLF."));
        };
        if line.iter().any(u8::is_ascii_control) {
            return Ok(Input::Malformed("A command cannot contain control characters."));
        }
        Ok(match str::from_utf8(line) {
            Ok(line) => Input::Command(line.to_owned()),
            Err(_) => Input::Malformed("The line is not UTF-8."),
        })
    }

    /// Sends a prompt and reads the line that answers it; `None` if it is too long or not text.
    pub(crate) fn ask(&mut self, prompt: &str, limit: usize) -> io::Result<Option<String>> {
        self.say(prompt);
        self.flush()?;
        match self.lines.read_line(limit)? {
            Line::Complete(line) => {
                let line = line.strip_suffix(b"\r\n").map(<[u8]>::to_vec);
                Ok(line.and_then(|line| String::from_utf8(line).ok()))
            }
            Line::TooLong => Ok(None),
            Line::End => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Adds a line to the answer.
    pub(crate) fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let result = self.lines.transport.write_all(&self.out);
        self.out.clear();
        result
    }

    /// Sends buffered output if there is much of it.
    pub(crate) fn flush_if_large(&mut self) -> io::Result<()> {
        if self.out.len() >= FLUSH_SIZE { self.flush() } else { Ok(()) }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.lines.transport.is_encrypted()
    }

    /// Discards plain text sent ahead, announces TLS and does the handshake.
    pub(crate) fn start_tls(&mut self, answer: &str) -> io::Result<()> {
        self.lines.discard_incoming();
        self.say(answer);
        self.flush()?;
        self.lines.transport.accept_tls(&self.acceptor)
    }

    /// Counts a command; returns true after too many bad ones in a row.
    pub(crate) fn count(&mut self, bad: bool) -> bool {
        self.bad_in_a_row = if bad { self.bad_in_a_row + 1 } else { 0 };
        self.bad_in_a_row >= BAD_LIMIT
    }
}

/// Splits a command into its verb, in capitals, and what follows the first space.
pub(crate) fn split(line: &str) -> (String, Option<&str>) {
    let (verb, rest) = match line.split_once(' ') {
        Some((verb, rest)) => (verb, Some(rest)),
        None => (line, None),
    };
    (verb.to_ascii_uppercase(), rest)
}
