//! Content transfer encodings (RFC 2045, section 6) and uuencode. The decoders accept any input and
//! never return more bytes than they were given.

use super::decoding::{Base64, QuotedPrintable};
use super::header::{is_blank, line_end, without_line_end};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// Maximum length of a line in an encoded body (RFC 2045, sections 6.7 and 6.8).
const LINE: usize = 76;

/// Decodes base64. Skips bytes outside the alphabet. Padding ends the data, so a mailing list's
/// footer is not decoded.
pub fn decode_base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut decoder = Base64::default();
    decoder.decode(text, &mut bytes);
    decoder.finish(&mut bytes);
    bytes
}

/// Encodes as base64 in lines of 76 characters, separated by CR LF.
pub fn encode_base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 57 * 78 + 80);
    for (index, chunk) in bytes.chunks(LINE / 4 * 3).enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(STANDARD.encode(chunk).as_bytes());
    }
    out
}

/// Decodes quoted-printable. Drops blanks at the end of a line (RFC 2045, section 6.7) and keeps a
/// `=` that starts no valid escape.
pub fn decode_quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut decoder = QuotedPrintable::default();
    decoder.decode(text, &mut bytes);
    decoder.finish(&mut bytes);
    bytes
}

/// The byte written as two hexadecimal digits at the start of the text.
pub(super) fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    match text {
        [high, low, ..] => Some((digit(high)? << 4 | digit(low)?) as u8),
        _ => None,
    }
}

/// Encodes text as quoted-printable. LF and CR LF are line ends and are written as CR LF.
pub fn encode_quoted_printable_text(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8);
    let mut at = 0;
    while at < text.len() {
        let next = line_end(text, at);
        let line = &text[at..next];
        let content = without_line_end(line);
        // A CR at the very end without an LF is not a line end.
        let content = if line.ends_with(b"\n") { content } else { line };
        encode_line(content, &mut out);
        if line.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        at = next;
    }
    out
}

/// Encodes bytes as quoted-printable so that they arrive unchanged: line ends are encoded like
/// other bytes.
pub fn encode_quoted_printable_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    encode_line(bytes, &mut out);
    out
}

fn encode_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (index, byte) in line.iter().enumerate() {
        let is_last = index + 1 == line.len();
        let literal = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (is_blank(*byte) && !is_last);
        let length = if literal { 1 } else { 3 };
        if column + length > LINE - 1 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        column += length;
        match literal {
            true => out.push(*byte),
            false => out.extend_from_slice(format!("={byte:02X}").as_bytes()),
        }
    }
}

/// A uuencoded file found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UuFile {
    /// The name after `begin 644`.
    pub name: String,
    /// The range from `begin` to the end of the `end` line.
    pub range: Range<usize>,
    /// The decoded file.
    pub bytes: Vec<u8>,
}

/// Finds the uuencoded files in a text, in order. A block without `end` counts as text.
pub fn uuencoded_files(text: &[u8]) -> Vec<UuFile> {
    let mut files = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = line_end(text, at);
        match begin_line(without_line_end(&text[at..next])) {
            Some(name) => {
                let (end, bytes) = uu_lines(text, next);
                if let Some(bytes) = bytes {
                    files.push(UuFile { name, range: at..end, bytes });
                }
                // The lines read contain no other `begin`, because `b` is not a valid length. So
                // all attempts together take linear time.
                at = end;
            }
            None => at = next,
        }
    }
    files
}

/// Longer lines neither start nor end a file (RFC 5322, section 2.1.1 allows 998).
pub(super) const LONGEST_UU_LINE: usize = 1000;

/// The file name if this line, given without its line end, starts a file.
pub(super) fn begin_line(line: &[u8]) -> Option<String> {
    if line.len() > LONGEST_UU_LINE {
        return None;
    }
    let rest = line.strip_prefix(b"begin ")?;
    let digits = rest.iter().take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let name = rest.get(digits..)?.strip_prefix(b" ")?.trim_ascii();
    ((3..=4).contains(&digits) && !name.is_empty())
        .then(|| super::charset::utf8_or_latin1(name).into_owned())
}

/// Where reading stopped, and the bytes if `end` was found there.
fn uu_lines(text: &[u8], mut at: usize) -> (usize, Option<Vec<u8>>) {
    let mut bytes = Vec::new();
    while at < text.len() {
        let next = line_end(text, at);
        let line = without_line_end(&text[at..next]);
        if is_end_line(line) {
            return (next, Some(bytes));
        }
        if !uu_line(line, &mut bytes) {
            return (at, None);
        }
        at = next;
    }
    (at, None)
}

