//! Reads the outer shape of one response: tagged, untagged status, untagged data, or a continuation
//! request (RFC 3501 7).
//!
//! [`parse`] works on a response that `frame` has split off. It reads the tag, number and name, and
//! for statuses the code and text. Data stays as [`Tokens`] for the caller that knows the name. A
//! response whose shape the grammar does not allow is an error; unknown names and codes are not.

use super::frame::Raw;
use super::tokens::{Tokens, parse_number};
use crate::proto::error::{ProtocolError, excerpt};
use memchr::memchr;

/// The kind of a status response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// Success.
    Ok,
    /// The server refused the command.
    No,
    /// The server did not understand the command.
    Bad,
    /// The server closes the connection.
    Bye,
    /// The greeting of a connection that is already authenticated.
    PreAuth,
}

impl StatusKind {
    fn from_word(word: &[u8]) -> Option<Self> {
        let table: [(&[u8], StatusKind); 5] = [
            (b"OK", Self::Ok),
            (b"NO", Self::No),
            (b"BAD", Self::Bad),
            (b"BYE", Self::Bye),
            (b"PREAUTH", Self::PreAuth),
        ];
        table.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }
}

/// Returns whether the word after `*` begins a status response.
pub(super) fn is_status_word(word: &[u8]) -> bool {
    StatusKind::from_word(word).is_some()
}

/// A response code, `[UIDNEXT 69]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code<'a> {
    /// The code's name as the server wrote it.
    pub name: &'a [u8],
    /// The text after the name, up to the closing bracket.
    pub arguments: &'a [u8],
}

impl<'a> Code<'a> {
    /// Returns whether the code has this name, ignoring case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Returns the argument as a number; `None` if it is not one.
    pub fn number(&self) -> Option<u64> {
        parse_number(self.arguments.trim_ascii())
    }

    /// Returns the arguments as tokens. `max_depth` limits the nesting of parentheses.
    pub fn tokens(&self, max_depth: usize) -> Tokens<'a> {
        Tokens::new(Raw { bytes: self.arguments, literals: &[] }, 0, max_depth)
    }
}

/// A status response: kind, code and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// OK, NO, BAD, BYE or PREAUTH.
    pub kind: StatusKind,
    /// The response code, if there is one before the text.
    pub code: Option<Code<'a>>,
    /// The human-readable text, without the code.
    pub text: &'a [u8],
}

/// Untagged data: `* 12 FETCH (…)`, `* LIST (…) "/" x`.
#[derive(Debug, Clone)]
pub struct Data<'a> {
    /// The number before the name, for example of FETCH and EXISTS.
    pub number: Option<u32>,
    /// The name as the server wrote it.
    pub name: &'a [u8],
    /// The data after the name.
    pub tokens: Tokens<'a>,
}

impl Data<'_> {
    /// Returns whether the data has this name, ignoring case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// A response.
#[derive(Debug, Clone)]
pub enum Response<'a> {
    /// The end of the command with this tag.
    Tagged {
        /// The tag.
        tag: &'a [u8],
        /// How it ended.
        status: Status<'a>,
    },
    /// An untagged status.
    Status(Status<'a>),
    /// Untagged data.
    Data(Data<'a>),
    /// `+ text`: the server waits for a literal or a line.
    Continue(&'a [u8]),
}

/// Parses the outer shape of a response; data stays as tokens. `max_depth` limits their nesting.
///
/// # Errors
/// [`ProtocolError::Malformed`] if it is not a valid response.
pub fn parse(raw: Raw<'_>, max_depth: usize) -> Result<Response<'_>, ProtocolError> {
    let bytes = raw.bytes;
    if bytes.first() == Some(&b'+') {
        return match bytes.get(1) {
            Some(b' ') => Ok(Response::Continue(&bytes[2..])),
            None => Ok(Response::Continue(b"")), // quirk: some servers omit the space
            Some(_) => Err(malformed("a continuation without a space", bytes)),
        };
    }
    let (tag, rest) = word(bytes);
    if tag == b"*" {
        return untagged(raw, bytes.len() - rest.len(), max_depth);
    }
    if tag.is_empty() || !tag.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("neither a tag, nor `*`, nor `+`", bytes));
    }
    let (kind, text) = word(rest);
    match StatusKind::from_word(kind) {
        Some(kind @ (StatusKind::Ok | StatusKind::No | StatusKind::Bad)) => {
            Ok(Response::Tagged { tag, status: status(kind, text) })
        }
        _ => Err(malformed("a tag without OK, NO or BAD", bytes)),
    }
}

fn untagged(raw: Raw<'_>, start: usize, max_depth: usize) -> Result<Response<'_>, ProtocolError> {
    let (first, rest) = word(&raw.bytes[start..]);
    if let Some(kind) = StatusKind::from_word(first) {
        return Ok(Response::Status(status(kind, rest)));
    }
    if first.first().is_some_and(u8::is_ascii_digit) {
        let number = parse_number(first).and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| malformed("a number beyond 32 bits", raw.bytes))?;
        let (name, rest) = word(rest);
        if name.is_empty() {
            return Err(malformed("a number without a name", raw.bytes));
        }
        if number == 0
            && ["FETCH", "EXPUNGE"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        {
            return Err(malformed("message number 0", raw.bytes));
        }
        let tokens = Tokens::new(raw, raw.bytes.len() - rest.len(), max_depth);
        return Ok(Response::Data(Data { number: Some(number), name, tokens }));
    }
    if first.is_empty()
        || !first.iter().all(|byte| byte.is_ascii_graphic() && !b"(){\"".contains(byte))
    {
        return Err(malformed("an untagged response without a name", raw.bytes));
    }
    if ["FETCH", "EXPUNGE", "EXISTS", "RECENT"]
        .iter()
        .any(|known| first.eq_ignore_ascii_case(known.as_bytes()))
    {
        return Err(malformed("a name without its number", raw.bytes));
    }
    let tokens = Tokens::new(raw, raw.bytes.len() - rest.len(), max_depth).without_sections();
    Ok(Response::Data(Data { number: None, name: first, tokens }))
}

/// Parses `[CODE arguments] text`. A code that is not closed is text.
fn status(kind: StatusKind, text: &[u8]) -> Status<'_> {
    if text.first() == Some(&b'[')
        && let Some(close) = end_of_code(text)
    {
        let (name, arguments) = word(&text[1..close]);
        let after = &text[close + 1..];
        return Status {
            kind,
            code: Some(Code { name, arguments }),
            text: after.strip_prefix(b" ").unwrap_or(after),
        };
    }
    Status { kind, code: None, text }
}

/// Returns the position of the bracket that closes a code. Quoted strings in it may contain
/// brackets (RFC 3501 9, resp-text-code).
fn end_of_code(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    memchr(b']', text)
}

fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b' ', bytes) {
        Some(space) => (&bytes[..space], &bytes[space + 1..]),
        None => (bytes, b""),
    }
}

