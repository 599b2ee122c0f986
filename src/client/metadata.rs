//! METADATA (RFC 5464): notes on mailboxes and on the server, kept by the server.
//!
//! An entry has a name such as `/private/comment`, which only this user sees, or `/shared/comment`,
//! and a text. Entries of the server are those of the mailbox with the empty name.

use super::answers::{Likeness, compare_mailbox};
use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Nothing, Reader};
use crate::proto::Limits;
use crate::proto::imap::tokens::lossless;
use crate::proto::imap::{Command, Data, Token, Tokens};

impl ImapClient {
    /// GETMETADATA (RFC 5464 4.2) of the mailbox, or of the server if the name is empty: those of
    /// these entries that exist, and their texts, in the server's order. With `below`, also all
    /// entries below them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without METADATA; [`Error::Argument`] for a name that is none of an
    /// entry; [`Error::Refused`] if there is no such mailbox; [`Error::Protocol`] if all texts
    /// together exceed the limit of a response.
    pub fn metadata(
        &mut self,
        mailbox: &str,
        entries: &[String],
        below: bool,
    ) -> Result<Vec<(String, String)>, Error> {
        let command = Command::get_metadata(mailbox, entries, below)?;
        self.check_metadata(mailbox)?;
        let reader = Entries {
            mailbox: mailbox.to_owned(),
            utf8_names: self.utf8_names()?,
            limits: self.limits().clone(),
            bytes: 0,
            found: Vec::new(),
        };
        self.carry_out([command], reader)
    }

    /// SETMETADATA (RFC 5464 4.3) of the mailbox, or of the server if the name is empty. `None`
    /// removes the entry.
    ///
    /// # Errors
    /// As [`ImapClient::metadata`]; [`Error::Refused`] also if the text is too long for the server.
    pub fn set_metadata(
        &mut self,
        mailbox: &str,
        entry: &str,
        value: Option<&str>,
    ) -> Result<(), Error> {
        let command = Command::set_metadata(mailbox, entry, value)?;
        self.check_metadata(mailbox)?;
        self.carry_out([command], Nothing)
    }

    fn check_metadata(&self, mailbox: &str) -> Result<(), Error> {
        let needed = if mailbox.is_empty() { "METADATA-SERVER" } else { "METADATA" };
        if self.capabilities().offers(needed) {
            return Ok(());
        }
        Err(self.lacks(&[needed], ""))
    }
}

/// Reads METADATA responses with values.
struct Entries {
    mailbox: String,
    utf8_names: bool,
    limits: Limits,
    bytes: u64,
    found: Vec<(String, String)>,
}

impl Reader for Entries {
    type Output = Vec<(String, String)>;

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        let mut tokens = data.tokens.clone().without_sections();
        // Without a list it only says which entries have changed (RFC 5464 4.4.2).
        if !data.is("METADATA")
            || !has_list(tokens.clone())
            || compare_mailbox(&mut tokens, &self.mailbox, self.utf8_names)? == Likeness::Other
        {
            return Ok(());
        }
        tokens.expect_open()?;
        loop {
            let entry = match tokens.expect_token()? {
                Token::Close => return Ok(tokens.expect_end()?),
                token => text(token, &tokens)?,
            };
            let value = match tokens.expect_token()? {
                nil if nil.is_nil() => continue,
                token => text(token, &tokens)?,
            };
            self.bytes += (entry.len() + value.len()) as u64;
            self.limits.check("response", self.bytes)?;
            self.limits.check("names", self.found.len() as u64 + 1)?;
            self.found.push((entry, value));
        }
    }

    fn finish(self) -> Result<Vec<(String, String)>, Error> {
        Ok(self.found)
    }
}

/// Whether a list follows the mailbox name.
fn has_list(mut tokens: Tokens<'_>) -> bool {
    tokens.next_token().is_ok() && matches!(tokens.next_token(), Ok(Some(Token::Open)))
}

fn text(token: Token<'_>, tokens: &Tokens<'_>) -> Result<String, Error> {
    let bytes = token.bytes().ok_or_else(|| tokens.malformed("expected an entry or its value"))?;
    Ok(lossless(&bytes))
}
