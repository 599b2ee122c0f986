//! From the server's tokens to Lisp values, without a tree in between.

use super::flags::flag_value;
use crate::client::Error;
use crate::host::{self, Value};
use crate::proto::imap::{Data, Token, Tokens};
use std::borrow::Cow;

/// How strings come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// As strings with `\n` line ends.
    Strings,
    /// As bytevectors with the server's exact bytes.
    Raw,
}

/// Text as a script sees it: CR LF becomes LF; UTF-8, or else byte by byte, so that no byte is lost.
pub(super) fn text(bytes: &[u8]) -> String {
    let lines = without_crlf(bytes);
    match String::from_utf8(lines.into_owned()) {
        Ok(text) => text,
        Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The bytes with LF for every CR LF.
pub(super) fn without_crlf(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut rest = bytes;
    let mut lines = Vec::new();
    while let Some(at) = memchr::memmem::find(rest, b"\r\n") {
        if lines.is_empty() {
            lines.reserve(bytes.len());
        }
        lines.extend_from_slice(&rest[..at]);
        lines.push(b'\n');
        rest = &rest[at + 2..];
    }
    if rest.len() == bytes.len() {
        return Cow::Borrowed(bytes);
    }
    lines.extend_from_slice(rest);
    Cow::Owned(lines)
}

/// One value: NIL is `nil`, digits are a number, `\x` is a flag, lists are lists, all else is text.
pub(super) fn value(tokens: &mut Tokens<'_>, first: Token<'_>, texts: Texts, atoms_are_flags: bool) -> Result<Value, Error> {
    let mut open: Vec<Vec<Value>> = Vec::new();
    let mut token = first;
    loop {
        let value = match token {
            Token::Open => {
                open.push(Vec::new());
                token = tokens.expect_token()?;
                continue;
            }
            Token::Close => host::list(open.pop().ok_or_else(|| tokens.malformed("a closing parenthesis where a value is expected"))?),
            Token::Atom(atom) if atom.first() == Some(&b'\\') || (atoms_are_flags && !open.is_empty()) => {
                flag_value(&String::from_utf8_lossy(atom))
            }
            Token::Atom(atom) => match token.number() {
                Some(number) => host::integer(number as i64), // at most 63 bits
                None if token.is_nil() => host::nil(),
                None => string(atom, texts),
            },
            Token::Quoted(_) | Token::Literal(_) => string(&token.bytes().unwrap_or_default(), texts),
            Token::Streamed(_) => host::nil(), // literals are streamed only to files
        };
        match open.last_mut() {
            Some(list) => list.push(value),
            None => return Ok(value),
        }
        token = tokens.expect_token()?;
    }
}

fn string(bytes: &[u8], texts: Texts) -> Value {
    match texts {
        Texts::Strings => host::string(text(bytes)),
        Texts::Raw => host::bytes(bytes.to_vec()),
    }
}

/// Which of the items that a server sends unasked are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub flags: bool,
    pub uid: bool,
    pub modseq: bool,
}

impl Wanted {
    /// What these parts, in IMAP's notation, ask for.
    pub(super) fn by(parts: &str, uid: bool) -> Self {
        let parts = parts.to_ascii_lowercase();
        let asks = |names: &[&str]| parts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).any(|word| names.contains(&word));
        Wanted { flags: asks(&["flags", "all", "fast", "full"]), uid: uid || asks(&["uid"]), modseq: asks(&["modseq"]) }
    }

    fn wants(self, name: &str) -> bool {
        match name {
            "FLAGS" => self.flags,
            "UID" => self.uid,
            "MODSEQ" => self.modseq,
            _ => true,
        }
    }
}

/// A FETCH response as `(number ("NAME" value …))`; `None` when it holds nothing that was asked for.
pub(super) fn fetched(mut data: Data<'_>, texts: Texts, wanted: Wanted) -> Result<Option<Value>, Error> {
    let tokens = &mut data.tokens;
    let mut items = Vec::new();
    tokens.expect_open()?;
    loop {
        match tokens.expect_token()? {
            Token::Close => break,
            Token::Atom(name) => {
                let name = item_name(name);
                let first = tokens.expect_token()?;
                if wanted.wants(&name) {
                    let texts = if name == "INTERNALDATE" { Texts::Strings } else { texts };
                    let value = value(tokens, first, texts, name == "FLAGS")?;
                    items.push(host::string(&name));
                    items.push(value);
                } else {
                    tokens.skip_value(first)?;
                }
            }
            _ => return Err(tokens.malformed("expected a fetch item's name").into()),
        }
    }
    let number = i64::from(data.number.unwrap_or_default());
    Ok((!items.is_empty()).then(|| host::list(vec![host::integer(number), host::list(items)])))
}

fn item_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_of_a_text_is_lost() {
        let table: &[(&[u8], &str)] = &[
            (b"a\r\nb\r\n", "a\nb\n"),
            (b"a\rb\n", "a\rb\n"),
            (b"\r\r\n", "\r\n"),
            ("é".as_bytes(), "é"),
            (b"\xe9\r\n\xff", "é\nÿ"),
            (b"", ""),
        ];
        for (bytes, expected) in table {
            assert_eq!(text(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_parts_ask_for_is_seen() {
        let wanted = |parts, uid| {
            let wanted = Wanted::by(parts, uid);
            (wanted.flags, wanted.uid, wanted.modseq)
        };
        assert_eq!(wanted("body[]", false), (false, false, false));
        assert_eq!(wanted("(FLAGS envelope)", false), (true, false, false));
        assert_eq!(wanted("fast", true), (true, true, false));
        assert_eq!(wanted("(uid modseq)", false), (false, true, true));
    }
}
