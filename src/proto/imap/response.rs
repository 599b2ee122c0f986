//! Reads the outer shape of one response: tagged, untagged status, untagged data, or a continuation
//! request (RFC 3501 7).
//!
//! [`parse`] works on a response that `frame` has split off. It reads the tag, number and name, and
//! for statuses the code and text. Data stays as [`Tokens`] for the caller that knows the name.
//! Untagged data whose shape the grammar does not allow is [`Response::Unreadable`]: its end is
//! certain, so only this response is lost. Blanks may be doubled, and missing where nothing else is
//! possible. The table of faults is in `repair`.

use super::frame::Raw;
use super::session::OwnedResponse;
use super::tokens::{Tokens, parse_number};
use crate::proto::error::{ProtocolError, excerpt};
use memchr::{memchr, memmem};

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

/// Returns whether the text after `*` is a status response.
pub(super) fn begins_with_status(text: &[u8]) -> bool {
    status_word(text).is_some()
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
        Tokens::new(Raw { bytes: self.arguments, literals: &[], kept: &[] }, 0, max_depth)
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
    /// What of a FETCH response could not be read and was left out of `tokens`, for messages.
    pub lost: Option<&'a str>,
}

impl Data<'_> {
    /// Returns whether the data has this name, ignoring case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Writes a FETCH response whose tokens cannot be read once more, so that they can: with all items
    /// that are certain, and in [`Data::lost`] what is not. `None` for other data.
    pub fn repaired(&self, max_depth: usize) -> Option<OwnedResponse> {
        super::repair::repair(self, max_depth)
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
    /// An untagged response that cannot be read.
    Unreadable {
        /// The fault.
        what: &'static str,
        /// The response.
        bytes: &'a [u8],
    },
}

/// Parses the outer shape of a response; data stays as tokens. `max_depth` limits their nesting.
///
/// # Errors
/// [`ProtocolError::Malformed`] if it is not a valid response.
pub fn parse(raw: Raw<'_>, max_depth: usize) -> Result<Response<'_>, ProtocolError> {
    let bytes = raw.bytes;
    if let Some(text) = bytes.strip_prefix(b"+") {
        return Ok(Response::Continue(text.strip_prefix(b" ").unwrap_or(text)));
    }
    // Exchange 2013 sends `[COPYUID 124 10 233]` alone.
    if bytes.starts_with(b"[") && end_of_code(bytes).is_some() {
        return Ok(Response::Status(status(StatusKind::Ok, bytes)));
    }
    let (tag, rest) = word(bytes);
    if tag == b"*" {
        return Ok(untagged(raw, bytes.len() - rest.len(), max_depth));
    }
    if tag.is_empty() || !tag.iter().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("neither a tag, nor `*`, nor `+`", bytes));
    }
    match status_word(rest) {
        Some((kind @ (StatusKind::Ok | StatusKind::No | StatusKind::Bad), text)) => {
            Ok(Response::Tagged { tag, status: status(kind, text) })
        }
        _ => Err(malformed("a tag without OK, NO or BAD", bytes)),
    }
}

/// Reads `OK text`, and `OK[CODE] text`, in which a blank is missing.
fn status_word(bytes: &[u8]) -> Option<(StatusKind, &[u8])> {
    let (first, rest) = word(bytes);
    let first = first.strip_suffix(b":").unwrap_or(first);
    let Some(bracket) = memchr(b'[', first) else {
        return Some((StatusKind::from_word(first)?, rest));
    };
    Some((StatusKind::from_word(&first[..bracket])?, &bytes[bracket..]))
}

