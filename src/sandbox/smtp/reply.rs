//! Replies: a code, text, and an enhanced status code (RFC 3463) if that extension is on (RFC 5321
//! 4.2).

use std::{io, io::Write as _};

/// An answer to a command.
pub(crate) struct Reply {
    code: u16,
    /// The enhanced status code; empty if RFC 2034 defines none for this reply.
    status: &'static str,
    lines: Vec<String>,
}

/// Why a command is refused.
pub(crate) enum Refusal {
    Reply(Reply),
    /// The connection failed; no answer can be sent.
    Broken(io::Error),
}

pub(crate) type Outcome = Result<Reply, Refusal>;

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Broken(error)
    }
}

/// Answers a command that succeeded.
pub(crate) fn reply(code: u16, status: &'static str, text: impl Into<String>) -> Outcome {
    Ok(Reply::new(code, status, text))
}

/// Refuses a command.
pub(crate) fn refuse<T>(
    code: u16,
    status: &'static str,
    text: impl Into<String>,
) -> Result<T, Refusal> {
    Err(Refusal::Reply(Reply::new(code, status, text)))
}

impl Reply {
    pub(crate) fn new(code: u16, status: &'static str, text: impl Into<String>) -> Reply {
        Reply { code, status, lines: vec![text.into()] }
    }

    /// A reply of several lines, without an enhanced code. No lines write nothing.
    pub(crate) fn lines(code: u16, lines: Vec<String>) -> Reply {
        Reply { code, status: "", lines }
    }

    /// Whether the command is unknown, malformed or out of place. Too many of these in a row end
    /// the session.
    pub(crate) fn is_bad_command(&self) -> bool {
        (500..=504).contains(&self.code) || self.code == 555
    }

    /// Writes `250-text` for each line, and `250 text` for the last.
    pub(crate) fn write(&self, enhanced: bool, out: &mut Vec<u8>) {
        let status = if enhanced && !self.status.is_empty() {
            format!("{} ", self.status)
        } else {
            String::new()
        };
        for (at, line) in (1..).zip(&self.lines) {
            let separator = if at == self.lines.len() { ' ' } else { '-' };
            // Writing to a vector cannot fail.
            let _ = write!(out, "{}{separator}{status}{line}\r\n", self.code);
        }
    }
}
