//! Reads one FETCH response (RFC 3501 7.4.2): pairs of a data item's name and its value.
//!
//! [`FetchedItems`] walks the pairs. A value that the caller does not read is skipped as a whole,
//! so servers may send items that are unknown or were not asked for.

use super::tokens::{Token, Tokens};
use crate::proto::error::ProtocolError;
use std::num::NonZeroU32;

/// Walks the data items of one FETCH response.
///
/// # Examples
/// ```no_run
/// # use postoffice::proto::{ProtocolError, imap::{Data, FetchedItems}};
/// fn size(mut data: Data<'_>) -> Result<Option<u64>, ProtocolError> {
///     let mut size = None;
///     let mut items = FetchedItems::of(&mut data.tokens)?;
///     while let Some((name, value)) = items.next()? {
///         if name.eq_ignore_ascii_case(b"RFC822.SIZE") {
///             size = value.number();
///         }
///     }
///     Ok(size)
/// }
/// ```
pub struct FetchedItems<'t, 'a> {
    tokens: &'t mut Tokens<'a>,
    /// The last value, as long as nobody has read into its list.
    unread: Option<Token<'a>>,
}

impl<'t, 'a> FetchedItems<'t, 'a> {
    /// Starts at the opening parenthesis of the response's list.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if there is none.
    pub fn of(tokens: &'t mut Tokens<'a>) -> Result<Self, ProtocolError> {
        tokens.expect_open()?;
        Ok(FetchedItems { tokens, unread: None })
    }

    /// Returns the next item's name, such as `UID` or `BODY[TEXT]<0>`, and its value. If the value
    /// is a list, this is only its opening parenthesis. `None` at the end of the list.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if there is no name, or if the response ends too early.
    #[allow(clippy::should_implement_trait)] // an iterator could not lend its tokens to the other methods
    pub fn next(&mut self) -> Result<Option<(&'a [u8], Token<'a>)>, ProtocolError> {
        if let Some(unread) = self.unread.take() {
            self.tokens.skip_value(unread)?;
        }
        match self.tokens.expect_token()? {
            Token::Close => self.tokens.expect_end().map(|()| None),
            Token::Atom(name) => {
                let value = self.tokens.expect_token()?;
                self.unread = Some(value);
                Ok(Some((name, value)))
            }
            _ => Err(self.tokens.malformed("expected a fetch item's name")),
        }
    }

    /// Returns the flags in the current value, as the server wrote them; none if the value is not a
    /// list.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if the response ends too early.
    pub fn flags(&mut self) -> Result<Vec<&'a [u8]>, ProtocolError> {
        let mut flags = Vec::new();
        if !self.enter() {
            return Ok(flags);
        }
        loop {
            match self.tokens.expect_token()? {
                Token::Close => return Ok(flags),
                Token::Atom(flag) => flags.push(flag),
                other => self.tokens.skip_value(other)?,
            }
        }
    }

    /// Returns the tokens of the current value, if it is a list. The caller must read up to and
    /// including its closing parenthesis.
    pub fn inside(&mut self) -> Option<&mut Tokens<'a>> {
        self.enter().then_some(&mut *self.tokens)
    }

    fn enter(&mut self) -> bool {
        let is_list = self.unread == Some(Token::Open);
        if is_list {
            self.unread = None;
        }
        is_list
    }
}

/// Reads a value as a message number or UID; `None` for zero and anything else.
pub fn message_number(value: Token<'_>) -> Option<NonZeroU32> {
    value.number().and_then(|number| u32::try_from(number).ok()).and_then(NonZeroU32::new)
}

#[cfg(test)]
mod tests {
    use super::super::frame::Raw;
    use super::*;

    fn walk(bytes: &[u8]) -> Result<Vec<String>, ProtocolError> {
        let mut tokens = Tokens::new(Raw { bytes, literals: &[], kept: &[] }, 0, 20);
        let mut items = FetchedItems::of(&mut tokens)?;
        let mut seen = Vec::new();
        while let Some((name, value)) = items.next()? {
            let mut line = String::from_utf8_lossy(name).into_owned();
            if name == b"FLAGS" {
                for flag in items.flags()? {
                    line += &format!(" {}", String::from_utf8_lossy(flag));
                }
            } else if let Some(number) = message_number(value) {
                line += &format!(" {number}");
            }
            seen.push(line);
        }
        Ok(seen)
    }

    #[test]
    fn items_that_nobody_reads_are_skipped_whole() {
        let table: [(&[u8], &[&str]); 5] = [
            (b"(UID 5 FLAGS (\\Seen $x))", &["UID 5", "FLAGS \\Seen $x"]),
            (b"(X (1 (2) \")\") UID (7 8) UID 9)", &["X", "UID", "UID 9"]),
            (b"(FLAGS NIL UID 0 UID 99999999999)", &["FLAGS", "UID", "UID"]),
            (b"(FLAGS ((\\Seen) \"x\" \\Draft))", &["FLAGS \\Draft"]),
            (b"()", &[]),
        ];
        for (response, expected) in table {
            assert_eq!(walk(response).unwrap(), expected, "{}", response.escape_ascii());
        }
        for response in
            [&b"UID 5"[..], b"(UID", b"(UID 5", b"(\"UID\" 5)", b"(FLAGS (x", b"((1) 2)"]
        {
            assert!(walk(response).is_err(), "{}", response.escape_ascii());
        }
    }
}