pub(super) fn is_end_line(line: &[u8]) -> bool {
    line.len() <= LONGEST_UU_LINE && line.trim_ascii_end() == b"end"
}

/// Decodes a line of a file and appends its bytes; `false` if the line is not uuencoded.
pub(super) fn uu_line(line: &[u8], bytes: &mut Vec<u8>) -> bool {
    let Some((&first, data)) = line.split_first() else { return true };
    if !line.iter().all(|byte| (b' '..=b'`').contains(byte)) {
        return false;
    }
    let length = usize::from((first - b' ') & 63);
    // Trailing blanks may have been lost in transit.
    let needed = length.div_ceil(3) * 4;
    if data.len() > needed + 2 {
        return false;
    }
    let start = bytes.len();
    for group in data.chunks(4) {
        let value = (0..4).fold(0u32, |bits, index| {
            bits << 6 | u32::from((group.get(index).unwrap_or(&b' ') - b' ') & 63)
        });
        bytes.extend_from_slice(&value.to_be_bytes()[1..]);
    }
    bytes.truncate(start + length);
    true
}

/// Decodes a body whose transfer encoding is uuencode: its first file.
pub fn decode_uuencode(text: &[u8]) -> Option<Vec<u8>> {
    uuencoded_files(text).into_iter().next().map(|file| file.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_through_garbage() {
        let table: [(&str, &str); 9] = [
            ("aGVsbG8=", "hello"),
            ("aGVs\r\nbG8=\r\n", "hello"),
            ("aG!Vs*bG8", "hello"),
            ("aGVsbG8=\n-- \nfooter", "hello"),
            ("=aGVsbG8=", "hello"),
            ("aGVsbA==", "hell"),
            ("aGVsbGo", "hellj"),
            ("a", ""),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(decode_base64(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn quoted_printable_is_decoded_through_garbage() {
        let table: [(&str, &str); 11] = [
            ("caf=C3=A9", "café"),
            ("caf=c3=a9", "café"),
            ("a=\r\nb=\nc", "abc"),
            ("a= \t\r\nb", "ab"),
            ("a  \r\nb \n", "a\r\nb\n"),
            ("a=3D", "a="),
            ("a=ZZ", "a=ZZ"),
            ("a=4", "a=4"),
            ("a=", "a"),
            ("a==41", "a=A"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(decode_quoted_printable(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn quoted_printable_is_encoded() {
        let table: [(&str, &str); 6] = [
            ("café\nau lait", "caf=C3=A9\r\nau lait"),
            ("a=b", "a=3Db"),
            ("trailing \r\n", "trailing=20\r\n"),
            ("a\rb", "a=0Db"),
            ("end\r", "end=0D"),
            ("\0", "=00"),
        ];
        for (text, expected) in table {
            assert_eq!(
                String::from_utf8(encode_quoted_printable_text(text.as_bytes())).unwrap(),
                expected,
                "{text:?}"
            );
        }
        let long = encode_quoted_printable_text("é".repeat(500).as_bytes());
        assert!(long.split(|byte| *byte == b'\n').all(|line| line.len() <= 77));
        assert_eq!(decode_quoted_printable(&long), "é".repeat(500).as_bytes());
    }

    #[test]
    fn bytes_survive_both_encodings() {
        let bytes: Vec<u8> = (0..=255u8).cycle().take(3000).chain(*b"\r\n \n\r \t").collect();
        assert_eq!(decode_base64(&encode_base64(&bytes)), bytes);
        assert_eq!(decode_quoted_printable(&encode_quoted_printable_bytes(&bytes)), bytes);
    }

    #[test]
    fn uuencoded_files_are_found() {
        let text = b"Hi\nbegin 644 cat.txt\n#0V%T\n`\nend\nbye\nbegin 644 broken\n#0V%T\nnot uu at all, lower case\nbegin 12 x\n";
        let files = uuencoded_files(text);
        assert_eq!(files.len(), 1);
        assert_eq!(
            (files[0].name.as_str(), files[0].bytes.as_slice()),
            ("cat.txt", b"Cat".as_slice())
        );
        assert_eq!(&text[files[0].range.end..][..3], b"bye");
    }
}
