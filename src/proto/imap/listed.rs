//! Reads mailbox names: the entries of LIST and LSUB, and the name in a STATUS response.
//!
//! Some servers do not quote names with blanks, do not escape quotes and backslashes, or do not
//! encode names at all. Such a line is read once more by its bytes: the name is everything between
//! the separator and the end. It is never cut. The bytes of a name that [`encode`](utf7::encode)
//! would not write are kept in [`GivenNames`], so that commands send them back as they came. So are
//! names in modified UTF-7 where they should be in UTF-8: some servers take ENABLE UTF8=ACCEPT, and
//! go on as before.

use super::response::Data;
use super::tokens::{Token, Tokens, lossless, unescape};
use super::utf7;
use crate::proto::error::ProtocolError;
use crate::proto::limits::Limits;
use std::borrow::Cow;
use std::collections::HashMap;

/// An entry of LIST or LSUB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Its attributes, for example `\Noselect`.
    pub flags: Vec<String>,
    /// The hierarchy separator; `None` for a flat name.
    pub separator: Option<String>,
    /// The name as the server wrote it.
    pub name: Cow<'a, [u8]>,
}

/// Reads an entry: `(\Noselect) "/" name`.
///
/// # Errors
/// [`ProtocolError::Malformed`] if the name is not certain.
pub(crate) fn entry<'a>(tokens: &Tokens<'a>, limits: &Limits) -> Result<Entry<'a>, ProtocolError> {
    match by_tokens(tokens.clone(), limits) {
        Ok(Some(entry)) => Ok(entry),
        Err(error @ ProtocolError::TooLarge { .. }) => Err(error),
        _ => by_bytes(tokens.rest())
            .filter(|_| tokens.raw().literals.is_empty())
            .ok_or_else(|| tokens.malformed("expected flags, a separator and a mailbox name")),
    }
}

/// Reads an entry that the grammar allows; `None` for another.
fn by_tokens<'a>(
    mut tokens: Tokens<'a>,
    limits: &Limits,
) -> Result<Option<Entry<'a>>, ProtocolError> {
    let mut flags = Vec::new();
    let first = tokens.expect_token()?;
    if !first.is_nil() && first != Token::Open {
        return Ok(None);
    }
    let mut is_open = first == Token::Open;
    while is_open {
        match tokens.expect_token()? {
            Token::Close => is_open = false,
            token => {
                limits.check("names", flags.len() as u64 + 1)?;
                flags.extend(token.bytes().map(text));
            }
        }
    }
    let separator = match tokens.expect_token()? {
        token if token.is_nil() => None,
        token => token.bytes().map(text).filter(|separator| !separator.is_empty()),
    };
    if separator.as_ref().is_some_and(|separator| separator.chars().nth(1).is_some()) {
        return Ok(None);
    }
    let Some(name) = tokens.expect_token()?.bytes() else { return Ok(None) };
    Ok(ends_or_is_extended(tokens)?.then_some(Entry { flags, separator, name }))
}

/// Whether nothing follows a name, or the extended data of RFC 5258: `("CHILDINFO" ("x"))`.
fn ends_or_is_extended(mut tokens: Tokens<'_>) -> Result<bool, ProtocolError> {
    match tokens.next_token()? {
        None => return Ok(true),
        Some(Token::Open) => {}
        Some(_) => return Ok(false),
    }
    let mut count = 0;
    loop {
        match tokens.expect_token()? {
            Token::Close => return Ok(count % 2 == 0 && tokens.next_token()?.is_none()),
            // Of each pair the second is a list or a number; other words belong to the name.
            Token::Quoted(_) if count % 2 == 1 => return Ok(false),
            Token::Atom(atom) if count % 2 == 1 && !atom[0].is_ascii_digit() => return Ok(false),
            token => tokens.skip_value(token)?,
        }
        count += 1;
    }
}

/// Reads an entry by its bytes: the name goes to the end of the line.
fn by_bytes(line: &[u8]) -> Option<Entry<'_>> {
    let line = line.trim_ascii();
    let (flags, line) = match line.strip_prefix(b"(") {
        Some(list) => {
            let end = list.iter().position(|byte| *byte == b')')?;
            (&list[..end], &list[end + 1..])
        }
        None => (
            &b""[..],
            line.get(..3).filter(|nil| nil.eq_ignore_ascii_case(b"NIL")).map(|_| &line[3..])?,
        ),
    };
    let flags = flags.split(|byte| *byte == b' ').filter(|flag| !flag.is_empty());
    let flags = flags.map(|flag| text(Cow::Borrowed(flag))).collect();
    let line = line.trim_ascii_start();
    let (separator, name) = match line {
        [b'"', b'\\', escaped, b'"', b' ', name @ ..] => (Some(*escaped), name),
        [b'"', b'"', b' ', name @ ..] => (None, name),
        [b'"', separator, b'"', b' ', name @ ..] => (Some(*separator), name),
        [b'"', separator, b' ', name @ ..] => (Some(*separator), name), // a bare backslash
        [separator, b' ', name @ ..] => (Some(*separator), name),
        _ if line.get(..4)?.eq_ignore_ascii_case(b"NIL ") => (None, &line[4..]),
        _ => return None,
    };
    let separator = separator.map(|byte| text(Cow::Owned(vec![byte])));
    Some(Entry { flags, separator, name: whole_name(name)? })
}

