//! NAMESPACE (RFC 2342): where the names of one's own, of other users' and of shared mailboxes
//! begin.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::Reader;
use crate::proto::Limits;
use crate::proto::imap::listed::decode_name;
use crate::proto::imap::tokens::lossless;
use crate::proto::imap::{Command, Data, Token, Tokens};

/// A part of the hierarchy of names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// What the names in it begin with, decoded; often empty.
    pub prefix: String,
    /// The hierarchy separator; `None` for flat names.
    pub separator: Option<String>,
}

/// The namespaces of a server, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespaces {
    /// Those of one's own mailboxes.
    pub personal: Vec<Namespace>,
    /// Those of other users' mailboxes.
    pub other_users: Vec<Namespace>,
    /// Those of shared mailboxes.
    pub shared: Vec<Namespace>,
}

impl ImapClient {
    /// NAMESPACE (RFC 2342 5). If the server does not offer it: one personal namespace without a
    /// prefix, with the separator that LIST gives.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn namespaces(&mut self) -> Result<Namespaces, Error> {
        if !self.capabilities().offers("NAMESPACE") {
            let separator = self.separator()?.map(str::to_owned);
            let personal = vec![Namespace { prefix: String::new(), separator }];
            return Ok(Namespaces { personal, ..Namespaces::default() });
        }
        let (utf8_names, limits) = (self.utf8_names()?, self.limits().clone());
        let reader = NamespacesOf { utf8_names, limits, found: Namespaces::default() };
        self.carry_out([Command::namespace()], reader)
    }
}

/// Reads the NAMESPACE response.
struct NamespacesOf {
    utf8_names: bool,
    limits: Limits,
    found: Namespaces,
}

impl Reader for NamespacesOf {
    type Output = Namespaces;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, data: Data<'_>) -> Result<(), Error> {
        if data.is("NAMESPACE") {
            let mut tokens = data.tokens.without_sections();
            let mut group = || group(&mut tokens, self.utf8_names, &self.limits);
            self.found = Namespaces { personal: group()?, other_users: group()?, shared: group()? };
        }
        Ok(())
    }

    fn finish(self) -> Result<Namespaces, Error> {
        Ok(self.found)
    }
}

/// Reads `(("" "/")("#mh/" "/" "X-PARAM" ("FLAG1")))` or `NIL`.
fn group(
    tokens: &mut Tokens<'_>,
    utf8_names: bool,
    limits: &Limits,
) -> Result<Vec<Namespace>, Error> {
    let mut found = Vec::new();
    let first = tokens.expect_token()?;
    if first.is_nil() {
        return Ok(found);
    }
    if first != Token::Open {
        return Err(tokens.malformed("expected a list of namespaces").into());
    }
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(found),
            Token::Open => {}
            _ => return Err(tokens.malformed("expected a namespace").into()),
        }
        limits.check("names", found.len() as u64 + 1)?;
        let prefix = tokens.expect_token()?.bytes();
        let prefix = prefix.ok_or_else(|| tokens.malformed("expected a namespace's prefix"))?;
        let separator = match tokens.expect_token()? {
            token if token.is_nil() => None,
            token => {
                let expected = "expected a hierarchy separator";
                let separator = token.bytes().ok_or_else(|| tokens.malformed(expected))?;
                Some(lossless(&separator)).filter(|separator| !separator.is_empty())
            }
        };
        found.push(Namespace { prefix: decode_name(&prefix, utf8_names), separator });
        loop {
            match tokens.expect_token()? {
                Token::Close => break,
                extension => tokens.skip_value(extension)?, // RFC 2342 5, Namespace_Response_Extension
            }
        }
    }
}
