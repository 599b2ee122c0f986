//! Quotas (RFC 9208; earlier RFC 2087): the limits and usage of a mailbox's account.

use super::error::Error;
use super::imap::ImapClient;
use super::pending::Reader;
use crate::proto::Limits;
use crate::proto::imap::{Command, Data, Token, Tokens};

/// A quota root: resources that one or more mailboxes share.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaRoot {
    /// Its name; empty on servers with only one root.
    pub name: String,
    /// Its limited resources, in the server's order.
    pub resources: Vec<QuotaResource>,
}

/// A limited resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaResource {
    /// Its name in upper case: `STORAGE`, in units of 1024 octets; `MESSAGE`, `MAILBOX` and
    /// `ANNOTATION-STORAGE` (RFC 9208 5); or one of the server's own.
    pub name: String,
    /// How much is used.
    pub usage: u64,
    /// How much may be used. It may be less than the current usage.
    pub limit: u64,
}

impl ImapClient {
    /// GETQUOTAROOT (RFC 9208 4.1.3): returns the quota roots of a mailbox and their resources;
    /// none if nothing is limited.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without QUOTA; [`Error::Refused`] if the mailbox does not exist.
    pub fn quota(&mut self, mailbox: &str) -> Result<Vec<QuotaRoot>, Error> {
        let is_quota = |name: &String| name == "QUOTA" || name.starts_with("QUOTA=RES-");
        if !self.capabilities().names().iter().any(is_quota) {
            return Err(self.lacks(&["QUOTA"], ""));
        }
        let reader = QuotaRoots { limits: self.limits().clone(), names: Vec::new(), told: vec![] };
        self.carry_out([Command::get_quota_root(mailbox)?], reader)
    }
}

/// Reads QUOTAROOT, which names the roots of the mailbox, and QUOTA, which describes one root.
struct QuotaRoots {
    limits: Limits,
    names: Vec<String>,
    told: Vec<QuotaRoot>,
}

impl Reader for QuotaRoots {
    type Output = Vec<QuotaRoot>;

    fn has_one_answer(&self) -> bool {
        true
    }

    fn data(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        if data.is("QUOTAROOT") {
            name(&mut data.tokens)?; // the mailbox's
            while let Some(token) = data.tokens.next_token()? {
                self.limits.check("names", self.names.len() as u64 + 1)?;
                self.names.push(text(token, &data.tokens)?);
            }
        } else if data.is("QUOTA") {
            self.limits.check("listed", self.told.len() as u64 + 1)?;
            let name = name(&mut data.tokens)?;
            let resources = resources(&mut data.tokens, &self.limits)?;
            self.told.push(QuotaRoot { name, resources });
        }
        Ok(())
    }

    /// Servers may also report other roots; only those of the mailbox are returned.
    fn finish(self) -> Result<Vec<QuotaRoot>, Error> {
        let (names, mut told) = (self.names, self.told);
        let root = |name: String| {
            let at = told.iter().rposition(|root| root.name == name);
            let resources = at.map_or_else(Vec::new, |at| told.swap_remove(at).resources);
            QuotaRoot { name, resources }
        };
        Ok(names.into_iter().map(root).collect())
    }
}

fn name(tokens: &mut Tokens<'_>) -> Result<String, Error> {
    let token = tokens.expect_token()?;
    text(token, tokens)
}

fn text(token: Token<'_>, tokens: &Tokens<'_>) -> Result<String, Error> {
    let bytes = token.bytes().ok_or_else(|| tokens.malformed("expected a name"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads `(STORAGE 10 512 MESSAGE 20 100)`.
fn resources(tokens: &mut Tokens<'_>, limits: &Limits) -> Result<Vec<QuotaResource>, Error> {
    let mut resources = Vec::new();
    tokens.expect_open()?;
    loop {
        let token = tokens.expect_token()?;
        if token == Token::Close {
            return Ok(resources);
        }
        limits.check("names", resources.len() as u64 + 1)?;
        let name = text(token, tokens)?.to_ascii_uppercase();
        let mut number = || {
            let token = tokens.expect_token()?;
            token.number().ok_or_else(|| Error::from(tokens.malformed("expected a number")))
        };
        resources.push(QuotaResource { name, usage: number()?, limit: number()? });
    }
}