/// A name that is not quoted as it should be. `None` if only one of two quotes is there.
fn whole_name(name: &[u8]) -> Option<Cow<'_, [u8]>> {
    let name = name.trim_ascii();
    match name {
        [] | [b'"'] => None,
        [b'"', inside @ .., b'"'] => Some(unescape(inside)),
        [b'"', ..] | [.., b'"'] => None,
        _ => Some(Cow::Borrowed(name)),
    }
}

fn text(bytes: Cow<'_, [u8]>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the mailbox name of a STATUS response, and returns it with the tokens of the list after it.
///
/// # Errors
/// [`ProtocolError::Malformed`] if there is no name or no list.
pub(crate) fn status_name<'a>(
    tokens: &Tokens<'a>,
) -> Result<(Cow<'a, [u8]>, Tokens<'a>), ProtocolError> {
    let mut strict = tokens.clone();
    if let Ok(Some(name)) = strict.next_token().map(|token| token.and_then(Token::bytes))
        && strict.rest().trim_ascii_start().starts_with(b"(")
        && is_one_list(strict.clone())
    {
        return Ok((name, strict));
    }
    if !tokens.raw().literals.is_empty() {
        return Err(tokens.malformed("expected a mailbox name and a list"));
    }
    let line = tokens.rest();
    let list = line.windows(2).rposition(|two| two == b" (");
    let name = list.and_then(|at| whole_name(&line[..at]));
    match (list, name) {
        (Some(at), Some(name)) => Ok((name, tokens.clone().moved_by(at))),
        _ => Err(tokens.malformed("expected a mailbox name and a list")),
    }
}

/// Whether the tokens are one list and nothing else.
fn is_one_list(mut tokens: Tokens<'_>) -> bool {
    let Ok(Some(open)) = tokens.next_token() else { return false };
    tokens.skip_value(open).is_ok() && tokens.expect_end().is_ok()
}

/// Decodes a mailbox name. One that is not valid modified UTF-7 is shown as UTF-8, or else as
/// Latin-1. With `utf8_names` only one that is not ASCII is decoded from modified UTF-7.
pub(crate) fn decode_name(name: &[u8], utf8_names: bool) -> String {
    let decoded = if utf8_names { decode_utf7(name) } else { utf7::decode(name) };
    decoded.unwrap_or_else(|| lossless(name))
}

/// Decodes a name from modified UTF-7 that is not ASCII. In UTF-8 nobody calls a mailbox so: what
/// stands between `&` and `-` must be UTF-16 in base64.
fn decode_utf7(name: &[u8]) -> Option<String> {
    utf7::decode(name).filter(|decoded| !decoded.is_ascii())
}

/// The names that the server gave in another form than the one in which they would be sent.
#[derive(Debug, Default, Clone)]
pub(super) struct GivenNames {
    bytes: HashMap<String, Vec<u8>>,
    has_utf7: bool,
    has_utf8: bool,
}

impl GivenNames {
    /// Keeps the name of a LIST or LSUB entry if it needs that.
    pub fn note(&mut self, data: &Data<'_>, is_utf8: bool, limits: &Limits) {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'&';
        if data.tokens.rest().iter().all(is_plain) {
            return;
        }
        let Ok(Entry { name, .. }) = entry(&data.tokens, limits) else { return };
        let is_sent_so = match is_utf8 {
            true => {
                self.has_utf7 |= decode_utf7(&name).is_some();
                self.has_utf8 |= !name.is_ascii();
                std::str::from_utf8(&name).is_ok() && !name.contains(&b'&')
            }
            false => utf7::decode(&name).is_some(),
        };
        if !is_sent_so && self.bytes.len() < limits.listed {
            self.bytes.insert(decode_name(&name, is_utf8), name.into_owned());
        }
    }

    /// Whether the server goes on with modified UTF-7 where names should be in UTF-8.
    pub fn are_utf7(&self) -> bool {
        self.has_utf7 && !self.has_utf8
    }

