//! ENVELOPE as a typed value (RFC 3501 7.4.2).
//!
//! An ENVELOPE is a list of ten fields in a fixed order: strings, or lists of addresses. An address
//! is a list of four strings. [`FetchedItems::envelope`] reads one from a FETCH response; a list of
//! any other shape is a protocol error.

use super::fetched::FetchedItems;
use super::tokens::{Token, Tokens};
use crate::proto::error::ProtocolError;

/// The ten fields of an ENVELOPE as the server sends them. Encoded words are not decoded
/// ([`crate::mime::decode_text`] does that), and bytes that are not UTF-8 become U+FFFD. A field
/// that the server sends as NIL is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// The Date field.
    pub date: Option<String>,
    /// The Subject field.
    pub subject: Option<String>,
    /// The From field.
    pub from: Vec<Address>,
    /// The Sender field; if it is missing, servers repeat From here.
    pub sender: Vec<Address>,
    /// The Reply-To field; if it is missing, servers repeat From here.
    pub reply_to: Vec<Address>,
    /// The To field.
    pub to: Vec<Address>,
    /// The Cc field.
    pub cc: Vec<Address>,
    /// The Bcc field.
    pub bcc: Vec<Address>,
    /// The In-Reply-To field.
    pub in_reply_to: Option<String>,
    /// The Message-ID field.
    pub message_id: Option<String>,
}

/// One address. A group starts with an address that has no host and the group's name as its
/// mailbox, and ends with one that has neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The display name.
    pub name: Option<String>,
    /// The obsolete source route.
    pub route: Option<String>,
    /// The local part.
    pub mailbox: Option<String>,
    /// The domain.
    pub host: Option<String>,
}

impl Address {
    /// Returns `mailbox@host`, or only the mailbox if the host is the empty string; `None` for the
    /// start and end of a group.
    pub fn email(&self) -> Option<String> {
        let (mailbox, host) = (self.mailbox.as_deref()?, self.host.as_deref()?);
        Some(if host.is_empty() { mailbox.to_owned() } else { format!("{mailbox}@{host}") })
    }
}

impl FetchedItems<'_, '_> {
    /// Reads the current value as an envelope; `None` if it is not a list.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] for a list that is not an envelope.
    pub fn envelope(&mut self) -> Result<Option<Envelope>, ProtocolError> {
        self.inside().map(envelope).transpose()
    }
}

fn envelope(tokens: &mut Tokens<'_>) -> Result<Envelope, ProtocolError> {
    let envelope = Envelope {
        date: text(tokens)?,
        subject: text(tokens)?,
        from: addresses(tokens)?,
        sender: addresses(tokens)?,
        reply_to: addresses(tokens)?,
        to: addresses(tokens)?,
        cc: addresses(tokens)?,
        bcc: addresses(tokens)?,
        in_reply_to: text(tokens)?,
        message_id: text(tokens)?,
    };
    match tokens.expect_token()? {
        Token::Close => Ok(envelope),
        _ => Err(tokens.malformed("an envelope has ten fields")),
    }
}

fn text(tokens: &mut Tokens<'_>) -> Result<Option<String>, ProtocolError> {
    let token = tokens.expect_token()?;
    match token {
        Token::Open | Token::Close => Err(tokens.malformed("expected a string or NIL")),
        _ if token.is_nil() => Ok(None),
        _ => Ok(token.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
    }
}

fn addresses(tokens: &mut Tokens<'_>) -> Result<Vec<Address>, ProtocolError> {
    let mut addresses = Vec::new();
    match tokens.expect_token()? {
        Token::Open => {}
        token if token.is_nil() => return Ok(addresses),
        _ => return Err(tokens.malformed("expected addresses or NIL")),
    }
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(addresses),
            Token::Open => {}
            _ => return Err(tokens.malformed("expected an address")),
        }
        addresses.push(Address {
            name: text(tokens)?,
            route: text(tokens)?,
            mailbox: text(tokens)?,
            host: text(tokens)?,
        });
        if tokens.expect_token()? != Token::Close {
            return Err(tokens.malformed("an address has four fields"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Raw;
    use super::*;

    fn read(text: &str) -> Result<Option<Envelope>, ProtocolError> {
        let mut tokens =
            Tokens::new(Raw { bytes: text.as_bytes(), literals: &[], kept: &[] }, 0, 20);
        let mut items = FetchedItems::of(&mut tokens)?;
        items.next()?;
        let envelope = items.envelope()?;
        assert_eq!(items.next()?, None);
        Ok(envelope)
    }

    #[test]
    fn envelopes_are_read() {
        let joe = "((\"Joe \\\"J\\\" K\" NIL \"jkf\" \"verada.com\"))";
        let text = format!(
            "(ENVELOPE (\"Mon, 13 Sep 1999\" NIL {joe} {joe} NIL \
             ((NIL NIL \"friends\" NIL)(NIL NIL \"a\" \"x.org\")(NIL NIL NIL NIL)) NIL NIL NIL \"<1@x>\"))"
        );
        let envelope = read(&text).unwrap().unwrap();
        assert_eq!(envelope.date.as_deref(), Some("Mon, 13 Sep 1999"));
        assert_eq!((envelope.subject, envelope.in_reply_to), (None, None));
        assert_eq!(envelope.message_id.as_deref(), Some("<1@x>"));
        assert_eq!(envelope.from[0].name.as_deref(), Some("Joe \"J\" K"));
        assert_eq!(envelope.from[0].email().as_deref(), Some("jkf@verada.com"));
        assert_eq!(envelope.from, envelope.sender);
        let to: Vec<_> = envelope.to.iter().map(Address::email).collect();
        assert_eq!(to, [None, Some("a@x.org".to_owned()), None]);
        assert_eq!(read("(ENVELOPE NIL)").unwrap(), None);
    }

    #[test]
    fn what_is_not_an_envelope_is_an_error() {
        for text in [
            "(ENVELOPE ())",
            "(ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))",
            "(ENVELOPE (NIL NIL \"joe\" NIL NIL NIL NIL NIL NIL NIL))",
            "(ENVELOPE (NIL NIL ((NIL NIL NIL)) NIL NIL NIL NIL NIL NIL NIL))",
            "(ENVELOPE ((1) NIL NIL NIL NIL NIL NIL NIL NIL NIL))",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
