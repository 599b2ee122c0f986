//! The server's capabilities and the state of the selected mailbox, updated by every response (RFC 3501 5.2, 7).

use super::response::{Code, Data};
use super::tokens::{Token, Tokens};
use crate::proto::error::ProtocolError;
use crate::proto::limits::Limits;

/// The capabilities that the server advertises now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    names: Vec<String>,
}

impl Capabilities {
    /// Whether a capability is advertised, `IDLE` or `AUTH=PLAIN`, in any case.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The names in the server's order, in upper case.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether mailbox names go in UTF-8 instead of modified UTF-7: for a server that is IMAP4rev2 only (RFC 9051 5.1).
    pub fn utf8_names(&self) -> bool {
        self.has("IMAP4rev2") && !self.has("IMAP4rev1")
    }

    pub(super) fn replace(
        &mut self,
        mut tokens: Tokens<'_>,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        let mut names = Vec::new();
        while let Some(token) = tokens.next_token()? {
            if let Token::Atom(name) = token {
                limits.check("names", names.len() as u64 + 1)?;
                names.push(String::from_utf8_lossy(name).to_ascii_uppercase());
            }
        }
        self.names = names;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
    }
}

/// The selected mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectedMailbox {
    /// Its name, as the caller wrote it.
    pub name: String,
    /// Whether it can only be read.
    pub read_only: bool,
    /// Messages in it.
    pub exists: u32,
    /// How many messages have left since it was selected.
    pub expunged: u64,
    /// For messages that left, how many had left then, and the number. Only those are kept whose number is smaller than of all that left later.
    pub(super) left: Vec<(u64, u32)>,
    /// Messages that are new to this session (`\Recent`).
    pub recent: u32,
    /// Flags in use.
    pub flags: Vec<String>,
    /// Flags that can be stored; `\*` means own ones too.
    pub permanent_flags: Vec<String>,
    /// The UID that the next message will get, at the time of SELECT or later.
    pub uid_next: Option<u32>,
    /// The validity of the UIDs.
    pub uid_validity: Option<u32>,
    /// The number of the first message that is not seen.
    pub first_unseen: Option<u32>,
    /// The highest modification sequence (RFC 7162).
    pub highest_modseq: Option<u64>,
}

impl SelectedMailbox {
    /// The lowest number that a message had when it left, after `expunged` had been so high; `None`
    /// if none has left since. Every message with a lower number kept it.
    pub fn lowest_that_left_since(&self, expunged: u64) -> Option<u32> {
        let later = self.left.partition_point(|(count, _)| *count <= expunged);
        self.left.get(later).map(|(_, number)| *number)
    }

    pub(super) fn apply_data(
        &mut self,
        data: &Data<'_>,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        match data.number {
            Some(number) if data.is("EXISTS") => self.exists = number,
            Some(number) if data.is("RECENT") => self.recent = number,
            // A number beyond the mailbox is the server's mistake; it must not make the count wrap.
            Some(number) if data.is("EXPUNGE") && number <= self.exists => {
                self.exists = self.exists.saturating_sub(1);
                self.expunged += 1;
                while self.left.last().is_some_and(|(_, last)| *last >= number) {
                    self.left.pop();
                }
                self.left.push((self.expunged, number));
            }
            None if data.is("FLAGS") => self.flags = flag_list(&mut data.tokens.clone(), limits)?,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn apply_code(
        &mut self,
        code: &Code<'_>,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        let number = || code.number().and_then(|number| u32::try_from(number).ok());
        if code.is("UIDNEXT") {
            self.uid_next = number();
        } else if code.is("UIDVALIDITY") {
            self.uid_validity = number();
        } else if code.is("UNSEEN") {
            self.first_unseen = number();
        } else if code.is("HIGHESTMODSEQ") {
            self.highest_modseq = code.number();
        } else if code.is("PERMANENTFLAGS") {
            self.permanent_flags = flag_list(&mut code.tokens(limits.depth), limits)?;
        } else if code.is("READ-ONLY") {
            self.read_only = true;
        } else if code.is("READ-WRITE") {
            self.read_only = false;
        }
        Ok(())
    }
}

/// Reads `(\Seen junk \*)`.
pub(super) fn flag_list(
    tokens: &mut Tokens<'_>,
    limits: &Limits,
) -> Result<Vec<String>, ProtocolError> {
    tokens.expect_open()?;
    let mut flags = Vec::new();
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(flags),
            Token::Atom(flag) => {
                limits.check("names", flags.len() as u64 + 1)?;
                flags.push(String::from_utf8_lossy(flag).into_owned());
            }
            _ => return Err(tokens.malformed("expected a flag")),
        }
    }
}
