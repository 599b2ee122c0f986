//! FETCH responses as the wire has them, for programs that hand them on to another client.

use super::error::Error;
use super::imap::ImapClient;
use super::spool::read;
use crate::proto::imap::fetched::{FetchedItems, message_number};
use crate::proto::imap::{Data, FetchItems, Messages, Token, Tokens};

impl ImapClient {
    /// FETCH (RFC 3501 6.4.5): passes the UID of each message, and its other items by name, with
    /// their values as a server writes them. Strings that are not ASCII become literals.
    ///
    /// # Errors
    /// As [`ImapClient::fetch`].
    pub fn fetch_as_sent(
        &mut self,
        messages: &Messages,
        items: &FetchItems,
        each: &mut dyn FnMut(u32, Vec<(String, Vec<u8>)>),
    ) -> Result<(), Error> {
        self.fetch(messages, items, &mut |mut data: Data<'_>| {
            let (mut uid, mut values) = (None, Vec::new());
            let mut items = FetchedItems::of(&mut data.tokens)?;
            while let Some((name, value)) = items.next()? {
                if name.eq_ignore_ascii_case(b"UID") {
                    uid = message_number(value);
                    continue;
                }
                let mut out = Vec::new();
                match items.inside() {
                    Some(inside) => copy_list(inside, &mut out)?,
                    None => copy(value, &mut out)?,
                }
                values.push((String::from_utf8_lossy(name).into_owned(), out));
            }
            if let Some(uid) = uid {
                each(uid.get(), values);
            }
            Ok(())
        })
    }
}

/// Copies a list whose opening parenthesis was read.
fn copy_list(tokens: &mut Tokens<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let outside = tokens.depth().saturating_sub(1);
    out.push(b'(');
    while tokens.depth() > outside {
        let token = tokens.expect_token()?;
        if token != Token::Close && !out.ends_with(b"(") {
            out.push(b' ');
        }
        copy(token, out)?;
    }
    Ok(())
}

fn copy(token: Token<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    match token {
        Token::Open => out.push(b'('),
        Token::Close => out.push(b')'),
        Token::Atom(atom) => out.extend_from_slice(atom),
        Token::Quoted(inside) if inside.is_ascii() => {
            out.push(b'"');
            out.extend_from_slice(inside);
            out.push(b'"');
        }
        Token::Quoted(_) => literal(&token.bytes().unwrap_or_default(), out),
        Token::Literal(bytes) => literal(bytes, out),
        Token::Streamed(_, kept) => {
            literal(&kept.map(|kept| read(&**kept)).transpose()?.unwrap_or_default(), out);
        }
    }
    Ok(())
}

fn literal(bytes: &[u8], out: &mut Vec<u8>) {
    let is_binary = bytes.contains(&0); // a literal8 (RFC 3516)
    out.extend_from_slice(
        format!("{}{{{}}}\r\n", if is_binary { "~" } else { "" }, bytes.len()).as_bytes(),
    );
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::imap::frame::Raw;

    #[test]
    fn values_come_out_as_they_went_in() {
        for value in [
            "NIL",
            "(\"a\" \"b \\\" c\" NIL 7)",
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"x\") NIL NIL \"7BIT\" 12 1)(\"a\" \"b\") \"MIXED\")",
            "(() (()) NIL)",
        ] {
            let mut tokens =
                Tokens::new(Raw { bytes: value.as_bytes(), literals: &[], kept: &[] }, 0, 20);
            let mut out = Vec::new();
            match tokens.expect_token().unwrap() {
                Token::Open => copy_list(&mut tokens, &mut out).unwrap(),
                token => copy(token, &mut out).unwrap(),
            }
            let spaced = value.replace(")(", ") (");
            assert_eq!(String::from_utf8(out).unwrap(), spaced);
        }
    }
}
