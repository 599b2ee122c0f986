//! Splits a letter into header and body, and a header into fields (RFC 5322, section 2.2).

use super::{charset, encoded_word};
use memchr::memchr;
use std::borrow::Cow;

/// One field of a header, unfolded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written, such as `Message-ID`: printable ASCII without a colon. Compare it
    /// without regard to case, with [`Field::is`].
    pub name: &'a str,
    /// The unfolded value without surrounding blanks, otherwise as written.
    pub value: Cow<'a, [u8]>,
}

impl Field<'_> {
    /// Whether the field has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value as text: UTF-8 if valid, otherwise Latin-1. Encoded words are not decoded.
    pub fn text(&self) -> Cow<'_, str> {
        charset::utf8_or_latin1(&self.value)
    }

    /// The value as text with encoded words decoded.
    pub fn decoded(&self) -> String {
        encoded_word::decode_bytes(&self.value)
    }
}

/// Splits a letter at its first empty line into the header, with its line ends, and the body. Lines
/// end with LF or CR LF. Without an empty line everything is header.
pub fn split(letter: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < letter.len() {
        let next = line_end(letter, at);
        if without_line_end(&letter[at..next]).is_empty() {
            return (&letter[..at], &letter[next..]);
        }
        at = next;
    }
    (letter, &[])
}

/// Iterates over the fields of a header in order. Lines that belong to no field are skipped. A fold
/// (a line end and the blanks after it) becomes one space; blanks before the line end stay.
pub fn fields(header: &[u8]) -> Fields<'_> {
    Fields { header, at: 0 }
}

/// The iterator returned by [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while self.at < self.header.len() {
            let end = line_end(self.header, self.at);
            let line = without_line_end(&self.header[self.at..end]);
            self.at = end;
            if line.is_empty() {
                self.at = self.header.len();
            } else if let Some((name, first)) = field_start(line) {
                return Some(Field { name, value: self.unfold(first) });
            }
        }
        None
    }
}

impl<'a> Fields<'a> {
    fn unfold(&mut self, first: &'a [u8]) -> Cow<'a, [u8]> {
        let mut value = Cow::Borrowed(first.trim_ascii_start());
        while self.header.get(self.at).is_some_and(|byte| is_blank(*byte)) {
            let end = line_end(self.header, self.at);
            let line = without_line_end(&self.header[self.at..end]).trim_ascii_start();
            self.at = end;
            if line.is_empty() {
                continue; // blanks only: obsolete folding, nothing to join
            }
            if value.is_empty() {
                value = Cow::Borrowed(line);
            } else {
                let joined = value.to_mut();
                joined.push(b' ');
                joined.extend_from_slice(line);
            }
        }
        match value {
            Cow::Borrowed(bytes) => Cow::Borrowed(bytes.trim_ascii_end()),
            Cow::Owned(mut bytes) => {
                bytes.truncate(bytes.trim_ascii_end().len());
                Cow::Owned(bytes)
            }
        }
    }
}

/// Name and value of a line that starts a field; `None` for continuations and lines that are not
/// fields. Blanks before the colon are allowed as obsolete syntax.
pub(super) fn field_start(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, &line[colon + 1..]))
}

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The offset just after the line that starts at `at`.
pub(super) fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |found| at + found + 1)
}

pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_ends_at_the_first_empty_line() {
        let table: [(&str, &str, &str); 8] = [
            ("A: 1\n\nbody\n\nmore", "A: 1\n", "body\n\nmore"),
            ("A: 1\r\n\r\nbody", "A: 1\r\n", "body"),
            ("A: 1\r\n\nbody", "A: 1\r\n", "body"),
            ("A: 1\n \n b\n\nbody", "A: 1\n \n b\n", "body"),
            ("\nbody", "", "body"),
            ("A: 1\n", "A: 1\n", ""),
            ("A: 1", "A: 1", ""),
            ("", "", ""),
        ];
        for (letter, header, body) in table {
            assert_eq!(
                split(letter.as_bytes()),
                (header.as_bytes(), body.as_bytes()),
                "{letter:?}"
            );
        }
    }

    #[test]
    fn fields_come_in_order_and_unfolded() {
        let table: [(&str, &[(&str, &str)]); 10] = [
            ("A: 1\nB:2\r\na:  3 \n", &[("A", "1"), ("B", "2"), ("a", "3")]),
            ("A: one\n two\r\n\t three\n", &[("A", "one two three")]),
            ("A: one \n two\n", &[("A", "one  two")]),
            ("A:\n value\n", &[("A", "value")]),
            ("A: one\n   \n two\n", &[("A", "one two")]),
            ("A :obsolete\n", &[("A", "obsolete")]),
            ("From joe Mon Mar  1\nA: 1\n", &[("A", "1")]),
            ("no field\n lost\nA: x:y\n: no name\n", &[("A", "x:y")]),
            ("A: 1\n\nB: 2\n", &[("A", "1")]),
            ("A:\nB: \r\n", &[("A", ""), ("B", "")]),
        ];
        for (header, expected) in table {
            let got: Vec<_> = fields(header.as_bytes())
                .map(|field| (field.name.to_owned(), field.text().into_owned()))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            assert_eq!(got, expected, "{header:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_latin1() {
        let field = fields(b"A: caf\xe9\n").next().unwrap();
        assert_eq!(field.text(), "café");
    }
}
