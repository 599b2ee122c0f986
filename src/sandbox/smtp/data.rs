//! DATA (RFC 5321 4.1.1.4 and 4.5.2): reads a letter, removes dot stuffing, and hands it to
//! delivery.
//!
//! Only CRLF ends a line, and only a line with a single dot ends a letter. A CR or LF alone is
//! content like any other byte. So a letter cannot contain a second one after a line end that
//! another server would read differently (SMTP smuggling, 2023).
//!
//! `Unstuffing` is a state machine over octets that may arrive in any pieces:
//!
//! | state | `.` | CR | LF | other |
//! |---|---|---|---|---|
//! | `LineStart` | `Dot`, drops it | `Cr` | `Middle` | `Middle` |
//! | `Dot` | `Middle` | `DotCr`, holds it | `Middle` | `Middle` |
//! | `DotCr` | `Middle` | `Cr` | `End` | `Middle` |
//! | `Middle` | `Middle` | `Cr` | `Middle` | `Middle` |
//! | `Cr` | `Middle` | `Cr` | `LineStart` | `Middle` |
//!
//! `DotCr` keeps the CR it holds if the letter does not end there. All other octets are kept as
//! content.

use std::io;

use crate::sandbox::smtp::delivery::{Trace, Undelivered};
use crate::sandbox::smtp::reply::{Outcome, Refusal};
use crate::sandbox::smtp::{Reply, SmtpSession, refuse, reply};

impl SmtpSession {
    pub(super) fn data(&mut self) -> Outcome {
        self.has_recipients()?;
        if self.transaction.as_ref().is_some_and(|transaction| transaction.chunks.is_some()) {
            return refuse(503, "5.5.1", "The letter has begun by BDAT.");
        }
        self.conversation.say("354 Send the letter; a dot alone on a line ends it.");
        self.conversation.flush()?;
        let mut letter = Unstuffing::new(self.shared.smtp.size_limit());
        while !letter.ended() {
            if self.conversation.lines.pending().is_empty() && !self.conversation.lines.fill()? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let used = letter.take(self.conversation.lines.pending());
            self.conversation.lines.consume(used);
        }
        self.deliver(letter.finish())
    }

    /// Refuses a letter without recipients.
    pub(super) fn has_recipients(&self) -> Result<(), Refusal> {
        match &self.transaction {
            None => refuse(503, "5.5.1", "MAIL comes first."),
            Some(transaction) if !transaction.recipients.is_empty() => Ok(()),
            Some(transaction) if transaction.refused => {
                refuse(554, "5.5.1", "There are no valid recipients.")
            }
            Some(_) => refuse(503, "5.5.1", "RCPT comes first."),
        }
    }

    /// Delivers the letter; `None` is one that was too big. The transaction ends whether or not this succeeds (RFC 5321 4.1.1.4).
    pub(super) fn deliver(&mut self, letter: Option<Vec<u8>>) -> Outcome {
        let Some(transaction) = self.transaction.take() else {
            return refuse(503, "5.5.1", "MAIL comes first.");
        };
        let Some(bytes) = letter else {
            return refuse(552, "5.3.4", "The letter is too big.");
        };
        if memchr::memchr(0, &bytes).is_some() {
            return refuse(550, "5.6.0", "A letter cannot contain NUL.");
        }
        self.letters += 1;
        let identity = format!("{}.{}", self.number, self.letters);
        let trace = Trace {
            client: self.client.as_ref().map_or("", |client| client.name.as_str()),
            extended: self.client.as_ref().is_some_and(|client| client.extended),
            encrypted: self.conversation.is_encrypted(),
            authenticated: self.user.is_some(),
            identity: &identity,
        };
        match self.shared.delivery.deliver(&self.shared.store, transaction, bytes, &trace) {
            Ok(()) => reply(250, "2.0.0", format!("The letter is taken as {identity}.")),
            Err(Undelivered::AccountGone) => {
                Ok(Reply::new(451, "4.3.0", "A recipient is gone; nothing was delivered."))
            }
            // The mailbox is full (RFC 5321 4.2.2, RFC 3463 3.3).
            Err(Undelivered::OverQuota) => {
                let text = "A recipient's mailbox is full; nothing was delivered.";
                Ok(Reply::new(552, "5.2.2", text))
            }
        }
    }
}

/// The position of the next octet in its line.
#[derive(Clone, Copy)]
enum At {
    LineStart,
    /// After a dot at the start of a line. The dot is not content.
    Dot,
    /// After that dot and a CR.
    DotCr,
    Middle,
    Cr,
    End,
}

