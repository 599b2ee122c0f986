//! Address lists as ENVELOPE shows them (RFC 3501 7.4.2): raw words, nothing decoded.
//!
//! `tokens` splits a field into words, quoted strings, comments and special characters. `parse`
//! collects the tokens between two commas in an `Entry` and turns each entry into an `Address`. A
//! group is written as a start marker, its members, and an end marker.

use crate::sandbox::imap::text::{nstring, string};

/// An address, or the start of a group (`mailbox` is its name, `host` is missing), or its end (both
/// are missing).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: Option<Vec<u8>>,
    route: Option<Vec<u8>>,
    pub(crate) mailbox: Option<Vec<u8>>,
    pub(crate) host: Option<Vec<u8>>,
}

/// The host of an address without a domain, since a missing host would mean a group. It is
/// Dovecot's word.
const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";
/// The mailbox of an address that has nothing before the `@`.
const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";

/// Writes `NIL` or `((…)(…))`.
pub(crate) fn write(out: &mut Vec<u8>, addresses: &[Address]) {
    if addresses.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for address in addresses {
        out.push(b'(');
        for (index, field) in
            [&address.name, &address.route, &address.mailbox, &address.host].into_iter().enumerate()
        {
            if index > 0 {
                out.push(b' ');
            }
            match field {
                Some(value) => string(out, value),
                None => nstring(out, None),
            }
        }
        out.push(b')');
    }
    out.push(b')');
}

/// Parses an address list. Text that makes no sense is kept as a mailbox, not dropped.
pub(crate) fn parse(value: &[u8]) -> Vec<Address> {
    let mut result = Vec::new();
    let mut group = false;
    let mut current = Entry::default();
    for token in tokens(value) {
        match token {
            Token::Special(b',') => current.finish(&mut result),
            Token::Special(b':') if !current.in_angle && !group => {
                result.push(Address { mailbox: Some(current.take_phrase()), ..Address::default() });
                group = true;
            }
            Token::Special(b';') if group => {
                current.finish(&mut result);
                result.push(Address::default());
                group = false;
            }
            token => current.take(token),
        }
    }
    current.finish(&mut result);
    if group {
        result.push(Address::default());
    }
    result
}

#[derive(Debug)]
enum Token {
    Word(Vec<u8>),
    /// A quoted string, without its quotes.
    Quoted(Vec<u8>),
    Comment(Vec<u8>),
    Special(u8),
}

/// The tokens between two commas. The flag of each token says whether it is a word and not a
/// special character.
#[derive(Default)]
struct Entry {
    words: Vec<(Vec<u8>, bool)>,
    angle: Vec<(Vec<u8>, bool)>,
    had_angle: bool,
    in_angle: bool,
    comment: Option<Vec<u8>>,
}

impl Entry {
    fn take(&mut self, token: Token) {
        match token {
            Token::Special(b'<') if !self.had_angle => {
                (self.had_angle, self.in_angle) = (true, true)
            }
            Token::Special(b'>') => self.in_angle = false,
            Token::Comment(text) => self.comment = Some(text),
            Token::Word(text) => self.target().push((text, true)),
            Token::Quoted(text) => self.target().push((text, true)),
            Token::Special(byte) => self.target().push((vec![byte], false)),
        }
    }

    fn target(&mut self) -> &mut Vec<(Vec<u8>, bool)> {
        if self.in_angle { &mut self.angle } else { &mut self.words }
    }

    fn take_phrase(&mut self) -> Vec<u8> {
        phrase(&std::mem::take(self).words)
    }