    /// The bytes to send for a name, if they are not its usual encoding.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        if self.bytes.is_empty() {
            return None;
        }
        self.bytes.get(std::str::from_utf8(name).ok()?).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, Raw};
    use super::*;

    fn read(line: &[u8]) -> String {
        let mut frame = Frame::new(Limits::default());
        frame.push(&[b"* LIST ", line, b"\r\n"].concat());
        frame.advance().unwrap();
        let tokens = Tokens::new(frame.response(), 7, 9).without_sections();
        match entry(&tokens, &Limits::default()) {
            Ok(Entry { flags, separator, name }) => {
                let separator = separator.as_deref().unwrap_or("NIL");
                format!("{} {separator} <{}>", flags.join(" "), name.escape_ascii())
                    .trim_start()
                    .to_owned()
            }
            Err(_) => "unreadable".into(),
        }
    }

    #[test]
    fn names_are_read_whole() {
        let table: &[(&str, &str)] = &[
            (r#"(\HasNoChildren) "/" INBOX"#, r"\HasNoChildren / <INBOX>"),
            (r#"() "/" "a b""#, "/ <a b>"),
            (r#"() NIL x"#, "NIL <x>"),
            (r#"() "" x"#, "NIL <x>"),
            (r#"() "\\" "a\\b""#, r"\ <a\\b>"),
            ("() \"/\" {5}\r\na\"b c", r#"/ <a\"b c>"#),
            (r#"() "/" x ("CHILDINFO" ("SUBSCRIBED"))"#, "/ <x>"),
            (r#"() "/" x (old)"#, "/ <x (old)>"),
            (r#"() "/" x (old stuff)"#, "/ <x (old stuff)>"),
            (r#"() "/" x ("OLDNAME" ("y") "N" 5)"#, "/ <x>"),
            (r#"(\HasNoChildren) "/" Sent Items"#, r"\HasNoChildren / <Sent Items>"),
            (r#"NIL "/" "a""#, "/ <a>"),
            (r#"() "\" "a\b""#, r"\ <a\\b>"),
            (r#"() "\" a\b"#, r"\ <a\\b>"),
            (r#"() / "a""#, "/ <a>"),
            (r#"() "/" "ab"cd""#, r#"/ <ab\"cd>"#),
            (r#"() "/" "a "b" c""#, r#"/ <a \"b\" c>"#),
            (r#"() "/" "a\"b""#, r#"/ <a\"b>"#),
            (r#"() "/" "a\""#, r#"/ <a\\>"#),
            (r#"() "/" R&D"#, "/ <R&D>"),
            (r#"() "/" a]b"#, "/ <a]b>"),
            (r#"(\A B) "/" a"b"c"#, r#"\A B / <a\"b\"c>"#),
            (r#"() "/" "ab"#, "unreadable"),
            (r#"() "/" ab""#, "unreadable"),
            (r#"() "/""#, "unreadable"),
            (r#"() "/" "#, "unreadable"),
            (r#"x"#, "unreadable"),
        ];
        for (line, expected) in table {
            assert_eq!(read(line.as_bytes()), *expected, "{line}");
        }
        assert_eq!(read(b"() \"/\" \"Gel\xf6scht\""), r"/ <Gel\xf6scht>");
    }

    #[test]
    fn a_name_is_sent_back_as_it_came() {
        let mut given = GivenNames::default();
        let limits = Limits::default();
        for (name, shown, is_kept) in [
            (&b"R&D"[..], "R&D", true),
            (b"R&-E", "R&E", false),
            (b"Gel\xf6scht", "Gel\u{f6}scht", true),
            ("Entw\u{fc}rfe".as_bytes(), "Entw\u{fc}rfe", true),
            (b"&AGE-", "&AGE-", true),
            (b"plain", "plain", false),
        ] {
            let line = [b"() \"/\" \"", name, b"\""].concat();
            let tokens = Tokens::new(Raw { bytes: &line, literals: &[], kept: &[] }, 0, 9)
                .without_sections();
            let data = Data { number: None, name: b"LIST", tokens, lost: None };
            given.note(&data, false, &limits);
            assert_eq!(decode_name(name, false), shown);
            assert_eq!(given.get(shown.as_bytes()), is_kept.then_some(name), "{shown}");
        }
    }

    #[test]
    fn the_name_of_a_status_is_read_whole() {
        for (line, name) in [
            (r#"work (MESSAGES 3)"#, "work"),
            (r#""a b" (MESSAGES 3)"#, "a b"),
            (r#"Sent Items (MESSAGES 3)"#, "Sent Items"),
            (r#""ab"cd" (MESSAGES 3)"#, "ab\"cd"),
            (r#"a (b) c (MESSAGES 3)"#, "a (b) c"),
        ] {
            let raw = Raw { bytes: line.as_bytes(), literals: &[], kept: &[] };
            let (found, mut list) = status_name(&Tokens::new(raw, 0, 9)).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), name, "{line}");
            assert_eq!(list.expect_token().unwrap(), Token::Open, "{line}");
        }
    }
}
