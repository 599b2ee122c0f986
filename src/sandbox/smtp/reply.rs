//! Replies: a code, an enhanced status code (RFC 3463) where it is switched on, and text (RFC 5321 4.2).

use std::{io, io::Write as _};

pub(crate) struct Reply {
    code: u16,
    /// Empty where RFC 2034 has none.
    status: &'static str,
    lines: Vec<String>,
}

/// Why a command is not carried out.
pub(crate) enum Refusal {
    Reply(Reply),
    /// The connection is of no use any more.
    Broken(io::Error),
}

pub(crate) type Outcome = Result<Reply, Refusal>;

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Broken(error)
    }
}

/// A reply that says yes.
pub(crate) fn reply(code: u16, status: &'static str, text: impl Into<String>) -> Outcome {
    Ok(Reply::new(code, status, text))
}

/// A reply that says no.
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

    /// Several lines without an enhanced code.
    pub(crate) fn lines(code: u16, lines: Vec<String>) -> Reply {
        Reply { code, status: "", lines }
    }

    /// Whether the command itself was at fault: its syntax, or its place.
    pub(crate) fn is_bad_command(&self) -> bool {
        (500..=504).contains(&self.code) || self.code == 555
    }

    /// `250-text`, and `250 text` at last.
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
