//! Encodes a letter for DATA (RFC 5321 4.5.2) and for BDAT (RFC 3030).
//!
//! Line ends are normalised first: CR LF, a lone CR and a lone LF all become CR LF, so no bare CR
//! or LF is sent. Then a dot at the start of a line is doubled, so nothing inside a letter can end
//! it early; BDAT says how long a letter is, so it needs no dots. Both steps keep their state from one chunk to the next, so a letter may be cut
//! anywhere.

/// The encoder, with the state between chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Whether dots are doubled, and one ends the letter.
    has_dots: bool,
    at_line_start: bool,
    /// The last chunk ended in a CR, already written as a line end. An LF right after it belongs to
    /// it.
    after_cr: bool,
}

impl Default for Body {
    fn default() -> Self {
        Body { has_dots: true, at_line_start: true, after_cr: false }
    }
}

impl Body {
    /// Appends the next chunk to `out`, encoded.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        if self.after_cr {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.after_cr = self.after_cr && chunk.is_empty();
        }
        while let Some(&first) = rest.first() {
            if self.has_dots && self.at_line_start && first == b'.' {
                out.push(b'.');
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
                out.extend_from_slice(rest);
                self.at_line_start = false;
                return;
            };
            out.extend_from_slice(&rest[..end]);
            out.extend_from_slice(b"\r\n");
            self.at_line_start = true;
            let line_end = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
            self.after_cr = line_end == 1 && rest[end] == b'\r' && rest.len() == end + 1;
            rest = &rest[end + line_end..];
        }
    }

    /// Ends the letter: completes its last line, adds the line with the dot, and resets the
    /// encoder.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.at_line_start {
            out.extend_from_slice(b"\r\n");
        }
        if self.has_dots {
            out.extend_from_slice(b".\r\n");
        }
        *self = Body { has_dots: self.has_dots, ..Body::default() };
    }
}

/// Encodes a whole letter for BDAT.
pub fn in_one_chunk(letter: &[u8]) -> Vec<u8> {
    let mut body = Body { has_dots: false, ..Body::default() };
    let mut chunk = Vec::with_capacity(letter.len() + letter.len() / 32);
    body.push(letter, &mut chunk);
    body.finish(&mut chunk);
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::pop3::{Body as Received, Found};
    use proptest::prelude::*;

    fn sent(letter: &[u8], size: usize) -> Vec<u8> {
        let (mut body, mut out) = (Body::default(), Vec::new());
        letter.chunks(size).for_each(|chunk| body.push(chunk, &mut out));
        body.finish(&mut out);
        out
    }

    #[test]
    fn line_ends_are_made_right_and_dots_doubled() {
        let table: &[(&str, &str)] = &[
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\n", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"),
            ("a\n\rb", "a\r\n\r\nb\r\n.\r\n"),
            ("..a", "...a\r\n.\r\n"),
        ];
        for (letter, expected) in table {
            for size in [1, 2, 3, 100] {
                assert_eq!(
                    sent(letter.as_bytes(), size).escape_ascii().to_string(),
                    expected.as_bytes().escape_ascii().to_string(),
                    "{letter:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn a_chunk_has_right_line_ends_and_its_own_dots() {
        let table = [("", ""), ("a", "a\r\n"), (".\n.\r\r\nx\r\n", ".\r\n.\r\n\r\nx\r\n")];
        for (letter, expected) in table {
            assert_eq!(in_one_chunk(letter.as_bytes()), expected.as_bytes(), "{letter:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_received_and_nothing_inside_ends_it(letter in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()], 0..60), size in 1usize..9) {
            let wire = sent(&letter, size);
            let (mut state, mut rest, mut received) = (Received::default(), &wire[..], Vec::new());
            loop {
                match state.advance(rest) {
                    Found::Piece(count) => { received.extend_from_slice(&rest[..count]); rest = &rest[count..]; }
                    Found::Dot => rest = &rest[1..],
                    Found::End(count) => { rest = &rest[count..]; break; }
                    Found::NeedBytes => prop_assert!(false, "no end"),
                }
            }
            prop_assert!(rest.is_empty());
            prop_assert!(!received.windows(2).any(|pair| (pair[0] == b'\r') != (pair[1] == b'\n')), "a bare line end");
            let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned();
            prop_assert_eq!(lines(&received), lines(&letter));
        }
    }
}