    /// Ends the current address and adds it to the result, unless it is empty.
    fn finish(&mut self, result: &mut Vec<Address>) {
        let entry = std::mem::take(self);
        if entry.words.is_empty() && !entry.had_angle {
            return;
        }
        let (name, specification) = if entry.had_angle {
            let name = phrase(&entry.words);
            ((!name.is_empty()).then_some(name).or(entry.comment), joined(&entry.angle))
        } else {
            (entry.comment, joined(&entry.words))
        };
        let (route, specification) = split_route(specification);
        let (mailbox, host) = match specification.iter().rposition(|byte| *byte == b'@') {
            Some(at) => (specification[..at].to_vec(), specification[at + 1..].to_vec()),
            None => (specification, Vec::new()),
        };
        let or = |value: Vec<u8>, missing: &[u8]| {
            if value.is_empty() { missing.to_vec() } else { value }
        };
        result.push(Address {
            name,
            route,
            mailbox: Some(or(mailbox, MISSING_MAILBOX)),
            host: Some(or(host, MISSING_DOMAIN)),
        });
    }
}

/// Splits `@a,@b:user@host` into the source route and the address (RFC 2822 4.4).
fn split_route(specification: Vec<u8>) -> (Option<Vec<u8>>, Vec<u8>) {
    match specification.iter().position(|byte| *byte == b':') {
        Some(colon) if specification.starts_with(b"@") => {
            (Some(specification[..colon].to_vec()), specification[colon + 1..].to_vec())
        }
        _ => (None, specification),
    }
}

/// Joins the words of a display name with single spaces; a special character follows the previous
/// token directly.
fn phrase(words: &[(Vec<u8>, bool)]) -> Vec<u8> {
    let mut result = Vec::new();
    for (text, is_word) in words {
        if *is_word && !result.is_empty() {
            result.push(b' ');
        }
        result.extend_from_slice(text);
    }
    result
}

fn joined(words: &[(Vec<u8>, bool)]) -> Vec<u8> {
    words.iter().flat_map(|(text, _)| text.iter().copied()).collect()
}

fn tokens(value: &[u8]) -> Vec<Token> {
    let mut result = Vec::new();
    let mut rest = value;
    let mut in_angle = false;
    while let Some((first, after)) = rest.split_first() {
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => rest = after,
            b'"' => {
                let (text, left) = quoted(after);
                result.push(Token::Quoted(text));
                rest = left;
            }
            b'(' => {
                let (text, left) = comment(after);
                result.push(Token::Comment(text));
                rest = left;
            }
            // A comma in a source route does not end the address.
            b',' if in_angle => {
                result.push(Token::Word(b",".to_vec()));
                rest = after;
            }
            b',' | b':' | b';' | b'<' | b'>' | b'@' => {
                in_angle = matches!(first, b'<') || in_angle && *first != b'>';
                result.push(Token::Special(*first));
                rest = after;
            }
            _ => {
                let end = rest
                    .iter()
                    .position(|byte| b" \t\r\n\"(,:;<>@".contains(byte))
                    .unwrap_or(rest.len());
                result.push(Token::Word(rest[..end].to_vec()));
                rest = &rest[end..];
            }
        }
    }
    result
}

/// Reads a quoted string after its first quote. Returns its value and the rest.
fn quoted(value: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::new();
    let mut index = 0;
    while index < value.len() {
        match value[index] {
            b'"' => return (text, &value[index + 1..]),
            b'\\' if index + 1 < value.len() => {
                index += 1;
                text.push(value[index]);
            }
            byte => text.push(byte),
        }
        index += 1;
    }
    (text, &[])
}

/// Reads a comment, which may be nested, after its first parenthesis. Returns its text and the
/// rest.
fn comment(value: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::new();
    let mut depth = 1;
    let mut index = 0;
    while index < value.len() {
        match value[index] {
            b'\\' if index + 1 < value.len() => {
                index += 1;
                text.push(value[index]);
            }
            b')' if depth == 1 => return (text, &value[index + 1..]),
            byte => {
                depth = match byte {
                    b'(' => depth + 1,
                    b')' => depth - 1,
                    _ => depth,
                };
                text.push(byte);
            }
        }
        index += 1;
    }
    (text, &[])
}
