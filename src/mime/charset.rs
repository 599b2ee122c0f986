//! Converts bytes to text and back.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// Decodes bytes in a named charset. Returns `None` if the charset is unknown. Malformed sequences
/// become U+FFFD.
///
/// The names are those of the WHATWG Encoding Standard, which are the ones found in mail, and
/// UTF-7. As in that standard, `iso-8859-1` and `us-ascii` are read as Windows-1252.
pub fn decode(label: &str, bytes: &[u8]) -> Option<String> {
    let label = label.trim();
    if label.eq_ignore_ascii_case("utf-7") || label.eq_ignore_ascii_case("unicode-1-1-utf-7") {
        return Some(utf7(bytes));
    }
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    if is_ascii_label(label) {
        return Some(undeclared(bytes));
    }
    if encoding == UTF_16LE || encoding == UTF_16BE {
        return Some(encoding.decode(bytes).0.into_owned());
    }
    Some(encoding.decode_with_bom_removal(bytes).0.into_owned())
}

/// Decodes the text of a body part. If no known charset is declared, or UTF-8 is declared but no
/// UTF-8 sequence occurs, the bytes are read as UTF-8 if valid, otherwise as Windows-1252.
pub fn decode_body(label: Option<&str>, bytes: &[u8]) -> String {
    let Some(label) = label else { return undeclared(bytes) };
    if Encoding::for_label(label.trim().as_bytes()) == Some(UTF_8) && !has_utf8_sequence(bytes) {
        return undeclared(bytes);
    }
    decode(label, bytes).unwrap_or_else(|| undeclared(bytes))
}

/// Decodes bytes of unknown encoding: as UTF-8 if valid, otherwise as Latin-1, so that no byte is
/// lost.
pub fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Whether this is a name of UTF-8.
pub(super) fn is_utf8(label: &str) -> bool {
    Encoding::for_label(label.as_bytes()) == Some(UTF_8)
}

/// Whether the charset encodes text with escape sequences or shifts. Pieces in such a charset must
/// be decoded one by one.
pub(super) fn is_stateful(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    label.starts_with("iso-2022")
        || label.starts_with("csiso2022")
        || label.contains("utf-7")
        || label == "hz-gb-2312"
}

fn is_ascii_label(label: &str) -> bool {
    ["us-ascii", "ascii", "ansi_x3.4-1968", "iso-ir-6", "iso646-us"]
        .iter()
        .any(|name| label.eq_ignore_ascii_case(name))
}

fn undeclared(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

fn has_utf8_sequence(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// Decodes UTF-7 (RFC 2152): `+` starts base64 of UTF-16, and `-` or any character outside base64
/// ends it.
fn utf7(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'+' {
            text.push(char::from(byte));
            continue;
        }
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
            .count();
        let (shifted, after) = rest.split_at(length);
        let closed = after.first() == Some(&b'-');
        rest = &after[usize::from(closed)..];
        if shifted.is_empty() {
            text.push('+');
            continue;
        }
        let units = super::transfer::decode_base64(shifted);
        let units = units.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        text.extend(
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_decoded() {
        let table: [(&str, &[u8], &str); 13] = [
            ("utf-8", b"caf\xc3\xa9", "café"),
            ("UTF8", b"\xef\xbb\xbfx", "x"),
            ("iso-8859-1", b"caf\xe9", "café"),
            ("windows-1252", b"\x93x\x94 \x80", "“x” €"),
            ("iso-8859-15", b"\xa4", "€"),
            ("koi8-r", b"\xf0\xf2", "ПР"),
            ("iso-2022-jp", b"\x1b$BF|K\\\x1b(B", "日本"),
            ("shift_jis", b"\x93\xfa", "日"),
            ("gb2312", b"\xc4\xe3", "你"),
            ("big5", b"\xa7A", "你"),
            ("euc-kr", b"\xb0\xa1", "가"),
            ("utf-7", b"Hi Mom +Jjo--!+-", "Hi Mom ☺-!+"),
            ("us-ascii", b"caf\xc3\xa9", "café"),
        ];
        for (label, bytes, expected) in table {
            assert_eq!(decode(label, bytes).as_deref(), Some(expected), "{label}");
        }
        assert_eq!(decode("x-klingon", b"x"), None);
    }

    #[test]
    fn a_body_that_lies_about_utf8_is_still_read() {
        let table: [(Option<&str>, &[u8], &str); 6] = [
            (None, b"caf\xc3\xa9", "café"),
            (None, b"caf\xe9", "café"),
            (Some("utf-8"), b"caf\xe9", "café"),
            (Some("utf-8"), b"\xc3\xa9 \xff", "é \u{fffd}"),
            (Some("x-unknown"), b"caf\xe9", "café"),
            (Some("iso-8859-1"), b"\xc3\xa9", "Ã©"),
        ];
        for (label, bytes, expected) in table {
            assert_eq!(decode_body(label, bytes), expected, "{label:?} {bytes:?}");
        }
    }
}
