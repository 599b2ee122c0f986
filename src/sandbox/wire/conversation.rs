//! What POP3 and SMTP have in common: a command is a line, the answers are lines, and TLS begins between two of them.

use std::io;

use native_tls::TlsAcceptor;

use crate::sandbox::wire::Transport;
use crate::sandbox::wire::lines::{Line, Lines};

/// After so many commands in a row that could not be understood the client is taken for something else.
const BAD_LIMIT: u32 = 10;

/// Output is sent when it has grown to this.
const FLUSH_SIZE: usize = 64 * 1024;

/// What the client sent instead of, or as, a command.
pub(crate) enum Input {
    /// A line without its CRLF; no control characters are in it.
    Command(String),
    /// A line that cannot be a command, and why.
    Malformed(&'static str),
    /// More than one command at a time, from a client that was not offered PIPELINING.
    SentAhead,
    /// The client is gone.
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

    /// The next command. Answers gather as long as commands are there already, as RFC 2920 3.2 wishes.
    pub(crate) fn next(&mut self, limit: usize) -> io::Result<Input> {
        if !self.lines.has_line() {
            self.flush()?;
        }
        let line = match self.lines.read_line(limit)? {
            Line::Complete(line) => line,
            Line::TooLong => return Ok(Input::Malformed("The command line is too long.")),
            Line::End => return Ok(Input::End),
        };
        if !self.pipelining && !self.lines.pending().is_empty() {
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

    /// Sends a prompt and reads the line that answers it; `None` when that is too long or not text.
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

    /// A line of an answer.
    pub(crate) fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let result = self.lines.transport.write_all(&self.out);
        self.out.clear();
        result
    }

    /// Sends what has gathered, if it is much.
    pub(crate) fn flush_if_large(&mut self) -> io::Result<()> {
        if self.out.len() >= FLUSH_SIZE { self.flush() } else { Ok(()) }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.lines.transport.is_encrypted()
    }

    /// Throws away what was sent ahead in plain text, says that TLS may begin, and does the handshake.
    pub(crate) fn start_tls(&mut self, answer: &str) -> io::Result<()> {
        self.lines.discard_incoming();
        self.say(answer);
        self.flush()?;
        self.lines.transport.accept_tls(&self.acceptor)
    }

    /// Counts a command; true when there were too many bad ones in a row.
    pub(crate) fn count(&mut self, bad: bool) -> bool {
        self.bad_in_a_row = if bad { self.bad_in_a_row + 1 } else { 0 };
        self.bad_in_a_row >= BAD_LIMIT
    }
}

/// A command's verb in capitals, and what stands behind the one space after it.
pub(crate) fn split(line: &str) -> (String, Option<&str>) {
    let (verb, rest) = match line.split_once(' ') {
        Some((verb, rest)) => (verb, Some(rest)),
        None => (line, None),
    };
    (verb.to_ascii_uppercase(), rest)
}