fn untagged(raw: Raw<'_>, start: usize, max_depth: usize) -> Response<'_> {
    let unreadable = |what| Response::Unreadable { what, bytes: raw.bytes };
    let body = &raw.bytes[start..];
    if let Some((kind, text)) = status_word(body) {
        return Response::Status(status(kind, text));
    }
    let (first, rest) = word(body);
    let tokens = |rest: &[u8]| Tokens::new(raw, raw.bytes.len() - rest.len(), max_depth);
    if first.first().is_some_and(u8::is_ascii_digit) {
        let number = parse_number(first).and_then(|number| u32::try_from(number).ok());
        let Some(number) = number else { return unreadable("a number beyond 32 bits") };
        let (name, rest) = word(rest);
        if name.is_empty() {
            return unreadable("a number without a name");
        }
        let is_message = |known: &&str| name.eq_ignore_ascii_case(known.as_bytes());
        if number == 0 && ["FETCH", "EXPUNGE"].iter().any(is_message) {
            return unreadable("message number 0");
        }
        return Response::Data(Data {
            number: Some(number),
            name,
            tokens: tokens(rest),
            lost: None,
        });
    }
    if first.is_empty()
        || !first.iter().all(|byte| byte.is_ascii_graphic() && !b"(){\"".contains(byte))
    {
        return unreadable("an untagged response without a name");
    }
    if ["FETCH", "EXPUNGE", "EXISTS", "RECENT"]
        .iter()
        .any(|known| first.eq_ignore_ascii_case(known.as_bytes()))
    {
        return unreadable("a name without its number");
    }
    let tokens = tokens(rest).without_sections();
    Response::Data(Data { number: None, name: first, tokens, lost: None })
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
/// brackets (RFC 3501 9, resp-text-code), and so do keywords in a list, though they must not: a
/// list ends at its parenthesis.
fn end_of_code(text: &[u8]) -> Option<usize> {
    let (_, arguments) = word(&text[1..]);
    if arguments.starts_with(b"(")
        && !arguments.contains(&b'"')
        && let Some(end) = memmem::find(arguments, b")]")
    {
        return Some(text.len() - arguments.len() + end + 1);
    }
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
    let list = arguments.starts_with(b"(").then(|| memmem::find(text, b")]")).flatten();
    list.map(|end| end + 1).or_else(|| memchr(b']', text))
}

/// Splits off the first word. Blanks may be doubled; blanks after a word of status are part of its
/// text, which nobody compares.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b' ', bytes) {
        Some(space) => {
            let rest = &bytes[space + 1..];
            (
                &bytes[..space],
                if rest.first() == Some(&b' ') { rest.trim_ascii_start() } else { rest },
            )
        }
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
        match parse(Raw { bytes: line.as_bytes(), literals: &[], kept: &[] }, 9) {
            Ok(Response::Tagged { tag, status: s }) => format!("{}: {}", show(tag), status(s)),
            Ok(Response::Status(s)) => status(s),
            Ok(Response::Data(data)) => {
                format!("{:?} {} {}", data.number, show(data.name), show(data.tokens.rest()))
            }
            Ok(Response::Continue(text)) => format!("+ {}", show(text)),
            Ok(Response::Unreadable { what, .. }) => format!("unreadable: {what}"),
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
            ("+x", "+ x".into()),
            ("+ ", "+ ".into()),
            ("[COPYUID 124 10 233]", "Ok [COPYUID|124 10 233] ".into()),
            ("*  OK  hello", "Ok  hello".replace("  ", " ")),
            ("A1  OK done", "A1: Ok done".into()),
            ("* OK[UIDNEXT 5]x", "Ok [UIDNEXT|5] x".into()),
            ("A1 OK: done", "A1: Ok done".into()),
            ("*  23   EXISTS ", "Some(23) EXISTS ".into()),
            ("*  LIST  () \"/\" x", "None LIST () \\\"/\\\" x".into()),
            (
                "* OK [PERMANENTFLAGS (\\Answered [css3-page] a]b \\*)] ok",
                "Ok [PERMANENTFLAGS|(\\\\Answered [css3-page] a]b \\\\*)] ok".into(),
            ),
            ("* OK [PERMANENTFLAGS (a\"b ]c)] ok", "Ok [PERMANENTFLAGS|(a\\\"b ]c)] ok".into()),
            ("* OK [BADCHARSET (\"a)]b\" c)] ok", "Ok [BADCHARSET|(\\\"a)]b\\\" c)] ok".into()),
            ("* OK [X (a] b", "Ok [X|(a] b".into()),
            ("* 4294967296 EXISTS", "unreadable: a number beyond 32 bits".into()),
            ("* 99999999999999999999 EXISTS", "unreadable: a number beyond 32 bits".into()),
            ("* 5", "unreadable: a number without a name".into()),
            ("", "error: neither a tag, nor `*`, nor `+`".into()),
            ("A1 BYE x", "error: a tag without OK, NO or BAD".into()),
            ("A1", "error: a tag without OK, NO or BAD".into()),
            ("* 0 EXPUNGE", "unreadable: message number 0".into()),
            ("* 0 EXISTS", "Some(0) EXISTS ".into()),
            ("* FETCH (FLAGS ())", "unreadable: a name without its number".into()),
            ("* (x)", "unreadable: an untagged response without a name".into()),
            ("* ", "unreadable: an untagged response without a name".into()),
        ];
        for (line, expected) in table {
            assert_eq!(shape(line), expected, "{line:?}");
        }
    }
}
