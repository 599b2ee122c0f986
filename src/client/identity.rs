//! ID (RFC 2971): client and server describe their implementations to each other.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::{Nothing, Reader};
use crate::proto::Limits;
use crate::proto::imap::{Command, Data, Token, Tokens};

/// The fields of an ID response, for example `name` and `version`, in the server's order. A field
/// may have no value.
pub type ServerId = Vec<(String, Option<String>)>;

/// The name and the version of this program, the fields of an ID command.
pub fn own_identity() -> ServerId {
    let field = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    vec![field("name", "postoffice"), field("version", env!("CARGO_PKG_VERSION"))]
}

impl ImapClient {
    /// Sends ID after the login, if the server offers it, without waiting for the answer: no other
    /// command depends on it.
    pub(super) fn introduce(&mut self, own: &[(String, Option<String>)]) -> Result<(), Error> {
        if self.capabilities().has("ID") {
            let sent = self.begin([Command::id(own)?], Nothing)?;
            self.forget(sent);
        }
        Ok(())
    }

    /// ID (RFC 2971 3.1): sends `own`, fields that describe the client, and returns those of the
    /// server. Without any fields, NIL is sent, and the server learns nothing. The result is empty
    /// if the server gives none.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the server does not offer ID; the errors of [`Command::id`].
    pub fn server_id(&mut self, own: &[(String, Option<String>)]) -> Result<ServerId, Error> {
        if !self.capabilities().has("ID") {
            return Err(self.lacks(&["ID"], ""));
        }
        let reader = Identity { limits: self.limits().clone(), fields: Vec::new() };
        self.carry_out([Command::id(own)?], reader)
    }
}

/// Reads the ID response.
struct Identity {
    limits: Limits,
    fields: ServerId,
}

impl Reader for Identity {
    type Output = ServerId;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        if data.is("ID") {
            self.fields = fields(&mut data.tokens, &self.limits)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<ServerId, Error> {
        Ok(self.fields)
    }
}

/// Reads `("name" "Cyrus" "version" NIL)` or `NIL`.
fn fields(tokens: &mut Tokens<'_>, limits: &Limits) -> Result<ServerId, Error> {
    let mut fields = Vec::new();
    let first = tokens.expect_token()?;
    if first.is_nil() {
        return Ok(fields);
    }
    if first != Token::Open {
        return Err(tokens.malformed("expected the fields of ID").into());
    }
    loop {
        let token = tokens.expect_token()?;
        if token == Token::Close {
            return Ok(fields);
        }
        limits.check("names", fields.len() as u64 + 1)?;
        let name = token.bytes().ok_or_else(|| tokens.malformed("expected a field of ID"))?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let value = tokens.expect_token()?;
        let text = value.bytes().map(|value| String::from_utf8_lossy(&value).into_owned());
        match text {
            _ if value.is_nil() => fields.push((name, None)),
            Some(text) => fields.push((name, Some(text))),
            None => return Err(tokens.malformed("expected a value of ID").into()),
        }
    }
}
