//! Where a string ends that has quotes in it: at a quote that is followed by what belongs there.

use super::super::tokens::unescape;
use super::Source;
use super::writer::Writer;

/// How many quotes are tried as the end of a string that fits the grammar better than the first.
const CANDIDATES: usize = 32;

/// Names of data items that a FETCH response may have; `[` and `<` may follow some.
const ITEMS: [&str; 18] = [
    "UID",
    "FLAGS",
    "RFC822.SIZE",
    "INTERNALDATE",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "BODY",
    "RFC822",
    "RFC822.HEADER",
    "RFC822.TEXT",
    "MODSEQ",
    "X-GM-MSGID",
    "X-GM-THRID",
    "X-GM-LABELS",
    "EMAILID",
    "THREADID",
    "SAVEDATE",
    "PREVIEW",
];

/// What may follow the end of a string.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// Any value, or a closing parenthesis.
    Value,
    /// A string or NIL.
    Text,
    /// A list of addresses or NIL.
    Addresses,
    /// The route of an address, which nobody uses any more, and a string after it.
    Route,
    /// The end of a list.
    Close,
    /// As `Text` and `Close`, for the message ids of an envelope: these end at the first quote that
    /// ends any value, since a field too many could be taken for a part of them.
    Id,
    LastId,
    /// The end of a list, or a parameter's name.
    Parameter,
    /// The encoding of a part and its size.
    EncodingAndSize,
    /// The next item of the response, or its end.
    Item,
}

impl Source<'_> {
    /// Reads a string, an atom or NIL; not a list.
    pub(super) fn text(&mut self, next: Next, out: &mut Writer) -> Option<()> {
        self.skip_spaces();
        let start = self.at;
        if let Some(literal) = self.literal() {
            out.space();
            let end = literal.start + literal.length;
            self.copy(start..end, out);
            self.at = end;
            return Some(());
        }
        match self.peek()? {
            b'(' | b')' | b'{' => None,
            b'"' => {
                let end = self.end_of_string(next)?;
                out.literal(&unescape(&self.raw.bytes[start + 1..end]));
                self.at = end + 1;
                Some(())
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b' ' | b')' | b'(');
                let length = self.rest().iter().position(is_end).unwrap_or(self.rest().len());
                let atom = &self.rest()[..length];
                let is_odd = atom.iter().any(|byte| matches!(byte, 0..=31 | b'"' | 127));
                if is_odd || atom.starts_with(b"~{") {
                    out.literal(atom);
                } else {
                    out.space();
                    out.text(atom);
                }
                self.at += length;
                Some(())
            }
        }
    }

    /// The quote that ends the string which begins here: the first one that is followed by what
    /// belongs there, or else by any value.
    fn end_of_string(&self, next: Next) -> Option<usize> {
        let bytes = self.raw.bytes;
        // A literal would end the string's line.
        let literal = self.literals_from(self.at + 1).first();
        let last = literal.map_or(bytes.len(), |literal| literal.start);
        let mut escaped = false;
        let (mut any, mut tried) = (None, 0);
        for (at, byte) in bytes.iter().enumerate().take(last).skip(self.at + 1) {
            let is_quote = *byte == b'"' && !(escaped && self.escapes);
            escaped = *byte == b'\\' && !escaped;
            if !is_quote || !self.follows(at + 1, Next::Value) {
                continue;
            }
            if self.follows(at + 1, next) {
                return Some(at);
            }
            if matches!(next, Next::Id | Next::LastId) {
                return None;
            }
            any = any.or(Some(at));
            tried += 1;
            if tried > CANDIDATES {
                break;
            }
        }
        // Within an envelope only the right kind will do.
        any.filter(|_| matches!(next, Next::Value | Next::Parameter | Next::EncodingAndSize))
    }

    /// Whether what follows a string is what belongs there.
    fn follows(&self, at: usize, next: Next) -> bool {
        let Some(rest) = self.raw.bytes.get(at..) else { return false };
        let Some(after) = rest.strip_prefix(b" ") else {
            return match next {
                Next::Value | Next::Close | Next::LastId | Next::Parameter => {
                    matches!(rest.first(), Some(b')')) || rest.is_empty()
                }
                Next::Item => at >= self.tail,
                _ => false,
            };
        };
        let value = after.trim_ascii_start();
        match next {
            Next::Value => starts_value(value),
            Next::Text | Next::Id => starts_text(value),
            Next::Addresses => {
                starts_with_nil(value)
                    || value.starts_with(b"()")
                    || value
                        .strip_prefix(b"(")
                        .map(<[u8]>::trim_ascii_start)
                        .is_some_and(|inside| inside.starts_with(b"(") || starts_with_nil(inside))
            }
            Next::Route => {
                starts_with_nil(value)
                    || value.starts_with(b"\"\" ")
                    || value.starts_with(b"\"@")
                    || value.starts_with(b"{")
            }
            Next::Close | Next::LastId => value.starts_with(b")"),
            Next::Parameter => {
                let inside = value.strip_prefix(b"\"").unwrap_or_default();
                let is_token =
                    |byte: &u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(byte);
                let length = inside.iter().take_while(|byte| is_token(byte)).count();
                value.starts_with(b")") || length > 0 && inside[length..].starts_with(b"\" ")
            }
            Next::EncodingAndSize => {
                let after = end_of_plain_text(value).map(|end| &value[end..]);
                let size =
                    after.and_then(|after| after.strip_prefix(b" ")).map(<[u8]>::trim_ascii_start);
                size.is_some_and(|size| {
                    starts_with_nil(size) || size.first().is_some_and(u8::is_ascii_digit)
                })
            }
            Next::Item => at >= self.tail || is_item(value),
        }
    }
}

/// Whether a data item's name begins here, and a value after it.
pub(super) fn is_item(bytes: &[u8]) -> bool {
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        .count();
    let (name, after) = bytes.split_at(length);
    let has_section = after.starts_with(b"[")
        && [&b"BODY"[..], b"BODY.PEEK", b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
    has_section
        || after.first() == Some(&b' ')
            && ITEMS.iter().any(|item| name.eq_ignore_ascii_case(item.as_bytes()))
}

pub(super) fn opens_with(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|here| here.eq_ignore_ascii_case(start))
}

pub(super) fn starts_with_nil(bytes: &[u8]) -> bool {
    opens_with(bytes, b"NIL") && matches!(bytes.get(3), None | Some(b' ' | b')' | b'('))
}

fn starts_text(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(b'"')) || starts_with_nil(bytes) || starts_literal(bytes)
}

fn starts_literal(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"~").unwrap_or(bytes).strip_prefix(b"{").unwrap_or_default();
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = &digits[length..];
    length > 0 && (after.starts_with(b"}\r\n") || after.starts_with(b"}\n"))
}

fn starts_value(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.is_empty()
        || matches!(bytes.first(), Some(b'(' | b')'))
        || starts_text(bytes)
        || digits > 0 && matches!(bytes.get(digits), None | Some(b' ' | b')' | b'('))
        || is_item(bytes)
}

/// The end of NIL or of a quoted string without quotes and backslashes.
fn end_of_plain_text(bytes: &[u8]) -> Option<usize> {
    if starts_with_nil(bytes) {
        return Some(3);
    }
    let inside = bytes.strip_prefix(b"\"")?;
    let length = inside.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'(' | b')'))?;
    (inside[length] == b'"').then_some(length + 2)
}
