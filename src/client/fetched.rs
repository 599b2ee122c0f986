//! FETCH responses as typed values, for programs that do not want to walk the tokens themselves.
//!
//! [`ImapClient::fetch_all`] collects all responses by message number. Several responses about one
//! message are merged; later items replace earlier ones.

use super::error::Error;
use super::imap::ImapClient;
use super::messages::{Fetch, FetchReader};
use super::pending::Pending;
use super::spool::read;
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::listed::decode_name;
use crate::proto::imap::{
    Data, DateTime, Envelope, FetchItems, Messages, Structure, Token, Tokens,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The items that a server sent about one message. An item that was not asked for, or that the
/// server left out, is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The message sequence number.
    pub number: u32,
    /// UID.
    pub uid: Option<u32>,
    /// FLAGS, as the server spells them: `\Seen`, `$Forwarded`.
    pub flags: Option<Vec<String>>,
    /// MODSEQ (RFC 7162).
    pub modseq: Option<u64>,
    /// X-GM-LABELS, Gmail's labels, decoded; those of the system begin with `\`.
    pub labels: Option<Vec<String>>,
    /// RFC822.SIZE, in bytes.
    pub size: Option<u64>,
    /// INTERNALDATE.
    pub internal_date: Option<DateTime>,
    /// ENVELOPE.
    pub envelope: Option<Envelope>,
    /// BODYSTRUCTURE.
    pub structure: Option<Structure>,
    /// The texts, each under the server's name for it, such as `BODY[TEXT]` or `RFC822.HEADER`.
    pub texts: Vec<(String, Vec<u8>)>,
}

impl Fetched {
    /// The text with this item name, ignoring case.
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        let (_, text) = self.texts.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(text)
    }

    /// Merges one response into this message.
    fn read(&mut self, data: &mut Data<'_>, utf8_names: bool) -> Result<(), Error> {
        let mut items = FetchedItems::of(&mut data.tokens)?;
        while let Some((name, value)) = items.next()? {
            let is = |item: &str| name.eq_ignore_ascii_case(item.as_bytes());
            if is("UID") {
                self.uid = message_number(value).map(u32::from);
            } else if is("FLAGS") {
                let text = |flag: &[u8]| String::from_utf8_lossy(flag).into_owned();
                self.flags = Some(items.flags()?.into_iter().map(text).collect());
            } else if is("X-GM-LABELS") {
                self.labels =
                    items.inside().map(|tokens| labels(tokens, utf8_names)).transpose()?;
            } else if is("MODSEQ") {
                self.modseq = items.inside().map(modseq).transpose()?.flatten();
            } else if is("RFC822.SIZE") {
                self.size = value.number();
            } else if is("INTERNALDATE") {
                self.internal_date =
                    value.bytes().and_then(|date| std::str::from_utf8(&date).ok()?.parse().ok());
            } else if is("ENVELOPE") {
                self.envelope = items.envelope()?;
            } else if is("BODYSTRUCTURE") {
                self.structure = items.structure()?;
            } else if let Some(text) = text(value)? {
                let name = String::from_utf8_lossy(name).into_owned();
                self.texts.retain(|(found, _)| *found != name);
                self.texts.push((name, text));
            }
        }
        Ok(())
    }
}

/// Reads the number of MODSEQ up to the end of its list.
fn modseq(tokens: &mut Tokens<'_>) -> Result<Option<u64>, Error> {
    let mut modseq = None;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(modseq),
            token => match token.number() {
                Some(number) => modseq = Some(number),
                None => tokens.skip_value(token)?,
            },
        }
    }
}

/// Reads labels up to the end of their list. They are encoded as names of mailboxes are.
fn labels(tokens: &mut Tokens<'_>, utf8_names: bool) -> Result<Vec<String>, Error> {
    let mut labels = Vec::new();
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(labels),
            token => match token.bytes() {
                Some(label) => labels.push(decode_name(&label, utf8_names)),
                None => tokens.skip_value(token)?,
            },
        }
    }
}

/// Returns the bytes of a text, also of one that is in a file.
fn text(value: Token<'_>) -> Result<Option<Vec<u8>>, Error> {
    match value {
        Token::Streamed(_, kept) => kept.map(|kept| read(&**kept)).transpose(),
        _ if value.is_nil() => Ok(None),
        _ => Ok(value.bytes().map(Cow::into_owned)),
    }
}

/// Collects the responses by message sequence number.
pub struct Collected {
    messages: BTreeMap<u32, Fetched>,
    by_uid: bool,
    utf8_names: bool,
}

impl Collected {
    /// Collects the responses about these messages. `utf8_names`: whether the server sends names in
    /// UTF-8.
    pub(super) fn of(messages: &Messages, utf8_names: bool) -> Self {
        Collected { messages: BTreeMap::new(), by_uid: messages.are_uids(), utf8_names }
    }
}

impl FetchReader for Collected {
    type Output = Vec<Fetched>;

    fn item(&mut self, mut data: Data<'_>) -> Result<(), Error> {
        let Some(number) = data.number else { return Ok(()) };
        let found = self.messages.entry(number);
        let fetched = found.or_insert_with(|| Fetched { number, ..Fetched::default() });
        fetched.read(&mut data, self.utf8_names)
    }

    fn finish(self) -> Result<Vec<Fetched>, Error> {
        let is_answer = |fetched: &Fetched| !self.by_uid || fetched.uid.is_some();
        Ok(self.messages.into_values().filter(is_answer).collect())
    }
}

impl ImapClient {
    /// FETCH (RFC 3501 6.4.5) as typed values, in the order of message sequence numbers. All texts
    /// are held in memory: [`ImapClient::fetch`] hands large ones out as they come.
    ///
    /// # Errors
    /// As [`ImapClient::fetch`].
    ///
    /// # Examples
    /// ```no_run
    /// # use postoffice::client::{Error, ImapClient};
    /// # use postoffice::proto::imap::{FetchItems, Messages, SearchKey};
    /// # fn main() -> Result<(), Error> { let client: &mut ImapClient = todo!();
    /// client.select("INBOX", true)?;
    /// let unseen = client.uid_search(&SearchKey::Unseen)?;
    /// let items = FetchItems::parse("(UID ENVELOPE)")?;
    /// for message in client.fetch_all(&Messages::uids(unseen), &items)? {
    ///     let subject = message.envelope.and_then(|envelope| envelope.subject);
    ///     println!("{:?}: {}", message.uid, subject.unwrap_or_default());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn fetch_all(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
    ) -> Result<Vec<Fetched>, Error> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let pending = self.begin_fetch_all(messages, items)?;
        self.wait(pending)
    }

    /// Begins [`ImapClient::fetch_all`], of at least one message.
    ///
    /// # Errors
    /// As [`ImapClient::begin_fetch`].
    pub fn begin_fetch_all(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
    ) -> Result<Pending<Fetch<Collected>>, Error> {
        let reader = Collected::of(messages, self.utf8_names()?);
        self.begin_fetch(messages, items, reader)
    }
}