fn malformed(what: &'static str, bytes: &[u8]) -> ProtocolError {
    ProtocolError::Malformed { what, offset: 0, near: excerpt(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(line: &str) -> String {
        let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let status = |status: Status<'_>| {
            let code = status.code.map_or(String::new(), |code| {
                format!(" [{}|{}]", show(code.name), show(code.arguments))
            });
            format!("{:?}{code} {}", status.kind, show(status.text))
        };
        match parse(Raw { bytes: line.as_bytes(), literals: &[] }, 9) {
            Ok(Response::Tagged { tag, status: s }) => format!("{}: {}", show(tag), status(s)),
            Ok(Response::Status(s)) => status(s),
            Ok(Response::Data(data)) => {
                format!("{:?} {} {}", data.number, show(data.name), show(data.tokens.rest()))
            }
            Ok(Response::Continue(text)) => format!("+ {}", show(text)),
            Err(ProtocolError::Malformed { what, .. }) => format!("error: {what}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_outer_shape_of_every_kind_is_read() {
        let table = [
            ("A1 OK done", "A1: Ok  done".replace("Ok  ", "Ok ")),
            ("A1 OK", "A1: Ok ".into()),
            ("a1 no [TRYCREATE] gone", "a1: No [TRYCREATE|] gone".into()),
            ("* OK [UIDNEXT 69]", "Ok [UIDNEXT|69] ".into()),
            ("* OK [UIDNEXT 69 text", "Ok [UIDNEXT 69 text".into()),
            (
                "* OK [PERMANENTFLAGS (\\Seen \\*)] ok",
                "Ok [PERMANENTFLAGS|(\\\\Seen \\\\*)] ok".into(),
            ),
            ("* OK [X \"a]b\"] ok", "Ok [X|\\\"a]b\\\"] ok".into()),
            ("* BYE gone", "Bye gone".into()),
            ("* PREAUTH hello", "PreAuth hello".into()),
            ("* 23 EXISTS", "Some(23) EXISTS ".into()),
            ("* LIST () \"/\" x", "None LIST () \\\"/\\\" x".into()),
            ("+ go on", "+ go on".into()),
            ("+", "+ ".into()),
            ("+x", "error: a continuation without a space".into()),
            ("* 4294967296 EXISTS", "error: a number beyond 32 bits".into()),
            ("* 99999999999999999999 EXISTS", "error: a number beyond 32 bits".into()),
            ("* 5", "error: a number without a name".into()),
            ("", "error: neither a tag, nor `*`, nor `+`".into()),
            ("A1 BYE x", "error: a tag without OK, NO or BAD".into()),
            ("A1", "error: a tag without OK, NO or BAD".into()),
            ("* 0 EXPUNGE", "error: message number 0".into()),
            ("* 0 EXISTS", "Some(0) EXISTS ".into()),
            ("* FETCH (FLAGS ())", "error: a name without its number".into()),
            ("* (x)", "error: an untagged response without a name".into()),
            ("* ", "error: an untagged response without a name".into()),
        ];
        for (line, expected) in table {
            assert_eq!(shape(line), expected, "{line:?}");
        }
    }
}
