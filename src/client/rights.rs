//! Access control lists (RFC 4314): who may do what with a mailbox.
//!
//! Rights are letters, such as `l` (the mailbox is listed), `r` (it may be read) and `a` (its rights
//! may be changed). They are passed on as the server writes them.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Nothing, Reader};
use crate::proto::Limits;
use crate::proto::imap::tokens::lossless;
use crate::proto::imap::{Command, Data, Token, Tokens};

impl ImapClient {
    /// MYRIGHTS (RFC 4314 3.5): the rights of the user who is logged in.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without ACL; [`Error::Refused`] if there is no such mailbox.
    pub fn my_rights(&mut self, mailbox: &str) -> Result<String, Error> {
        self.check_acl()?;
        self.carry_out([Command::my_rights(mailbox)?], MyRights(None))
    }

    /// GETACL (RFC 4314 3.3): identifiers and their rights, in the server's order. An identifier
    /// with `-` before it loses these rights.
    ///
    /// # Errors
    /// As [`ImapClient::my_rights`], and [`Error::Refused`] without the right `a`.
    pub fn rights(&mut self, mailbox: &str) -> Result<Vec<(String, String)>, Error> {
        self.check_acl()?;
        let reader = Rights { limits: self.limits().clone(), found: None };
        self.carry_out([Command::get_acl(mailbox)?], reader)
    }

    /// SETACL (RFC 4314 3.1): the identifier has exactly these rights afterwards, or, with `+` or
    /// `-` before them, these are added or removed. `None` is DELETEACL (3.2), which removes its
    /// entry.
    ///
    /// # Errors
    /// As [`ImapClient::rights`]; [`Error::Argument`] for rights that are no letters and digits.
    pub fn set_rights(
        &mut self,
        mailbox: &str,
        identifier: &str,
        rights: Option<&str>,
    ) -> Result<(), Error> {
        let command = match rights {
            Some(rights) => Command::set_acl(mailbox, identifier, rights)?,
            None => Command::delete_acl(mailbox, identifier)?,
        };
        self.check_acl()?;
        self.carry_out([command], Nothing)
    }

    fn check_acl(&self) -> Result<(), Error> {
        if self.capabilities().offers("ACL") {
            return Ok(());
        }
        Err(self.lacks(&["ACL"], ""))
    }
}

/// Reads `MYRIGHTS name rights`.
struct MyRights(Option<String>);

impl Reader for MyRights {
    type Output = String;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("MYRIGHTS") {
            let mut tokens = data.tokens.without_sections();
            word(&mut tokens)?;
            self.0 = Some(word(&mut tokens)?);
            tokens.expect_end()?;
        }
        Ok(())
    }

    fn finish(self) -> Result<String, Error> {
        self.0.ok_or_else(|| Error::Unexpected("the server's answer has no rights".into()))
    }
}

/// Reads `ACL name identifier rights identifier rights`.
struct Rights {
    limits: Limits,
    found: Option<Vec<(String, String)>>,
}

impl Reader for Rights {
    type Output = Vec<(String, String)>;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("ACL") {
            let mut tokens = data.tokens.without_sections();
            word(&mut tokens)?;
            let mut rights = Vec::new();
            while let Some(identifier) = tokens.next_token()? {
                self.limits.check("names", rights.len() as u64 + 1)?;
                rights.push((text(identifier, &tokens)?, word(&mut tokens)?));
            }
            self.found = Some(rights);
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<(String, String)>, Error> {
        self.found.ok_or_else(|| Error::Unexpected("the server's answer has no rights".into()))
    }
}

fn word(tokens: &mut Tokens<'_>) -> Result<String, Error> {
    let token = tokens.expect_token()?;
    text(token, tokens)
}

fn text(token: Token<'_>, tokens: &Tokens<'_>) -> Result<String, Error> {
    let bytes = token.bytes().ok_or_else(|| tokens.malformed("expected a word or a string"))?;
    Ok(lossless(&bytes))
}