/// Consumes the octets after DATA, removes stuffed dots and finds the end of the letter.
struct Unstuffing {
    at: At,
    content: Vec<u8>,
    limit: u64,
    too_big: bool,
}

impl Unstuffing {
    fn new(limit: u64) -> Unstuffing {
        // The DATA line has ended with CRLF, so the letter begins at the start of a line.
        Unstuffing { at: At::LineStart, content: Vec::new(), limit, too_big: false }
    }

    fn ended(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// Consumes octets up to the end of the letter. Returns how many.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while used < bytes.len() && !self.ended() {
            let rest = &bytes[used..];
            if matches!(self.at, At::Middle) {
                // Everything up to the next CR is content.
                let count = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
                if count > 0 {
                    self.keep(&rest[..count]);
                    used += count;
                    continue;
                }
            }
            self.step(rest[0]);
            used += 1;
        }
        used
    }

    fn step(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::LineStart, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::DotCr, b'\n') => At::End,
            (At::DotCr, byte) => {
                self.keep(b"\r");
                self.content_byte(byte)
            }
            (At::Cr, b'\n') => {
                self.keep(b"\n");
                At::LineStart
            }
            (_, byte) => self.content_byte(byte),
        };
    }

    fn content_byte(&mut self, byte: u8) -> At {
        self.keep(&[byte]);
        if byte == b'\r' { At::Cr } else { At::Middle }
    }

    /// Adds content. A letter above the limit is discarded, but still read to its end.
    fn keep(&mut self, bytes: &[u8]) {
        if self.too_big || self.content.len() as u64 + bytes.len() as u64 > self.limit {
            self.too_big = true;
            self.content = Vec::new();
        } else {
            self.content.extend_from_slice(bytes);
        }
    }

    /// The letter; `None` if it was too big.
    fn finish(self) -> Option<Vec<u8>> {
        (!self.too_big).then_some(self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::Unstuffing;

    /// Returns the letter and what follows it, for input that arrives in pieces of `step` bytes.
    fn unstuffed(input: &str, step: usize) -> Option<(String, String)> {
        let mut letter = Unstuffing::new(1000);
        let mut used = 0;
        for chunk in input.as_bytes().chunks(step) {
            used += letter.take(chunk);
        }
        letter.ended().then(|| {
            (String::from_utf8(letter.finish().unwrap()).unwrap(), input[used..].to_owned())
        })
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_letter() {
        for (input, expected) in [
            (".\r\n", Some(("", ""))),
            ("a\r\n.\r\nQUIT\r\n", Some(("a\r\n", "QUIT\r\n"))),
            ("..\r\n...a\r\n.\r\n", Some((".\r\n..a\r\n", ""))),
            (".a\r\n.\r\n", Some(("a\r\n", ""))),
            ("a\n.\nb\r\n.\r\n", Some(("a\n.\nb\r\n", ""))),
            ("a\r.\rb\r\n.\r\n", Some(("a\r.\rb\r\n", ""))),
            ("a\n.\r\nb\r\n.\r\n", Some(("a\n.\r\nb\r\n", ""))),
            ("a\r\n.\nb\r\n.\r\n", Some(("a\r\n\nb\r\n", ""))),
            ("a\r\n.\rb\r\n.\r\n", Some(("a\r\n\rb\r\n", ""))),
            ("a\r.\r\nb\r\n.\r\n", Some(("a\r.\r\nb\r\n", ""))),
            ("a\r\n.\r\r\n.\r\n", Some(("a\r\n\r\r\n", ""))),
            ("a\r\r\n.\r\n", Some(("a\r\r\n", ""))),
            ("a\r\n.\r", None),
            ("a\n.\n", None),
            ("", None),
        ] {
            for step in 1..8 {
                let found = unstuffed(input, step);
                let found = found.as_ref().map(|(letter, rest)| (letter.as_str(), rest.as_str()));
                // The bytes after the end are compared for single-byte pieces only.
                assert_eq!(
                    found.map(|(letter, _)| letter),
                    expected.map(|(letter, _)| letter),
                    "{input:?} by {step}"
                );
                if step == 1 {
                    assert_eq!(found, expected, "{input:?}");
                }
            }
        }
    }

    #[test]
    fn a_letter_too_big_is_read_to_its_end() {
        let mut letter = Unstuffing::new(3);
        assert_eq!(letter.take(b"abcd\r\n.\r\nx"), 9);
        assert!(letter.ended() && letter.finish().is_none());
    }
}
